import Binary
import Raft

/// A place in the history of a shard's log: the epoch of the owner that told of it, and an index.
///
/// One owner speaks at an epoch, and a later one has all that was committed before, so of two reports
/// the one with the higher point is the newer.
public struct LogPoint: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let epoch: Epoch
    public let index: LogIndex

    public init(epoch: Epoch, index: LogIndex) {
        self.epoch = epoch
        self.index = index
    }

    /// Before every report: the replicas that a shard is born with.
    public static let genesis = LogPoint(epoch: .zero, index: .zero)

    public var description: String { "(\(epoch), \(index))" }

    public static func < (left: LogPoint, right: LogPoint) -> Bool {
        (left.epoch, left.index) < (right.epoch, right.index)
    }
}

public enum MemberRole: UInt8, Sendable, CaseIterable {
    /// Votes in the configuration that is in force, or in the new half while it is joint.
    case voter = 1
    /// Votes in the old half only.
    case leaving = 2
    case learner = 3
}

/// A node that keeps a shard's log.
public struct Member: Sendable, Equatable {
    public let node: NodeID
    public let role: MemberRole
    /// The report that first listed it. A node that was removed and comes back has a later one, by which
    /// it knows whether it is wanted as what it was or as a new replica (O9).
    public let since: LogPoint

    public init(node: NodeID, role: MemberRole, since: LogPoint) {
        self.node = node
        self.role = role
        self.since = since
    }
}

/// The newest configuration of a shard's log that an owner has reported (O9).
public struct ReplicaSet: Sendable, Equatable {
    /// In the order in which ownership rotates; the new half while joint.
    public let voters: [NodeID]
    /// The old half while joint, else empty.
    public let outgoing: [NodeID]
    public let learners: [NodeID]
    /// Of the report.
    public let configuredAt: LogPoint
    /// One for each of `nodes`.
    private let since: [LogPoint]

    /// The replicas of a new shard.
    public init(voters: [NodeID]) {
        self.voters = voters
        outgoing = []
        learners = []
        configuredAt = .genesis
        since = Array(repeating: .genesis, count: voters.count)
    }

    private init(
        voters: [NodeID], outgoing: [NodeID], learners: [NodeID], configuredAt: LogPoint,
        since: (NodeID) -> LogPoint
    ) {
        self.voters = voters
        self.outgoing = outgoing
        self.learners = learners
        self.configuredAt = configuredAt
        self.since = Self.nodes(voters, outgoing, learners).map(since)
    }

    public var isJoint: Bool { !outgoing.isEmpty }

    /// Neither joint nor with learners: no change is under way.
    public var isSettled: Bool { outgoing.isEmpty && learners.isEmpty }

    /// Everybody who keeps the log, voters first.
    public var nodes: [NodeID] { Self.nodes(voters, outgoing, learners) }

    public var members: [Member] {
        zip(nodes, since).map { node, since in
            Member(node: node, role: role(amongst: node), since: since)
        }
    }

    public func role(of node: NodeID) -> MemberRole? {
        nodes.contains(node) ? role(amongst: node) : nil
    }

    public func since(of node: NodeID) -> LogPoint? {
        nodes.firstIndex(of: node).map { since[$0] }
    }

    private func role(amongst node: NodeID) -> MemberRole {
        if voters.contains(node) { return .voter }
        return outgoing.contains(node) ? .leaving : .learner
    }

    private static func nodes(_ voters: [NodeID], _ outgoing: [NodeID], _ learners: [NodeID]) -> [NodeID] {
        if outgoing.isEmpty && learners.isEmpty { return voters }
        let voting = voters + outgoing.filter { !voters.contains($0) }
        return voting + learners.filter { !voting.contains($0) }
    }

