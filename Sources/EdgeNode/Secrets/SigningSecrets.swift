import Binary
import Placement
import TLS

/// The secrets that sign tokens and capabilities. What the table calls the secret of a signing key is a salt:
/// the name of a cluster key and 32 random bytes, or, for the key that a cluster is formed with, the bytes alone.
extension ClusterKeys {
    private static let saltByteCount = 32

    /// What goes into the table for a new signing key.
    func signingMaterial(salt: [UInt8]) -> [UInt8] { (newest?.fingerprint ?? []) + salt }

    /// The secret behind `key`.
    func secret(of key: SigningKey) throws(SecretFault) -> [UInt8] {
        guard let clusterKey = try clusterKey(of: key) else { return key.secret }
        var info = ByteWriter(reserving: 40)
        info.writeString("holdfast signing key 1")
        info.write(key.id)
        do throws(CryptographyFailure) {
            return try HKDFSHA256.derive(
                secret: clusterKey.bytes, salt: key.secret, info: info.bytes, count: Self.saltByteCount)
        } catch {
            throw .cryptography(error)
        }
    }

    /// Nil if the bytes in the table are the secret themselves. Those that name no key are of the oldest: the
    /// cluster was formed under it.
    private func clusterKey(of key: SigningKey) throws(SecretFault) -> Key? {
        guard key.secret.count == Key.fingerprintByteCount + Self.saltByteCount else { return keys.last }
        let name = key.secret.prefix(Key.fingerprintByteCount)
        guard let known = self.key(name) else { throw .unknownClusterKey(Hexadecimal.encode(name)) }
        return known
    }

    /// Whether `key` would be lost if only the newest cluster key were kept.
    func isOfFormerKey(_ key: SigningKey) -> Bool { !isEmpty && (try? clusterKey(of: key)) != newest }
}
