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
        drainLog(into: &persist, messages: &messages)
        beginServing(now: now)
        retryWaiting(now: now)
        checkReads(lease: lease, readsByQuorum: readsByQuorum, now: now)
        // What serving and reading have appended goes out in the same turn.
        if raft.hasReady { drainLog(into: &persist, messages: &messages) }
        raft.compact(keepingBytes: settings.logTailBytes, through: appliedThrough)
    }

    private func drainLog(into persist: inout PersistQueue, messages: inout [Outgoing]) {
        while raft.hasReady {
            let ready = raft.ready()
            takeRecords(of: ready, into: &persist)
            for message in ready.messages {
                messages.append(Outgoing(to: message.to, message: .shard(shard, message)))
            }
            for message in ready.messagesAfterPersist {
                persist.add(message: Outgoing(to: message.to, message: .shard(shard, message)))
            }
            apply(ready.committed)
            if leads {
                tell(state.committed(through: min(ready.commit, max(executedThrough, appliedThrough)).rawValue))
                releaseCommitted(through: ready.commit)
            }
            if ready.snapshotWanted {
                if let snapshot = makeSnapshot() {
                    raft.provideSnapshot(snapshot)
                } else {
                    raft.snapshotFailed()
                }
            }
        }
    }

    private func takeRecords(of ready: Ready, into persist: inout PersistQueue) {
        let group = GroupID.shard(shard)
        if let hardState = ready.hardState { persist.add(.hardState(hardState, group: group)) }
        if let snapshot = ready.snapshot {
            do {
                try install(snapshot)
            } catch {
                preconditionFailure("O12: a snapshot of shard \(shard.rawValue) cannot be read: \(error)")
            }
            persist.add(.snapshot(snapshot, group: group))
        }
        for entry in ready.entries { persist.add(.entry(entry, group: group)) }
        if let mark = ready.mark { persist.add(mark: PersistQueue.Mark(group: group, position: mark)) }
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
