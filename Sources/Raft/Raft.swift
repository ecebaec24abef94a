// # Raft
//
// One log, copied to a few replicas, in one order, with nothing acknowledged ever lost: as long as a
// majority of the replicas keeps what its disks have confirmed. Leaders come about in two ways, over one
// core.
//
// `ElectedReplica` is a replica of the placement group. Replicas that miss their leader campaign: pre-vote
// first, so that who cannot win disturbs nobody, then votes. The leader steps down when it has lost its
// quorum, hands over on request, and confirms on request that it still leads.
//
// `AppointedReplica` is a replica of a shard's log. The placement table names the leader, and the term is
// the shard's epoch. The owner *seals* a majority against lower epochs, *adopts* the highest log that it
// finds there, commits a *barrier* of its own epoch, and leads (O2). Nobody campaigns, and an idle group is
// silent.
//
// ## How it is driven
//
// Everything here is a value. It does no I/O, reads no clock, and draws no randomness but from the seed
// that it was given. The driver calls `step` for each message of a peer, `tick` as time passes, `propose`
// for each command, as often as it likes; then it takes a `Ready` and carries it out:
//
//     let ready = replica.ready()
//     journal.append(ready.hardState, ready.snapshot, ready.entries)      // one write
//     send(ready.messages)                                                // at once
//     apply(ready.committed)
//     // when the write is durable:
//     send(ready.messagesAfterPersist)
//     replica.persisted(term: ready.mark.term, index: ready.mark.index)
//
// Snapshots are bytes, or files of the driver's. Of a file the core knows position, configuration, size and
// hash. Its sender's driver is asked for it, makes it while entries go on, and fills in the bytes of each chunk
// before it leaves; its receiver's driver writes each part, verifies the whole, makes it durable, and says so.
// Only then it is installed, by a `Ready` like any other.
//
// Several may be outstanding. A `Ready` without a mark needs no `persisted`, but its `messagesAfterPersist`
// still wait for the writes before it. `hasReady` stays true while a window has room for more; take again
// until it is false.
//
// ## How it is made
//
//   `RaftLog`                the entries in memory, above a boundary that a snapshot covers
//   `ConfigurationHistory`   who votes, as the log says: in force when appended, gone when cut
//   `Persistence`            what is handed out to the disk, and what of it is durable
//   `Progress`               what a leader knows of one follower: probing, replicating, or fed a snapshot
//   `SnapshotExchange`       snapshots under way, in chunks, in both directions
//   `IncomingSnapshot`       one that is being received: collected if it is bytes, counted if it is a file
//   `Replication`            all of these: following, leading, counting, handing out work
//   `ElectedReplica`         how one becomes leader by votes; reads, transfer, obituaries
//   `AppointedReplica`       how one becomes leader by appointment; `Appointment` is what it has learnt so far
//   `Message`                what replicas say, and its bytes
//
// ## What it keeps to
//
// I6, as preconditions where it concerns what we do ourselves: a term has one leader; equal (term, index)
// means equal logs up to there; what is committed is in the log of every later leader and is never cut;
// terms, sealed epochs and commit indexes only grow; what is applied is committed. What a peer sends never
// trips one of these: it is refused and counted.
//
// Three rules that look like details and are not:
//
// - *Nothing is counted before it is durable*, the leader's own copy and own vote included.
// - *Only entries of the current term are committed by counting* (figure 8 of the paper). That is what
//   barriers are for.
// - *"I have none" is no answer.* A replica that has lost its log is silent in its old name (O9); one that
//   has never had a configuration asks for a snapshot and seals nothing.
//
// ## What is left out
//
// Leases (they are per node and live above), flow control of proposals (the driver sees `lastIndex` and
// `commit`), compression, log entries on disk (the log in memory above the last compaction is all that a
// leader sends from), and protection against replicas that lie. `docs/divergence.md` lists where we differ
// from the papers.
