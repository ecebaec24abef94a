import Binary
import TLS

/// Whose secret it is: what is sealed for one class opens for no other.
struct SecretOwner: Hashable {
    var project: String
    var objectClass: String
}

/// Shared secrets of classes as the table keeps them:
///
///     "HFS1"  name of the cluster key (8)  nonce (12)  AES-256-GCM of the secret  tag (16)
///
/// The nonce is a code of owner and secret, so the same is always sealed the same: a call that is repeated changes
/// nothing. Different ones get the same nonce once in 2^48 (a synthetic nonce, as in RFC 8452, section 9).
extension ClusterKeys {
    private static let mark = Array("HFS1".utf8)
    private static let headByteCount = mark.count + Key.fingerprintByteCount + AES256GCM.nonceByteCount

    static func isSealed(_ bytes: [UInt8]) -> Bool {
        bytes.starts(with: mark) && bytes.count > headByteCount + AES256GCM.tagByteCount
    }

    /// Under the newest key; as it is where there is none.
    func seal(_ secret: [UInt8], for owner: SecretOwner) throws(SecretFault) -> [UInt8] {
        guard let newest else { return secret }
        do throws(CryptographyFailure) {
            let context = Self.context(owner)
            let nonceKey = try Self.derived(newest, "holdfast class secret nonce 1")
            let code = try MessageAuthenticator(key: nonceKey).authenticate(context + secret)
            let nonce = Array(code.prefix(AES256GCM.nonceByteCount))
            let cipher = try AES256GCM(key: try Self.derived(newest, "holdfast class secret 1"))
            let sealed = try cipher.seal(secret, nonce: nonce, authenticating: context)
            return Self.mark + newest.fingerprint + nonce + sealed
        } catch {
            throw .cryptography(error)
        }
    }

    /// The secret in `bytes` of the table. What was never sealed is taken as it is.
    func open(_ bytes: [UInt8], for owner: SecretOwner) throws(SecretFault) -> [UInt8] {
        guard Self.isSealed(bytes) else { return bytes }
        let name = Self.keyName(bytes)
        guard let key = key(name) else { throw .unknownClusterKey(Hexadecimal.encode(name)) }
        do throws(CryptographyFailure) {
            let cipher = try AES256GCM(key: try Self.derived(key, "holdfast class secret 1"))
            let nonce = Array(bytes[(Self.headByteCount - AES256GCM.nonceByteCount)..<Self.headByteCount])
            let opened = cipher.open(
                bytes[Self.headByteCount...], nonce: nonce, authenticating: Self.context(owner))
            if let opened { return opened }
        } catch {
            throw .cryptography(error)
        }
        throw .notAuthentic
    }

    /// Whether sealing it again would make it safer, or free a former key of its use.
    func isToBeSealedAgain(_ bytes: [UInt8]) -> Bool {
        guard let newest else { return false }
        return !Self.isSealed(bytes) || !newest.fingerprint.elementsEqual(Self.keyName(bytes))
    }

    private static func keyName(_ sealed: [UInt8]) -> ArraySlice<UInt8> {
        sealed[mark.count..<mark.count + Key.fingerprintByteCount]
    }

    private static func derived(_ key: Key, _ purpose: String) throws(CryptographyFailure) -> [UInt8] {
        try HKDFSHA256.derive(secret: key.bytes, info: Array(purpose.utf8), count: AES256GCM.keyByteCount)
    }

    private static func context(_ owner: SecretOwner) -> [UInt8] {
        var writer = ByteWriter(reserving: 64)
        writer.writeString(owner.project)
        writer.writeString(owner.objectClass)
        return writer.bytes
    }
}
