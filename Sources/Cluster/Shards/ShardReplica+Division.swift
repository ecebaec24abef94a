import ObjectRuntime
import Placement
import Raft

/// How the owner splits and merges shards (O13): the plan is the table's, the log decides, the table follows.
extension ShardReplica {
    var hasDivisionWork: Bool {
        !newborns.isEmpty
            || (isServing && (record.plan != nil || unfinishedSplit != nil || state.bounds.frozenBy != nil))
    }

    /// The log has split, and the table does not know: whoever owns the shard finishes it.
    private var unfinishedSplit: ShardSplit? {
        unrecordedSplit.flatMap { $0.index <= raft.commit.rawValue ? $0 : nil }
    }

    private var unrecordedSplit: ShardSplit? {
        guard let split = state.bounds.newestSplit, let table = placement?.table else { return nil }
        let child = ShardID(rawValue: split.child)
        return table.record(of: child) == nil && !table.isGone(child) ? split : nil
    }

    /// O9, O13: what comes of the shard begins with the configuration of this place in the log, and the table gives it the
    /// replicas that it knows. Until then they stay the same.
    var isDividing: Bool { state.bounds.frozenBy != nil || unrecordedSplit != nil }

    func advanceDivision(now: Clocks) {
        let nowMs = now.rawNs / 1_000_000
        // The store comes first: nothing else of this shard is stored before its child is.
        if !newborns.isEmpty { beginCheckpoint(nowMs: nowMs) }
        guard isServing, move == nil, let process else { return }
        if let split = unfinishedSplit {
            // The child must be able to lead here before the table names it.
            guard newborns.isEmpty, isDivisionDue(nowMs: nowMs) else { return }
            requests.append(
                .propose(
                    .split(
                        shard, expected: record.epoch, proposer: process, cut: split.cut,
                        child: ShardID(rawValue: split.child), index: LogIndex(rawValue: split.index))))
            return
        }
        if callOffLateMerge(nowMs: nowMs) { return }
        switch (record.plan, state.bounds.frozenBy) {
        case (.merge(_, let into), nil): freeze(by: into, now: now)
        case (.merge(_, let into), .some(let frozen)) where frozen == into.rawValue: break
        // Frozen for a merge that was called off, whatever is planned since.
        case (_, .some): thaw(now: now)
        case (.split(let cut, let child), nil): split(at: cut, child: child, now: now)
        case (nil, nil): break
        }
    }

    /// A replica that is dead or lost may never have all of the log. Until the merge is called off, nobody is served.
    private func callOffLateMerge(nowMs: UInt64) -> Bool {
        guard case .merge(_, let into)? = record.plan, let plan = record.plan, let process else {
            mergeBegun = nil
            return false
        }
        guard let begun = mergeBegun, begun.into == into else {
            mergeBegun = (into, nowMs)
            return false
        }
        guard nowMs >= begun.atMs + settings.mergePatienceMs else { return false }
        if isDivisionDue(nowMs: nowMs) {
            requests.append(.propose(.cancelPlan(shard, expected: record.epoch, proposer: process, plan: plan)))
        }
        return true
    }

    private func isDivisionDue(nowMs: UInt64) -> Bool {
        guard nowMs >= dividedAtMs + settings.proposalRetryMs || dividedAtMs == 0 else { return false }
        dividedAtMs = nowMs
        return true
    }

    private func freeze(by into: ShardID, now: Clocks) {
        let next = raft.lastIndex.next
        propose(state.executeFreeze(by: into.rawValue, context(next: next, now: now)), at: next)
    }

    private func thaw(now: Clocks) {
        let next = raft.lastIndex.next
        propose(state.executeThaw(context(next: next, now: now)), at: next)
        sortMailbox(now: now)
    }

    private func propose(_ entry: (payload: [UInt8], index: UInt64)?, at next: LogIndex) {
        guard let entry else { return }
        let index = raft.propose(entry.payload)
        precondition(index == next, "O3: an entry gets the index that its execution was told")
        executedThrough = index
    }

    /// Frozen for this merge, and every replica has all of the log and knows it: a majority would not do, since two
    /// majorities of two logs need not share a node that has both.
    func isReady(toMergeInto into: ShardID) -> Bool {
        isServing && state.bounds.frozenBy == into.rawValue && raft.commit == raft.lastIndex && !raft.hasOutstanding
            && isConfigurationSettled
            && raft.configuration.members.allSatisfy { raft.matchIndex(of: $0) == raft.lastIndex }
    }

    private func split(at cut: UInt64, child: ShardID, now: Clocks) {
        // Its entry is on its way, or its place in the table is.
        if state.bounds.newestSplit?.child == child.rawValue { return }
        // A child that is born with a joint configuration asks nodes that never have it.
        guard isConfigurationSettled, isNewestChildServed else { return }
        let next = raft.lastIndex.next
        propose(state.executeSplit(at: cut, child: child.rawValue, context(next: next, now: now)), at: next)
    }
}
