import Binary
import Crypto

/// Files of snapshots with their content in sealed blocks. Little-endian.
///
///     file  = magic:8 fingerprint:8 salt:16 block*
///     block = ciphertext tag:16        of 64 KiB of the content; of less, and not of nothing, in the last one
///
/// The cipher's key is derived as that of an envelope, by a salt that is drawn for each file. A block's number is its
/// nonce, and each is written once: what was begun and not ended is begun anew, under another salt. Whether something
/// is missing at the end is for the content to know: snapshots have a hash over all of themselves.
enum SealedFile {
    static let magic = Array("HFsealed".utf8)
    static let headBytes = 8 + 8 + Envelope.saltBytes
    static let blockBytes = 64 << 10
    static let sealedBlockBytes = blockBytes + AES256GCM.tagByteCount

    /// Bytes of content in a file of so many; nil if no file has so many.
    static func contentBytes(ofFile bytes: UInt64) -> UInt64? {
        guard bytes >= UInt64(headBytes) else { return nil }
        let (blocks, rest) = (bytes - UInt64(headBytes)).quotientAndRemainder(dividingBy: UInt64(sealedBlockBytes))
        if rest == 0 { return blocks * UInt64(blockBytes) }
        guard rest > UInt64(AES256GCM.tagByteCount) else { return nil }
        return blocks * UInt64(blockBytes) + rest - UInt64(AES256GCM.tagByteCount)
    }

    static func context(_ block: UInt64) -> [UInt8] {
        Array("file".utf8) + withUnsafeBytes(of: block.littleEndian) { [UInt8]($0) }
    }
}

/// Seals the content of one file, from its beginning to its end.
struct SealedFileSealer {
    private let cipher: AES256GCM
    private var pending: [UInt8] = []
    private var blocks: UInt64 = 0
    /// What the file begins with.
    let head: [UInt8]

    init(_ keys: DataKeys) throws(CryptographyFailure) {
        let salt = try secureRandomBytes(Envelope.saltBytes)
        cipher = try Envelope.cipher(keys.newest, salt: salt)
        var writer = ByteWriter(reserving: SealedFile.headBytes)
        writer.writeRaw(SealedFile.magic)
        writer.write(keys.newest.fingerprint)
        writer.writeRaw(salt)
        head = writer.bytes
    }

    /// What goes into the file next: whole blocks.
    mutating func add(_ bytes: some Collection<UInt8>) throws(CryptographyFailure) -> [UInt8] {
        pending += bytes
        var sealed: [UInt8] = []
        var start = 0
        while pending.count - start >= SealedFile.blockBytes {
            sealed += try seal(pending[start..<start + SealedFile.blockBytes])
            start += SealedFile.blockBytes
        }
        pending.removeFirst(start)
        return sealed
    }

    /// The last block, if anything is left for it.
    mutating func finish() throws(CryptographyFailure) -> [UInt8] {
        defer { pending = [] }
        return pending.isEmpty ? [] : try seal(pending[...])
    }

    private mutating func seal(_ block: ArraySlice<UInt8>) throws(CryptographyFailure) -> [UInt8] {
        defer { blocks += 1 }
        return try cipher.seal(block, nonce: Envelope.nonce(blocks), authenticating: SealedFile.context(blocks))
    }
}

extension DataKeys {
    /// The bytes of a sealed file with this content; `SnapshotFile` reads it.
    public func sealedFile(_ content: [UInt8]) throws(DataKeyFault) -> [UInt8] {
        do throws(CryptographyFailure) {
            var sealer = try SealedFileSealer(self)
            let blocks = try sealer.add(content)
            return sealer.head + blocks + (try sealer.finish())
        } catch {
            throw DataKeyFault("\(error)")
        }
    }
}

/// Writes the content of a file, from its beginning to its end: sealed if there are keys.
struct RestingFileWriter {
    private let file: Int32
    private let path: String
    private var offset: Int
    private var sealer: SealedFileSealer?

    /// - Parameter offset: of a plain file that goes on. A sealed one is begun anew, whatever it holds.
    init(_ file: Int32, path: String, keys: DataKeys?, offset: Int = 0) throws(StoreError) {
        self.file = file
        self.path = path
        self.offset = offset
        guard let keys else { return }
        precondition(offset == 0, "no block is sealed twice under one nonce")
        let sealer = try Self.sealing(path) { () throws(CryptographyFailure) in try SealedFileSealer(keys) }
        try put(sealer.head)
        self.sealer = sealer
    }

    mutating func append(_ bytes: some Collection<UInt8>) throws(StoreError) {
        guard sealer != nil else { return try put(Array(bytes)) }
        try put(try Self.sealing(path) { () throws(CryptographyFailure) in try sealer?.add(bytes) ?? [] })
    }

    /// There is no more.
    mutating func finish() throws(StoreError) {
        try put(try Self.sealing(path) { () throws(CryptographyFailure) in try sealer?.finish() ?? [] })
    }

    private mutating func put(_ bytes: [UInt8]) throws(StoreError) {
        guard !bytes.isEmpty else { return }
        let code = bytes.withUnsafeBytes { SystemDisk().write($0, to: file, at: offset) }
        guard code == 0 else { throw .systemCall("pwrite", code, path: path) }
        offset += bytes.count
    }

    private static func sealing<Value>(
        _ path: String, _ body: () throws(CryptographyFailure) -> Value
    ) throws(StoreError) -> Value {
        do throws(CryptographyFailure) {
            return try body()
        } catch {
            throw StoreError(
                .failed, "it cannot be encrypted: \(error)", place: path,
                remedy: "Look at memory and OpenSSL, and start again")
        }
    }
}

/// Opens the blocks of a sealed file, and keeps the last one: whoever reads goes on from there. One thread at a time.
struct SealedFileOpener {
    private let cipher: AES256GCM
    private let path: String
    private var last: (number: UInt64, content: [UInt8])?

    /// Nil if the file, by its first bytes, is not sealed.
    init?(head: [UInt8], path: String, keys: DataKeys?) throws(StoreError) {
        guard head.count == SealedFile.headBytes, head.starts(with: SealedFile.magic) else { return nil }
        var reader = ByteReader(Array(head.dropFirst(SealedFile.magic.count)))
        guard let fingerprint = try? reader.readUInt64(), let salt = try? reader.readRaw(Envelope.saltBytes) else {
            return nil
        }
        guard let key = keys?.key(fingerprint) else {
            let fault = EnvelopeFault.unknownKey(fingerprint)
            throw StoreError(.sealed, fault.what, place: path, remedy: fault.remedy)
        }
        self.path = path
        do throws(CryptographyFailure) {
            cipher = try Envelope.cipher(key, salt: salt)
        } catch {
            let fault = EnvelopeFault.cryptography(error)
            throw StoreError(.sealed, fault.what, place: path, remedy: fault.remedy)
        }
    }

    /// The content of a block, which `read` brings as it stands in the file.
    mutating func block(_ number: UInt64, _ read: () throws(StoreError) -> [UInt8]) throws(StoreError) -> [UInt8] {
        if let last, last.number == number { return last.content }
        let content = cipher.open(
            try read(), nonce: Envelope.nonce(number), authenticating: SealedFile.context(number))
        guard let content else { throw .damaged("block \(number) is not what was encrypted", place: path) }
        last = (number, content)
        return content
    }
}
