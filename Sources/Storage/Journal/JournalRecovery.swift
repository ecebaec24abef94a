import Binary

/// What recovery found.
public struct JournalContents: Equatable, Sendable {
    public var segments = 0
    public var batches: UInt64 = 0
    public var records: UInt64 = 0
    /// The last batch was torn by a crash and was dropped whole; nothing of it had been acknowledged.
    public var droppedTornBatch = false
    /// The last thing written was the mark of an orderly close.
    public var closedInOrder = false

    public init() {}
}

/// Reads the segments in order and judges them by O12. It sees bytes only, and is the same for files
/// and for the memory twin.
///
/// A batch counts when its head and all its records are whole. At the first one that does not, the journal
/// ends; a head of any batch *behind* that point was written after an fdatasync of everything before it, so
/// what is missing was durable once: damage. Otherwise it is the torn last batch. It is dropped whole, not
/// from its first bad record on: nothing of it was acknowledged, so dropping is right either way, and what
/// was appended together then comes back together or not at all.
struct JournalRecovery {
    private(set) var contents = JournalContents()
    /// The segment read last.
    private(set) var last: SegmentHeader?
    /// Where its next batch goes.
    private(set) var offset = 0
    private(set) var nextBatch: UInt64 = 1
    /// The last whole batch: the only one that may still be in the page cache alone.
    private(set) var lastBatch: Extent?
    /// A predecessor that was left without its seal by a crash between making the successor and sealing.
    private(set) var unsealed: (segment: SegmentHeader, offset: Int)?
    /// What the segments hold.
    private(set) var ledger = JournalLedger()
    private var isSealed = false
    private var lastFile = ""
    /// Nil: payloads are not looked at.
    private let opener: EnvelopeOpener?

    /// Without an opener records that are encrypted count, and are visited without their payload.
    init(opener: EnvelopeOpener? = nil) {
        self.opener = opener
    }

