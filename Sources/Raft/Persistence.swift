import Binary

/// What of this replica's state is handed out to be persisted, and what of it is durable.
///
/// A replica counts its own copy of an entry only when the disk has it. The disk answers late: in the
/// meantime the entry may have been cut, replaced, and even replaced back. So an answer names term and
/// index, and proves nothing at or above an index that a later, still outstanding write begins at.
struct Persistence: Sendable {
    private struct Outstanding {
        var mark: Position
        /// Entries from here on are rewritten by this write.
        var rewritesFrom: LogIndex?
        var hasHardState: Bool
    }

    private var outstanding: [Outstanding] = []
    /// The log is durable up to here.
    private(set) var durable: LogIndex
    /// The first entry that is not yet handed out.
    private(set) var unstableFrom: LogIndex
    var isHardStateDirty = false
    private(set) var snapshot: Snapshot?
    private var rewritesFrom: LogIndex?

    init(durable: LogIndex) {
        self.durable = durable
        unstableFrom = durable.next
    }

    /// Whether what `hardState` says now would survive a crash.
    var isHardStateDurable: Bool { !isHardStateDirty && !outstanding.contains { $0.hasHardState } }

    var hasOutstanding: Bool { !outstanding.isEmpty }

    func hasWork(lastIndex: LogIndex) -> Bool {
        isHardStateDirty || snapshot != nil || unstableFrom <= lastIndex
    }

    mutating func truncated(from index: LogIndex) {
        durable = min(durable, index.previous)
        unstableFrom = min(unstableFrom, index)
    }

    /// A snapshot replaces the log above `kept`.
    mutating func restarted(with snapshot: Snapshot, keeping kept: LogIndex) {
        self.snapshot = snapshot
        durable = min(durable, kept)
        rewritesFrom = min(rewritesFrom ?? kept.next, kept.next)
        unstableFrom = snapshot.index.next
    }

    /// Notes a write that is handed out now, of entries up to the end of the log.
    mutating func handOut(_ ready: inout Ready, last: Position) {
        guard hasWork(lastIndex: last.index) else { return }
        if !ready.entries.isEmpty { rewritesFrom = min(rewritesFrom ?? unstableFrom, unstableFrom) }
        ready.snapshot = snapshot
        ready.mark = last
        outstanding.append(
            Outstanding(mark: last, rewritesFrom: rewritesFrom, hasHardState: isHardStateDirty))
        isHardStateDirty = false
        snapshot = nil
        rewritesFrom = nil
        unstableFrom = last.index.next
    }

    /// The oldest outstanding writes up to the one with this mark are durable. False if there is none.
    mutating func persisted(_ mark: Position, in log: RaftLog) -> Bool {
        guard let found = outstanding.firstIndex(where: { $0.mark == mark }) else { return false }
        outstanding.removeFirst(found + 1)
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.matchWritesByIndex) {
            durable = max(durable, mark.index)
            return true
        }
        #endif
        var claim = min(mark.index, unstableFrom.previous)
        for write in outstanding {
            if let first = write.rewritesFrom { claim = min(claim, first.previous) }
        }
        if let first = rewritesFrom { claim = min(claim, first.previous) }
        let isSameEntry = claim < mark.index || claim < log.boundary.index || log.matches(mark)
        if isSameEntry { durable = max(durable, claim) }
        return true
    }
}
