import Raft

/// One shard of two neighbours, as their owner proposes it (O13).
public struct MergeProposal: Sendable, Equatable {
    public var left: ShardID
    public var expectedLeft: Epoch
    /// Of the entry that froze the left log.
    public var leftIndex: LogIndex
    public var right: ShardID
    public var expectedRight: Epoch
    public var rightIndex: LogIndex
    public var proposer: NodeProcess
    /// The id that the plan has reserved.
    public var into: ShardID

    public init(
        left: ShardID, expectedLeft: Epoch, leftIndex: LogIndex, right: ShardID, expectedRight: Epoch,
        rightIndex: LogIndex, proposer: NodeProcess, into: ShardID
    ) {
        self.left = left
        self.expectedLeft = expectedLeft
        self.leftIndex = leftIndex
        self.right = right
        self.expectedRight = expectedRight
        self.rightIndex = rightIndex
        self.proposer = proposer
        self.into = into
    }
}

/// Splits and merges (O13). A plan reserves the new shard's id and asks the owner, the owner's own
/// command carries it out: nobody else changes what a live owner owns (O1). Ids are never used twice, so
/// a command that comes late finds another plan, or none.
extension PlacementState {
    mutating func divide(_ command: Command) -> CommandResult {
        switch command {
        case .planSplit(let shard, let expected, let cut):
            planSplit(shard, expected: expected, cut: cut)
        case .split(let shard, let expected, let proposer, let cut, let child, let index):
            split(shard, expected: expected, proposer: proposer, cut: cut, child: child, index: index)
        case .planMerge(let left, let expectedLeft, let right, let expectedRight):
            planMerge(left: left, expectedLeft: expectedLeft, right: right, expectedRight: expectedRight)
        case .merge(let proposal):
            merge(proposal)
        case .cancelPlan(let shard, let expected, let proposer, let plan):
            cancelPlan(plan, of: shard, expected: expected, proposer: proposer)
        default:
            preconditionFailure("not a command that divides the key space")
        }
    }

    // MARK: - Split

    private mutating func planSplit(_ shard: ShardID, expected: Epoch, cut: UInt64) -> CommandResult {
        guard let position = table.position(of: shard), let range = table.range(of: shard) else {
            return .refused(.unknownShard)
        }
        let record = table.records[position]
        guard record.epoch == expected else { return .refused(.epochMoved) }
        if let plan = record.plan {
            guard case .split(cut, _) = plan else { return .refused(.planned) }
            return .planned(plan)
        }
        guard cut > range.lowerBound, range.contains(cut) else { return .refused(.outOfRange) }
        guard table.records.count < PlacementLimits.shards,
            let child = table.reserveShard(home: shard.homeNumber)
        else { return .refused(.limitReached) }
        let plan = ShardPlan.split(cut: cut, child: child)
        table.update(at: position) { $0.plan = plan }
        return .planned(plan)
    }

    /// The log has split: the parent keeps its epoch, the child begins at the next one, so that for an
    /// object (epoch, index) only rises.
    private mutating func split(
        _ shard: ShardID, expected: Epoch, proposer: NodeProcess, cut: UInt64, child: ShardID, index: LogIndex
    ) -> CommandResult {
        if let made = table.record(of: child) {
            let isThisOne = made.start == cut && child.homeNumber == shard.homeNumber
            return isThisOne ? moved(made) : .refused(.conflict)
        }
        guard let position = table.position(of: shard) else { return .refused(.unknownShard) }
        if let refusal = objection(at: position, expected: expected, proposer: proposer) {
            return .refused(refusal)
        }
        let parent = table.records[position]
        guard parent.plan == .split(cut: cut, child: child) else { return .refused(.noSuchPlan) }
        // Other shards may have been split since the plan was made.
        guard table.records.count < PlacementLimits.shards else { return .refused(.limitReached) }
        let epoch = expected.next
        let record = ShardRecord(
            shard: child, start: cut, bornAt: index, epoch: epoch, owner: proposer,
            replicaSet: parent.replicaSet, lost: parent.lost, plan: nil,
            history: [OwnerChange(epoch: epoch, owner: proposer, cause: .split)])
        table.update(at: position) { $0.plan = nil }
        table.insert(record, at: position + 1)
        return moved(record)
    }

    // MARK: - Merge