    /// The set after a report. Those that stay keep their order, those that are new come last.
    func reporting(_ configuration: Configuration, at point: LogPoint) -> ReplicaSet {
        ReplicaSet(
            voters: Self.ordered(configuration.voters, like: nodes),
            outgoing: Self.ordered(configuration.outgoing, like: nodes),
            learners: Self.ordered(configuration.learners, like: nodes), configuredAt: point,
            since: { self.since(of: $0) ?? point })
    }

    private static func ordered(_ nodes: [NodeID], like order: [NodeID]) -> [NodeID] {
        order.filter { nodes.contains($0) } + nodes.filter { !order.contains($0) }
    }

    /// The set of a shard that two with the same settled replicas become.
    func merged(with other: ReplicaSet) -> ReplicaSet {
        ReplicaSet(
            voters: voters, outgoing: [], learners: [], configuredAt: max(configuredAt, other.configuredAt),
            since: { max(self.since(of: $0) ?? .genesis, other.since(of: $0) ?? .genesis) })
    }

    public func matches(_ configuration: Configuration) -> Bool {
        Configuration(voters: voters, outgoing: outgoing, learners: learners) == configuration
    }
}

/// A replica that has lost its log or a part of it: it is silent, and is removed and added anew (O9).
public struct LostReplica: Sendable, Equatable {
    public let node: NodeID
    /// The newest report when the loss was made known. A membership that began later is another one.
    public let at: LogPoint

    public init(node: NodeID, at: LogPoint) {
        self.node = node
        self.at = at
    }
}

/// What is to become of a shard (O13). Its owner carries it out.
public enum ShardPlan: Sendable, Hashable {
    /// Keys from `cut` on become the shard `child`.
    case split(cut: UInt64, child: ShardID)
    /// With its neighbour it becomes the shard `into`.
    case merge(with: ShardID, into: ShardID)

    /// The id that the plan has reserved.
    public var newShard: ShardID {
        switch self {
        case .split(_, let child): child
        case .merge(_, let into): into
        }
    }
}

// MARK: - Bytes

extension LogPoint: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(epoch.rawValue)
        writer.writeVariable(index.rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        epoch = Epoch(rawValue: try reader.readVariable())
        index = LogIndex(rawValue: try reader.readVariable())
    }
}

extension ReplicaSet: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        for list in [voters, outgoing, learners] { writer.writeArray(list) { $0.write($1.rawValue) } }
        writer.write(configuredAt)
        for point in since { writer.write(point) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        voters = try reader.readNodes(limit: PlacementLimits.members)
        outgoing = try reader.readNodes(limit: PlacementLimits.members)
        learners = try reader.readNodes(limit: PlacementLimits.members)
        configuredAt = try LogPoint(from: &reader)
        var since: [LogPoint] = []
        for _ in Self.nodes(voters, outgoing, learners) { since.append(try LogPoint(from: &reader)) }
        self.since = since
        guard !voters.isEmpty, learners.allSatisfy({ !voters.contains($0) }),
            [voters, outgoing, learners].allSatisfy({ Set($0).count == $0.count }),
            since.allSatisfy({ $0 <= configuredAt })
        else { throw DecodingFailure("a shard's replicas contradict each other") }
    }
}

extension LostReplica: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.write(at)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        node = NodeID(rawValue: try reader.readUInt64())
        at = try LogPoint(from: &reader)
    }
}

extension ShardPlan: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .split(let cut, let child):
            writer.write(UInt8(1))
            writer.write(cut)
            writer.write(child)
        case .merge(let with, let into):
            writer.write(UInt8(2))
            writer.write(with)
            writer.write(into)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1:
            let cut = try reader.readUInt64()
            self = .split(cut: cut, child: try ShardID(from: &reader))
        case 2:
            let with = try ShardID(from: &reader)
            self = .merge(with: with, into: try ShardID(from: &reader))
        default: throw DecodingFailure("an unknown kind of plan for a shard")
        }
    }
}

extension ShardID: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(UInt64(rawValue))
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        rawValue = UInt32(try reader.readCount(limit: Int(UInt32.max)))
    }
}
