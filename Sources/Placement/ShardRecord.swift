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
    public internal(set) var epoch: Epoch
    /// The process that may lead the shard's log at `epoch`; nil while nobody can.
    public internal(set) var owner: NodeProcess?
    /// Who keeps the shard's log, in the order in which ownership rotates.
    public internal(set) var replicas: [NodeID]
    /// The last owners, oldest first; the last line is the present one.
    public internal(set) var history: [OwnerChange]

    public init(
        shard: ShardID, start: UInt64, epoch: Epoch = .zero, owner: NodeProcess? = nil,
        replicas: [NodeID], history: [OwnerChange] = []
    ) {
        self.shard = shard
        self.start = start
        self.epoch = epoch
        self.owner = owner
        self.replicas = replicas
        self.history = history
    }

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
        writer.writeVariable(UInt64(shard.rawValue))
        writer.write(start)
        writer.writeVariable(epoch.rawValue)
        writer.writePresent(owner)
        writer.writeArray(replicas) { $0.write($1.rawValue) }
        writer.writeAll(history)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        shard = ShardID(rawValue: UInt32(try reader.readCount(limit: Int(UInt32.max))))
        start = try reader.readUInt64()
        epoch = try Epoch.readStored(from: &reader)
        owner = try reader.readPresent()
        replicas = try reader.readNodes(limit: PlacementLimits.members)
        history = try reader.readAll(limit: PlacementLimits.ownersInHistory)
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
