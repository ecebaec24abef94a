import Binary
import ObjectRuntime
import Placement
import Raft

/// The end of a turn: everything that has gathered becomes one set of records and messages.
extension ShardReplica {
    /// Applies what is committed, lets answers out, and hands records and messages to the queue.
    func flush(
        into persist: inout PersistQueue, messages: inout [Outgoing], lease: Deadline, readsByQuorum: Bool,
        now: Clocks
    ) {
        let nowMs = now.rawNs / 1_000_000
        drainLog(into: &persist, messages: &messages, nowMs: nowMs)
        beginServing(now: now)
        retryWaiting(now: now)
        checkReads(lease: lease, readsByQuorum: readsByQuorum, now: now)
        // What serving and reading have appended goes out in the same turn.
        if raft.hasReady { drainLog(into: &persist, messages: &messages, nowMs: nowMs) }
        raft.compact(keepingBytes: settings.logTailBytes, through: appliedThrough)
    }

    private func drainLog(into persist: inout PersistQueue, messages: inout [Outgoing], nowMs: UInt64) {
        // The log waits while a snapshot is being installed: the state is neither the old nor the new.
        while raft.hasReady, work.installation == nil, !state.isDamaged {
            let ready = raft.ready()
            send(ready.messages, into: &messages)
            stage(ready)
            if ready.snapshotWanted { wantSnapshot(nowMs: nowMs) }
            if let hash = ready.snapshot?.externalHash {
                beginInstallation(ready, contentHash: hash)
            } else {
                finish(ready, into: &persist)
            }
        }
    }

    private func send(_ list: [Message], into messages: inout [Outgoing]) {
        for message in list {
            if let range = message.missingBytes {
                read(message, range)
            } else {
                messages.append(Outgoing(to: message.to, message: .shard(shard, message)))
            }
        }
    }

    private func finish(_ ready: Ready, into persist: inout PersistQueue) {
        takeRecords(of: ready, into: &persist)
        for message in ready.messagesAfterPersist {
            persist.add(message: Outgoing(to: message.to, message: .shard(shard, message)))
        }
        apply(ready.committed)
        guard leads else { return bear() }
        tell(state.committed(through: min(ready.commit, max(executedThrough, appliedThrough)).rawValue))
        bear()
        releaseCommitted(through: ready.commit)
    }

    private func takeRecords(of ready: Ready, into persist: inout PersistQueue) {
        let group = GroupID.shard(shard)
        if let hardState = ready.hardState { persist.add(.hardState(hardState, group: group)) }
        if let snapshot = ready.snapshot {
            persist.add(.covered(snapshot.position, replacesLog: true, group: group))
        }
        for entry in ready.entries { persist.add(.entry(entry, group: group)) }
        if let mark = ready.mark { persist.add(mark: PersistQueue.Mark(group: group, position: mark)) }
    }

    /// The store has the snapshot: what the log handed out with it goes on its way.
    func finishInstallation(_ stored: StoredReplica, into persist: inout PersistQueue) {
        guard let ready = takeInstalled(stored) else { return }
        finish(ready, into: &persist)
    }

    /// Reads that asked for an index that has been committed meanwhile.
    private func retryWaiting(now: Clocks) {
        guard !waitingForIndex.isEmpty else { return }
        let nowMs = now.rawNs / 1_000_000
        waitingForIndex.removeAll { $0.untilMs <= nowMs }
        let commit = isServing ? raft.commit.rawValue : .max
        let isDue = { (read: WaitingRead) in read.attempt.minimumIndex <= commit }
        let due = waitingForIndex.filter(isDue)
        waitingForIndex.removeAll(where: isDue)
        for read in due { receive(read.attempt, now: now) }
    }
}
