import Glibc

/// What somebody wants on disk, and whom to tell.
struct JournalAppend: Sendable {
    let records: [JournalRecord]
    let durable: @Sendable (Result<Void, JournalError>) -> Void
}

/// The journal's thread and its queue.
final class JournalWorker: @unchecked Sendable {
    private enum Ending {
        case closing
        case abandoned
    }

    private let files: SegmentFiles
    private let options: JournalOptions
    private let spares: SparePreparer
    private let archiver: SegmentArchiver?
    let gauge: SpaceGauge
    private let monitor = Monitor()

    // Guarded by the monitor.
    private var queue: [JournalAppend] = []
    private var isWaiting = false
    private var ending: Ending?
    private var hasEnded = false
    private var isToldToRetry = false
    private var isToldToMoveOn = false
    private var statistics = JournalStatistics()
    private var thread: WorkerThread?

    /// Guards the ledger alone: the journal's thread changes it, anybody may ask.
    private let ledgerMonitor = Monitor()
    private var ledger: JournalLedger
    /// The last segment that was written to before this one opened the journal.
    private let formerSequence: UInt64

    // The journal's thread only.
    private var writer: JournalWriter
    private let sealer: EnvelopeSealer?
    private var file: Int32
    private var scratch: [UInt8] = []
    private var failure: JournalError?
    private var syncs: UInt64 = 0
    /// The first batch of a segment is durable, and segments below this one may go.
    private var pendingFloor: UInt64?
    /// Whether the segment has more than its anchor, and since when it is written to.
    private var hasNews = false
    private var enteredUs: UInt64 = 0

    /// A scratch buffer larger than this is given back after the batch.
    private static let keptScratchBytes = 1 << 20

    init(
        files: SegmentFiles, options: JournalOptions, start: JournalStart, sealer: EnvelopeSealer? = nil,
        gauge: SpaceGauge
    ) {
        self.files = files
        self.sealer = sealer
        self.options = options
        writer = start.writer
        file = start.file
        ledger = start.ledger
        formerSequence = start.ledger.segments.last { $0.hasRecords }?.sequence ?? 0
        self.gauge = gauge
        spares = SparePreparer(files: files, gauge: gauge, retryMs: options.retryMs)
        let sequence = start.writer.segment.sequence
        archiver = options.archive.map {
            SegmentArchiver(
                files: files, archive: $0, first: start.ledger.segments.first?.sequence ?? sequence,
                sealed: sequence - 1, retryMs: options.retryMs)
        }
        enteredUs = Self.nowUs()
        spares.request(options.capacity(of: sequence + 1))
        thread = WorkerThread(name: "journal") { self.run() }
    }

    var currentStatistics: JournalStatistics {
        var statistics = monitor.locked { self.statistics }
        ledgerMonitor.locked {
            statistics.liveSegments = ledger.segments.count
            statistics.formerSegments = ledger.segments.count { $0.sequence <= formerSequence }
            statistics.liveBytes = ledger.liveBytes
        }
        archiver?.read(into: &statistics)
        return statistics
    }

    func retireFormerSegments() -> [UInt64] {
        let (isThere, holding, isWrittenTo) = ledgerMonitor.locked {
            (
                ledger.segments.first.map { $0.sequence <= formerSequence } ?? false,
                ledger.pressure(aboveBytes: .max, through: formerSequence),
                ledger.segments.last.map { $0.sequence <= formerSequence } ?? false
            )
        }
        if isThere, isWrittenTo || holding.isEmpty {
            monitor.locked {
                isToldToMoveOn = true
                monitor.signal()
            }
        }
        return holding
    }

    func waitForArchive(until holds: (JournalStatistics) -> Bool) { archiver?.wait(until: holds) }

    func ledger<Value>(_ read: (JournalLedger) -> Value) -> Value { ledgerMonitor.locked { read(ledger) } }

    func append(_ append: JournalAppend) {
        let isQueued = monitor.locked {
            guard ending == nil else { return false }
            queue.append(append)
            // The thread looks at the queue again before it waits: a busy one needs no wake-up.
            if isWaiting {
                isWaiting = false
                monitor.signal()
            }
            return true
        }
        if !isQueued { append.durable(.failure(.closed(directory: files.directory))) }
    }

