import COpenSSL

/// HMAC-SHA256 (RFC 2104) under one key.
///
/// The key is absorbed once; each message costs two short hashes. Not `Sendable`: the context is
/// used again for each message, so every thread makes its own.
public final class MessageAuthenticator {
    public static let byteCount = 32

    private let context: OpaquePointer

    /// Absorbs `key`, which may have any length, none included.
    public init(key: [UInt8]) throws(CryptographyFailure) {
        guard let context = EVP_MAC_CTX_new(MessageAuthenticator.algorithm.pointer) else {
            throw CryptographyFailure("making an HMAC context")
        }
        guard Self.absorb(key, into: context) else {
            EVP_MAC_CTX_free(context)
            throw CryptographyFailure("setting an HMAC key of \(key.count) bytes")
        }
        self.context = context
    }

    deinit {
        EVP_MAC_CTX_free(context)
    }

    /// The code of `message`.
    public func authenticate(_ message: some Collection<UInt8>) throws(CryptographyFailure) -> [UInt8] {
        // Starting with no key means starting again with the one absorbed before.
        guard EVP_MAC_init(context, nil, 0, nil) == 1 else { throw CryptographyFailure("starting an HMAC") }
        let absorbed =
            message.withContiguousStorageIfAvailable { EVP_MAC_update(context, $0.baseAddress, $0.count) }
            ?? Array(message).withUnsafeBufferPointer { EVP_MAC_update(context, $0.baseAddress, $0.count) }
        guard absorbed == 1 else { throw CryptographyFailure("adding to an HMAC") }
        var code = [UInt8](repeating: 0, count: Self.byteCount)
        var length = 0
        guard EVP_MAC_final(context, &code, &length, code.count) == 1, length == Self.byteCount else {
            throw CryptographyFailure("finishing an HMAC")
        }
        return code
    }

    /// Whether `code` is the code of `message`, in a time that does not depend on where they differ.
    public func isAuthentic(
        _ code: [UInt8], of message: some Collection<UInt8>
    ) throws(CryptographyFailure) -> Bool {
        equalInConstantTime(try authenticate(message), code)
    }

    private static func absorb(_ key: [UInt8], into context: OpaquePointer) -> Bool {
        // No address would mean "the key from before". HMAC fills keys up with zeros, so one zero is
        // the same key as none.
        let filled = key.isEmpty ? [0] : key
        return holdfast_hmac_sha256_begin(context, filled, filled.count) == 1
    }

    /// OpenSSL's table entry for HMAC. Fetched once, immutable, and never freed.
    private struct Algorithm: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let algorithm = Algorithm(pointer: EVP_MAC_fetch(nil, "HMAC", nil))
}
