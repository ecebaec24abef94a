import ObjectRuntime
import Placement
import Raft

/// The child of a committed split, before it is a replica of its own: until the store has it in the same transaction as
/// its parent's state, a crash leaves neither, and the parent's log makes it again (O13).
struct Newborn {
    let shard: ShardID
    let base: StoredBase
    var state: ShardState
    /// In the checkpoint of the parent that is under way.
    private(set) var isCaptured = false
    private(set) var isStored = false

    init(_ child: SplitChild, configuration: Configuration) {
        shard = ShardID(rawValue: child.split.child)
        base = StoredBase(
            position: Position(
                term: Term(rawValue: child.split.epoch), index: LogIndex(rawValue: child.split.index)),
            configuration: configuration)
        state = child.state
    }

    mutating func capture() -> StoredWrite? {
        guard !isCaptured, let checkpoint = state.beginCheckpoint() else { return nil }
        isCaptured = true
        return StoredWrite(shard: shard, base: base, checkpoint: checkpoint)
    }

    mutating func finishCapture() {
        guard isCaptured, !isStored else { return }
        state.endCheckpoint()
        isStored = true
    }

    mutating func abandonCapture() {
        guard isCaptured else { return }
        state.abandonCheckpoint()
        isCaptured = false
    }
}

extension ShardReplica {
    /// Takes the children of what has just been applied. More than one at a replica that lags: the owner splits again
    /// when the table has the child, wherever else the store is still busy with it.
    func bear() {
        for child in state.takeChildren() {
            guard
                let place = raft.makeSnapshot(at: LogIndex(rawValue: child.split.index), data: [])
            else { preconditionFailure("O13: the log has the split that was applied just now") }
            listeners.forget { child.split.range.contains($0.key.rawValue) }
            newborns.append(Newborn(child, configuration: place.configuration))
        }
    }

    /// The keys that the store has for this replica, or that are erased with it: children that the store does not have
    /// yet are part of their parent there.
    var claimedRange: ClosedRange<UInt64> {
        newborns.reduce(state.bounds.range) { claimed, child in
            let range = child.state.bounds.range
            return min(claimed.lowerBound, range.lowerBound)...max(claimed.upperBound, range.upperBound)
        }
    }

    func captureNewborns() -> [StoredWrite] { newborns.indices.compactMap { newborns[$0].capture() } }

    func takeStoredNewborns() -> [Newborn] {
        defer { newborns.removeAll(where: \.isStored) }
        return newborns.filter(\.isStored)
    }
}

extension LoopCore {
    /// A majority of the child's replicas has it: something that came after its birth is committed. Before that it may be
    /// at its owner only, and a replica that leaves the parent takes the entry that makes the child with it (O9, O13).
    func isNewestChildServed(of parent: ShardReplica) -> Bool {
        guard let split = parent.state.bounds.newestSplit, let table = view?.state?.table else { return true }
        let shard = ShardID(rawValue: split.child)
        guard let record = table.record(of: shard) else { return table.isGone(shard) }
        // Who is no replica of the child any more has left it by a change that its log has committed.
        guard record.isMember(identity.nodeID) else { return true }
        guard let child = replicas[shard], child.raft.holdsLog else { return false }
        return child.raft.commit.rawValue > split.index
    }

    /// The child is in the store: it becomes a replica like any other.
    func begin(_ newborn: Newborn, of parent: ShardReplica) {
        guard let state = view?.state, replicas[newborn.shard] == nil else { return }
        // Merged into another already, or never to be: a new replica of what it became comes from there.
        // And who became a replica of the parent after the split was none when the child was born.
        if state.table.isGone(newborn.shard) || !newborn.base.configuration.isMember(identity.nodeID) {
            return erase(newborn.shard, newborn.state.bounds.range)
        }
        let group = GroupID.shard(newborn.shard)
        persist.add(.created(newborn.base.configuration, at: parent.joinedAt, group: group))
        persist.add(.covered(newborn.base.position, group: group))
        let record = state.table.record(of: newborn.shard)
            ?? ShardRecord(
                shard: newborn.shard, start: newborn.state.bounds.range.lowerBound,
                replicas: newborn.base.configuration.voters)
        let base = Snapshot(
            index: newborn.base.position.index, term: newborn.base.position.term,
            configuration: newborn.base.configuration)
        add(
            record,
            ReplicaOrigin(
                log: InitialState(snapshot: base), state: newborn.state, stored: newborn.base.position,
                joinedAt: parent.joinedAt))
        if let replica = replicas[newborn.shard] { show(record, to: replica, now: clocks) }
    }
}