    func close() {
        end(.closing)
    }

    func abandon() {
        end(.abandoned)
    }

    private func end(_ ending: Ending) {
        let thread: WorkerThread? = monitor.locked {
            if self.ending == nil { self.ending = ending }
            isWaiting = false
            monitor.signal()
            defer { self.thread = nil }
            return self.thread
        }
        guard let thread else {
            monitor.locked { while !hasEnded { monitor.wait() } }
            return
        }
        // The last reference to a journal may go in one of its own callbacks.
        if thread.isCurrent { thread.detach() } else { thread.join() }
    }

    private func run() {
        var taken: [JournalAppend] = []
        while waitForWork(&taken) {
            sealForArchive()
            moveOnIfTold()
            var rest = taken[...]
            while !rest.isEmpty {
                let batch = takeBatch(from: &rest)
                let startUs = Self.nowUs()
                write(batch)
                if rest.isEmpty { pace(after: batch, startUs: startUs) }
            }
            taken.removeAll(keepingCapacity: taken.count <= 4096)
        }
        leave()
    }

    /// Under load, lets more gather: fewer syncs, each with more to carry.
    private func pace(after batch: JournalBatch, startUs: UInt64) {
        guard batch.recordCount >= options.pacedRecords else { return }
        let elapsedUs = Self.nowUs() - startUs
        guard elapsedUs + 50 < options.paceUs else { return }
        usleep(UInt32(options.paceUs - elapsedUs))
    }

    /// Moves all that is queued to `taken`. False at the end: closed with nothing left to do, or abandoned.
    private func waitForWork(_ taken: inout [JournalAppend]) -> Bool {
        monitor.locked {
            while queue.isEmpty && ending == nil && !isToldToMoveOn {
                isWaiting = true
                guard let archive = options.archive else {
                    monitor.wait()
                    continue
                }
                if !monitor.wait(milliseconds: archive.intervalMs) { break }
            }
            isWaiting = false
            if ending == .abandoned { return false }
            if queue.isEmpty { return ending == nil }
            swap(&queue, &taken)
            return true
        }
    }

    private func takeBatch(from rest: inout ArraySlice<JournalAppend>) -> JournalBatch {
        var bodyBytes = 0
        var recordCount = 0
        var end = rest.startIndex
        while end < rest.endIndex {
            let size = diskBytes(of: rest[end].records)
            if end > rest.startIndex && bodyBytes + size > options.batchBytes { break }
            bodyBytes += size
            recordCount += rest[end].records.count
            end += 1
        }
        precondition(bodyBytes <= BatchFormat.maximumBodyBytes, "one append is over the limit of a batch")
        let batch = JournalBatch(appends: rest[..<end], bodyBytes: bodyBytes, recordCount: recordCount)
        rest = rest[end...]
        return batch
    }

    private func write(_ batch: JournalBatch) {
        var result: Result<Void, JournalError> = .success(())
        if let failure {
            result = .failure(failure)
        } else {
            do throws(JournalError) {
                try writeDurably(batch)
            } catch {
                failure = error  // O12: final, nothing after a failed write or sync can be trusted
                result = .failure(error)
            }
        }
        for append in batch.appends { append.durable(result) }
        if failure == nil { dropSegments() }
    }

    private func dropSegments() {
        guard let floor = pendingFloor else { return }
        pendingFloor = nil
        do throws(JournalError) {
            try dropSegments(below: floor)
        } catch {
            failure = error
        }
    }

    private func writeDurably(_ batch: JournalBatch) throws(JournalError) {
        var anchor = ledger.wantsAnchor ? ledger.anchor(limit: archiveLimit()) : []
        var bodyBytes = batch.bodyBytes + diskBytes(of: anchor)
        if !writer.fits(bodyBytes: bodyBytes) {
            try moveOn(for: batch)
            anchor = ledger.anchor(limit: archiveLimit())
            bodyBytes = batch.bodyBytes + diskBytes(of: anchor)
        }
        let groups = try sealed([[anchor], batch.appends.map(\.records)].joined())
        let extent = writer.encode(
            groups, bodyBytes: bodyBytes,
            recordCount: batch.recordCount + anchor.count, into: &scratch)
        let startUs = Self.nowUs()
        try writeScratch(to: extent)
        count(batch, extent, durationUs: Self.nowUs() - startUs)
        if scratch.count > Self.keptScratchBytes { scratch = [] }
        note(batch, anchor)
        hasNews = hasNews || batch.recordCount > 0
    }

