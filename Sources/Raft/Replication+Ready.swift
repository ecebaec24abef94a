import Binary

/// Handing out work, and taking back what is done.
extension Replication {
    var hasReady: Bool {
        persistence.hasWork(lastIndex: log.lastIndex) || !messages.isEmpty || !messagesAfterPersist.isEmpty
            || acknowledgement != nil || commit > applied || snapshotRequest || canSendToPeers
            || canFeedPulledSnapshot || !snapshots.parts.isEmpty || !snapshots.dropped.isEmpty
    }

    mutating func ready() -> Ready {
        var ready = Ready()
        buildAppends()
        feedPulledSnapshot()
        flushAcknowledgement()
        if persistence.isHardStateDirty { ready.hardState = hardState }
        ready.entries = log.entries(from: persistence.unstableFrom, through: log.lastIndex)
        persistence.handOut(&ready, last: log.last)
        ready.messages = take(&messages)
        ready.messagesAfterPersist = take(&messagesAfterPersist)
        #if PLANTED_BUGS
        if PlantedBug.isActive(.acknowledgeBeforeSync) {
            ready.messages += ready.messagesAfterPersist
            ready.messagesAfterPersist = []
        }
        #endif
        handOutCommitted(&ready)
        ready.snapshotWanted = snapshotRequest
        snapshotRequest = false
        ready.snapshotParts = take(&snapshots.parts)
        ready.snapshotDropped = take(&snapshots.dropped)
        return ready
    }

    private mutating func handOutCommitted(_ ready: inout Ready) {
        precondition(applied <= commit, "I6: only what is committed is applied")
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.applyUncommitted) { advanceCommit(to: log.lastIndex) }
        #endif
        ready.committed = log.entries(from: applied.next, through: commit)
        ready.commit = commit
        applied = commit
    }

    private func take<Element>(_ list: inout [Element]) -> [Element] {
        let taken = list
        list = []
        return taken
    }

    mutating func persisted(_ mark: Position) {
        guard persistence.persisted(mark, in: log) else { return counters.strayPersisted += 1 }
        commitByCounting()
    }

    /// A snapshot of the state machine at `index`, which must be applied and not below the boundary.
    func snapshot(at index: LogIndex, content: Snapshot.Content) -> Snapshot? {
        guard index <= applied, let term = log.term(at: index) else { return nil }
        return Snapshot(
            index: index, term: term, configuration: configurations.configuration(at: index), content: content)
    }
}
