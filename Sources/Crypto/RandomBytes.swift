import COpenSSL

/// Bytes nobody can guess, from OpenSSL's generator. Fails rather than give weaker ones.
public func secureRandomBytes(_ count: Int) throws(CryptographyFailure) -> [UInt8] {
    precondition(count >= 0 && count <= Int(Int32.max), "a count of random bytes fits into an Int32")
    var bytes = [UInt8](repeating: 0, count: count)
    guard count == 0 || RAND_bytes(&bytes, Int32(count)) == 1 else {
        throw CryptographyFailure("drawing \(count) random bytes")
    }
    return bytes
}