    /// On disk, sealed if that is wanted.
    private func diskBytes(of records: [JournalRecord]) -> Int {
        let bytes = BatchFormat.bodyBytes(of: records)
        guard sealer != nil else { return bytes }
        return bytes + records.count(where: { !$0.isFloor }) * Envelope.overheadBytes
    }

    private func sealed(_ groups: some Sequence<[JournalRecord]>) throws(JournalError) -> [[JournalRecord]] {
        guard let sealer else { return Array(groups) }
        var sealed: [[JournalRecord]] = []
        for records in groups {
            var group: [JournalRecord] = []
            group.reserveCapacity(records.count)
            for record in records { group.append(try record.sealed(by: sealer)) }
            sealed.append(group)
        }
        return sealed
    }

    private func count(_ batch: JournalBatch, _ extent: Extent, durationUs: UInt64) {
        monitor.locked {
            statistics.appends += UInt64(batch.appends.count)
            statistics.records += UInt64(batch.recordCount)
            statistics.batches += 1
            statistics.syncs = syncs
            statistics.bytes += UInt64(extent.range.count)
            statistics.latency.record(durationUs)
        }
    }

    private func note(_ batch: JournalBatch, _ anchor: [JournalRecord]) {
        ledgerMonitor.locked {
            ledger.note(anchor)
            for append in batch.appends { ledger.note(append.records) }
        }
        if let floor = anchor.first { pendingFloor = floor.index }
    }

    private func writeScratch(to extent: Extent) throws(JournalError) {
        syncs += 1
        // The same bytes at the same place: a part of them may be there already, and counts for nothing yet.
        try waitingForSpace(if: \.mayPass) { () throws(JournalError) in
            try files.write(
                scratch, count: extent.range.count, to: file, files.path(of: extent.segment),
                at: extent.range.lowerBound)
        }
    }

    /// Repeats `step` as long as it fails for want of space, of which it must have left nothing behind that
    /// matters. Everything queued behind it waits, so that the order of the appends stays.
    private func waitingForSpace<Value>(
        if mayPass: (JournalError) -> Bool, _ step: () throws(JournalError) -> Value
    ) throws(JournalError) -> Value {
        var hasStalled = false
        defer { if hasStalled { gauge.stalls(false) } }
        while true {
            do throws(JournalError) {
                return try step()
            } catch {
                guard mayPass(error) else { throw error }
                hasStalled = true
                gauge.stalls(true)
                guard waitToRetry() else { throw error }
            }
        }
    }

    /// False if the journal is to end.
    private func waitToRetry() -> Bool {
        monitor.locked {
            while !isToldToRetry && ending == nil {
                // An append signals, too.
                isWaiting = false
                if !monitor.wait(milliseconds: options.retryMs) { break }
            }
            isToldToRetry = false
            return ending == nil
        }
    }

    func retry() {
        monitor.locked {
            isToldToRetry = true
            monitor.signal()
        }
        spares.retry()
    }

    /// Leaves a full segment: successor, then seal, each durable before the next step.
    private func moveOn(for batch: JournalBatch) throws(JournalError) {
        let sequence = writer.segment.sequence + 1
        // The next segment's anchor is this or, if segments can be dropped, of the same size.
        let capacity = options.capacity(
            of: sequence, anchorBytes: diskBytes(of: ledger.anchor()), batchBytes: batch.bodyBytes)
        let taken = try waitingForSpace(if: { $0.kind == .diskFull }) { () throws(JournalError) in
            try spares.take(atLeast: capacity)
        }
        let successor = writer.successor(capacity: taken, salt: Journal.randomNumber())
        let next = try waitingForSpace(if: \.mayPass) { () throws(JournalError) in
            try files.install(successor)
        }
        syncs += 1
        do throws(JournalError) {
            let extent = writer.encode(.seal, into: &scratch)
            try writeScratch(to: extent)
        } catch {
            Glibc.close(next)
            throw error
        }
        Glibc.close(file)
        file = next
        writer.enter(successor)
        ledgerMonitor.locked { ledger.begin(successor) }
        hasNews = false
        enteredUs = Self.nowUs()
        archiver?.seal(through: successor.sequence - 1)
    }

