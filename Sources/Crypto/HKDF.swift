import COpenSSL

/// HKDF with SHA-256 (RFC 5869): keys for several purposes out of one secret.
public enum HKDFSHA256 {
    /// `count` bytes (at most 8,160) that say nothing of `secret` nor of those made with another `info` or `salt`.
    ///
    /// The secret must be hard to guess by itself (32 random bytes): this is not for passwords.
    public static func derive(
        secret: [UInt8], salt: [UInt8] = [], info: [UInt8], count: Int
    ) throws(CryptographyFailure) -> [UInt8] {
        precondition(!secret.isEmpty, "a secret has bytes")
        precondition(count > 0 && count <= 255 * SHA256.byteCount, "HKDF makes at most 255 blocks")
        var output = [UInt8](repeating: 0, count: count)
        let made = holdfast_hkdf_sha256(
            algorithm.pointer, secret, secret.count, salt, salt.count, info, info.count, &output, count)
        guard made == 1 else { throw CryptographyFailure("deriving a key of \(count) bytes") }
        return output
    }

    /// OpenSSL's table entry for HKDF. Fetched once, immutable, and never freed.
    private struct Algorithm: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let algorithm = Algorithm(pointer: EVP_KDF_fetch(nil, "HKDF", nil))
}

/// Overwrites key material that is no longer needed, in a way that no compiler leaves out.
public func erase(_ bytes: inout [UInt8]) {
    bytes.withUnsafeMutableBytes { OPENSSL_cleanse($0.baseAddress, $0.count) }
    bytes = []
}
