/// How a segment begins.
enum SegmentStart: Equatable, Sendable {
    /// With its anchor, which names the lowest segment that is needed.
    case floor(UInt64)
    /// With records, without an anchor: the first segment, or one of version 0.2.
    case plain
    /// No batch of records is whole, and none was.
    case empty
    /// Reading it in order will say what is wrong.
    case damaged

    init(reading bytes: UnsafeRawBufferPointer, fileBytes: Int) {
        guard let segment = try? SegmentHeader(reading: bytes, fileBytes: fileBytes, file: "") else {
            self = .damaged
            return
        }
        var offset = SegmentHeader.reservedBytes
        var number = segment.firstBatch
        while let header = BatchFormat.header(at: offset, in: bytes, segmentSeed: segment.seed),
            header.number == number,
            let records = BatchFormat.records(of: header, at: offset, in: bytes, segmentSeed: segment.seed)
        {
            if let first = records.first {
                self = first.isFloor ? .floor(first.index) : .plain
                return
            }
            offset += BatchFormat.stride(bodyBytes: header.bodyBytes)
            number += 1
        }
        let beyond = BatchFormat.nextHeader(
            from: offset + BatchFormat.alignment, in: bytes, segmentSeed: segment.seed)
        self = beyond == nil ? .empty : .damaged
    }
}

/// Which of the segments that are there belong to the journal (O12).
///
/// Segments are dropped from the oldest up, after a durable record has named the lowest one needed. So what
/// is below that one is left over from a dropping that was cut short, and may have gaps; from there to the
/// end all must be there.
struct JournalSpan: Equatable, Sendable {
    /// What is read, in order.
    var live: [UInt64] = []
    /// Below the floor: may go.
    var leftover: [UInt64] = []
    /// Needed and not there. `live` is then what follows the gap.
    var missing: UInt64?

    /// `sequences` rise; `start` says how one of them begins.
    init(
        _ sequences: [UInt64], start: (UInt64) throws(JournalError) -> SegmentStart
    ) throws(JournalError) {
        guard let last = sequences.last else { return }
        var first = last
        for sequence in sequences.reversed().dropFirst() {
            guard sequence == first - 1 else { break }
            first = sequence
        }
        let floor = try Self.floor(first...last, start)
        live = sequences.filter { $0 >= max(first, floor) }
        guard first <= floor else {
            missing = first - 1
            return
        }
        leftover = sequences.filter { $0 < floor }
    }

    /// The newest floor that the segments name.
    private static func floor(
        _ run: ClosedRange<UInt64>, _ start: (UInt64) throws(JournalError) -> SegmentStart
    ) throws(JournalError) -> UInt64 {
        for sequence in run.reversed() {
            switch try start(sequence) {
            case .floor(let floor): return min(floor, sequence)
            case .plain: return 1
            case .damaged: return run.lowerBound
            case .empty: continue
            }
        }
        return 1
    }
}
