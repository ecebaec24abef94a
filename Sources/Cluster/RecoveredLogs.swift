import Binary
import Placement
import Raft

/// Rebuilds the logs of a node from its journal: feed it every record, in order.
public struct RecoveredLogs: Sendable {
    public private(set) var genesis: Genesis?
    /// Walked in sorted order only.
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

    /// Call it after the last record. Throws if a log has a hole: what is missing was needed (O12).
    public func finish() throws(DecodingFailure) {
        for group in groups.keys.sorted() { try groups[group]?.finish() }
    }

    /// The placement group's log; nil when it was never created here.
    var placement: InitialState? { groups[.placement]?.initialState }

    /// A shard's log. Without a `created` record the disk has lost it, or never had it: such a log
    /// answers no seal (O2, O9). Nil as well if the state it begins with is kept elsewhere: see `shardLog`.
    func shard(_ shard: ShardID) -> InitialState? { groups[.shard(shard)]?.initialState }

    /// What there is of a shard's log; nil if the journal has nothing of it.
    public func shardLog(_ shard: ShardID) -> RecoveredLog? { log(of: .shard(shard)) }

    /// The same of any log.
    public func log(of group: GroupID) -> RecoveredLog? { groups[group]?.log }

    /// The shards of which the journal has anything, by number.
    public var shards: [ShardID] { groups.keys.sorted().compactMap(\.shard) }
}

/// A log as the journal has it.
public struct RecoveredLog: Sendable {
    public var hardState = HardState(term: .zero, vote: nil)
    /// What the log begins with is the state at this position: in `snapshot` or, if that is nil and the
    /// index is not 0, in the object store.
    public var covered = Position.zero
    public var snapshot: Snapshot?
    /// The configuration with which the log was created; nil if it is not, or no more, a log of this disk.
    public var created: Configuration?
    /// What follows `covered`, without a gap.
    public var entries: [Entry] = []
    /// The group has ended and was not created anew.
    public var isEnded = false
    /// The position of the table, epoch of the shard and index, when this disk noticed that it has lost the
    /// log (O9).
    public var lost: LogPoint?
    /// The report of the table by which this replica came to be (O9).
    public var joinedAt = LogPoint.genesis
}

/// Order and repetitions: the journal writes state records again at the start of each segment, and what it
/// hands back may begin with any segment. So a state record may be met before its own time, but never before
/// it was true; the same one again changes nothing.
private struct RecoveredGroup {
    private(set) var log = RecoveredLog()

    var initialState: InitialState? {
        guard let created = log.created, log.lost == nil else { return nil }
        let start = Snapshot(index: .zero, term: .zero, configuration: created, data: [])
        let base = log.snapshot ?? start
        guard base.index == log.covered.index else { return nil }
        return InitialState(hardState: log.hardState, snapshot: base, entries: log.entries, holdsLog: true)
    }

    mutating func visit(_ record: LogRecord) throws(DecodingFailure) {
        switch record.kind {
        case LogRecord.createdKind: try visitCreated(record)
        case LogRecord.hardStateKind: try visitHardState(record)
        case LogRecord.snapshotKind, LogRecord.checkpointKind: try visitSnapshot(record)
        case LogRecord.coveredKind: try visitCovered(record)
        case LogRecord.endedKind:
            log = RecoveredLog()
            log.isEnded = true
        case LogRecord.lostKind:
            log.lost = LogPoint(epoch: Epoch(record.term), index: LogIndex(rawValue: record.index))
            log.entries = []
        case LogRecord.entryKinds: try visitEntry(record)
        default: throw DecodingFailure("a log record has the unknown kind \(record.kind)")
        }
    }

    /// What stands before the first entry may have been dropped, but only what is covered.
    func finish() throws(DecodingFailure) {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.startWithHole) { return }
        #endif
        guard log.created != nil, let first = log.entries.first else { return }
        guard first.index == log.covered.index.next else {
            throw DecodingFailure("the log begins with entry \(first.index) and is covered to \(log.covered)")
        }
    }

    private mutating func visitCreated(_ record: LogRecord) throws(DecodingFailure) {
        var reader = ByteReader(record.payload)
        let configuration = try Configuration(from: &reader)
        try reader.finish()
        log.isEnded = false
        log.lost = nil
        guard log.created == nil else { return }
        log.created = configuration
        log.joinedAt = LogPoint(epoch: Epoch(record.term), index: LogIndex(rawValue: record.index))
    }

    private mutating func visitHardState(_ record: LogRecord) throws(DecodingFailure) {
        var reader = ByteReader(record.payload)
        let vote = try reader.readOptional { (reader: inout ByteReader) throws(DecodingFailure) in
            Candidate(
                node: NodeID(rawValue: try reader.readUInt64()), incarnation: try reader.readUInt64())
        }
        try reader.finish()
        let term = Term(rawValue: record.term)
        guard term >= log.hardState.term else { throw DecodingFailure("a term falls in the journal") }
        log.hardState = HardState(term: term, vote: vote)
    }

    private mutating func visitSnapshot(_ record: LogRecord) throws(DecodingFailure) {
        var reader = ByteReader(record.payload)
        let configuration = try Configuration(from: &reader)
        let data = try reader.readRaw(reader.remaining)
        let position = Position(term: Term(rawValue: record.term), index: LogIndex(rawValue: record.index))
        if let snapshot = log.snapshot, snapshot.index >= position.index { return }
        try cover(position, replacesLog: record.kind == LogRecord.snapshotKind)
        guard log.covered == position else { return }
        log.snapshot = Snapshot(
            index: position.index, term: position.term, configuration: configuration, data: data)
    }

    private mutating func visitCovered(_ record: LogRecord) throws(DecodingFailure) {
        var reader = ByteReader(record.payload)
        let replacesLog = try reader.readBool()
        try reader.finish()
        try cover(
            Position(term: Term(rawValue: record.term), index: LogIndex(rawValue: record.index)),
            replacesLog: replacesLog)
    }

    /// Never goes back: what does not lead on is a repetition.
    private mutating func cover(_ position: Position, replacesLog: Bool) throws(DecodingFailure) {
        guard position.index > log.covered.index else { return }
        log.covered = position
        if let snapshot = log.snapshot, snapshot.index < position.index { log.snapshot = nil }
        if replacesLog { return log.entries = [] }
        guard let first = log.entries.first, first.index <= position.index else { return }
        let count = min(Int(position.index.rawValue - first.index.rawValue) + 1, log.entries.count)
        if let last = log.entries[..<count].last, last.index == position.index, last.term != position.term {
            throw DecodingFailure("entry \(last.position) is covered as \(position)")
        }
        log.entries.removeFirst(count)
    }

    private mutating func visitEntry(_ record: LogRecord) throws(DecodingFailure) {
        // What is left of a lost log is of no use, and need not be whole (O9).
        guard log.lost == nil else { return }
        guard let kind = EntryKind(rawValue: record.kind) else {
            throw DecodingFailure("an entry has the unknown kind \(record.kind)")
        }
        let index = LogIndex(rawValue: record.index)
        guard index > log.covered.index, index <= log.entries.last?.index.next ?? index else {
            throw DecodingFailure("entry \(record.index) does not join the log before it")
        }
        if let first = log.entries.first {
            let keep = index < first.index ? 0 : Int(index.rawValue - first.index.rawValue)
            log.entries.removeSubrange(keep...)
        }
        log.entries.append(
            Entry(term: Term(rawValue: record.term), index: index, kind: kind, payload: record.payload))
    }
}
