import Binary
import Raft

/// A shard's fencing token: raised by every change of owner, never lowered (O1).
///
/// The high 16 bits are the generation of the cluster (a restore or a forced recovery starts a new
/// one), the low 48 bits count. Epoch 0 means that nobody has owned the shard yet.
public struct Epoch: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public init(generation: UInt16, counter: UInt64) {
        precondition(counter <= Self.largestCounter, "O1: an epoch's counter has 48 bits")
        rawValue = UInt64(generation) << 48 | counter
    }

    /// Nobody has owned the shard yet.
    public static let zero = Epoch(rawValue: 0)

    static let largestCounter: UInt64 = (1 << 48) - 1

    public var generation: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 48) }

    public var counter: UInt64 { rawValue & Self.largestCounter }

    /// The term of the shard's log while this epoch lasts. The one place where epochs become terms.
    public var term: Term { Term(rawValue: rawValue) }

    public var next: Epoch {
        precondition(counter < Self.largestCounter, "O1: epochs never run into the next generation")
        return Epoch(rawValue: rawValue + 1)
    }

    public var description: String { generation == 0 ? "\(counter)" : "\(generation):\(counter)" }

    public static func < (left: Epoch, right: Epoch) -> Bool { left.rawValue < right.rawValue }
}

/// The number of one run of a node process, given at registration and never used again.
public struct Incarnation: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// No process has this number: the first one registered is 1.
    public static let zero = Incarnation(rawValue: 0)

    public var description: String { String(rawValue) }

    public static func < (left: Incarnation, right: Incarnation) -> Bool { left.rawValue < right.rawValue }
}

/// A contiguous range of the key space, by its number.
///
/// The low 16 bits are the *home*, the number of the original shard whose range it lies in; the high 16
/// bits count the shards that splits and merges have made in that range. What depends on the home alone,
/// as the loop that serves a shard, is the same for a shard and for all that comes of it.
public struct ShardID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(_ rawValue: UInt32) {
        self.rawValue = rawValue
    }

    public init(home: UInt16, serial: UInt16) {
        rawValue = UInt32(serial) << 16 | UInt32(home)
    }

    /// The number of the original shard in whose range this one lies.
    public var homeNumber: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// 0 for an original shard; no two shards of a home ever have the same.
    public var serial: UInt16 { UInt16(truncatingIfNeeded: rawValue >> 16) }

    public var description: String { serial == 0 ? "\(homeNumber)" : "\(homeNumber).\(serial)" }

    public static func < (left: ShardID, right: ShardID) -> Bool { left.rawValue < right.rawValue }
}

/// One run of one node: what owns shards, holds leases and is fenced.
public struct NodeProcess: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let node: NodeID
    public let incarnation: Incarnation

    public init(node: NodeID, incarnation: Incarnation) {
        self.node = node
        self.incarnation = incarnation
    }

    public var description: String { "\(node)#\(incarnation)" }

    public static func < (left: NodeProcess, right: NodeProcess) -> Bool {
        (left.node, left.incarnation) < (right.node, right.incarnation)
    }
}

extension NodeProcess: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(node.rawValue)
        writer.writeVariable(incarnation.rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        node = NodeID(rawValue: try reader.readUInt64())
        incarnation = Incarnation(rawValue: try reader.readVariable())
    }
}

extension Epoch {
    /// Stored epochs leave room to grow, so that a forged one cannot make `next` trap.
    static func readStored(from reader: inout ByteReader) throws(DecodingFailure) -> Epoch {
        let epoch = Epoch(rawValue: try reader.readVariable())
        guard epoch.counter <= largestCounter / 2 else {
            throw DecodingFailure("an epoch is higher than any that can have been reached")
        }
        return epoch
    }
}
