import Binary

/// What a batch is for.
enum BatchMark: UInt32, Sendable {
    /// It carries records.
    case records = 0
    /// The journal goes on in the next segment, which exists already.
    case seal = 1
    /// The journal was closed in order: what stands before is complete.
    case close = 2
}

/// The head of a batch: what one write and one fdatasync brought to disk.
struct BatchHeader: Equatable, Sendable {
    /// Grows by one from batch to batch, through all segments.
    let number: UInt64
    /// Random, drawn at each opening: a number used for a torn batch is used again by the next session,
    /// and the two must not pass for one another.
    let session: UInt64
    /// Bytes of the records that follow.
    let bodyBytes: Int
    let recordCount: Int
    let mark: BatchMark
}

/// The bytes of batches. Little-endian.
///
///     batch  = magic:4 checksum:4 number:8 session:8 bodyBytes:4 recordCount:4 mark:4,
///              records, zeros up to a multiple of 8
///     record = checksum:4 payloadBytes:4 kind:1 group:8 term:8 index:8, payload
///
/// The head's checksum is seeded with the segment's seed, a record's with segment, batch number and
/// session.
enum BatchFormat {
    static let headerBytes = 36
    static let recordHeaderBytes = 33
    static let alignment = 8
    /// A batch of no records: what a seal or a close mark takes.
    static let emptyBytes = stride(bodyBytes: 0)
    static let maximumBodyBytes = Int(Int32.max)
    static let magic: UInt32 = 0x3142_4648  // "HFB1"

    static func bodyBytes(of records: [JournalRecord]) -> Int {
        var sum = 0
        for record in records {
            precondition(
                record.payload.count <= JournalRecord.maximumPayloadBytes,
                "a journal record is over its limit")
            sum += recordHeaderBytes + record.payload.count
        }
        return sum
    }

    /// From the start of a batch to the start of the next.
    static func stride(bodyBytes: Int) -> Int {
        (headerBytes + bodyBytes + alignment - 1) & ~(alignment - 1)
    }

    static func recordSeed(segment seed: UInt32, number: UInt64, session: UInt64) -> UInt32 {
        withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { words in
            words.storeBytes(of: number.littleEndian, as: UInt64.self)
            words.storeBytes(of: session.littleEndian, toByteOffset: 8, as: UInt64.self)
            return Checksum.of(UnsafeRawBufferPointer(words)[...], seed: seed)
        }
    }

    /// Writes a whole batch to the start of `target`, which has room for it, and zeros up to the next one.
    static func encode(
        _ header: BatchHeader, groups: some Sequence<[JournalRecord]>, segmentSeed: UInt32,
        into target: UnsafeMutableRawBufferPointer
    ) {
        let end = stride(bodyBytes: header.bodyBytes)
        precondition(target.count >= end, "a batch does not fit its buffer")
        let seed = recordSeed(segment: segmentSeed, number: header.number, session: header.session)
        var offset = headerBytes
        for records in groups {
            for record in records { offset += encode(record, seed: seed, into: target, at: offset) }
        }
        precondition(offset == headerBytes + header.bodyBytes, "a batch has another size than was counted")
        for position in offset..<end { target[position] = 0 }
        encode(header, segmentSeed: segmentSeed, into: target)
    }

    private static func encode(
        _ header: BatchHeader, segmentSeed: UInt32, into target: UnsafeMutableRawBufferPointer
    ) {
        store(magic, into: target, at: 0)
        store(header.number, into: target, at: 8)
        store(header.session, into: target, at: 16)
        store(UInt32(header.bodyBytes), into: target, at: 24)
        store(UInt32(header.recordCount), into: target, at: 28)
        store(header.mark.rawValue, into: target, at: 32)
        store(
            Checksum.of(UnsafeRawBufferPointer(target)[8..<headerBytes], seed: segmentSeed), into: target,
            at: 4)
    }

    private static func encode(
        _ record: JournalRecord, seed: UInt32, into target: UnsafeMutableRawBufferPointer, at offset: Int
    ) -> Int {
        let size = recordHeaderBytes + record.payload.count
        store(UInt32(record.payload.count), into: target, at: offset + 4)
        target[offset + 8] = record.kind
        store(record.group, into: target, at: offset + 9)
        store(record.term, into: target, at: offset + 17)
        store(record.index, into: target, at: offset + 25)
        record.payload.withUnsafeBytes { payload in
            UnsafeMutableRawBufferPointer(rebasing: target[(offset + recordHeaderBytes)..<(offset + size)])
                .copyMemory(from: payload)
        }
        let checked = UnsafeRawBufferPointer(target)[(offset + 4)..<(offset + size)]
        store(Checksum.of(checked, seed: seed), into: target, at: offset)
        return size
    }

