import COpenSSL

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    public static let byteCount = 32

    /// The digest of `message`.
    public static func hash(_ message: [UInt8]) throws(CryptographyFailure) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        var length: UInt32 = 0
        let succeeded = digest.withUnsafeMutableBufferPointer { output in
            message.withUnsafeBytes { input in
                EVP_Digest(
                    input.baseAddress, input.count, output.baseAddress, &length, algorithm.pointer, nil)
            }
        }
        guard succeeded == 1, length == UInt32(byteCount) else {
            throw CryptographyFailure("SHA-256 of \(message.count) bytes")
        }
        return digest
    }

    /// OpenSSL's table entry for SHA-256. Fetched once, immutable, and never freed.
    private struct Algorithm: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let algorithm = Algorithm(pointer: EVP_MD_fetch(nil, "SHA256", nil))
}
