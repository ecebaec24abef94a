import ObjectRuntime
import Placement
import Raft

/// Two replicas on their way to becoming one (O13).
struct Merger {
    var left: ShardID
    var right: ShardID
    var into: ShardID
    var base: StoredBase
    var state: ShardState
    var joinedAt: LogPoint
}

/// Merges (O13): the owner freezes both logs and, when every replica has all of both, asks the table. Each replica then
/// puts its two states together, in one transaction of the store.
extension LoopCore {
    func advanceMerges() {
        guard let table = view?.state?.table else { return }
        for shard in shardOrder {
            guard let replica = replicas[shard] else { continue }
            if case .merge(let other, let into)? = replica.record.plan { propose(replica, other, into) }
            if let frozen = replica.state.bounds.frozenBy, table.isGone(shard) {
                join(parts(of: ShardID(rawValue: frozen)), into: ShardID(rawValue: frozen), table)
            }
        }
    }

    // MARK: - The owner

    private func propose(_ left: ShardReplica, _ other: ShardID, _ into: ShardID) {
        guard let right = replicas[other], left.record.start < right.record.start,
            left.isReady(toMergeInto: into), right.isReady(toMergeInto: into), let process = left.process,
            nowMs >= left.dividedAtMs + settings.proposalRetryMs
        else { return }
        left.dividedAtMs = nowMs
        let proposal = MergeProposal(
            left: left.shard, expectedLeft: left.record.epoch, leftIndex: left.raft.lastIndex, right: right.shard,
            expectedRight: right.record.epoch, rightIndex: right.raft.lastIndex, proposer: process, into: into)
        effects.toNode.append(.propose(.merge(proposal)))
    }

    // MARK: - Every replica

    /// The table has the merged shard: so every replica had all of both logs, and both are committed whole, though this
    /// one may not have heard of it.
    func concludeMergedLogs(_ table: Table) {
        for shard in shardOrder where table.isGone(shard) {
            replicas[shard]?.abdicate()
            guard let replica = replicas[shard], let into = replica.mergedInto, table.record(of: into) != nil
            else { continue }
            replica.conclude()
            mark(replica)
        }
    }

    /// Whether a shard that the table has no more is to become part of one that it has.
    func isMergePart(_ replica: ShardReplica, _ table: Table) -> Bool {
        guard let into = replica.mergedInto, let record = table.record(of: into), replicas[into] == nil,
            record.isMember(identity.nodeID), let range = table.range(of: into)
        else { return false }
        // The other one may have been lost: then the whole comes from elsewhere.
        return parts(of: into).reduce(0) { $0 &+ $1.state.bounds.range.count64 } == range.count64
    }

    private func parts(of into: ShardID) -> [ShardReplica] {
        shardOrder.compactMap { replicas[$0] }.filter { $0.mergedInto == into && $0.raft.holdsLog }
            .sorted { $0.state.bounds.range.lowerBound < $1.state.bounds.range.lowerBound }
    }

    private func join(_ parts: [ShardReplica], into: ShardID, _ table: Table) {
        guard parts.count == 2, let record = table.record(of: into), replicas[into] == nil,
            !mergers.values.contains(where: { $0.into == into }),
            parts.allSatisfy({ $0.state.bounds.frozenBy == into.rawValue && $0.work.checkpoint == nil })
        else { return }
        // Everything of both is in the store first.
        for part in parts where part.hasUnstored {
            part.beginCheckpoint(nowMs: nowMs)
            mark(part)
        }
        guard parts.allSatisfy({ !$0.hasUnstored && $0.newborns.isEmpty }) else { return }
        begin(parts[0], parts[1], record)
    }

    private func begin(_ left: ShardReplica, _ right: ShardReplica, _ record: ShardRecord) {
        var state = ShardState.merged(left.state, right.state, source: store)
        guard let checkpoint = state.beginCheckpoint() else { return }
        let base = StoredBase(
            position: Position(term: max(left.raft.lastTerm, right.raft.lastTerm), index: record.bornAt),
            configuration: left.raft.configuration)
        let job = left.takeJob()
        mergers[job] = Merger(
            left: left.shard, right: right.shard, into: record.shard, base: base, state: state,
            joinedAt: max(left.joinedAt, right.joinedAt))
        let write = StoredWrite(
            shard: record.shard, base: base, checkpoint: checkpoint, parents: [left.shard, right.shard])
        effects.store.append(.merge(job, left: left.shard, right: right.shard, into: write))
    }

    func finish(_ merger: Merger) {
        for shard in [merger.left, merger.right] {
            remove(shard)
            persist.add(.ended(group: .shard(shard)))
        }
        let group = GroupID.shard(merger.into)
        persist.add(.created(merger.base.configuration, at: merger.joinedAt, group: group))
        persist.add(.covered(merger.base.position, group: group))
        var state = merger.state
        state.endCheckpoint()
        guard let placement = view?.state, let record = placement.table.record(of: merger.into) else {
            // Merged again already: what it became comes from elsewhere.
            return erase(merger.into, state.bounds.range)
        }
        let base = Snapshot(
            index: merger.base.position.index, term: merger.base.position.term,
            configuration: merger.base.configuration)
        add(
            record,
            ReplicaOrigin(
                log: InitialState(snapshot: base), state: state, stored: merger.base.position,
                joinedAt: merger.joinedAt))
        if let replica = replicas[merger.into] { show(record, to: replica, now: clocks) }
    }
}

extension ShardReplica {
    /// What this shard's log says it ends in, committed or not.
    var mergedInto: ShardID? {
        if let frozen = state.bounds.frozenBy { return ShardID(rawValue: frozen) }
        guard let last = raft.lastEntry, last.kind == .command else { return nil }
        return ShardState.freezing(last.payload).map { ShardID(rawValue: $0) }
    }

    func conclude() {
        guard raft.commit < raft.lastIndex, work.installation == nil else { return }
        raft.conclude()
    }
}

extension ClosedRange<UInt64> {
    /// How many keys; 0 for all of the key space.
    fileprivate var count64: UInt64 { upperBound - lowerBound &+ 1 }
}
