import Binary
import CHoldfast
import CLZ4

/// The bytes of a snapshot or of a shard in a backup. Little-endian.
///
///     file    = magic:8 version:4 manifestBytes:4 checksum:4 manifest, frames, trailer
///     frame   = rawBytes:4 storedBytes:4 checksum:4 block
///     trailer = 0:4 frames:8 hash:8
///     record  = object:8 fingerprint:8 expiresAtMs:8 bytes:4 content
///
/// A block is records, compressed by LZ4 unless that makes it no smaller. The checksum of a frame is seeded with
/// its number and covers its lengths. The hash is `BlockHash` of everything before it; it is what the shard's
/// log knows of the file.
enum SnapshotFormat {
    static let magic: UInt64 = 0x3150_414E_5344_4C48  // "HLDSNAP1"
    static let version: UInt32 = 1
    static let headBytes = 20
    static let frameHeadBytes = 12
    static let trailerBytes = 20
    static let hashBytes = 8
    static let recordHeadBytes = 28
    /// A frame ends with the record that makes it so large.
    static let frameBytes = 256 << 10
    /// The largest frame: one object of 64 MiB of items, and what is around them.
    static let maximumRawBytes = 256 << 20
    static let maximumManifestBytes = 64 << 20

    static func encodeHead(_ manifest: SnapshotManifest) -> [UInt8] {
        let content = manifest.encode()
        var writer = ByteWriter(reserving: headBytes + content.count)
        writer.write(magic)
        writer.write(version)
        writer.write(UInt32(content.count))
        writer.write(Checksum.of(content, seed: UInt32(content.count)))
        writer.writeRaw(content)
        return writer.bytes
    }

    static func encodeTrailer(frames: UInt64) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(UInt32(0))
        writer.write(frames)
        return writer.bytes
    }

    static func append(_ object: StoredObject, to writer: inout ByteWriter) {
        writer.write(object.key.object)
        writer.write(object.key.fingerprint)
        writer.write(object.expiresAtMs)
        writer.write(UInt32(object.bytes.count))
        writer.writeRaw(object.bytes)
    }

    static func records(_ raw: [UInt8]) throws(DecodingFailure) -> [StoredObject] {
        var reader = ByteReader(raw)
        var objects: [StoredObject] = []
        while !reader.isAtEnd {
            let key = StoreKey(object: try reader.readUInt64(), fingerprint: try reader.readUInt64())
            let expiresAtMs = try reader.readUInt64()
            let count = try reader.readUInt32()
            objects.append(
                StoredObject(key: key, expiresAtMs: expiresAtMs, bytes: try reader.readRaw(Int(count))))
        }
        return objects
    }

    // MARK: Frames

    static func encodeFrame(_ raw: [UInt8], number: UInt64) -> [UInt8] {
        precondition(raw.count <= maximumRawBytes, "a frame is over its limit")
        let capacity = Int(LZ4_compressBound(Int32(raw.count)))
        let compressed = [UInt8](unsafeUninitializedCapacity: capacity) { target, count in
            let written = raw.withUnsafeBytes { source in
                target.withMemoryRebound(to: CChar.self) {
                    LZ4_compress_default(
                        source.baseAddress?.assumingMemoryBound(to: CChar.self), $0.baseAddress,
                        Int32(raw.count), Int32(capacity))
                }
            }
            count = Int(written)
        }
        let block = compressed.isEmpty || compressed.count >= raw.count ? raw : compressed
        var writer = ByteWriter(reserving: frameHeadBytes + block.count)
        writer.write(UInt32(raw.count))
        writer.write(UInt32(block.count))
        writer.write(checksum(rawBytes: UInt32(raw.count), number: number, block))
        writer.writeRaw(block)
        return writer.bytes
    }

    static func checksum(rawBytes: UInt32, number: UInt64, _ block: [UInt8]) -> UInt32 {
        let place = (UInt64(rawBytes) << 32 | UInt64(block.count)) &+ number &* 0x9E37_79B9_7F4A_7C15
        return Checksum.of(block, seed: UInt32(truncatingIfNeeded: place ^ place >> 32))
    }

    /// LZ4 makes 255 bytes of one at most, so a forged length cannot reserve more than that.
    static func isPossible(rawBytes: Int, storedBytes: Int) -> Bool {
        rawBytes <= maximumRawBytes && storedBytes > 0 && storedBytes <= rawBytes
            && rawBytes <= storedBytes * 255
    }

    /// Nil if the block is not one of so many bytes.
    static func expand(_ block: [UInt8], rawBytes: Int) -> [UInt8]? {
        if block.count == rawBytes { return block }
        var written: Int32 = 0
        let raw = [UInt8](unsafeUninitializedCapacity: rawBytes) { target, count in
            written = block.withUnsafeBytes { source in
                target.withMemoryRebound(to: CChar.self) {
                    LZ4_decompress_safe(
                        source.baseAddress?.assumingMemoryBound(to: CChar.self), $0.baseAddress,
                        Int32(block.count), Int32(rawBytes))
                }
            }
            count = max(0, Int(written))
        }
        return Int(written) == rawBytes ? raw : nil
    }
}

/// Makes the bytes of a snapshot, piece by piece, in bounded memory.
public struct SnapshotEncoder: Sendable {
    private var raw = ByteWriter(reserving: SnapshotFormat.frameBytes)
    private var frames: UInt64 = 0
    private var whole = BlockHash()
    private var tally = StoreTally.none
    private let manifest: SnapshotManifest
    /// How many bytes came out so far.
    public private(set) var byteCount: UInt64 = 0

    public init(_ manifest: SnapshotManifest) {
        self.manifest = manifest
    }

    /// The first bytes.
    public mutating func begin() -> [UInt8] { count(SnapshotFormat.encodeHead(manifest)) }

    /// Objects come in the order of their keys. Answers the bytes that are ready: none, most times.
    public mutating func add(_ object: StoredObject) -> [UInt8] {
        SnapshotFormat.append(object, to: &raw)
        tally.add(hash: RecordFormat.hash(object.key, value: RecordFormat.encode(object)))
        return raw.count >= SnapshotFormat.frameBytes ? closeFrame() : []
    }

    /// The last bytes, and the hash of the whole. `.damaged` if the objects were not those of the manifest.
    public mutating func finish() throws(StoreError) -> (bytes: [UInt8], hash: UInt64) {
        guard tally == manifest.tally else {
            throw .damaged(
                "\(tally.objectCount) objects were read, and the head counts \(manifest.tally.objectCount), "
                    + "or others than it has", place: "the object store", shard: manifest.shard)
        }
        var bytes = raw.count > 0 ? closeFrame() : []
        bytes += count(SnapshotFormat.encodeTrailer(frames: frames))
        let hash = whole.value
        withUnsafeBytes(of: hash.littleEndian) { bytes.append(contentsOf: $0) }
        byteCount += UInt64(SnapshotFormat.hashBytes)
        return (bytes, hash)
    }

    private mutating func closeFrame() -> [UInt8] {
        let bytes = SnapshotFormat.encodeFrame(raw.bytes, number: frames)
        frames += 1
        raw.bytes.removeAll(keepingCapacity: raw.count <= 2 * SnapshotFormat.frameBytes)
        return count(bytes)
    }

    private mutating func count(_ bytes: [UInt8]) -> [UInt8] {
        whole.add(bytes)
        byteCount += UInt64(bytes.count)
        return bytes
    }
}
