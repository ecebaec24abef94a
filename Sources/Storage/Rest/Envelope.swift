import Binary
import Crypto

/// What is sealed stands in an envelope, which says under which key. Little-endian.
///
///     envelope = fingerprint:8 salt:16 counter:8 ciphertext tag:16
///
/// The key of the cipher is derived from the data key and the salt. **Why no nonce comes twice:** whoever seals draws
/// a salt of 128 random bits when it is made, keeps it in memory only, and counts. A crash, a restored file, or a
/// tail of the journal that is written anew at the same place meets another salt, and so another key; within one
/// salt no count comes twice.
enum Envelope {
    static let saltBytes = 16
    static let headBytes = 8 + saltBytes + 8
    static let overheadBytes = headBytes + AES256GCM.tagByteCount
    private static let info = Array("holdfast data at rest 1".utf8)

    static func nonce(_ counter: UInt64) -> [UInt8] {
        withUnsafeBytes(of: counter.littleEndian) { [0, 0, 0, 0] + $0 }
    }

    static func cipher(_ key: DataKeys.Key, salt: [UInt8]) throws(CryptographyFailure) -> AES256GCM {
        var bytes = try HKDFSHA256.derive(secret: key.bytes, salt: salt, info: info, count: AES256GCM.keyByteCount)
        defer { erase(&bytes) }
        return try AES256GCM(key: bytes)
    }
}

/// Seals under the newest key. For one thread at a time, which is what makes the unchecked `Sendable` true.
final class EnvelopeSealer: @unchecked Sendable {
    private let head: [UInt8]
    private let cipher: AES256GCM
    private var counter: UInt64 = 0

    init(_ keys: DataKeys) throws(CryptographyFailure) {
        let salt = try secureRandomBytes(Envelope.saltBytes)
        cipher = try Envelope.cipher(keys.newest, salt: salt)
        var writer = ByteWriter(reserving: Envelope.headBytes)
        writer.write(keys.newest.fingerprint)
        writer.writeRaw(salt)
        head = writer.bytes
    }

    /// `context` has to be the same when it is opened.
    func seal(_ plaintext: [UInt8], context: [UInt8]) throws(CryptographyFailure) -> [UInt8] {
        precondition(counter < .max, "a nonce is used once")
        counter += 1
        let sealed = try cipher.seal(plaintext, nonce: Envelope.nonce(counter), authenticating: context)
        var writer = ByteWriter(reserving: Envelope.headBytes + sealed.count)
        writer.writeRaw(head)
        writer.write(counter)
        writer.writeRaw(sealed)
        return writer.bytes
    }
}

/// Why an envelope stays closed.
enum EnvelopeFault: Error, Equatable {
    /// There is no key of this fingerprint.
    case unknownKey(UInt64)
    /// It is not what was sealed, or not for this place.
    case notAuthentic
    case cryptography(CryptographyFailure)

    /// Beside a checksum that is right: not what a failing disk does.
    var what: String {
        switch self {
        case .unknownKey(let name):
            "it is encrypted under the data key \(DataKeys.text(name)), which this process does not have"
        case .notAuthentic: "it was changed by somebody who mended its checksum, or stands where it was not written"
        case .cryptography(let failure): "\(failure)"
        }
    }

    var remedy: String {
        switch self {
        case .unknownKey: "Name the file with that key as data-key-file, or in HOLDFAST_DATA_KEY; nothing was changed"
        case .notAuthentic:
            "Nothing was changed. Keep the directory and find out who wrote to it; then start with an empty one"
        case .cryptography: "Nothing was changed; look at memory and OpenSSL, and start again"
        }
    }
}

/// Opens envelopes of any of the keys. For one thread at a time, which is what makes the unchecked `Sendable` true.
final class EnvelopeOpener: @unchecked Sendable {
    private let keys: DataKeys?
    private var ciphers: [[UInt8]: AES256GCM] = [:]
    /// Each process that wrote made a salt or two. Deriving costs microseconds.
    private static let ciphersMax = 64

    /// Without keys everything that is sealed stays closed.
    init(_ keys: DataKeys?) {
        self.keys = keys
    }

    func open(_ envelope: some Collection<UInt8>, context: [UInt8]) throws(EnvelopeFault) -> [UInt8] {
        guard envelope.count >= Envelope.overheadBytes else { throw .notAuthentic }
        var reader = ByteReader(Array(envelope.prefix(Envelope.headBytes)))
        guard let fingerprint = try? reader.readUInt64(), let salt = try? reader.readRaw(Envelope.saltBytes),
            let counter = try? reader.readUInt64()
        else { throw .notAuthentic }
        let cipher = try cipher(fingerprint, salt: salt)
        guard
            let plaintext = cipher.open(
                envelope.dropFirst(Envelope.headBytes), nonce: Envelope.nonce(counter), authenticating: context)
        else { throw .notAuthentic }
        return plaintext
    }

    private func cipher(_ fingerprint: UInt64, salt: [UInt8]) throws(EnvelopeFault) -> AES256GCM {
        guard let key = keys?.key(fingerprint) else { throw .unknownKey(fingerprint) }
        let name = salt + withUnsafeBytes(of: fingerprint) { [UInt8]($0) }
        if let cipher = ciphers[name] { return cipher }
        do throws(CryptographyFailure) {
            let cipher = try Envelope.cipher(key, salt: salt)
            if ciphers.count == Self.ciphersMax { ciphers.removeAll() }
            ciphers[name] = cipher
            return cipher
        } catch {
            throw .cryptography(error)
        }
    }
}
