import Binary

/// What an archived segment says of itself, and its bytes. Little-endian.
///
///     file    = magic:8 version:4 node:8 cluster:8 sequence:8 capacity:8 contentBytes:8 checksum:4, frames, trailer
///     frame, trailer: as in a snapshot
///
/// The content is the segment's file up to the end of its seal; what follows there is of no meaning.
struct ArchiveHead: Equatable, Sendable {
    static let magic: UInt64 = 0x3156_4843_5244_4C48  // "HLDRCHV1"
    static let version: UInt32 = 1
    static let encodedBytes = 56
    static let maximumContentBytes: UInt64 = 4 << 30

    /// The disk's identity; a new disk of the same name is another one.
    var node: UInt64
    /// 0 if the node belonged to none yet.
    var cluster: UInt64
    var sequence: UInt64
    /// Of the segment's file.
    var capacity: UInt64
    var contentBytes: UInt64

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: Self.encodedBytes)
        writer.write(Self.magic)
        writer.write(Self.version)
        for number in [node, cluster, sequence, capacity, contentBytes] { writer.write(number) }
        writer.write(Checksum.of(writer.bytes))
        return writer.bytes
    }

    init(node: UInt64, cluster: UInt64, sequence: UInt64, capacity: UInt64, contentBytes: UInt64) {
        self.node = node
        self.cluster = cluster
        self.sequence = sequence
        self.capacity = capacity
        self.contentBytes = contentBytes
    }

    init(_ bytes: [UInt8], file: String) throws(JournalError) {
        var reader = ByteReader(bytes)
        guard bytes.count == Self.encodedBytes, let magic = try? reader.readUInt64(),
            let version = try? reader.readUInt32(), magic == Self.magic
        else { throw .damaged("it is no archived segment", file: file, offset: 0) }
        guard version == Self.version else { throw .version(version, file: file) }
        guard let node = try? reader.readUInt64(), let cluster = try? reader.readUInt64(),
            let sequence = try? reader.readUInt64(), let capacity = try? reader.readUInt64(),
            let contentBytes = try? reader.readUInt64(), let checksum = try? reader.readUInt32(),
            checksum == Checksum.of(Array(bytes.dropLast(4))), contentBytes <= Self.maximumContentBytes
        else { throw .damaged("the head of an archived segment is damaged", file: file, offset: 0) }
        self.init(
            node: node, cluster: cluster, sequence: sequence, capacity: capacity, contentBytes: contentBytes)
    }
}

/// The names in an archive: a directory for each disk, a file for each segment, and one for each gap.
enum ArchiveNames {
    static let suffix = ".archive"
    static let gapSuffix = ".gap"

    static func directory(of node: UInt64) -> String { String(node, radix: 16) }

    static func segment(_ sequence: UInt64) -> String { digits(sequence) + suffix }

    /// The segments from the first to the last are not in the archive, and never will be.
    static func gap(_ first: UInt64, _ last: UInt64) -> String { digits(first) + "-" + digits(last) + gapSuffix }

    static func sequence(_ name: String) -> UInt64? {
        guard name.hasSuffix(suffix), let number = UInt64(name.dropLast(suffix.count)), segment(number) == name
        else { return nil }
        return number
    }

    static func lastOfGap(_ name: String) -> UInt64? {
        guard name.hasSuffix(gapSuffix) else { return nil }
        return name.dropLast(gapSuffix.count).split(separator: "-").last.flatMap { UInt64($0) }
    }

    private static func digits(_ number: UInt64) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}

/// A segment out of an archive, every byte of it compared with its checksums.
struct ArchivedSegment: Sendable {
    let head: ArchiveHead
    let content: [UInt8]

    init(path: String) throws(JournalError) {
        let file: SnapshotFile
        do throws(StoreError) {
            file = try SnapshotFile(path: path)
        } catch {
            throw .damaged("it cannot be opened: \(error.what)", file: path, offset: 0)
        }
        var reader = Reader(file: file)
        head = try ArchiveHead(try reader.take(ArchiveHead.encodedBytes), file: path)
        content = try reader.content(head)
    }

    /// Reads in order, and keeps the hash of what it has read.
    private struct Reader {
        let file: SnapshotFile
        var offset: UInt64 = 0
        var whole = BlockHash()

        init(file: SnapshotFile) {
            self.file = file
        }

        mutating func take(_ count: Int) throws(JournalError) -> [UInt8] {
            do throws(StoreError) {
                let bytes = try file.read(at: offset, count: count)
                whole.add(bytes)
                offset += UInt64(count)
                return bytes
            } catch {
                throw damaged("it ends too early")
            }
        }

        func damaged(_ what: String) -> JournalError {
            .damaged(what, file: file.name, offset: Int(offset))
        }

        mutating func content(_ head: ArchiveHead) throws(JournalError) -> [UInt8] {
            var content: [UInt8] = []
            var frames: UInt64 = 0
            while true {
                let rawBytes = try number()
                if rawBytes == 0 { break }
                let storedBytes = try number()
                let checksum = try number()
                guard SnapshotFormat.isPossible(rawBytes: Int(rawBytes), storedBytes: Int(storedBytes)) else {
                    throw damaged("frame \(frames) has impossible sizes")
                }
                let block = try take(Int(storedBytes))
                guard checksum == SnapshotFormat.checksum(rawBytes: rawBytes, number: frames, block),
                    let raw = SnapshotFormat.expand(block, rawBytes: Int(rawBytes)),
                    UInt64(content.count + raw.count) <= head.contentBytes
                else { throw damaged("frame \(frames) is damaged") }
                content += raw
                frames += 1
            }
            try finish(frames: frames)
            guard UInt64(content.count) == head.contentBytes else { throw damaged("it lacks frames") }
            return content
        }

        private mutating func number() throws(JournalError) -> UInt32 {
            let bytes = try take(4)
            return bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(as: UInt32.self)) }
        }

        private mutating func finish(frames: UInt64) throws(JournalError) {
            var reader = ByteReader(try take(8))
            let count = try? reader.readUInt64()
            let hash = whole.value
            reader = ByteReader(try take(8))
            let stored = try? reader.readUInt64()
            guard count == frames, stored == hash, offset == file.byteCount else {
                throw damaged("its end is not where it should be, or its hash is another one")
            }
        }
    }
}
