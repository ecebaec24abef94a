import COpenSSL

/// An X.509 certificate, read once.
public final class Certificate: @unchecked Sendable {
    /// As RFC 2253 has it: `CN=n1,O=Holdfast`.
    public let subject: String
    public let issuer: String
    /// Hexadecimal, two digits a byte.
    public let serial: String
    /// Milliseconds since 1970.
    public let notBefore: Int64
    public let notAfter: Int64
    public let names: [SubjectName]
    /// Whether it may sign others.
    public let isAuthority: Bool

    // Immutable; what OpenSSL notes in it later it notes under a lock.
    let pointer: OpaquePointer

    /// Takes over `pointer`, also when it throws.
    init(owning pointer: OpaquePointer) throws(TLSMaterialFault) {
        self.pointer = pointer
        subject = printedName(X509_get_subject_name(pointer))
        issuer = printedName(X509_get_issuer_name(pointer))
        serial = printedSerial(pointer)
        names = alternativeNames(pointer)
        isAuthority = X509_check_ca(pointer) == 1
        var first: Int64 = 0
        var last: Int64 = 0
        guard
            holdfast_seconds(X509_get0_notBefore(pointer), &first) == 1,
            holdfast_seconds(X509_get0_notAfter(pointer), &last) == 1
        else {
            X509_free(pointer)
            throw .refused(file: "a certificate", reason: "its times cannot be read")
        }
        notBefore = first * 1_000
        notAfter = last * 1_000
        ERR_clear_error()
    }

    deinit {
        X509_free(pointer)
    }

    /// The names of one kind.
    public var dnsNames: [String] { names.compactMap { if case .dns(let name) = $0 { name } else { nil } } }
    public var uris: [String] { names.compactMap { if case .uri(let name) = $0 { name } else { nil } } }

    /// The certificate itself.
    public var derBytes: [UInt8] {
        var encoded: UnsafeMutablePointer<UInt8>?
        let length = i2d_X509(pointer, &encoded)
        defer { holdfast_free(encoded) }
        guard length > 0, let encoded else { return [] }
        return Array(UnsafeBufferPointer(start: encoded, count: Int(length)))
    }

    public var pem: [UInt8] { collectWriting { PEM_write_bio_X509($0, pointer) == 1 } ?? [] }

    /// SHA-256 of the DER bytes.
    public func fingerprint() throws(CryptographyFailure) -> [UInt8] {
        try SHA256.hash(derBytes)
    }

    /// Whether `key` is the key that this certificate speaks of.
    public func matches(_ key: PrivateKey) -> Bool {
        defer { ERR_clear_error() }
        return X509_check_private_key(pointer, key.pointer) == 1
    }
}

extension Certificate {
    /// The certificates of PEM text, at least one. Other things in it (keys) are passed over.
    public static func chain(
        pem: [UInt8], from file: String = "the certificates"
    ) throws(TLSMaterialFault) -> [Certificate] {
        var pointers: [OpaquePointer] = []
        defer { ERR_clear_error() }
        ERR_clear_error()
        let complete = withReading(pem) { bio in
            while let pointer = holdfast_read_certificate(bio) { pointers.append(pointer) }
            return holdfast_at_end_of_pem() == 1
        }
        let reason = complete ? "no certificate in PEM" : "certificate \(pointers.count + 1): \(takeOpenSSLReason())"
        var chain: [Certificate] = []
        var fault: TLSMaterialFault? = complete && !pointers.isEmpty ? nil : .refused(file: file, reason: reason)
        for pointer in pointers {
            do throws(TLSMaterialFault) {
                chain.append(try Certificate(owning: pointer))
            } catch {
                fault = fault ?? error
            }
        }
        if let fault { throw fault }
        return chain
    }

    /// Whether the first of `chain` is vouched for by the others and by `roots` at `milliseconds` since 1970.
    public static func check(
        _ chain: [Certificate], roots: [Certificate], at milliseconds: Int64
    ) throws(TLSError) {
        precondition(!chain.isEmpty, "a chain has a certificate")
        var depth: Int32 = 0
        let pointers = chain.map { Optional($0.pointer) }
        let trusted = roots.map { Optional($0.pointer) }
        let code = withExtendedLifetime((chain, roots)) {
            holdfast_check_chain(
                pointers, Int32(pointers.count), trusted, Int32(trusted.count), milliseconds / 1_000, &depth)
        }
        ERR_clear_error()
        guard code == 0 else { throw .certificateRefused(reason: verificationReason(Int(code)), depth: Int(depth)) }
    }
}

private func printedName(_ name: OpaquePointer?) -> String {
    let text = collectWriting { holdfast_print_name($0, name) == 1 } ?? []
    return String(decoding: text, as: UTF8.self)
}

private func printedSerial(_ certificate: OpaquePointer) -> String {
    guard let number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nil) else { return "" }
    defer { BN_free(number) }
    guard let text = BN_bn2hex(number) else { return "" }
    defer { holdfast_free(text) }
    return String(cString: text)
}
