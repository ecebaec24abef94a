// # ObjectRuntime
//
// What a data object is, and what an operation on it does. The module knows no socket, file, clock,
// Raft or node: the wall clock, the place in the log and random bits are arguments (`ExecutionContext`),
// log indexes and epochs are plain numbers.
//
// ## The path of an operation
//
//     HTTP body --OperationParser--> Operation --in a Request--> ShardState.execute
//         read:   Execution.read(answer, restsOn)         nothing changed
//         write:  Execution.write(payload, answer)        propose the payload as the entry of nextIndex
//         retry:  Execution.replay(first answer, restsOn)
//
// The owner executes ahead of its log: a write is in memory at once, with what is needed to take it
// back. `committed(through:)` makes it final, `rollBack(above:)` undoes it. Replicas `apply` committed
// payloads. Owner and replica make the same changes by the same function, so equal logs give equal
// snapshots, to the byte.
//
// ## Values are text
//
// A value is the JSON text that the client sent, never a tree: number texts, member order and escapes
// stay as they were. `JSONScanner` walks the text where it lies. An operation becomes edits of the text
// (`TextEdit`), and those are what the log carries: pushing one element onto a megabyte costs an entry
// of some dozens of bytes, and replicas follow without reading JSON. Large texts are ropes that share
// what an edit leaves alone, so old versions (answers that retries may ask for) are cheap.
//
// ## Choices that the protocol leaves open
//
// - Items are listed in the order of their names' bytes, always: a prefix is one run, and the order
//   does not depend on history.
// - Names are compared as bytes, without Unicode folding. Half a surrogate pair in a name or path is
//   refused, since it cannot arrive in a URL; in values it stays as it was sent. Empty names are refused.
// - A version (`updatedAt`) also rises over removal and expiry, so a compare-and-set never takes a new
//   item for an old one.
// - Time is the log's: the owner's wall clock, but never less than the entry before.
// - Removing an item that is not there is an entry all the same, because it is an event. Removing none
//   (`[]`, `clear` of nothing) is not.
// - The check of a key version comes first, then `ifAbsent`, then `updatedAt`, then types.
// - A value with a key version need not be a string; the server does not look.
// - A ttl with a fraction is cut to whole milliseconds, and is at least one.
// - An object without items and settings has no record. Its index is then that of the newest entry that
//   emptied any object of the shard: never lower than its own.
//
// ## Exactly once (O10)
//
// `OperationWindow` keeps ids and first answers as part of the replicated state. An edge's id goes when
// a logged entry says that the edge has settled it, or when the edge's incarnation is retired; a copy
// that comes later is answered `outcomeUnknown` and not executed. Because an edge settles in order of
// its counters, an unsettled id is never dropped, and a retry is either answered from the window or was
// never executed. Clients' keys are kept ten minutes of the window's age, refusals and results without
// effect too; over the bound new keys are refused, none is dropped early. The age is carried by entries
// and grows by the owner's raw clock only, so that a jump of a wall clock drops nothing.
//
// ## Hibernation
//
// `ObjectTable` holds hot objects as values, in order of use, and cold ones as bytes behind `ColdObjects`.
// Changing and executing wake an object, looking does not; what has uncommitted entries never leaves. Nothing
// outside can tell: answers and snapshots are the same to the byte.
//
// ## Sessions and events (O14, O15)
//
// Joins, leaves and resumes are operations, and connections that have joined are part of their object's
// state. A `SessionRecord` names the attachment, the one socket that speaks for the connection; what comes
// from any other is stale and changes nothing. An entry's events follow from its changes, once they are made
// (`ObjectEvent`), and are numbered by their place in it (`EventPoint`). Of objects that are watched, owner
// and replicas keep them a while (`EventHistory`), so that whoever was away, or lost its owner, is told what
// it missed or that it cannot be told. Frames for clients are rendered here (`FrameRendering`), once.
//
// ## Left out
//
// Sockets, and alarms.
