import Binary
import Glibc

/// The journal's twin for simulations: the same bytes, the same decisions, the same recovery, on a disk in
/// memory that forgets, tears and flips. A value: copy it to try several crashes from one state.
///
/// `append` queues, `write` puts all that is queued on the disk as one batch, `sync` makes it durable.
/// Between `write` and `sync` a crash may do anything to that batch, and nothing to the ones before.
public struct MemoryJournal: Sendable {
    public enum Crash: Sendable {
        /// The process dies, the page cache lives on: what was written stays.
        case process
        /// The machine dies: of what was not synced, any part may be lost or torn.
        case power
    }

    /// What a real journal does with the disk, one after the other, each synced before the next begins.
    private enum Step: Sendable {
        case create(SegmentHeader)
        case write(segment: Int, offset: Int, bytes: [UInt8])
    }

    static let sectorBytes = 512

    /// When set, writing fails as on a full disk.
    public var isFull = false
    /// What the last recovery found.
    public private(set) var contents = JournalContents()

    /// The durable content of each segment, as far as anything was ever written; the rest is zeros.
    private(set) var segments: [[UInt8]] = []
    private var steps: [Step] = []
    private var queue: [[JournalRecord]] = []
    private var writer: JournalWriter
    private var isRunning = true
    private var generator: SeededGenerator
    private let segmentBytes: Int

