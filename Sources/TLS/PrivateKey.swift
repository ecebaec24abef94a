import COpenSSL

/// A private key for certificates: it signs, and never says what it is unless asked for its PEM.
///
/// Immutable; freed keys are overwritten by OpenSSL.
public final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    private init(owning pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        EVP_PKEY_free(pointer)
    }

    /// A new key of the curve P-256.
    public static func makeP256() throws(TLSMaterialFault) -> PrivateKey {
        guard let pointer = holdfast_make_p256_key() else {
            throw .failed("making a key: \(takeOpenSSLReason())")
        }
        return PrivateKey(owning: pointer)
    }

    /// Reads an unencrypted key in PEM (PKCS #8, or the older forms for RSA and EC).
    public init(pem: [UInt8], from file: String = "the private key") throws(TLSMaterialFault) {
        defer { ERR_clear_error() }
        guard let pointer = withReading(pem, { holdfast_read_private_key($0) }) else {
            throw .refused(file: file, reason: "no unencrypted private key in PEM: \(takeOpenSSLReason())")
        }
        self.pointer = pointer
    }

    /// PKCS #8 in PEM, unencrypted. For a file that only its owner reads (mode 0600).
    public func pem() throws(TLSMaterialFault) -> [UInt8] {
        let written = collectWriting { PEM_write_bio_PKCS8PrivateKey($0, pointer, nil, nil, 0, nil, nil) == 1 }
        guard let written else { throw .failed("writing a key: \(takeOpenSSLReason())") }
        return written
    }
}
