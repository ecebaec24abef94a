import Binary
import CHoldfast

/// What the first bytes of a segment say. A segment gets its header, synced, before it gets its name,
/// so a named segment without a whole header is damage and never an accident of a crash.
struct SegmentHeader: Equatable, Sendable {
    /// Segments are numbered from 1 without a gap.
    let sequence: UInt64
    /// The size of the file. A file of another size was cut.
    let capacity: Int
    /// Random, and part of every checksum: neither what an earlier life of the file left behind nor bytes
    /// that a client chose can pass for a batch of this segment.
    let salt: UInt64
    /// The number of the first batch that may be here.
    let firstBatch: UInt64
    /// The salt of the segment before, 0 in the first one: a file of another journal does not fit in.
    let predecessorSalt: UInt64

    /// Batches start here: a block of its own, so that appending never rewrites the header.
    static let reservedBytes = 4096
    static let version: UInt32 = 1
    private static let magic: UInt64 = 0x5453_4146_444C_4F48  // "HOLDFAST"
    static let encodedBytes = 60

    /// The seed of every checksum in this segment (O12).
    var seed: UInt32 {
        var writer = ByteWriter(reserving: 16)
        writer.write(sequence)
        writer.write(salt)
        return Checksum.of(writer.bytes)
    }

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.encodedBytes)
        writer.write(Self.magic)
        writer.write(Self.version)
        writer.write(UInt32(0))
        writer.write(sequence)
        writer.write(UInt64(capacity))
        writer.write(salt)
        writer.write(firstBatch)
        writer.write(predecessorSalt)
        writer.write(Checksum.of(writer.bytes))
        return writer.bytes
    }

    /// Reads the header at the start of `bytes`, the content of `file` whose size is `fileBytes`.
    init(reading bytes: UnsafeRawBufferPointer, fileBytes: Int, file: String) throws(JournalError) {
        guard bytes.count >= Self.encodedBytes else {
            throw .damaged("a segment is cut to \(fileBytes) bytes", file: file, offset: bytes.count)
        }
        var reader = ByteReader([UInt8](bytes[0..<Self.encodedBytes]))
        do {
            let magic = try reader.readUInt64()
            let version = try reader.readUInt32()
            _ = try reader.readUInt32()
            sequence = try reader.readUInt64()
            capacity = Int(truncatingIfNeeded: try reader.readUInt64())
            salt = try reader.readUInt64()
            firstBatch = try reader.readUInt64()
            predecessorSalt = try reader.readUInt64()
            let checksum = try reader.readUInt32()
            guard magic == Self.magic, checksum == Checksum.of(bytes[0..<Self.encodedBytes - 4]) else {
                throw JournalError.damaged("the header of a segment is damaged", file: file, offset: 0)
            }
            guard version == Self.version else { throw JournalError.version(version, file: file) }
        } catch let error as JournalError {
            throw error
        } catch {
            throw .damaged("the header of a segment is damaged: \(error)", file: file, offset: 0)
        }
        guard capacity == fileBytes else {
            throw .damaged(
                "a segment of \(capacity) bytes has \(fileBytes)", file: file,
                offset: min(fileBytes, capacity))
        }
    }

    /// The first segment of a journal.
    init(firstOf capacity: Int, salt: UInt64) {
        self.init(sequence: 1, capacity: capacity, salt: salt, firstBatch: 1, predecessorSalt: 0)
    }

    init(sequence: UInt64, capacity: Int, salt: UInt64, firstBatch: UInt64, predecessorSalt: UInt64) {
        self.sequence = sequence
        self.capacity = capacity
        self.salt = salt
        self.firstBatch = firstBatch
        self.predecessorSalt = predecessorSalt
    }
}

extension JournalError {
    static func version(_ version: UInt32, file: String) -> JournalError {
        JournalError(
            .otherVersion,
            "a segment has format version \(version), this program knows \(SegmentHeader.version)",
            place: file, remedy: "Start the version of the program that wrote it; nothing was changed")
    }
}

/// CRC-32C. A seed changes the checksum of every content, so bytes written under one seed never pass
/// under another.
enum Checksum {
    static func of(_ bytes: [UInt8], seed: UInt32 = 0) -> UInt32 {
        bytes.withUnsafeBytes { holdfast_crc32c(seed, $0.baseAddress, $0.count) }
    }

    static func of(_ bytes: Slice<UnsafeRawBufferPointer>, seed: UInt32 = 0) -> UInt32 {
        let whole = UnsafeRawBufferPointer(rebasing: bytes)
        return holdfast_crc32c(seed, whole.baseAddress, whole.count)
    }
}
