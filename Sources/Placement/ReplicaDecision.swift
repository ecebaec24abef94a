import Raft

/// How eagerly replica sets are changed.
public struct ReplicaPolicySettings: Sendable, Equatable {
    public var replicasPerShard: Int
    public var replaceAfterMs: UInt64
    /// Changes under way in the whole cluster: each one copies a shard.
    public var changesAtOnce: Int

    public init(replicasPerShard: Int = 3, replaceAfterMs: UInt64 = 600_000, changesAtOnce: Int = 4) {
        self.replicasPerShard = replicasPerShard
        self.replaceAfterMs = replaceAfterMs
        self.changesAtOnce = changesAtOnce
    }

    public init(_ settings: ClusterSettings, changesAtOnce: Int = 4) {
        self.init(
            replicasPerShard: settings.replicasPerShard, replaceAfterMs: settings.replaceAfterMs,
            changesAtOnce: changesAtOnce)
    }
}

/// Why a shard shall be kept by other nodes.
public enum ReplicaReason: Sendable, Equatable, CustomStringConvertible {
    case tooFew(have: Int, want: Int)
    case tooMany(have: Int, want: Int)
    case departing(NodeID, DepartureReason)
    case lost(NodeID)
    /// Replicas are spread evenly over the nodes.
    case evening(from: NodeID, to: NodeID)
    /// A learner is there for which there is no use any more.
    case superfluousLearner

    public var description: String { text { "\($0)" } }

    /// With nodes called as `name` says.
    public func text(naming name: (NodeID) -> String) -> String {
        switch self {
        case .tooFew(let have, let want): "it has \(have) replicas of \(want)"
        case .tooMany(let have, let want): "it has \(have) replicas, \(want) are wanted"
        case .departing(let node, let reason): "node \(name(node)) shall keep it no longer: \(reason)"
        case .lost(let node): "node \(name(node)) has lost its replica"
        case .evening(let from, let to): "node \(name(from)) keeps more replicas than node \(name(to))"
        case .superfluousLearner: "a replica is being made that is not needed any more"
        }
    }
}

/// Why nothing is asked for though there is reason to.
public enum ReplicaHindrance: Sendable, Equatable, CustomStringConvertible {
    case noOwner
    /// The table has not recorded the end of the last change (O9).
    case changing
    case planned
    /// No live node with room is left to take the place.
    case noSpare
    /// Too few live voters to commit the change, or to go on after it.
    case noQuorum
    /// As many changes as are allowed are under way.
    case busy

    public var description: String {
        switch self {
        case .noOwner: "nobody owns the shard"
        case .changing: "its last change is not over"
        case .planned: "it is about to be split or merged"
        case .noSpare: "no other live node has room"
        case .noQuorum: "too few of its replicas are live"
        case .busy: "other shards come first"
        }
    }
}

/// What was found about one shard.
public struct ReplicaFinding: Sendable, Equatable, CustomStringConvertible {
    public let shard: ShardID
    public let reason: ReplicaReason
    /// Nil if the owner is asked for a change.
    public let hindrance: ReplicaHindrance?

    public var description: String { text { "\($0)" } }

    /// With nodes called as `name` says.
    public func text(naming name: (NodeID) -> String) -> String {
        "shard \(shard): \(reason.text(naming: name))" + (hindrance.map { "; not now, \($0)" } ?? "; asking its owner")
    }
}

public struct ReplicaDecision: Sendable, Equatable, CustomStringConvertible {
    public internal(set) var requests: [ReplicaRequest] = []
    /// Owners that are to go hand over first.
    public internal(set) var moves: [MoveRequest] = []
    /// One for each shard that ought to change, by urgency.
    public internal(set) var findings: [ReplicaFinding] = []

    public var description: String {
        findings.isEmpty
            ? "every shard is kept where it should be" : findings.map(\.description).joined(separator: "\n")
    }
}
