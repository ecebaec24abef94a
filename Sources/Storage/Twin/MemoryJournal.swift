import Binary

/// The journal's twin for simulations: the same bytes, the same decisions, the same recovery, on a disk in
/// memory that forgets, tears and flips. A value: copy it to try several crashes from one state.
///
/// `append` queues, `write` puts all that is queued on the disk as one batch, `sync` makes it durable.
/// Between `write` and `sync` a crash may do anything to that batch, and nothing to the ones before.
public struct MemoryJournal: Sendable {
    public enum Crash: Sendable, Equatable {
        /// The process dies, the page cache lives on: what was written stays.
        case process
        /// The machine dies: of what was not synced, any part may be lost or torn.
        case power
        /// The machine dies when so many of the unsynced steps are on the disk, whole, and nothing else is.
        case cut(afterSteps: Int)
    }

    /// What a real journal does with the disk, one after the other, each synced before the next begins.
    private enum Step: Sendable {
        case create(SegmentHeader)
        case write(segment: UInt64, offset: Int, bytes: [UInt8])
        case remove(segment: UInt64)
    }

    private struct File: Sendable {
        let sequence: UInt64
        var bytes: [UInt8]
    }

    static let sectorBytes = 512

    /// When set, the disk has no room for another segment: writing goes on in the present one, then stalls
    /// until there is room.
    public var isFull = false {
        didSet { if !isFull { isStalled = false } }
    }
    private var isStalled = false
    public var space: JournalSpace { isStalled ? .stalled : isFull ? .low : .roomy }
    /// What the last recovery found.
    public private(set) var contents = JournalContents()

    /// The durable content of each segment that is there, as far as anything was ever written; the rest is
    /// zeros.
    var segments: [[UInt8]] { files.map(\.bytes) }
    /// Oldest first.
    private var files: [File] = []
    private var ledger = JournalLedger()
    /// What the ledger takes when the batch under way is durable.
    private var unnoted: [JournalRecord] = []
    public private(set) var droppedSegments: UInt64 = 0
    private var steps: [Step] = []
    private var queue: [[JournalRecord]] = []
    private var writer: JournalWriter
    private var isRunning = true
    private var generator: SeededGenerator
    private let options: JournalOptions

    /// An empty disk with an open journal on it. `seed` makes the numbers that a real journal draws at
    /// random.
    public init(segmentBytes: Int = 64 << 10, seed: UInt64) {
        var options = JournalOptions()
        options.firstSegmentBytes = segmentBytes
        options.segmentBytes = segmentBytes
        self.options = options
        generator = SeededGenerator(state: seed)
        let header = SegmentHeader(firstOf: segmentBytes, salt: generator.next())
        writer = JournalWriter(
            segment: header, offset: SegmentHeader.reservedBytes, nextBatch: 1, session: generator.next())
        ledger.begin(header)
        carryOut(.create(header))
    }

    // MARK: Running

    /// Queues records; they come back together after a crash, or not at all.
    public mutating func append(_ records: [JournalRecord]) {
        precondition(isRunning, "a crashed journal is recovered before it is used")
        queue.append(records)
    }

    public var hasQueued: Bool { !queue.isEmpty }
    /// Whether something was written that a `sync` has not made durable yet.
    public var hasUnsynced: Bool { !steps.isEmpty }

    /// Writes all that is queued as one batch, not yet durable. The last one must have been synced. Where
    /// there is no room nothing is written, and what is queued stays queued.
    public mutating func write() {
        precondition(isRunning, "a crashed journal is recovered before it is used")
        precondition(
            steps.isEmpty || acknowledgesEarly, "O12: a batch is written after the one before it was synced")
        guard !queue.isEmpty else { return }
        let batchBytes = queue.reduce(0) { $0 + BatchFormat.bodyBytes(of: $1) }
        var anchor = ledger.wantsAnchor ? ledger.anchor() : []
        if !writer.fits(bodyBytes: batchBytes + BatchFormat.bodyBytes(of: anchor)) {
            guard !isFull else {
                isStalled = true
                return
            }
            moveOn(batchBytes: batchBytes)
            anchor = ledger.anchor()
        }
        unnoted += anchor + queue.joined()
        var bytes: [UInt8] = []
        let count = queue.reduce(anchor.count) { $0 + $1.count }
        let extent = writer.encode(
            [anchor] + queue, bodyBytes: batchBytes + BatchFormat.bodyBytes(of: anchor), recordCount: count,
            into: &bytes)
        add(extent, bytes)
        addRemovals(anchor)
        queue = []
    }

    /// Makes the written batch durable; if there is none, writes what is queued first. What was
    /// appended after `write` stays queued. When it returns, the batch may be acknowledged.
    public mutating func sync() {
        if steps.isEmpty || acknowledgesEarly { write() }
        if !acknowledgesEarly { carryOutSteps() }
    }

    private mutating func carryOutSteps() {
        for step in steps { carryOut(step) }
        steps = []
        ledger.note(unnoted)
        unnoted = []
    }

