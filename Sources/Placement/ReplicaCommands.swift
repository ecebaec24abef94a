import Raft

/// Commands about who keeps a shard's log, and about nodes that come and go (O9).
extension PlacementState {
    /// O9: the owner tells of a configuration that its log has committed; the newest report counts.
    mutating func recordReplicas(
        _ shard: ShardID, expected: Epoch, proposer: NodeProcess, index: LogIndex, configuration: Configuration
    ) -> CommandResult {
        guard let position = table.position(of: shard) else { return .refused(.unknownShard) }
        if let refusal = objection(at: position, expected: expected, proposer: proposer) {
            return .refused(refusal)
        }
        guard !configuration.isEmpty else { return .refused(.invalidValue) }
        let lists = [configuration.voters, configuration.outgoing, configuration.learners]
        guard lists.allSatisfy({ $0.count <= PlacementLimits.members }) else { return .refused(.limitReached) }
        let point = LogPoint(epoch: expected, index: index)
        let record = table.records[position]
        if point < record.configuredAt { return .refused(.configurationMoved) }
        if point == record.configuredAt {
            return record.replicaSet.matches(configuration) ? .done : .refused(.conflict)
        }
        table.update(at: position) { $0.record(configuration, at: point) }
        return .done
    }

    /// O9: a replica is lost. The node speaks for itself, about the membership that it had.
    mutating func reportLost(_ shard: ShardID, since: LogPoint, proposer: NodeProcess) -> CommandResult {
        guard let position = table.position(of: shard) else { return .refused(.unknownShard) }
        guard registry.newestLive(of: proposer.node) == proposer else { return .refused(.targetNotLive) }
        let record = table.records[position]
        guard let member = record.replicaSet.since(of: proposer.node) else { return .refused(.targetNotReplica) }
        // A report that comes late, of a membership that has ended, must not end the next one.
        guard member == since else { return .refused(.configurationMoved) }
        if record.isLost(at: proposer.node) { return .done }
        let loss = LostReplica(node: proposer.node, at: record.configuredAt)
        table.update(at: position) { $0.lost.append(loss) }
        return .done
    }

    mutating func setStanding(_ standing: NodeStanding, of node: NodeID) -> CommandResult {
        registry.setStanding(standing, of: node) ? .done : .refused(.unknownNode)
    }

    /// Only a node that keeps nothing is forgotten: as member or owner it is still needed, or still
    /// believed to be.
    mutating func removeNode(_ node: NodeID, atMs: UInt64) -> CommandResult {
        if registry.isRemoved(node) { return .done }
        guard let record = registry.record(of: node) else { return .refused(.unknownNode) }
        let isInUse = table.records.contains { $0.isMember(node) || $0.owner?.node == node }
        if isInUse { return .refused(.nodeInUse) }
        if !record.live.isEmpty && record.standing == .active { return .refused(.nodeIsLive) }
        registry.remove(node, atMs: atMs)
        return .done
    }
}
