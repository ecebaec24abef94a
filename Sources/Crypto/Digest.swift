import COpenSSL

/// SHA-256 (FIPS 180-4).
public enum SHA256 {
    public static let byteCount = 32

    /// The digest of `message`.
    public static func hash(_ message: [UInt8]) throws(CryptographyFailure) -> [UInt8] {
        try algorithm.digest(message)
    }

    private static let algorithm = DigestAlgorithm(name: "SHA256", byteCount: byteCount)
}

/// SHA-1 (FIPS 180-4). Broken as a signature; here because the WebSocket handshake (RFC 6455) is made of it,
/// where nothing rests on its strength.
public enum SHA1 {
    public static let byteCount = 20

    /// The digest of `message`.
    public static func hash(_ message: [UInt8]) throws(CryptographyFailure) -> [UInt8] {
        try algorithm.digest(message)
    }

    private static let algorithm = DigestAlgorithm(name: "SHA1", byteCount: byteCount)
}

/// OpenSSL's table entry for a digest. Fetched once, immutable, and never freed.
private struct DigestAlgorithm: @unchecked Sendable {
    let pointer: OpaquePointer?
    let name: String
    let byteCount: Int

    init(name: String, byteCount: Int) {
        self.name = name
        self.byteCount = byteCount
        pointer = EVP_MD_fetch(nil, name, nil)
    }

    func digest(_ message: [UInt8]) throws(CryptographyFailure) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: byteCount)
        var length: UInt32 = 0
        let succeeded = digest.withUnsafeMutableBufferPointer { output in
            message.withUnsafeBytes { input in
                EVP_Digest(input.baseAddress, input.count, output.baseAddress, &length, pointer, nil)
            }
        }
        guard succeeded == 1, length == UInt32(byteCount) else {
            throw CryptographyFailure("\(name) of \(message.count) bytes")
        }
        return digest
    }
}