    private mutating func planMerge(left: ShardID, expectedLeft: Epoch, right: ShardID, expectedRight: Epoch)
        -> CommandResult
    {
        guard let position = table.position(of: left), table.position(of: right) != nil else {
            return .refused(.unknownShard)
        }
        guard let (first, second) = neighbours(at: position, right: right) else {
            return .refused(.unfitForMerge)
        }
        if first.epoch != expectedLeft || second.epoch != expectedRight { return .refused(.epochMoved) }
        if let plan = first.plan {
            guard case .merge(right, _) = plan else { return .refused(.planned) }
            return .planned(plan)
        }
        if second.plan != nil { return .refused(.planned) }
        guard fit(first, second) else { return .refused(.unfitForMerge) }
        guard let into = table.reserveShard(home: left.homeNumber) else { return .refused(.limitReached) }
        let plan = ShardPlan.merge(with: right, into: into)
        table.update(at: position) { $0.plan = plan }
        table.update(at: position + 1) { $0.plan = .merge(with: left, into: into) }
        return .planned(plan)
    }

    /// Both logs are frozen: one shard takes the place of both, above either's epoch.
    private mutating func merge(_ proposal: MergeProposal) -> CommandResult {
        if let made = table.record(of: proposal.into) {
            return proposal.into.homeNumber == proposal.left.homeNumber ? moved(made) : .refused(.conflict)
        }
        guard let position = table.position(of: proposal.left), table.position(of: proposal.right) != nil else {
            return .refused(.unknownShard)
        }
        guard let (left, right) = neighbours(at: position, right: proposal.right) else {
            return .refused(.unfitForMerge)
        }
        let objections = [
            objection(at: position, expected: proposal.expectedLeft, proposer: proposal.proposer),
            objection(at: position + 1, expected: proposal.expectedRight, proposer: proposal.proposer),
        ]
        if let refusal = objections.compactMap({ $0 }).first { return .refused(refusal) }
        guard left.plan == .merge(with: right.shard, into: proposal.into) else { return .refused(.noSuchPlan) }
        guard fit(left, right) else { return .refused(.unfitForMerge) }
        let epoch = max(left.epoch, right.epoch).next
        let record = ShardRecord(
            shard: proposal.into, start: left.start, bornAt: max(proposal.leftIndex, proposal.rightIndex),
            epoch: epoch, owner: proposal.proposer, replicaSet: left.replicaSet.merged(with: right.replicaSet),
            lost: [], plan: nil,
            history: [OwnerChange(epoch: epoch, owner: proposal.proposer, cause: .merged)])
        table.replacePair(at: position, by: record)
        return moved(record)
    }

    private func neighbours(at position: Int, right: ShardID) -> (left: ShardRecord, right: ShardRecord)? {
        guard position + 1 < table.records.count, table.records[position + 1].shard == right else { return nil }
        return (table.records[position], table.records[position + 1])
    }

    /// One home, one owner, and the same replicas, all of which have both logs.
    private func fit(_ left: ShardRecord, _ right: ShardRecord) -> Bool {
        left.shard.homeNumber == right.shard.homeNumber && left.owner != nil && left.owner == right.owner
            && left.replicaSet.isSettled && right.replicaSet.isSettled && left.lost.isEmpty && right.lost.isEmpty
            && Set(left.replicas) == Set(right.replicas)
    }

    // MARK: - Plans

    /// The owner's log holds nothing of the plan and never will at this epoch; a merge is called off at
    /// both shards. The plan is named, so that a repeated command never meets a later plan.
    private mutating func cancelPlan(_ plan: ShardPlan, of shard: ShardID, expected: Epoch, proposer: NodeProcess)
        -> CommandResult
    {
        guard let position = table.position(of: shard) else { return .refused(.unknownShard) }
        guard table.records[position].plan == plan else { return .done }
        if let refusal = objection(at: position, expected: expected, proposer: proposer) {
            return .refused(refusal)
        }
        table.update(at: position) { $0.plan = nil }
        if case .merge(let neighbour, _) = plan, let other = table.position(of: neighbour) {
            table.update(at: other) { $0.plan = nil }
        }
        return .done
    }

    private func moved(_ record: ShardRecord) -> CommandResult {
        .moved(record.shard, epoch: record.epoch, owner: record.owner)
    }
}
