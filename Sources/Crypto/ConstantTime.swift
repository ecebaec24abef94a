import COpenSSL

/// Whether two byte strings are equal, in a time that depends on their lengths only. For everything
/// that somebody might guess byte by byte: codes, secrets, tokens.
public func equalInConstantTime(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    guard !left.isEmpty else { return true }
    return left.withUnsafeBytes { a in
        right.withUnsafeBytes { b in CRYPTO_memcmp(a.baseAddress, b.baseAddress, a.count) == 0 }
    }
}
