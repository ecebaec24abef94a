import Cluster
import Placement
import Storage
import StoreBinding

/// One machine's disk: the journal's twin, and which batches wait for the sync that is under way.
struct MachineDisk {
    struct Waiting {
        var core: Int
        var batch: BatchID
        /// Seals that this batch makes durable.
        var seals: [LogRecord]
    }

    private var journal: MemoryJournal
    private var queued: [Waiting] = []
    private var underWay: [Waiting] = []
    private(set) var isSyncing = false
    var isFull: Bool {
        get { journal.isFull }
        set { journal.isFull = newValue }
    }
    /// Nothing can be written until the disk has room again.
    var isStalled: Bool { journal.space == .stalled }

    init(segmentBytes: Int, seed: UInt64) {
        journal = MemoryJournal(segmentBytes: segmentBytes, seed: seed)
        // Every process begins by reading its journal back, the first one too.
        var draws = DiskDraws(random: SeededGenerator(seed: seed))
        journal.crash(.process, using: &draws)
    }

    var droppedSegments: UInt64 { journal.droppedSegments }
    /// Writes, new files and removals that the sync under way makes durable, one after the other.
    var unsyncedSteps: Int { journal.unsyncedSteps }

    /// Groups whose entries keep the journal longer than it should be.
    func pressure(aboveBytes bytes: Int) -> [GroupID] { journal.pressure(aboveBytes: bytes).map(GroupID.init) }

    /// Everything that was to be written is.
    var isWritten: Bool { !journal.hasQueued }

    mutating func append(_ batch: PersistBatch, from core: Int) {
        // Without their payloads: the term is what counts.
        let seals = batch.records.filter { $0.kind == LogRecord.hardStateKind }
        queued.append(Waiting(core: core, batch: batch.id, seals: seals))
        journal.append(batch.records.map(JournalRecord.init))
    }

    /// Whether a sync should be begun now.
    var wantsSync: Bool { !isSyncing && !queued.isEmpty && !isStalled }

    /// Writes all that is queued as one batch. False on a full disk: what is queued waits for room.
    mutating func beginSync() -> Bool {
        precondition(wantsSync, "one sync at a time")
        journal.write()
        guard !isStalled else { return false }
        underWay = queued
        queued = []
        isSyncing = true
        return true
    }

    /// The sync has returned: these batches are durable.
    mutating func finishSync() -> [Waiting] {
        journal.sync()
        isSyncing = false
        defer { underWay = [] }
        return underWay
    }

    mutating func crash(_ kind: MemoryJournal.Crash, _ random: inout SeededGenerator) {
        var draws = DiskDraws(random: random)
        journal.crash(kind, using: &draws)
        random = draws.random
        forgetQueue()
    }

    private mutating func forgetQueue() {
        queued = []
        underWay = []
        isSyncing = false
    }

    /// Reads everything back, without the log of `lostGroup`: as if damage had been found there.
    mutating func recover(lostGroup: GroupID?) throws -> RecoveredLogs {
        var logs = RecoveredLogs()
        try journal.recover { record in
            let record = LogRecord(record)
            // Which membership it was stays known: by it the table is told.
            if record.group != lostGroup || LogRecord.membershipKinds.contains(record.kind) { try logs.visit(record) }
        }
        // A disk that has lost a log knows that it had one (O9).
        if let lostGroup {
            let record = LogRecord.lost(at: .genesis, group: lostGroup)
            try logs.visit(record)
            journal.append([JournalRecord(record)])
            journal.sync()
        }
        try logs.finish()
        return logs
    }
}

/// Lends the world's generator to the journal's twin.
struct DiskDraws: RandomNumberGenerator {
    var random: SeededGenerator

    mutating func next() -> UInt64 { random.next() }
}
