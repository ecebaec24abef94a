import Testing

@testable import Storage

@Suite struct BatchFormatTests {
    private static let seed: UInt32 = 77

    private func encoded(_ records: [JournalRecord], number: UInt64 = 5, session: UInt64 = 9) -> [UInt8] {
        let header = BatchHeader(
            number: number, session: session, bodyBytes: BatchFormat.bodyBytes(of: records),
            recordCount: records.count, mark: .records)
        var bytes = [UInt8](repeating: 0xAA, count: BatchFormat.stride(bodyBytes: header.bodyBytes))
        bytes.withUnsafeMutableBytes {
            BatchFormat.encode(header, groups: [records], segmentSeed: Self.seed, into: $0)
        }
        return bytes
    }

    private func decoded(_ bytes: [UInt8], seed: UInt32 = Self.seed) -> [JournalRecord]? {
        bytes.withUnsafeBytes { buffer in
            guard let header = BatchFormat.header(at: 0, in: buffer, segmentSeed: seed) else { return nil }
            return BatchFormat.records(of: header, at: 0, in: buffer, segmentSeed: seed)
        }
    }

    @Test func recordsComeBackAsTheyWere() {
        let records = [record(1), record(2, payloadBytes: 0), record(UInt64.max, payloadBytes: 5000)]
        #expect(decoded(encoded(records)) == records)
        #expect(decoded(encoded([])) == [])
    }

    @Test func aBatchEndsOnAnAlignedByteWithZeros() {
        for payloadBytes in 0..<20 {
            let bytes = encoded([record(1, payloadBytes: payloadBytes)])
            #expect(bytes.count % BatchFormat.alignment == 0)
            let used = BatchFormat.headerBytes + BatchFormat.recordHeaderBytes + payloadBytes
            #expect(bytes[used...].allSatisfy { $0 == 0 })
        }
    }

    @Test func aCutBatchNeverParses() {
        let records = [record(1, payloadBytes: 30), record(2, payloadBytes: 3)]
        let bytes = encoded(records)
        let used = BatchFormat.headerBytes + BatchFormat.bodyBytes(of: records)
        for length in 0..<used { #expect(decoded([UInt8](bytes[0..<length])) == nil) }
    }

    @Test func aFlippedBitNeverParses() {
        let records = [record(1, payloadBytes: 30), record(2, payloadBytes: 3)]
        let bytes = encoded(records)
        let used = BatchFormat.headerBytes + BatchFormat.bodyBytes(of: records)
        for position in 0..<used {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(bit)
                #expect(decoded(damaged) == nil)
            }
        }
    }

    @Test func recordsOfAnotherBatchSessionOrSegmentDoNotParse() {
        let records = [record(1, payloadBytes: 30)]
        let mine = encoded(records)
        #expect(decoded(mine, seed: Self.seed + 1) == nil)
        for other in [encoded(records, number: 6), encoded(records, session: 10)] {
            let head = mine[0..<BatchFormat.headerBytes]
            #expect(decoded([UInt8](head + other[BatchFormat.headerBytes...])) == nil)
        }
    }

    @Test func randomBytesAsASegmentNeverTrap() {
        var generator = SeededGenerator(state: 4)
        for _ in 0..<1000 {
            let count = Int.random(in: 0...6000, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(throws: JournalError.self) { try recover(bytes) }
        }
    }

    /// Heads and records with right checksums and nonsense in them: what no accident makes, but a bug
    /// might.
    @Test func wellSealedNonsenseNeverTraps() {
        var generator = SeededGenerator(state: 5)
        for _ in 0..<1000 {
            let segment = SegmentHeader(firstOf: 8192, salt: generator.next())
            let header = BatchHeader(
                number: Int.random(in: 0...2, using: &generator) == 0 ? generator.next() : 1,
                session: generator.next(),
                bodyBytes: Int(UInt32.random(in: 0...UInt32.max, using: &generator)),
                recordCount: Int(UInt32.random(in: 0...UInt32.max, using: &generator)), mark: .records)
            var bytes = segment.encode()
            bytes.append(contentsOf: repeatElement(0, count: 8192 - bytes.count))
            let head = sealed(header, seed: segment.seed)
            bytes.replaceSubrange(4096..<4096 + head.count, with: head)
            _ = try? recover(bytes)
        }
    }

    private func sealed(_ header: BatchHeader, seed: UInt32) -> [UInt8] {
        let empty = BatchHeader(
            number: header.number, session: header.session, bodyBytes: 0, recordCount: 0, mark: .close)
        var bytes = [UInt8](repeating: 0, count: BatchFormat.emptyBytes)
        bytes.withUnsafeMutableBytes {
            BatchFormat.encode(empty, groups: EmptyCollection(), segmentSeed: seed, into: $0)
            $0.storeBytes(of: UInt32(truncatingIfNeeded: header.bodyBytes), toByteOffset: 24, as: UInt32.self)
            $0.storeBytes(
                of: UInt32(truncatingIfNeeded: header.recordCount), toByteOffset: 28, as: UInt32.self)
            let checked = UnsafeRawBufferPointer($0)[8..<BatchFormat.headerBytes]
            $0.storeBytes(of: Checksum.of(checked, seed: seed), toByteOffset: 4, as: UInt32.self)
        }
        return bytes
    }

    private func recover(_ bytes: [UInt8]) throws {
        var recovery = JournalRecovery()
        try bytes.withUnsafeBytes {
            try recovery.read($0, fileBytes: $0.count, file: "x", sequence: 1) { _ in }
        }
        try recovery.finish()
    }

    @Test func checksumMatchesTheKnownVector() {
        #expect(Checksum.of([UInt8]("123456789".utf8)) == 0xE306_9283)
    }
}
