import Raft

/// Why one shard is where it is, for people who ask.
public struct ShardExplanation: Sendable, Equatable, CustomStringConvertible {
    public struct Keeper: Sendable, Equatable {
        public let member: Member
        public let isOwner: Bool
        public let isLost: Bool
        /// Why it shall not stay, if so.
        public let departure: DepartureReason?
    }

    public let record: ShardRecord
    public let range: ClosedRange<UInt64>
    /// Why the owner has it; nil if nobody ever owned it.
    public let cause: ChangeCause?
    public let keepers: [Keeper]
    /// What the replica policy wants of it, or why it may not have it.
    public let finding: ReplicaFinding?

    public var description: String { sentences { "\($0)" }.joined(separator: "\n") }

    /// With nodes called as `name` says.
    public func sentences(naming name: (NodeID) -> String) -> [String] {
        var lines = [ownership(name)]
        for keeper in keepers {
            var line = "node \(name(keeper.member.node)) is \(keeper.member.role) since \(keeper.member.since)"
            if keeper.isOwner { line += ", and owns it" }
            if keeper.isLost { line += ", and has lost its log" }
            if let departure = keeper.departure { line += "; it shall go: \(departure)" }
            lines.append(line)
        }
        switch record.plan {
        case .split(let cut, let child): lines.append("to be split at \(cut) into itself and \(child)")
        case .merge(let other, let into): lines.append("to be merged with \(other) into \(into)")
        case nil: break
        }
        if let finding { lines.append(finding.text(naming: name)) }
        return lines
    }

    private func ownership(_ name: (NodeID) -> String) -> String {
        let owner = record.owner.map { "process \(name($0.node))#\($0.incarnation) owns" } ?? "nobody owns"
        let why = cause.map { ", \($0)" } ?? ""
        return "\(owner) shard \(record.shard) at epoch \(record.epoch)\(why)"
    }
}

extension PlacementState {
    /// Nil if there is no such shard.
    public func explain(_ shard: ShardID, health: [NodeHealth]) -> ShardExplanation? {
        guard let record = table.record(of: shard), let range = table.range(of: shard) else { return nil }
        let fleet = Fleet(registry: registry, health: health, replaceAfterMs: settings.replaceAfterMs)
        let decision = ReplicaPolicy.decide(
            table: table, registry: registry, health: health, settings: ReplicaPolicySettings(settings))
        let keepers = record.members.map { member in
            ShardExplanation.Keeper(
                member: member, isOwner: member.node == record.owner?.node,
                isLost: record.isLost(at: member.node), departure: fleet.departure(of: member.node))
        }
        return ShardExplanation(
            record: record, range: range, cause: record.history.last?.cause, keepers: keepers,
            finding: decision.findings.first { $0.shard == shard })
    }
}