    private var acknowledgesEarly: Bool {
        #if PLANTED_BUGS
            PlantedBug.isActive(.acknowledgeBeforeSync)
        #else
            false
        #endif
    }

    /// Ends in order: everything durable, and a mark that says so.
    public mutating func close() {
        carryOutSteps()
        write()
        carryOutSteps()
        if writer.fits(bodyBytes: 0) {
            var bytes: [UInt8] = []
            let extent = writer.encode(.close, into: &bytes)
            add(extent, bytes)
            carryOutSteps()
        }
        isRunning = false
    }

    private mutating func moveOn(batchBytes: Int) {
        let capacity = options.capacity(
            of: writer.segment.sequence + 1, anchorBytes: BatchFormat.bodyBytes(of: ledger.anchor()),
            batchBytes: batchBytes)
        let successor = writer.successor(capacity: capacity, salt: generator.next())
        steps.append(.create(successor))
        var bytes: [UInt8] = []
        let extent = writer.encode(.seal, into: &bytes)
        add(extent, bytes)
        writer.enter(successor)
        ledger.begin(successor)
    }

    private mutating func add(_ extent: Extent, _ bytes: [UInt8]) {
        steps.append(.write(segment: extent.segment, offset: extent.range.lowerBound, bytes: bytes))
    }

    /// After the first batch of a segment, what its floor record gives up goes, one file after the other.
    private mutating func addRemovals(_ anchor: [JournalRecord]) {
        guard let floor = anchor.first?.index else { return }
        for segment in ledger.drop(below: floor) { steps.append(.remove(segment: segment.sequence)) }
    }

    // MARK: The disk

    private mutating func carryOut(_ step: Step) {
        switch step {
        case .create(let header):
            var bytes = header.encode()
            bytes.append(contentsOf: repeatElement(0, count: SegmentHeader.reservedBytes - bytes.count))
            files.append(File(sequence: header.sequence, bytes: bytes))
        case .write(let segment, let offset, let bytes):
            store(place(of: segment), offset, bytes) { _ in true }
        case .remove(let segment):
            files.removeAll { $0.sequence == segment }
            droppedSegments += 1
        }
    }

    private func place(of segment: UInt64) -> Int {
        guard let place = files.firstIndex(where: { $0.sequence == segment }) else {
            preconditionFailure("segment \(segment) is not on the memory disk")
        }
        return place
    }

    /// Stores those bytes whose position in the file `survives`.
    private mutating func store(_ place: Int, _ offset: Int, _ bytes: [UInt8], where survives: (Int) -> Bool) {
        let missing = offset + bytes.count - files[place].bytes.count
        if missing > 0 { files[place].bytes.append(contentsOf: repeatElement(0, count: missing)) }
        for (index, byte) in bytes.enumerated() where survives(offset + index) {
            files[place].bytes[offset + index] = byte
        }
    }

    /// The disk after a crash in the middle of step `count`: the steps before it are whole, it is torn,
    /// those after it never happened.
    mutating func tear(step count: Int, _ survives: (Int) -> Bool) {
        for step in steps.prefix(count) { carryOut(step) }
        if count < steps.count, case .write(let segment, let offset, let bytes) = steps[count] {
            store(place(of: segment), offset, bytes, where: survives)
        }
        steps = []
        queue = []
        unnoted = []
        isStalled = false
        isRunning = false
    }

    public var unsyncedSteps: Int { steps.count }

    /// The stretch of its file that the last unsynced write goes to.
    var unsyncedRange: Range<Int>? {
        for case .write(_, let offset, let bytes) in steps.reversed() { return offset..<offset + bytes.count }
        return nil
    }

    // MARK: What is there

    public var liveSegments: Int { ledger.segments.count }
    public var liveBytes: Int { ledger.liveBytes }

    /// As of `Journal`.
    public func pressure(aboveBytes bytes: Int) -> [UInt64] { ledger.pressure(aboveBytes: bytes) }

    // MARK: Crash and recovery

    /// The node dies; what it had in memory is gone. Power loss damages unsynced bytes as `generator` says.
    public mutating func crash(_ kind: Crash, using generator: inout some RandomNumberGenerator) {
        switch kind {
        case .process: tear(step: steps.count) { _ in true }
        case .power: losePower(&generator)
        case .cut(let count): tear(step: min(count, steps.count)) { _ in false }
        }
    }

    private mutating func losePower(_ generator: inout some RandomNumberGenerator) {
        let step = Int.random(in: 0...steps.count, using: &generator)
        guard step < steps.count, case .write(let segment, let offset, let bytes) = steps[step] else {
            return tear(step: step) { _ in true }
        }
        switch Int.random(in: 0..<3, using: &generator) {
        case 0:
            let cut = Int.random(in: offset...(offset + bytes.count), using: &generator)
            tear(step: step) { $0 < cut }
        case 1:
            let kept = sectors(of: bytes.count, &generator)
            tear(step: step) { kept[$0 / Self.sectorBytes - offset / Self.sectorBytes] }
        default:
            let kept = sectors(of: bytes.count, &generator)
            tear(step: step) { kept[$0 / Self.sectorBytes - offset / Self.sectorBytes] }
            flip(
                place(of: segment), Int.random(in: offset..<(offset + bytes.count), using: &generator), &generator)
        }
    }