    /// Takes the next segment: `bytes` are the content of `file`, whose size is `fileBytes`; what `bytes`
    /// lack at the end is zeros. `visit` gets each record. If a later segment turns out to be damaged,
    /// what was visited before must be thrown away.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, fileBytes: Int, file: String, sequence: UInt64,
        visit: (JournalRecord) throws -> Void
    ) throws(JournalError) {
        let header = try SegmentHeader(reading: bytes, fileBytes: fileBytes, file: file)
        guard header.sequence == sequence else {
            throw .damaged(
                "segment \(header.sequence) stands where segment \(sequence) belongs", file: file, offset: 0)
        }
        try follow(header, hasBatches: Self.hasBatches(bytes, header), file: file)
        ledger.begin(header)
        last = header
        lastFile = file
        offset = SegmentHeader.reservedBytes
        contents.segments += 1
        try readBatches(bytes, header, file: file, visit: visit)
    }

    /// Reads the segments of `span`, each through `read`, and checks that none is missing.
    static func run(
        _ span: JournalSpan, opener: EnvelopeOpener? = nil,
        read: (inout JournalRecovery, UInt64, _ isVisited: Bool) throws(JournalError) -> Void
    ) throws(JournalError) -> JournalRecovery {
        var recovery = JournalRecovery(opener: opener)
        for sequence in span.live { try read(&recovery, sequence, span.missing == nil) }
        // Damage behind a gap is the better news of the two: it may be why the floor is not known.
        try recovery.finish()
        if let missing = span.missing {
            throw .damaged("segment \(missing) is missing", file: SegmentFiles.name(of: missing), offset: 0)
        }
        return recovery
    }

    /// Checks that the last segment is the last one that was ever begun.
    func finish() throws(JournalError) {
        guard isSealed, let last else { return }
        throw .damaged(
            "segment \(last.sequence + 1) is missing: the journal goes on there",
            file: lastFile, offset: offset)
    }

    private static func hasBatches(_ bytes: UnsafeRawBufferPointer, _ header: SegmentHeader) -> Bool {
        BatchFormat.nextHeader(from: SegmentHeader.reservedBytes, in: bytes, segmentSeed: header.seed) != nil
    }

    /// Joins a segment to the one before it.
    private mutating func follow(_ header: SegmentHeader, hasBatches: Bool, file: String) throws(JournalError)
    {
        guard let before = last else {
            // `JournalSpan` has found that nothing below is needed.
            nextBatch = header.firstBatch
            return
        }
        guard header.sequence == before.sequence + 1 else {
            throw .damaged("segment \(before.sequence + 1) is missing", file: file, offset: 0)
        }
        guard header.predecessorSalt == before.salt else {
            throw .damaged("the segment is one of another journal", file: file, offset: 0)
        }
        if isSealed {
            guard header.firstBatch == nextBatch else {
                throw .damaged(
                    "batch \(nextBatch) is missing: the segment begins with batch \(header.firstBatch)",
                    file: file, offset: 0)
            }
            isSealed = false
            return
        }
        // The successor is made before the seal is written, and gets batches only after the seal is
        // durable.
        guard !hasBatches, unsealed == nil, header.firstBatch == nextBatch + 1 else {
            throw .damaged(
                "batch \(nextBatch) is damaged or missing: segment \(header.sequence) follows",
                file: lastFile, offset: offset)
        }
        unsealed = (before, offset)
        contents.closedInOrder = false
        nextBatch = header.firstBatch
    }

    private mutating func readBatches(
        _ bytes: UnsafeRawBufferPointer, _ segment: SegmentHeader, file: String,
        visit: (JournalRecord) throws -> Void
    ) throws(JournalError) {
        let seed = segment.seed
        while let header = BatchFormat.header(at: offset, in: bytes, segmentSeed: seed),
            header.number == nextBatch,
            let records = BatchFormat.records(of: header, at: offset, in: bytes, segmentSeed: seed)
        {
            try take(header, try opened(records, file: file), segment, file: file, visit: visit)
            if isSealed { return }
        }
        try judgeEnd(bytes, seed: seed, file: file)
    }

    private func opened(_ records: [JournalRecord], file: String) throws(JournalError) -> [JournalRecord] {
        guard records.contains(where: \.isSealed) else { return records }
        guard let opener else { return records.map(\.withoutSeal) }
        do throws(EnvelopeFault) {
            var opened: [JournalRecord] = []
            for record in records { opened.append(try record.opened(by: opener)) }
            return opened
        } catch {
            throw .sealed(error, file: file, offset: offset)
        }
    }

    private mutating func take(
        _ header: BatchHeader, _ records: [JournalRecord], _ segment: SegmentHeader, file: String,
        visit: (JournalRecord) throws -> Void
    ) throws(JournalError) {
        ledger.note(records)
        for record in records where !record.isFloor {
            do {
                try visit(record)
            } catch {
                throw .refused("\(error)", file: file, offset: offset)
            }
        }
        let end = offset + BatchFormat.stride(bodyBytes: header.bodyBytes)
        lastBatch = Extent(segment: segment.sequence, range: offset..<end)
        offset = end
        nextBatch += 1
        contents.batches += 1
        contents.records += UInt64(records.count)
        contents.closedInOrder = header.mark == .close
        isSealed = header.mark == .seal
    }

    /// At the first thing that is no whole next batch: the end of the journal, a torn batch, or damage.
    private mutating func judgeEnd(
        _ bytes: UnsafeRawBufferPointer, seed: UInt32, file: String
    ) throws(JournalError) {
        let here = BatchFormat.header(at: offset, in: bytes, segmentSeed: seed)
        if let here, here.number != nextBatch {
            throw .damaged(
                "batch \(here.number) stands where batch \(nextBatch) belongs", file: file, offset: offset)
        }
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.dropDamagedBatch) { return }
        #endif
        let beyond = offset + BatchFormat.alignment
        if let later = BatchFormat.nextHeader(from: beyond, in: bytes, segmentSeed: seed) {
            throw .damaged(
                "batch \(nextBatch) is damaged: batch \(later.header.number) follows at \(later.offset)",
                file: file, offset: offset)
        }
        contents.droppedTornBatch = here != nil
        if here != nil { contents.closedInOrder = false }
    }
}
