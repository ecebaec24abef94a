import COpenSSL

/// AES-256 in Galois/Counter Mode (NIST SP 800-38D) under one key: what it seals nobody reads or changes unseen.
///
/// The key is expanded once. Not `Sendable`: the contexts are used again for each message, so every
/// thread makes its own.
///
/// **A nonce is used once per key, ever**: two messages under the same nonce give both away, and the key of the tag.
public final class AES256GCM {
    public static let keyByteCount = 32
    public static let nonceByteCount = 12
    public static let tagByteCount = 16

    private let sealing: OpaquePointer
    private let opening: OpaquePointer

    /// Expands `key`, which has 32 bytes.
    public init(key: [UInt8]) throws(CryptographyFailure) {
        precondition(key.count == Self.keyByteCount, "AES-256 has keys of 32 bytes")
        guard let sealing = EVP_CIPHER_CTX_new() else { throw CryptographyFailure("making an AES-256-GCM context") }
        guard let opening = EVP_CIPHER_CTX_new() else {
            EVP_CIPHER_CTX_free(sealing)
            throw CryptographyFailure("making an AES-256-GCM context")
        }
        // Freeing a context overwrites the key in it.
        self.sealing = sealing
        self.opening = opening
        guard
            EVP_EncryptInit_ex2(sealing, Self.cipher.pointer, key, nil, nil) == 1,
            EVP_DecryptInit_ex2(opening, Self.cipher.pointer, key, nil, nil) == 1
        else { throw CryptographyFailure("setting an AES-256-GCM key") }
    }

    deinit {
        EVP_CIPHER_CTX_free(sealing)
        EVP_CIPHER_CTX_free(opening)
    }

    /// `plaintext` encrypted, and then the tag of 16 bytes, which vouches for `context` too.
    public func seal(
        _ plaintext: some Collection<UInt8>, nonce: [UInt8], authenticating context: some Collection<UInt8> = []
    ) throws(CryptographyFailure) -> [UInt8] {
        precondition(nonce.count == Self.nonceByteCount, "the nonce has 12 bytes")
        let count = plaintext.count
        precondition(count <= Int(Int32.max) - Self.tagByteCount, "a message fits into an Int32")
        var succeeded = false
        let sealed = [UInt8](unsafeUninitializedCapacity: count + Self.tagByteCount) { output, filled in
            succeeded = fill(output, sealing: plaintext, nonce: nonce, authenticating: context)
            filled = succeeded ? output.count : 0
        }
        guard succeeded else { throw CryptographyFailure("sealing \(count) bytes") }
        return sealed
    }

    private func fill(
        _ output: UnsafeMutableBufferPointer<UInt8>, sealing plaintext: some Collection<UInt8>, nonce: [UInt8],
        authenticating context: some Collection<UInt8>
    ) -> Bool {
        let count = output.count - Self.tagByteCount
        var length: Int32 = 0
        // Starting with no key means starting again with the one expanded before.
        guard
            EVP_EncryptInit_ex2(sealing, nil, nil, nonce, nil) == 1,
            contiguous(context, { $0.isEmpty || EVP_EncryptUpdate(sealing, nil, &length, $0.baseAddress, $0.length) == 1 }),
            contiguous(
                plaintext,
                { $0.isEmpty || EVP_EncryptUpdate(sealing, output.baseAddress, &length, $0.baseAddress, $0.length) == 1 }),
            EVP_EncryptFinal_ex(sealing, output.baseAddress?.advanced(by: count), &length) == 1
        else { return false }
        return EVP_CIPHER_CTX_ctrl(
            sealing, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagByteCount), output.baseAddress?.advanced(by: count)) == 1
    }

    /// The plaintext of `sealed`, or nil if the message, its tag, its nonce or `context` is not what it was when
    /// it was sealed.
    public func open(
        _ sealed: some Collection<UInt8>, nonce: [UInt8], authenticating context: some Collection<UInt8> = []
    ) -> [UInt8]? {
        precondition(nonce.count == Self.nonceByteCount, "the nonce has 12 bytes")
        let count = sealed.count - Self.tagByteCount
        guard count >= 0, sealed.count <= Int(Int32.max) else { return nil }
        defer { ERR_clear_error() }
        var authentic = false
        let plaintext = [UInt8](unsafeUninitializedCapacity: count) { output, filled in
            authentic = fill(output, count: count, opening: sealed, nonce: nonce, authenticating: context)
            filled = authentic ? count : 0
        }
        return authentic ? plaintext : nil
    }

    private func fill(
        _ output: UnsafeMutableBufferPointer<UInt8>, count: Int, opening sealed: some Collection<UInt8>,
        nonce: [UInt8], authenticating context: some Collection<UInt8>
    ) -> Bool {
        var length: Int32 = 0
        return contiguous(sealed) { sealed in
            // OpenSSL copies the tag, though it takes it by a pointer to what may change.
            let tag = UnsafeMutableRawPointer(mutating: sealed.baseAddress?.advanced(by: count))
            let authentic =
                EVP_DecryptInit_ex2(opening, nil, nil, nonce, nil) == 1
                && contiguous(context) {
                    $0.isEmpty || EVP_DecryptUpdate(opening, nil, &length, $0.baseAddress, $0.length) == 1
                }
                && (count == 0
                    || EVP_DecryptUpdate(opening, output.baseAddress, &length, sealed.baseAddress, Int32(count)) == 1)
                && EVP_CIPHER_CTX_ctrl(opening, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagByteCount), tag) == 1
                && holdfast_decrypt_end(opening) == 1
            // What is not authentic is nobody's to see.
            if !authentic { OPENSSL_cleanse(output.baseAddress, count) }
            return authentic
        }
    }

    private func contiguous(
        _ bytes: some Collection<UInt8>, _ body: (UnsafeBufferPointer<UInt8>) -> Bool
    ) -> Bool {
        bytes.withContiguousStorageIfAvailable(body) ?? Array(bytes).withUnsafeBufferPointer(body)
    }

    /// OpenSSL's table entry for the cipher. Fetched once, immutable, and never freed.
    private struct Cipher: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let cipher = Cipher(pointer: EVP_CIPHER_fetch(nil, "AES-256-GCM", nil))
}

extension UnsafeBufferPointer<UInt8> {
    fileprivate var length: Int32 { Int32(count) }
}
