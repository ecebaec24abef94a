import Binary
import Placement
import Raft

/// Whose log a record belongs to. The node's journal holds all of them.
public struct GroupID: Hashable, Comparable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    /// What concerns the node as a whole: the genesis of its cluster.
    public static let node = GroupID(rawValue: 0)
    public static let placement = GroupID(rawValue: 1)

    public static func shard(_ shard: ShardID) -> GroupID {
        GroupID(rawValue: 0x1_0000 + UInt64(shard.rawValue))
    }

    /// The shard whose log this is, if it is one.
    var shard: ShardID? {
        guard rawValue >= 0x1_0000, let number = UInt32(exactly: rawValue - 0x1_0000) else { return nil }
        return ShardID(rawValue: number)
    }

    public static func < (left: GroupID, right: GroupID) -> Bool { left.rawValue < right.rawValue }
}

/// One record for the journal: the same five fields as the journal's own, so that the shell and the
/// simulator copy them without interpreting them.
public struct LogRecord: Sendable, Equatable {
    public var kind: UInt8
    public var group: GroupID
    public var term: UInt64
    public var index: UInt64
    public var payload: [UInt8]

    public init(kind: UInt8, group: GroupID, term: UInt64, index: UInt64, payload: [UInt8]) {
        self.kind = kind
        self.group = group
        self.term = term
        self.index = index
        self.payload = payload
    }
}

extension LogRecord {
    /// Kinds below 16 are entries: the kind of the entry itself.
    public static let entryKinds: ClosedRange<UInt8> = 0...15
    public static let hardStateKind: UInt8 = 16
    public static let snapshotKind: UInt8 = 17
    /// The group exists on this disk. Without this record its log counts as lost (O2, O9).
    static let createdKind: UInt8 = 18
    static let genesisKind: UInt8 = 19

    static func entry(_ entry: Entry, group: GroupID) -> LogRecord {
        LogRecord(
            kind: entry.kind.rawValue, group: group, term: entry.term.rawValue,
            index: entry.index.rawValue, payload: entry.payload)
    }

    static func hardState(_ state: HardState, group: GroupID) -> LogRecord {
        var writer = ByteWriter(reserving: 18)
        writer.writeOptional(state.vote) { writer, vote in
            writer.write(vote.node.rawValue)
            writer.write(vote.incarnation)
        }
        return LogRecord(
            kind: hardStateKind, group: group, term: state.term.rawValue, index: 0, payload: writer.bytes)
    }

    static func snapshot(_ snapshot: Snapshot, group: GroupID) -> LogRecord {
        var writer = ByteWriter(reserving: snapshot.data.count + 64)
        snapshot.configuration.encode(into: &writer)
        writer.writeRaw(snapshot.data)
        return LogRecord(
            kind: snapshotKind, group: group, term: snapshot.term.rawValue,
            index: snapshot.index.rawValue, payload: writer.bytes)
    }

    static func created(_ configuration: Configuration, group: GroupID) -> LogRecord {
        var writer = ByteWriter(reserving: 64)
        configuration.encode(into: &writer)
        return LogRecord(kind: createdKind, group: group, term: 0, index: 0, payload: writer.bytes)
    }

    static func genesis(_ genesis: Genesis) -> LogRecord {
        var writer = ByteWriter(reserving: 512)
        genesis.encode(into: &writer)
        return LogRecord(kind: genesisKind, group: .node, term: 0, index: 0, payload: writer.bytes)
    }
}