    /// An empty disk with an open journal on it. `seed` makes the numbers that a real journal draws at
    /// random.
    public init(segmentBytes: Int = 64 << 10, seed: UInt64) {
        self.segmentBytes = segmentBytes
        generator = SeededGenerator(state: seed)
        let header = SegmentHeader(firstOf: segmentBytes, salt: generator.next())
        writer = JournalWriter(
            segment: header, offset: SegmentHeader.reservedBytes, nextBatch: 1, session: generator.next())
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

    /// Writes all that is queued as one batch, not yet durable. The last one must have been synced.
    public mutating func write() throws(JournalError) {
        precondition(isRunning, "a crashed journal is recovered before it is used")
        precondition(
            steps.isEmpty || acknowledgesEarly, "O12: a batch is written after the one before it was synced")
        guard !queue.isEmpty else { return }
        guard !isFull else { throw Self.full }
        let bodyBytes = queue.reduce(0) { $0 + BatchFormat.bodyBytes(of: $1) }
        if !writer.fits(bodyBytes: bodyBytes) { moveOn(bodyBytes: bodyBytes) }
        var bytes: [UInt8] = []
        let count = queue.reduce(0) { $0 + $1.count }
        let extent = writer.encode(queue, bodyBytes: bodyBytes, recordCount: count, into: &bytes)
        add(extent, bytes)
        queue = []
    }

    /// Makes the written batch durable; if there is none, writes what is queued first. What was
    /// appended after `write` stays queued. When it returns, the batch may be acknowledged.
    public mutating func sync() throws(JournalError) {
        if steps.isEmpty || acknowledgesEarly { try write() }
        if !acknowledgesEarly { carryOutSteps() }
    }

    private mutating func carryOutSteps() {
        for step in steps { carryOut(step) }
        steps = []
    }

    private var acknowledgesEarly: Bool {
        #if PLANTED_BUGS
            PlantedBug.isActive(.acknowledgeBeforeSync)
        #else
            false
        #endif
    }

    /// Ends in order: everything durable, and a mark that says so.
    public mutating func close() throws(JournalError) {
        carryOutSteps()
        try write()
        carryOutSteps()
        if writer.fits(bodyBytes: 0) {
            var bytes: [UInt8] = []
            let extent = writer.encode(.close, into: &bytes)
            add(extent, bytes)
            carryOutSteps()
        }
        isRunning = false
    }

    private mutating func moveOn(bodyBytes: Int) {
        let capacity = max(segmentBytes, JournalWriter.capacity(forBodyBytes: bodyBytes))
        let successor = writer.successor(capacity: capacity, salt: generator.next())
        steps.append(.create(successor))
        var bytes: [UInt8] = []
        let extent = writer.encode(.seal, into: &bytes)
        add(extent, bytes)
        writer.enter(successor)
    }

    private mutating func add(_ extent: Extent, _ bytes: [UInt8]) {
        steps.append(.write(segment: Int(extent.segment) - 1, offset: extent.range.lowerBound, bytes: bytes))
    }

    private static let full = JournalError.systemCall("pwrite", ENOSPC, file: "the memory disk")

    // MARK: The disk

    private mutating func carryOut(_ step: Step) {
        switch step {
        case .create(let header):
            var bytes = header.encode()
            bytes.append(contentsOf: repeatElement(0, count: SegmentHeader.reservedBytes - bytes.count))
            segments.append(bytes)
        case .write(let segment, let offset, let bytes):
            store(segment, offset, bytes)
        }
    }

    private mutating func store(_ segment: Int, _ offset: Int, _ bytes: [UInt8]) {
        grow(segment, to: offset + bytes.count)
        segments[segment].replaceSubrange(offset..<offset + bytes.count, with: bytes)
    }

    /// Stores those bytes whose position in the file `survives`.
    private mutating func store(
        _ segment: Int, _ offset: Int, _ bytes: [UInt8], where survives: (Int) -> Bool
    ) {
        grow(segment, to: offset + bytes.count)
        for (index, byte) in bytes.enumerated() where survives(offset + index) {
            segments[segment][offset + index] = byte
        }
    }

    private mutating func grow(_ segment: Int, to end: Int) {
        let missing = end - segments[segment].count
        if missing > 0 { segments[segment].append(contentsOf: repeatElement(0, count: missing)) }
    }

    /// The disk after a crash in the middle of step `count`: the steps before it are whole, it is torn,
    /// those after it never happened.
    mutating func tear(step count: Int, _ survives: (Int) -> Bool) {
        for step in steps.prefix(count) { carryOut(step) }
        if count < steps.count, case .write(let segment, let offset, let bytes) = steps[count] {
            store(segment, offset, bytes, where: survives)
        }
        steps = []
        queue = []
        isRunning = false
    }

    var unsyncedSteps: Int { steps.count }

    /// The stretch of its file that the last unsynced write goes to.
    var unsyncedRange: Range<Int>? {
        guard case .write(_, let offset, let bytes)? = steps.last else { return nil }
        return offset..<offset + bytes.count
    }

    // MARK: Crash and recovery

    /// The node dies; what it had in memory is gone. Power loss damages unsynced bytes as `generator` says.
    public mutating func crash(_ kind: Crash, using generator: inout some RandomNumberGenerator) {
        switch kind {
        case .process: tear(step: steps.count) { _ in true }
        case .power: losePower(&generator)
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
            flip(segment, Int.random(in: offset..<(offset + bytes.count), using: &generator), &generator)
        }
    }

    /// Which sectors of an unsynced write reach the disk: any of them, in no order.
    private func sectors(of count: Int, _ generator: inout some RandomNumberGenerator) -> [Bool] {
        (0...(count / Self.sectorBytes + 1)).map { _ in Bool.random(using: &generator) }
    }

    mutating func flip(_ segment: Int, _ offset: Int, _ generator: inout some RandomNumberGenerator) {
        segments[segment][offset] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
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
        var recovery = JournalRecovery()
        for (position, bytes) in segments.enumerated() {
            let result = bytes.withUnsafeBytes { buffer in
                Result<Void, JournalError> { () throws(JournalError) in
                    try recovery.read(
                        buffer, fileBytes: Self.capacity(of: bytes),
                        file: SegmentFiles.name(of: UInt64(position + 1)),
                        sequence: UInt64(position + 1)
                    ) { record in
                        if record.group != withoutGroup { try visit(record) }
                    }
                }
            }
            try result.get()
        }
        try recovery.finish()
        contents = recovery.contents
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
            store(Int(extent.segment) - 1, extent.range.lowerBound, bytes)
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