    /// The archive gets whole segments, so a quiet journal moves on now and then.
    private func sealForArchive() {
        guard let archive = options.archive, hasNews, failure == nil,
            Self.nowUs() >= enteredUs + UInt64(archive.intervalMs) * 1_000
        else { return }
        do throws(JournalError) {
            try moveOn(for: JournalBatch(appends: [], bodyBytes: 0, recordCount: 0))
        } catch {
            failure = error
        }
    }

    /// Only where it helps: what an earlier process wrote to is left, or goes with the next anchor. While the archive
    /// holds a segment, another one would only be one more.
    private func moveOnIfTold() {
        let isTold = monitor.locked {
            defer { isToldToMoveOn = false }
            return isToldToMoveOn
        }
        // One that has nothing yet begins with an anchor anyway.
        guard isTold, failure == nil, let first = ledger.segments.first, let last = ledger.segments.last, last.hasRecords,
            last.sequence <= formerSequence || ledger.floor(limit: archiveLimit()) > first.sequence
        else { return }
        do throws(JournalError) {
            try moveOn(for: JournalBatch(appends: [], bodyBytes: 0, recordCount: 0))
        } catch {
            failure = error
        }
    }

    /// What the archive still has to copy stays, up to a bound: then the journal goes on and the archive has a gap.
    private func archiveLimit() -> UInt64 {
        guard let archiver, let archive = options.archive else { return .max }
        var limit = archiver.limit
        let waiting = ledger.segments.dropLast().filter { $0.sequence >= limit }
        var excess = waiting.reduce(0) { $0 + $1.bytes } - archive.lagBytes
        guard excess > 0 else { return limit }
        let wanted = ledger.floor()
        for segment in waiting where excess > 0 && segment.sequence < wanted {
            excess -= segment.bytes
            limit = segment.sequence + 1
        }
        archiver.giveUp(below: limit)
        return limit
    }

    /// After the first batch of a segment: its floor record is durable, so what is below may go. The first
    /// file of them becomes the next spare if it has the size.
    private func dropSegments(below floor: UInt64) throws(JournalError) {
        let dropped = ledgerMonitor.locked { ledger.drop(below: floor) }
        let wanted = options.capacity(of: writer.segment.sequence + 1)
        for segment in dropped {
            // What was written before there were keys, or under former ones, does not stay in a spare.
            let isOurs = sealer == nil || segment.sequence > formerSequence
            if isOurs, segment.bytes >= wanted, try spares.offer(segment.sequence, bytes: segment.bytes) { continue }
            try files.remove(segment.sequence)
        }
        if !dropped.isEmpty { try files.syncDirectory() }
        monitor.locked { statistics.droppedSegments += UInt64(dropped.count) }
        spares.request(wanted)
    }

    private func leave() {
        let isClosing = monitor.locked { ending == .closing }
        if isClosing && failure == nil && writer.fits(bodyBytes: 0) {
            let extent = writer.encode(.close, into: &scratch)
            // The mark only adds certainty: all that was acknowledged is durable without it.
            try? writeScratch(to: extent)
        }
        spares.stop()
        archiver?.stop()
        Glibc.close(file)
        monitor.locked {
            hasEnded = true
            monitor.signal()
        }
    }

    private static func nowUs() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return UInt64(now.tv_sec) * 1_000_000 + UInt64(now.tv_nsec) / 1000
    }
}

/// Appends that share a write and a sync.
struct JournalBatch {
    let appends: ArraySlice<JournalAppend>
    let bodyBytes: Int
    let recordCount: Int
}