    /// Which sectors of an unsynced write reach the disk: any of them, in no order.
    private func sectors(of count: Int, _ generator: inout some RandomNumberGenerator) -> [Bool] {
        (0...(count / Self.sectorBytes + 1)).map { _ in Bool.random(using: &generator) }
    }

    /// Flips a bit of the file at `place`, counted from the oldest.
    mutating func flip(_ place: Int, _ offset: Int, _ generator: inout some RandomNumberGenerator) {
        files[place].bytes[offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    }

    /// Flips a bit of a batch that was synced; recovery must name the damage. False if there is no such
    /// batch. Spares the last batch: nothing on the disk tells a damaged last batch from a torn one,
    /// which is why a batch counts as safe by being on a majority of disks.
    public mutating func damage(using generator: inout some RandomNumberGenerator) -> Bool {
        var batches: [(segment: Int, range: Range<Int>)] = []
        for (segment, bytes) in segments.enumerated() {
            for range in Self.batches(in: bytes) { batches.append((segment, range)) }
        }
        guard let victim = batches.dropLast().randomElement(using: &generator) else { return false }
        flip(victim.segment, Int.random(in: victim.range, using: &generator), &generator)
        return true
    }

    /// Where the batches of a segment stand, without the zeros between them.
    static func batches(in bytes: [UInt8]) -> [Range<Int>] {
        bytes.withUnsafeBytes { buffer in
            guard let header = try? SegmentHeader(reading: buffer, fileBytes: capacity(of: bytes), file: "")
            else {
                return []
            }
            var ranges: [Range<Int>] = []
            var offset = SegmentHeader.reservedBytes
            while let batch = BatchFormat.header(at: offset, in: buffer, segmentSeed: header.seed) {
                ranges.append(offset..<offset + BatchFormat.headerBytes + batch.bodyBytes)
                offset += BatchFormat.stride(bodyBytes: batch.bodyBytes)
            }
            return ranges
        }
    }

    /// The size that the memory file claims to have: what its header says, as nothing here cuts files.
    private static func capacity(of bytes: [UInt8]) -> Int {
        var reader = ByteReader(bytes, range: min(24, bytes.count)..<min(32, bytes.count))
        return Int(truncatingIfNeeded: (try? reader.readUInt64()) ?? 0)
    }

    /// Starts again after `crash` or `close`: visits all records, oldest first, and goes on where they end.
    /// With `withoutGroup`, the records of that group are left out, as if they had been found damaged.
    public mutating func recover(
        withoutGroup: UInt64? = nil, visit: (JournalRecord) throws -> Void
    ) throws(JournalError) {
        precondition(!isRunning, "a running journal is not recovered")
        let files = files
        func content(_ sequence: UInt64) -> [UInt8] { files.first { $0.sequence == sequence }?.bytes ?? [] }
        let span = try JournalSpan(files.map(\.sequence)) { sequence throws(JournalError) in
            let bytes = content(sequence)
            return bytes.withUnsafeBytes { SegmentStart(reading: $0, fileBytes: Self.capacity(of: bytes)) }
        }
        let recovery = try JournalRecovery.run(span) { recovery, sequence, isVisited throws(JournalError) in
            let bytes = content(sequence)
            let result = bytes.withUnsafeBytes { buffer in
                Result<Void, JournalError> { () throws(JournalError) in
                    try recovery.read(
                        buffer, fileBytes: Self.capacity(of: bytes), file: SegmentFiles.name(of: sequence),
                        sequence: sequence
                    ) { record in
                        if isVisited && record.group != withoutGroup { try visit(record) }
                    }
                }
            }
            try result.get()
        }
        self.files.removeAll { span.leftover.contains($0.sequence) }
        contents = recovery.contents
        ledger = recovery.ledger
        resume(recovery)
    }

    private mutating func resume(_ recovery: JournalRecovery) {
        guard let last = recovery.last else { preconditionFailure("a memory journal has a first segment") }
        let session = generator.next()
        if let unsealed = recovery.unsealed {
            var sealing = JournalWriter(
                segment: unsealed.segment, offset: unsealed.offset, nextBatch: last.firstBatch - 1,
                session: session)
            var bytes: [UInt8] = []
            let extent = sealing.encode(.seal, into: &bytes)
            store(place(of: extent.segment), extent.range.lowerBound, bytes) { _ in true }
        }
        writer = JournalWriter(
            segment: last, offset: recovery.offset, nextBatch: recovery.nextBatch, session: session)
        isRunning = true
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct SeededGenerator: RandomNumberGenerator, Sendable {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
