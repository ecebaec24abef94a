import Cluster
import Placement
import Raft

/// What an operator or the placement leader asks of a cluster that works: splits and merges at any moment, nodes that
/// are emptied and filled again.
extension World {
    func injectGrowth(_ kind: FaultInjector.Kind) {
        switch kind {
        case .planSplit: planSplit()
        case .planMerge: planMerge()
        case .drainNode: drainNode()
        case .orderMove: orderMove()
        default: preconditionFailure("not a kind of growth")
        }
    }

    private static let shardsMax = 16

    func propose(_ command: Command) {
        guard let process = machines[random.below(machines.count)].process else { return }
        give(.propose(nextToken(), command), to: process)
    }

    /// As the admin API does it: with an entry in the audit.
    func proposeAsOperator(_ command: Command) {
        let note = AuditNote(
            callID: nextToken().rawValue, atMs: nowNs / 1_000_000 / 1_000_000, actor: "operator", role: .operator, address: "-")
        propose(.audited(note, command))
    }

    private func planSplit() {
        guard let table = newestView?.state?.table, table.records.count < World.shardsMax else { return }
        let record = random.pick(table.records)
        guard let range = table.range(of: record.shard), range.upperBound - range.lowerBound > 16 else { return }
        // In the middle half: both sides get something.
        let quarter = (range.upperBound - range.lowerBound) / 4
        let cut = range.lowerBound + quarter + random.below(2 * quarter)
        note("shard \(record.shard) is to be split at \(cut)")
        propose(.planSplit(record.shard, expected: record.epoch, cut: cut))
    }

    private func planMerge() {
        guard let records = newestView?.state?.table.records else { return }
        let pairs = zip(records, records.dropFirst()).filter { $0.shard.homeNumber == $1.shard.homeNumber }
        guard !pairs.isEmpty else { return }
        let (left, right) = random.pick(pairs)
        note("shards \(left.shard) and \(right.shard) are to be merged")
        propose(
            .planMerge(
                left: left.shard, expectedLeft: left.epoch, right: right.shard, expectedRight: right.epoch))
    }

    /// Only where the others can take what it has.
    private func drainNode() {
        let machine = random.below(machines.count)
        guard canSpareOne, machines[machine].isInService, !machines[machine].isLeaving else { return }
        let node = machines[machine].nodeID
        note("\(nodeName(node)) is to be emptied")
        setStanding(.draining, of: node)
        schedule(
            .endOfFault(.drain(node: node)), afterNs: 500_000_000 + random.exponential(meanNs: 3_000_000_000))
    }

    /// What an operator orders may be lost with the leader that heard it, so he looks and orders again.
    func endDrain(of node: NodeID) {
        guard let machine = machines.first(where: { $0.nodeID == node }), machine.isInService, !machine.isLeaving,
            newestView?.state?.registry.isDraining(node) ?? true
        else { return }
        setStanding(.active, of: node)
        schedule(.endOfFault(.drain(node: node)), afterNs: World.departureRoundNs)
    }

    /// Any live node may be told to take over; the owner may decline.
    private func orderMove() {
        guard let state = newestView?.state else { return }
        let record = random.pick(state.table.records)
        let targets = state.registry.nodes.compactMap(\.newestLive).filter {
            record.isMember($0.node) && $0 != record.owner
        }
        guard let owner = record.owner, !targets.isEmpty,
            let process = machines[random.below(machines.count)].process
        else { return }
        let target = random.pick(targets)
        note("shard \(record.shard) is to move to \(nodeName(target.node))")
        give(.order(MoveRequest(shard: record.shard, epoch: record.epoch, from: owner, to: target)), to: process)
    }

    /// Three nodes are left if one goes.
    var canSpareOne: Bool { machines.count { $0.isInService && !$0.isLeaving } > 3 }

    func setStanding(_ standing: NodeStanding, of node: NodeID) {
        guard newestView?.state?.registry.record(of: node) != nil else { return }
        proposeAsOperator(.setStanding(node, standing))
    }

    /// How long a node may be away before its replicas go elsewhere.
    func setReplacement() {
        proposeAsOperator(.setReplacement(afterMs: plan.replaceAfterMs))
    }
}
