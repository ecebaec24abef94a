import Binary
import Placement
import Raft

/// Rebuilds the logs of a node from its journal: feed it every record, in order.
public struct RecoveredLogs: Sendable {
    public private(set) var genesis: Genesis?
    private var groups: [GroupID: RecoveredGroup] = [:]

    public init() {}

    /// Throws for a record that this version cannot read: the caller stops the process (O12).
    public mutating func visit(_ record: LogRecord) throws(DecodingFailure) {
        if record.group == .node {
            guard record.kind == LogRecord.genesisKind else {
                throw DecodingFailure("a node record has the unknown kind \(record.kind)")
            }
            var reader = ByteReader(record.payload)
            genesis = try Genesis(from: &reader)
            try reader.finish()
            return
        }
        try groups[record.group, default: RecoveredGroup()].visit(record)
    }

    /// The placement group's log; nil when it was never created here.
    var placement: InitialState? { groups[.placement]?.initialState }

    /// A shard's log. Without a `created` record the disk has lost it, or never had it: such a log
    /// answers no seal (O2, O9).
    func shard(_ shard: ShardID) -> InitialState? { groups[.shard(shard)]?.initialState }
}

private struct RecoveredGroup {
    private var hardState = HardState(term: .zero, vote: nil)
    private var snapshot: Snapshot?
    private var entries: [Entry] = []
    private var isCreated = false

    var initialState: InitialState? {
        guard isCreated, let snapshot else { return nil }
        return InitialState(hardState: hardState, snapshot: snapshot, entries: entries, holdsLog: true)
    }

    mutating func visit(_ record: LogRecord) throws(DecodingFailure) {
        switch record.kind {
        case LogRecord.createdKind:
            var reader = ByteReader(record.payload)
            let configuration = try Configuration(from: &reader)
            try reader.finish()
            isCreated = true
            snapshot = Snapshot(index: .zero, term: .zero, configuration: configuration, data: [])
        case LogRecord.hardStateKind:
            try visitHardState(record)
        case LogRecord.snapshotKind:
            try visitSnapshot(record)
        case LogRecord.entryKinds:
            try visitEntry(record)
        default:
            throw DecodingFailure("a log record has the unknown kind \(record.kind)")
        }
    }

    private mutating func visitHardState(_ record: LogRecord) throws(DecodingFailure) {
        var reader = ByteReader(record.payload)
        let vote = try reader.readOptional { (reader: inout ByteReader) throws(DecodingFailure) in
            Candidate(
                node: NodeID(rawValue: try reader.readUInt64()), incarnation: try reader.readUInt64())
        }
        try reader.finish()
        let term = Term(rawValue: record.term)
        guard term >= hardState.term else { throw DecodingFailure("a term falls in the journal") }
        hardState = HardState(term: term, vote: vote)
    }

    private mutating func visitSnapshot(_ record: LogRecord) throws(DecodingFailure) {
        var reader = ByteReader(record.payload)
        let configuration = try Configuration(from: &reader)
        let data = try reader.readRaw(reader.remaining)
        snapshot = Snapshot(
            index: LogIndex(rawValue: record.index), term: Term(rawValue: record.term),
            configuration: configuration, data: data)
        entries = []
    }

    private mutating func visitEntry(_ record: LogRecord) throws(DecodingFailure) {
        guard let kind = EntryKind(rawValue: record.kind) else {
            throw DecodingFailure("an entry has the unknown kind \(record.kind)")
        }
        let first = entries.first?.index.rawValue ?? (snapshot?.index.rawValue ?? 0) + 1
        guard record.index >= first, record.index <= first + UInt64(entries.count) else {
            throw DecodingFailure("entry \(record.index) does not join the log before it")
        }
        let keep = Int(record.index - first)
        if keep < entries.count { entries.removeSubrange(keep...) }
        entries.append(
            Entry(
                term: Term(rawValue: record.term), index: LogIndex(rawValue: record.index), kind: kind,
                payload: record.payload))
    }
}
