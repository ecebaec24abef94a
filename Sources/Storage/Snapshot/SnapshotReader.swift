import Binary
import Glibc
import Synchronization

/// Bytes that a snapshot is read from.
public protocol SnapshotBytes: Sendable {
    var name: String { get }
    var byteCount: UInt64 { get }
    /// `count` bytes at `offset`; `.damaged` if there are fewer.
    func read(at offset: UInt64, count: Int) throws(StoreError) -> [UInt8]
}

/// A file that is only read, in any order: what is sent to another node, chunk by chunk. Any thread.
public final class SnapshotFile: SnapshotBytes {
    public let name: String
    /// Of the content, in the clear.
    public let byteCount: UInt64
    private let fileBytes: UInt64
    private let file: Int32
    private let sealed: Mutex<SealedFileOpener?>

    /// - Parameter keys: needed for a file that is sealed; `.sealed` if its key is not among them.
    public init(path: String, keys: DataKeys? = nil) throws(StoreError) {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .systemCall("open", errno, path: path) }
        do throws(StoreError) {
            var status = stat()
            guard fstat(file, &status) == 0 else { throw .systemCall("fstat", errno, path: path) }
            fileBytes = UInt64(max(0, status.st_size))
            let head = Int(min(fileBytes, UInt64(SealedFile.headBytes)))
            let opener = try SealedFileOpener(
                head: try Self.read(file, at: 0, count: head, path), path: path, keys: keys)
            guard let count = opener == nil ? fileBytes : SealedFile.contentBytes(ofFile: fileBytes) else {
                throw .damaged("the file ends too early", place: path)
            }
            byteCount = count
            sealed = Mutex(opener)
        } catch {
            close(file)
            throw error
        }
        self.file = file
        name = path
    }

    deinit { close(file) }

    public func read(at offset: UInt64, count: Int) throws(StoreError) -> [UInt8] {
        guard offset <= byteCount, UInt64(count) <= byteCount - offset else {
            throw .damaged("the file ends too early", place: name)
        }
        let opened = sealed.withLock { opener -> Result<[UInt8], StoreError>? in
            guard opener != nil else { return nil }
            do throws(StoreError) {
                return .success(try open(&opener, at: offset, count: count))
            } catch {
                return .failure(error)
            }
        }
        if let opened { return try opened.get() }
        return try Self.read(file, at: offset, count: count, name)
    }

    private func open(
        _ opener: inout SealedFileOpener?, at offset: UInt64, count: Int
    ) throws(StoreError) -> [UInt8] {
        var content: [UInt8] = []
        content.reserveCapacity(count)
        while content.count < count {
            let (number, start) = (offset + UInt64(content.count))
                .quotientAndRemainder(dividingBy: UInt64(SealedFile.blockBytes))
            let block = try opener?.block(number) { () throws(StoreError) in
                let place = UInt64(SealedFile.headBytes) + number * UInt64(SealedFile.sealedBlockBytes)
                let bytes = min(UInt64(SealedFile.sealedBlockBytes), fileBytes - min(fileBytes, place))
                return try Self.read(file, at: place, count: Int(bytes), name)
            }
            guard let part = block?.dropFirst(Int(start)), !part.isEmpty else {
                throw .damaged("the file ends too early", place: name)
            }
            content += part.prefix(count - content.count)
        }
        return content
    }

    private static func read(
        _ file: Int32, at offset: UInt64, count: Int, _ name: String
    ) throws(StoreError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
            let got = SystemDisk.read(file, at: Int(offset), into: target)
            if got == nil { code = errno }
            initialized = got ?? 0
        }
        guard code == 0 else { throw .systemCall("pread", code, path: name) }
        guard bytes.count == count else { throw .damaged("the file ends too early", place: name) }
        return bytes
    }
}

/// Reads the objects of a snapshot, a frame at a time; never traps, whatever the bytes are.
public struct SnapshotReader: SnapshotSource, Sendable {
    private let bytes: any SnapshotBytes
    public let manifest: SnapshotManifest
    private var offset: UInt64
    private var frames: UInt64 = 0
    private var isAtEnd = false

