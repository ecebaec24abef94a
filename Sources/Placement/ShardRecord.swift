import Binary
import Raft

/// Why a shard came to the owner that it has from an epoch on.
public enum ChangeCause: UInt8, Sendable, CaseIterable {
    case obituary = 1
    case leaseExpired = 2
    case requested = 3
    case assigned = 4
    case yielded = 5
    case appointed = 6
    /// The shard was split off another, by the owner of both.
    case split = 7
    case merged = 8

    init(_ cause: FenceCause) {
        switch cause {
        case .obituary: self = .obituary
        case .leaseExpired: self = .leaseExpired
        case .requested: self = .requested
        }
    }
}

/// What entitled the placement leader to fence a process (O6 a, b, c).
public enum FenceCause: UInt8, Sendable, CaseIterable {
    case leaseExpired = 1
    case obituary = 2
    case requested = 3
}

/// One line of a shard's past: who owned it from an epoch on, and why.
public struct OwnerChange: Sendable, Equatable {
    public let epoch: Epoch
    /// Nobody, if no candidate could take it.
    public let owner: NodeProcess?
    public let cause: ChangeCause

    public init(epoch: Epoch, owner: NodeProcess?, cause: ChangeCause) {
        self.epoch = epoch
        self.owner = owner
        self.cause = cause
    }
}

/// One row of the placement table. It ends before the next row's start.
public struct ShardRecord: Sendable, Equatable {
    public let shard: ShardID
    /// First key of the range.
    public let start: UInt64
    /// Of the entry that made the shard by a split or merge, 0 for an original one: its log goes on above.
    public let bornAt: LogIndex
    public internal(set) var epoch: Epoch
    /// The process that may lead the shard's log at `epoch`; nil while nobody can.
    public internal(set) var owner: NodeProcess?
    /// Who keeps the shard's log, as last reported; the log itself may be ahead (O9).
    public internal(set) var replicaSet: ReplicaSet
    /// Members whose replica is lost, in the order in which they told.
    public internal(set) var lost: [LostReplica]
    public internal(set) var plan: ShardPlan?
    /// The last owners, oldest first; the last line is the present one.
    public internal(set) var history: [OwnerChange]

    public init(
        shard: ShardID, start: UInt64, epoch: Epoch = .zero, owner: NodeProcess? = nil,
        replicas: [NodeID], history: [OwnerChange] = []
    ) {
        self.init(
            shard: shard, start: start, bornAt: .zero, epoch: epoch, owner: owner,
            replicaSet: ReplicaSet(voters: replicas), lost: [], plan: nil, history: history)
    }

    init(
        shard: ShardID, start: UInt64, bornAt: LogIndex, epoch: Epoch, owner: NodeProcess?,
        replicaSet: ReplicaSet, lost: [LostReplica], plan: ShardPlan?, history: [OwnerChange]
    ) {
        self.shard = shard
        self.start = start
        self.bornAt = bornAt
        self.epoch = epoch
        self.owner = owner
        self.replicaSet = replicaSet
        self.lost = lost
        self.plan = plan
        self.history = history
    }

    /// The voters, of the new half while joint, in the order in which ownership rotates.
    public var replicas: [NodeID] { replicaSet.voters }

    /// The voters of the old half while joint, else empty.
    public var outgoing: [NodeID] { replicaSet.outgoing }

    public var learners: [NodeID] { replicaSet.learners }

    /// Of the newest report of the shard's configuration.
    public var configuredAt: LogPoint { replicaSet.configuredAt }

    /// Everybody who keeps the shard's log, voters first.
    public var members: [Member] { replicaSet.members }

    public func isMember(_ node: NodeID) -> Bool { replicaSet.role(of: node) != nil }

    public func isLost(at node: NodeID) -> Bool { lost.contains { $0.node == node } }

    /// Who may own the shard: voters with a log. One that has lost its log could only yield.
    public var heirs: [NodeID] { lost.isEmpty ? replicas : replicas.filter { !isLost(at: $0) } }

    /// How many of the newest changes in a row were yields: the driver waits longer with each (O2).
    public var yieldsInARow: Int {
        history.reversed().prefix { $0.cause == .yielded }.count
    }

    /// The only way in which an owner changes: always with the next epoch (O1).
    mutating func giveTo(_ newOwner: NodeProcess?, cause: ChangeCause) {
        epoch = epoch.next
        owner = newOwner
        if history.count >= PlacementLimits.ownersInHistory { history.removeFirst() }
        history.append(OwnerChange(epoch: epoch, owner: newOwner, cause: cause))
    }

    /// Takes a report of the owner (O9): losses of those that are members no longer are settled.
    mutating func record(_ configuration: Configuration, at point: LogPoint) {
        replicaSet = replicaSet.reporting(configuration, at: point)
        let members = replicaSet.nodes
        lost.removeAll { !members.contains($0.node) }
    }
}

extension OwnerChange: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(epoch.rawValue)
        writer.writePresent(owner)
        writer.write(cause.rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        epoch = Epoch(rawValue: try reader.readVariable())
        owner = try reader.readPresent()
        guard let cause = ChangeCause(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown cause of a change of owner")
        }
        self.cause = cause
    }
}

extension ShardRecord: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(shard)
        writer.write(start)
        writer.writeVariable(bornAt.rawValue)
        writer.writeVariable(epoch.rawValue)
        writer.writePresent(owner)
        writer.write(replicaSet)
        writer.writeAll(lost)
        writer.writePresent(plan)
        writer.writeAll(history)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = try ShardID(from: &reader)
        start = try reader.readUInt64()
        bornAt = LogIndex(rawValue: try reader.readVariable())
        epoch = try Epoch.readStored(from: &reader)
        owner = try reader.readPresent()
        replicaSet = try ReplicaSet(from: &reader)
        lost = try reader.readAll(limit: 3 * PlacementLimits.members)
        plan = try reader.readPresent()
        history = try reader.readAll(limit: PlacementLimits.ownersInHistory)
        guard lost.allSatisfy({ isMember($0.node) }), Set(lost.map(\.node)).count == lost.count else {
            throw DecodingFailure("a replica is lost that is none")
        }
    }

    /// As 0.2.0 wrote it, when replica sets did not change.
    init(fromFirstFormat reader: inout ByteReader) throws(DecodingFailure) {
        let shard = try ShardID(from: &reader)
        let start = try reader.readUInt64()
        let epoch = try Epoch.readStored(from: &reader)
        let owner: NodeProcess? = try reader.readPresent()
        let replicas = try reader.readNodes(limit: PlacementLimits.members)
        guard !replicas.isEmpty, Set(replicas).count == replicas.count else {
            throw DecodingFailure("a shard's replicas contradict each other")
        }
        self.init(
            shard: shard, start: start, epoch: epoch, owner: owner, replicas: replicas,
            history: try reader.readAll(limit: PlacementLimits.ownersInHistory))
    }
}

extension ByteReader {
    mutating func readNodes(limit: Int) throws(DecodingFailure) -> [NodeID] {
        let count = try readCount(limit: limit)
        var nodes: [NodeID] = []
        for _ in 0..<count { nodes.append(NodeID(rawValue: try readUInt64())) }
        return nodes
    }
}
