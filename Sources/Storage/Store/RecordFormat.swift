import Binary
import CHoldfast

/// The values of records. Every one begins with the CRC-32C of its key and of what follows, since LMDB has
/// no checksums. Little-endian.
///
///     about  = checksum:4 format:1 transaction:8
///     head   = checksum:4 format:1 shard:4 index:8 term:8 start:8 end:8 objects:8 digest:8 payload
///     object = checksum:4 format:1 expiresAtMs:8 bytes
///     expiry = checksum:4
///     marker = checksum:4 format:1 start:8 end:8 [name, bytes:8, hash:8, head]
///
/// `transaction` is LMDB's number of the transaction that wrote the record, which is every one: so a meta
/// page, which has no checksum, cannot pass off an old state as the newest.
enum RecordFormat {
    static let version: UInt8 = 1
    private static let checksumBytes = 4
    static let objectHeadBytes = 13

    // MARK: Checksum

    private static func begin(reserving count: Int, format: UInt8 = version) -> ByteWriter {
        var writer = ByteWriter(reserving: count)
        writer.write(UInt32(0))
        writer.write(format)
        return writer
    }

    private static func finish(_ writer: consuming ByteWriter, _ key: RecordKey) -> [UInt8] {
        let checksum = writer.bytes.withUnsafeBytes { Checksum.of($0[checksumBytes...], seed: key.checksum) }
        writer.patch(checksum, at: 0)
        return writer.bytes
    }

    static func seal(_ content: [UInt8], _ key: RecordKey, format: UInt8 = version) -> [UInt8] {
        var writer = begin(reserving: checksumBytes + 1 + content.count, format: format)
        writer.writeRaw(content)
        return finish(writer, key)
    }

    /// Whether key and value are as they were written.
    static func isWhole(_ key: RecordKey, _ value: UnsafeRawBufferPointer) -> Bool {
        guard value.count >= checksumBytes else { return false }
        let stored = UInt32(littleEndian: value.loadUnaligned(as: UInt32.self))
        return stored == Checksum.of(value[checksumBytes...], seed: key.checksum)
    }

    private static func check(_ key: RecordKey, _ value: [UInt8]) throws(StoreError) -> ByteReader {
        guard value.withUnsafeBytes({ isWhole(key, $0) }) else {
            throw .damaged("\(key) has a wrong checksum", place: "the object store")
        }
        guard value.count > checksumBytes, value[checksumBytes] == version else {
            let found = value.count > checksumBytes ? "\(value[checksumBytes])" : "none"
            throw .otherVersion(found, known: "\(version)", place: "the object store, \(key)")
        }
        var reader = ByteReader(value)
        reader.position = checksumBytes + 1
        return reader
    }

    static func decode<Value>(
        _ key: RecordKey, _ value: [UInt8], _ body: (inout ByteReader) throws(DecodingFailure) -> Value
    ) throws(StoreError) -> Value {
        var reader = try check(key, value)
        do throws(DecodingFailure) {
            let result = try body(&reader)
            try reader.finish()
            return result
        } catch {
            throw .damaged("\(key): \(error)", place: "the object store")
        }
    }

    // MARK: About

    static func about(transaction: UInt64) -> [UInt8] {
        var writer = begin(reserving: 13)
        writer.write(transaction)
        return finish(writer, .about)
    }

    /// The number of the transaction that wrote it.
    static func readAbout(_ value: [UInt8]) throws(StoreError) -> UInt64 {
        try decode(.about, value) { (reader) throws(DecodingFailure) in try reader.readUInt64() }
    }

    // MARK: Heads

    static func encode(_ head: StoredHead) -> [UInt8] {
        var writer = begin(reserving: 64 + head.payload.count)
        writer.write(head.shard)
        writer.write(head.index)
        writer.write(head.term)
        writer.write(head.range.start)
        writer.write(head.range.end)
        writer.write(head.objectCount)
        writer.write(head.digest)
        writer.writeBytes(head.payload)
        return finish(writer, .head(head.shard))
    }

    static func head(_ key: RecordKey, _ value: [UInt8]) throws(StoreError) -> StoredHead {
        try decode(key, value) { (reader) throws(DecodingFailure) in
            guard try reader.readUInt32() == key.shard else { throw DecodingFailure("it is another shard's") }
            let index = try reader.readUInt64()
            let term = try reader.readUInt64()
            let range = try readRange(&reader)
            let tally = StoreTally(objectCount: try reader.readUInt64(), digest: try reader.readUInt64())
            let payload = try reader.readBytes()
            return StoredHead(
                shard: key.shard,
                content: HeadContent(index: index, term: term, range: range, payload: payload), tally: tally)
        }
    }

    static func readRange(_ reader: inout ByteReader) throws(DecodingFailure) -> StoredRange {
        let start = try reader.readUInt64()
        let end = try reader.readUInt64()
        guard start <= end else { throw DecodingFailure("a range ends before it starts") }
        return StoredRange(start: start, end: end)
    }

    /// The shard that a head names in its value, whatever its checksum says: if key and value agree, a single
    /// damaged byte stands elsewhere, and the shard is certain.
    static func namesShard(_ key: RecordKey, _ value: UnsafeRawBufferPointer) -> Bool {
        value.count >= 9
            && UInt32(littleEndian: value.loadUnaligned(fromByteOffset: 5, as: UInt32.self)) == key.shard
    }

    // MARK: Objects

    static func encode(_ object: StoredObject) -> [UInt8] {
        var writer = begin(reserving: objectHeadBytes + object.bytes.count)
        writer.write(object.expiresAtMs)
        writer.writeRaw(object.bytes)
        return finish(writer, .object(object.key))
    }

    static func object(_ key: StoreKey, _ value: [UInt8]) throws(StoreError) -> StoredObject {
        try decode(.object(key), value) { (reader) throws(DecodingFailure) in
            let expiresAtMs = try reader.readUInt64()
            return StoredObject(key: key, expiresAtMs: expiresAtMs, bytes: try reader.readRaw(reader.remaining))
        }
    }

    /// Expiry and hash of an object's value without copying it; nil if it is damaged.
    static func examine(_ key: RecordKey, _ value: UnsafeRawBufferPointer) -> (expiresAtMs: UInt64, hash: UInt64)? {
        guard value.count >= objectHeadBytes, isWhole(key, value), value[checksumBytes] == version else {
            return nil
        }
        let expiresAtMs = UInt64(littleEndian: value.loadUnaligned(fromByteOffset: 5, as: UInt64.self))
        return (expiresAtMs, hash(key.storeKey, value))
    }

    /// An object's part of the digest: of key, expiry and bytes, and not of the format.
    static func hash(_ key: StoreKey, _ value: UnsafeRawBufferPointer) -> UInt64 {
        let content = UnsafeRawBufferPointer(rebasing: value[(checksumBytes + 1)...])
        let seed = key.object ^ (key.fingerprint << 29 | key.fingerprint >> 35)
        return holdfast_hash64(seed, content.baseAddress, content.count)
    }

    static func hash(_ key: StoreKey, value: [UInt8]) -> UInt64 {
        value.withUnsafeBytes { hash(key, $0) }
    }

    // MARK: Expiries

    static func expiryValue(_ key: RecordKey) -> [UInt8] {
        withUnsafeBytes(of: key.checksum.littleEndian) { [UInt8]($0) }
    }
}