    public init(_ bytes: any SnapshotBytes) throws(StoreError) {
        self.bytes = bytes
        let head = try bytes.read(at: 0, count: SnapshotFormat.headBytes)
        var reader = ByteReader(head)
        guard let magic = try? reader.readUInt64(), let version = try? reader.readUInt32(),
            let count = try? reader.readUInt32(), let checksum = try? reader.readUInt32(),
            magic == SnapshotFormat.magic
        else { throw .damaged("it is no snapshot", place: bytes.name) }
        guard version == SnapshotFormat.version else {
            throw .otherVersion("\(version)", known: "\(SnapshotFormat.version)", place: bytes.name)
        }
        guard count <= SnapshotFormat.maximumManifestBytes else {
            throw .damaged("its manifest is over its limit", place: bytes.name)
        }
        let content = try bytes.read(at: UInt64(SnapshotFormat.headBytes), count: Int(count))
        guard checksum == Checksum.of(content, seed: count), let manifest = SnapshotManifest(decoding: content)
        else { throw .damaged("its manifest has a wrong checksum", place: bytes.name) }
        self.manifest = manifest
        offset = UInt64(SnapshotFormat.headBytes) + UInt64(count)
    }

    /// The objects of the next frame, in the order of their keys; nil at the end.
    public mutating func next() throws(StoreError) -> [StoredObject]? {
        if isAtEnd { return nil }
        let prefix = try read(4)
        let rawBytes = Int(Self.number(prefix, at: 0))
        if rawBytes == 0 { return try finish() }
        let sizes = try read(8)
        let storedBytes = Int(Self.number(sizes, at: 0))
        guard SnapshotFormat.isPossible(rawBytes: rawBytes, storedBytes: storedBytes) else {
            throw damaged("has impossible sizes")
        }
        let block = try read(storedBytes)
        let checksum = SnapshotFormat.checksum(rawBytes: UInt32(rawBytes), number: frames, block)
        guard checksum == Self.number(sizes, at: 4) else { throw damaged("has a wrong checksum") }
        guard let raw = SnapshotFormat.expand(block, rawBytes: rawBytes) else {
            throw damaged("cannot be decompressed")
        }
        let objects: [StoredObject]
        do throws(DecodingFailure) {
            objects = try SnapshotFormat.records(raw)
        } catch {
            throw damaged("has bad records: \(error)")
        }
        frames += 1
        return objects
    }

    private mutating func finish() throws(StoreError) -> [StoredObject]? {
        let rest = try read(SnapshotFormat.trailerBytes - 4)
        var reader = ByteReader(rest)
        guard let count = try? reader.readUInt64(), count == frames, offset == bytes.byteCount else {
            throw .damaged("its end is not where it should be", place: bytes.name)
        }
        isAtEnd = true
        return nil
    }

    private mutating func read(_ count: Int) throws(StoreError) -> [UInt8] {
        let result = try bytes.read(at: offset, count: count)
        offset += UInt64(count)
        return result
    }

    private func damaged(_ what: String) -> StoreError {
        .damaged("frame \(frames) \(what)", place: "\(bytes.name), offset \(offset)")
    }

    private static func number(_ bytes: [UInt8], at offset: Int) -> UInt32 {
        bytes.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
    }

    // MARK: The whole

    /// Compares every byte with the hash at the end, and with the one that is expected, if any. Blocks.
    public static func verify(
        _ bytes: any SnapshotBytes, expectedHash: UInt64? = nil
    ) throws(StoreError) -> VerifiedSnapshot {
        let reader = try SnapshotReader(bytes)
        guard bytes.byteCount >= UInt64(SnapshotFormat.headBytes + SnapshotFormat.trailerBytes) else {
            throw .damaged("the file ends too early", place: bytes.name)
        }
        let end = bytes.byteCount - UInt64(SnapshotFormat.hashBytes)
        var whole = BlockHash()
        var offset: UInt64 = 0
        while offset < end {
            let count = Int(min(1 << 20, end - offset))
            whole.add(try bytes.read(at: offset, count: count))
            offset += UInt64(count)
        }
        let hash = whole.value
        guard try storedHash(bytes) == hash, expectedHash ?? hash == hash else {
            throw .damaged("it has another hash than it should", place: bytes.name)
        }
        return VerifiedSnapshot(
            path: bytes.name, byteCount: bytes.byteCount, hash: hash, manifest: reader.manifest)
    }

    static func storedHash(_ bytes: any SnapshotBytes) throws(StoreError) -> UInt64 {
        guard bytes.byteCount >= UInt64(SnapshotFormat.hashBytes) else {
            throw .damaged("the file ends too early", place: bytes.name)
        }
        let stored = try bytes.read(
            at: bytes.byteCount - UInt64(SnapshotFormat.hashBytes), count: SnapshotFormat.hashBytes)
        return stored.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)) }
    }
}
