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
// ## Objects rest in a store
//
// A shard's objects are durable behind an `ObjectSource`; `ObjectTable` holds those that are loaded, in order of use.
// Executing and applying load an object, looking does not keep it. An entry of the table is clean (equal to what is
// stored) or dirty; one without content hides what is stored. `beginCheckpoint` takes the committed state at
// `committedIndex`: the changed objects by reference, without what is speculative (O3), and the head, which is
// everything else whole. `ShardCheckpoint.changes` and `head` encode it, on any thread; `endCheckpoint` makes what has
// not changed since clean, and only what is clean leaves memory, by idleness (`hibernate`) or for want of room
// (`evict`). `ShardState(head:source:)` and the log behind it give the state that never stopped.
//
// Recorded answers in a head lean on each other, not on objects, so that neither writing nor reading one loads any.
// A stored object that cannot be read marks the state as damaged, for good: nothing more is executed or applied, and
// nothing may be let out (O12). Counts are kept by differences (`Tally`), never by looking at all.
//
// ## Split and merge (O13)
//
// `ShardBounds` says which keys are the shard's, and whether it is frozen; entries change it. The owner refuses the
// upper keys from the moment it executes a split. When the entry is committed or applied, the child falls off with
// its loaded objects, the ids of operations on them, sessions and history (`takeChildren`); how much is stored on
// either side nobody knows until it is counted (`settleTally`). A merge joins two frozen states; what an edge had
// settled for one half only is kept apart (`SettledFloor`), so that nothing new is taken for a late copy.
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
