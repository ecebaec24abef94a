import COpenSSL

/// A public key, read once and ready to check signatures.
///
/// Not `Sendable`: every thread reads its own.
public final class PublicKey {
    public static let rsaBits = 2_048...8_192

    public let algorithm: PublicKeyAlgorithm
    /// The key as SubjectPublicKeyInfo in DER, whatever form it came in.
    public let derBytes: [UInt8]
    private let key: OpaquePointer

    /// Reads PEM (SubjectPublicKeyInfo, or PKCS #1 for RSA), DER of the same, or the 32 bytes of an
    /// Ed25519 key, and refuses what is no safe key of `algorithm`.
    public init(_ bytes: [UInt8], algorithm: PublicKeyAlgorithm) throws(PublicKeyFault) {
        defer { ERR_clear_error() }
        let key = try readPublicKey(bytes, algorithm: algorithm)
        do throws(PublicKeyFault) {
            try checkPublicKey(key, algorithm: algorithm)
            derBytes = try encodePublicKey(key)
        } catch {
            EVP_PKEY_free(key)
            throw error
        }
        self.algorithm = algorithm
        self.key = key
    }

    deinit {
        EVP_PKEY_free(key)
    }

    /// Whether `signature` is one of `message`. ECDSA signatures may be DER or the two numbers in 64
    /// bytes. What is no signature at all is simply not authentic.
    public func isAuthentic(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        defer { ERR_clear_error() }
        // A DER signature may have 64 bytes too, if its numbers happen to be short.
        if algorithm == .ecdsaP256SHA256, signature.count == ECDSASignature.fixedByteCount,
            verify(ECDSASignature.der(fixed: signature), of: message)
        {
            return true
        }
        return verify(signature, of: message)
    }

    private func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard let context = EVP_MD_CTX_new() else { return false }
        defer { EVP_MD_CTX_free(context) }
        // Ed25519 has its hash built in.
        let digest = algorithm == .ed25519 ? nil : PublicKey.sha256.pointer
        guard EVP_DigestVerifyInit(context, nil, digest, nil, key) == 1 else { return false }
        return EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    }

    /// OpenSSL's table entry for SHA-256. Fetched once, immutable, and never freed.
    private struct Algorithm: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let sha256 = Algorithm(pointer: EVP_MD_fetch(nil, "SHA256", nil))
}

/// Signatures of ECDSA over P-256 are two numbers, which come in two forms.
enum ECDSASignature {
    static let fixedByteCount = 64

    /// The DER form (RFC 3279) of two numbers of 32 bytes each.
    static func der(fixed: [UInt8]) -> [UInt8] {
        precondition(fixed.count == fixedByteCount, "two numbers of 32 bytes")
        let numbers = integer(fixed[..<32]) + integer(fixed[32...])
        return [0x30, UInt8(numbers.count)] + numbers
    }

    /// As few bytes as possible, the first below 0x80: the number is positive.
    private static func integer(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var digits = Array(bytes.drop { $0 == 0 })
        if digits.first.map({ $0 >= 0x80 }) ?? true { digits.insert(0, at: 0) }
        return [0x02, UInt8(digits.count)] + digits
    }
}
