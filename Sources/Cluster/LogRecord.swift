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
    public var shard: ShardID? {
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
    /// The kind of an entry is the kind of its record.
    public static let entryKinds = JournalKind.entries
    public static let hardStateKind = JournalKind.hardState
    public static let snapshotKind = JournalKind.snapshot
    /// Without this record the group's log counts as lost (O2, O9).
    public static let createdKind = JournalKind.created
    public static let genesisKind = JournalKind.genesis
    public static let coveredKind = JournalKind.covered
    public static let endedKind = JournalKind.ended
    public static let lostKind = JournalKind.lost
    public static let checkpointKind = JournalKind.checkpoint
    /// Whether, and since when, a disk has a replica.
    public static let membershipKinds = [createdKind, endedKind, lostKind]

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

    /// A snapshot that the log has installed. What stays of the log is written again after it.
    static func snapshot(_ snapshot: Snapshot, group: GroupID) -> LogRecord {
        LogRecord(snapshot, kind: snapshotKind, group: group)
    }

    /// A snapshot that the replica has made of its own state: the log above it stays.
    static func checkpoint(_ snapshot: Snapshot, group: GroupID) -> LogRecord {
        LogRecord(snapshot, kind: checkpointKind, group: group)
    }

    private init(_ snapshot: Snapshot, kind: UInt8, group: GroupID) {
        var writer = ByteWriter(reserving: snapshot.data.count + 64)
        snapshot.configuration.encode(into: &writer)
        writer.writeRaw(snapshot.data)
        self.init(
            kind: kind, group: group, term: snapshot.term.rawValue, index: snapshot.index.rawValue,
            payload: writer.bytes)
    }

    /// The group's state at `position` is kept elsewhere, so entries up to there are needed no more. With
    /// `replacesLog` it came from another replica: what stays of the log is written again after it.
    static func covered(_ position: Position, replacesLog: Bool = false, group: GroupID) -> LogRecord {
        var writer = ByteWriter(reserving: 1)
        writer.write(replacesLog)
        return LogRecord(
            kind: coveredKind, group: group, term: position.term.rawValue, index: position.index.rawValue,
            payload: writer.bytes)
    }

    /// Whether another replica's state takes the place of the log.
    public var replacesLog: Bool { JournalKind.replacesLog(kind, payload) }

    /// The group is no more: all its records are void.
    static func ended(group: GroupID) -> LogRecord {
        LogRecord(kind: endedKind, group: group, term: 0, index: 0, payload: [])
    }

    /// This disk has lost the group's log (O9), which was noticed when the table had this report.
    public static func lost(at point: LogPoint, group: GroupID) -> LogRecord {
        LogRecord(
            kind: lostKind, group: group, term: point.epoch.rawValue, index: point.index.rawValue, payload: [])
    }

    /// `point` is the report by which this node learnt that it is a member.
    static func created(
        _ configuration: Configuration, at point: LogPoint = .genesis, group: GroupID
    ) -> LogRecord {
        var writer = ByteWriter(reserving: 64)
        configuration.encode(into: &writer)
        return LogRecord(
            kind: createdKind, group: group, term: point.epoch.rawValue, index: point.index.rawValue,
            payload: writer.bytes)
    }

    static func genesis(_ genesis: Genesis) -> LogRecord {
        var writer = ByteWriter(reserving: 512)
        genesis.encode(into: &writer)
        return LogRecord(kind: genesisKind, group: .node, term: 0, index: 0, payload: writer.bytes)
    }
}
