// Cluster: what a node decides.
//
// Promise: for every object, at most one node gets an answer out at any moment; an acknowledged write is
// on disk at a majority and in the state of every later owner, once; a request at any node is answered by
// the one owner, or refused with a true word on whether it was applied.
//
// How: two kinds of synchronous state machine. `NodeCore` (one per node) runs the placement group and
// decides about membership, leases, fences and obituaries (O5 to O7). `LoopCore` (one per event loop) holds
// the shards that live on the loop, each a `ShardReplica` over an appointed log (O2 to O4, O8), and the
// `EdgeRouter`, which carries a client's operation to the owner and through changes of owner (O10, O11).
// They take inputs (`NodeInput`, `LoopInput`), gather what follows, and hand it out once per turn
// (`NodeEffects`, `LoopEffects`): one batch for the journal, one set of messages. `PersistQueue` keeps back
// what rests on records until these are durable (O3). Everything that comes from outside (time, chance,
// messages, the word that a batch is durable) is an argument, so production and the simulator drive the
// very same types, and one seed replays a cluster.
//
// Sockets (`Sessions/`): the `SocketHub` of a loop keeps one `Feed` per object for all sockets of the node on
// it. Whatever sockets want of an owner goes through the `EdgeRouter` as an operation; what owners commit
// comes back as pushes to feeds, each with the point before it, so that a feed knows what it lacks (O14). The
// owner's side is `Listeners` and `ShardReplica+Listening`; who has joined is replicated state of the object
// (O15), in ObjectRuntime.
//
// Quotas (`Quota/`): each node tells all others once a second what projects with quotas take at it, and its
// `UsageLedger` makes of that where each project stands. A loop's `QuotaBook` applies it: growth is refused by
// owners, sockets and operations at the edge. Sockets of one object are another matter: their seats are granted
// by its owner (`SocketHub+Seats`, `Listeners`).
//
// Left out, so far: changes of a shard's replicas (O9), splits and merges (O13). The table's replicas are
// those of the genesis record.
