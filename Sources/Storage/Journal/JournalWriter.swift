/// A stretch of a segment's file.
struct Extent: Equatable, Sendable {
    let segment: UInt64
    let range: Range<Int>
}

/// Decides where the next batch goes and makes its bytes. It touches no disk: the journal and its memory
/// twin carry out the same decisions, so what the simulator proves holds for the files as well.
///
/// To leave a full segment: make the successor durable (header, then name), write the seal, sync it,
/// `enter`. In that order a seal always has its successor, and a successor with batches always has its
/// seal.
struct JournalWriter: Sendable {
    private(set) var segment: SegmentHeader
    private(set) var offset: Int
    private(set) var nextBatch: UInt64
    let session: UInt64
    private var seed: UInt32

    init(segment: SegmentHeader, offset: Int, nextBatch: UInt64, session: UInt64) {
        self.segment = segment
        self.offset = offset
        self.nextBatch = nextBatch
        self.session = session
        seed = segment.seed
    }

    /// Whether a batch with records of `bodyBytes` has room here, with the seal after it.
    func fits(bodyBytes: Int) -> Bool {
        offset + BatchFormat.stride(bodyBytes: bodyBytes) + BatchFormat.emptyBytes <= segment.capacity
    }

    /// The size that a segment must have at least to hold a batch with records of `bodyBytes`.
    static func capacity(forBodyBytes bodyBytes: Int) -> Int {
        SegmentHeader.reservedBytes + BatchFormat.stride(bodyBytes: bodyBytes) + BatchFormat.emptyBytes
    }

    /// The header of the segment after this one, if the seal is the next batch.
    func successor(capacity: Int, salt: UInt64) -> SegmentHeader {
        SegmentHeader(
            sequence: segment.sequence + 1, capacity: capacity, salt: salt, firstBatch: nextBatch + 1,
            predecessorSalt: segment.salt)
    }

    /// Goes on in `successor`, after the seal is durable.
    mutating func enter(_ successor: SegmentHeader) {
        precondition(
            successor.sequence == segment.sequence + 1 && successor.firstBatch == nextBatch,
            "O12: segments and batches are numbered without a gap")
        segment = successor
        offset = SegmentHeader.reservedBytes
        seed = successor.seed
    }

    /// Writes one batch of all `groups` to the start of `scratch`, which grows as needed, and says
    /// where it goes.
    mutating func encode(
        _ groups: some Sequence<[JournalRecord]>, bodyBytes: Int, recordCount: Int,
        into scratch: inout [UInt8]
    ) -> Extent {
        precondition(fits(bodyBytes: bodyBytes), "a batch goes past the end of its segment")
        return encode(
            groups, mark: .records, bodyBytes: bodyBytes, recordCount: recordCount, into: &scratch)
    }

    /// The same for a batch without records.
    mutating func encode(_ mark: BatchMark, into scratch: inout [UInt8]) -> Extent {
        encode(EmptyCollection(), mark: mark, bodyBytes: 0, recordCount: 0, into: &scratch)
    }

    private mutating func encode(
        _ groups: some Sequence<[JournalRecord]>, mark: BatchMark, bodyBytes: Int, recordCount: Int,
        into scratch: inout [UInt8]
    ) -> Extent {
        let header = BatchHeader(
            number: nextBatch, session: session, bodyBytes: bodyBytes, recordCount: recordCount, mark: mark)
        let size = BatchFormat.stride(bodyBytes: bodyBytes)
        if scratch.count < size { scratch.append(contentsOf: repeatElement(0, count: size - scratch.count)) }
        scratch.withUnsafeMutableBytes {
            BatchFormat.encode(header, groups: groups, segmentSeed: seed, into: $0)
        }
        let extent = Extent(segment: segment.sequence, range: offset..<offset + size)
        offset += size
        nextBatch += 1
        return extent
    }
}