    /// The head of a batch at `offset`, or nil if the bytes there are no head of this segment.
    static func header(at offset: Int, in bytes: UnsafeRawBufferPointer, segmentSeed: UInt32) -> BatchHeader?
    {
        guard offset >= 0, offset <= bytes.count - headerBytes else { return nil }
        guard load(UInt32.self, from: bytes, at: offset) == magic else { return nil }
        let checksum = Checksum.of(bytes[(offset + 8)..<(offset + headerBytes)], seed: segmentSeed)
        guard load(UInt32.self, from: bytes, at: offset + 4) == checksum else { return nil }
        guard let mark = BatchMark(rawValue: load(UInt32.self, from: bytes, at: offset + 32)) else {
            return nil
        }
        return BatchHeader(
            number: load(UInt64.self, from: bytes, at: offset + 8),
            session: load(UInt64.self, from: bytes, at: offset + 16),
            bodyBytes: Int(load(UInt32.self, from: bytes, at: offset + 24)),
            recordCount: Int(load(UInt32.self, from: bytes, at: offset + 28)),
            mark: mark)
    }

    /// All records of the batch whose head stands at `offset`; nil unless each of them is whole.
    static func records(
        of header: BatchHeader, at offset: Int, in bytes: UnsafeRawBufferPointer, segmentSeed: UInt32
    ) -> [JournalRecord]? {
        let start = offset + headerBytes
        guard header.bodyBytes <= bytes.count - start else { return nil }
        guard header.recordCount <= header.bodyBytes / recordHeaderBytes else { return nil }
        let seed = recordSeed(segment: segmentSeed, number: header.number, session: header.session)
        let end = start + header.bodyBytes
        var position = start
        var records: [JournalRecord] = []
        records.reserveCapacity(header.recordCount)
        for _ in 0..<header.recordCount {
            guard let record = record(at: &position, end: end, in: bytes, seed: seed) else { return nil }
            records.append(record)
        }
        return position == end ? records : nil
    }

    private static func record(
        at position: inout Int, end: Int, in bytes: UnsafeRawBufferPointer, seed: UInt32
    ) -> JournalRecord? {
        let start = position
        guard end - start >= recordHeaderBytes else { return nil }
        let payloadBytes = Int(load(UInt32.self, from: bytes, at: start + 4))
        guard payloadBytes <= end - start - recordHeaderBytes else { return nil }
        let stop = start + recordHeaderBytes + payloadBytes
        let checksum = Checksum.of(bytes[(start + 4)..<stop], seed: seed)
        guard load(UInt32.self, from: bytes, at: start) == checksum || isUnchecked else { return nil }
        position = stop
        return JournalRecord(
            kind: bytes[start + 8],
            group: load(UInt64.self, from: bytes, at: start + 9),
            term: load(UInt64.self, from: bytes, at: start + 17),
            index: load(UInt64.self, from: bytes, at: start + 25),
            payload: [UInt8](bytes[(start + recordHeaderBytes)..<stop]))
    }

    private static var isUnchecked: Bool {
        #if PLANTED_BUGS
        return RemovedGuard.isRemoved(.skipRecordChecksum)
        #else
        return false
        #endif
    }

    /// Where the next head of any batch of this segment stands at or after `offset`.
    static func nextHeader(
        from offset: Int, in bytes: UnsafeRawBufferPointer, segmentSeed: UInt32
    ) -> (offset: Int, header: BatchHeader)? {
        var position = (offset + alignment - 1) & ~(alignment - 1)
        while position <= bytes.count - headerBytes {
            if load(UInt32.self, from: bytes, at: position) == magic,
                let header = header(at: position, in: bytes, segmentSeed: segmentSeed)
            {
                return (position, header)
            }
            position += alignment
        }
        return nil
    }

    private static func load<Value: FixedWidthInteger & BitwiseCopyable>(
        _ type: Value.Type, from bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> Value {
        Value(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
    }

    private static func store(
        _ value: some FixedWidthInteger & BitwiseCopyable, into target: UnsafeMutableRawBufferPointer,
        at offset: Int
    ) {
        target.storeBytes(of: value.littleEndian, toByteOffset: offset, as: type(of: value).self)
    }
}
