import Binary

@testable import Storage

/// What records mean, told by the rules of `JournalKind` in the simplest way: two journals are worth the same
/// when their views are equal.
struct LogView: Equatable {
    struct Group: Equatable {
        var covered: UInt64 = 0
        var entries: [UInt64: JournalRecord] = [:]
        var states: [UInt8: JournalRecord] = [:]
    }

    private(set) var groups: [UInt64: Group] = [:]

    init(_ records: some Sequence<JournalRecord> = []) {
        for record in records { take(record) }
    }

    mutating func take(_ record: JournalRecord) {
        var group = groups[record.group] ?? Group()
        switch record.kind {
        case JournalKind.entries:
            group.entries = group.entries.filter { $0.key < record.index }
            // What is left of a lost log is of no use.
            if record.index > group.covered, group.states[JournalKind.lost] == nil { group.entries[record.index] = record }
        case JournalKind.ended:
            group = Group()
        case JournalKind.lost:
            group.entries = [:]
        case JournalKind.created:
            group.states[JournalKind.ended] = nil
            group.states[JournalKind.lost] = nil
        case JournalKind.snapshot, JournalKind.checkpoint:
            if record.index > group.covered, record.kind == JournalKind.snapshot { group.entries = [:] }
            group.states[JournalKind.snapshot] = nil
            group.states[JournalKind.checkpoint] = nil
        default: break
        }
        if JournalKind.covers(record.kind) {
            group.covered = max(group.covered, record.index)
            group.entries = group.entries.filter { $0.key > record.index }
        }
        if !JournalKind.isEntry(record.kind) { group.states[record.kind] = record }
        groups[record.group] = group
    }

    /// Whether every log goes on from where it is covered.
    var isWithoutGaps: Bool {
        groups.values.allSatisfy { group in
            let first = group.covered + 1
            return group.entries.keys.sorted() == Array(first..<first + UInt64(group.entries.count))
        }
    }
}

/// Makes records as the cores of a node do: a few logs that grow, are cut, covered, ended and created anew.
struct HistoryMaker {
    private struct Log {
        var exists = false
        var covered: UInt64 = 0
        var last: UInt64 = 0
        var term: UInt64 = 1
    }

    private var generator: SeededGenerator
    private var logs: [Log]
    /// How many of a hundred steps cover something.
    private let coverPercent: Int
    private let entryBytes: Int

    init(seed: UInt64, groups: Int = 4, coverPercent: Int = 25, entryBytes: Int = 400) {
        generator = SeededGenerator(state: seed)
        logs = [Log](repeating: Log(), count: groups)
        self.coverPercent = coverPercent
        self.entryBytes = entryBytes
    }

    /// What is appended together.
    mutating func next() -> [JournalRecord] {
        (0..<Int.random(in: 1...4, using: &generator)).flatMap { _ in step() }
    }

    private mutating func step() -> [JournalRecord] {
        let place = Int.random(in: 0..<logs.count, using: &generator)
        var log = logs[place]
        defer { logs[place] = log }
        let group = UInt64(place + 1)
        guard log.exists else {
            log = Log(exists: true)
            return [record(JournalKind.created, group, log, 0, bytes: 20)]
        }
        let dice = Int.random(in: 0..<100, using: &generator)
        if dice < coverPercent { return cover(group, &log) }
        switch dice {
        case 90...93:
            log.term += 1
            return [record(JournalKind.hardState, group, log, 0, bytes: 9)]
        case 94: return [record(JournalKind.lost, group, log, 7, bytes: 0)]
        case 95:
            log = Log()
            return [record(JournalKind.ended, group, log, 0, bytes: 0)]
        case 96...97: return cut(group, &log)
        default:
            log.last += 1
            return [record(1, group, log, log.last, bytes: Int.random(in: 0...entryBytes, using: &generator))]
        }
    }

    private mutating func cover(_ group: UInt64, _ log: inout Log) -> [JournalRecord] {
        guard log.last > log.covered else { return [] }
        log.covered = UInt64.random(in: log.covered + 1...log.last, using: &generator)
        let kinds = [JournalKind.covered, JournalKind.covered, JournalKind.checkpoint, JournalKind.snapshot]
        let kind = kinds.randomElement(using: &generator) ?? JournalKind.covered
        var records = [record(kind, group, log, log.covered, bytes: 12)]
        guard kind == JournalKind.snapshot else { return records }
        // It replaces the log: what stays is written again.
        log.last = log.covered
        if Bool.random(using: &generator) {
            log.last += 1
            records.append(record(2, group, log, log.last, bytes: 33))
        }
        return records
    }

    private mutating func cut(_ group: UInt64, _ log: inout Log) -> [JournalRecord] {
        guard log.last > log.covered else { return [] }
        log.term += 1
        log.last = UInt64.random(in: log.covered + 1...log.last, using: &generator)
        return [record(1, group, log, log.last, bytes: 60)]
    }

    private func record(
        _ kind: UInt8, _ group: UInt64, _ log: Log, _ index: UInt64, bytes: Int
    ) -> JournalRecord {
        JournalRecord(
            kind: kind, group: group, term: log.term, index: index,
            payload: [UInt8](repeating: UInt8(truncatingIfNeeded: index &+ group), count: bytes))
    }
}
