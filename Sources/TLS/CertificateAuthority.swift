import COpenSSL

/// Makes certificates that everybody believes who has this authority's own.
///
/// Keys are P-256, signatures ECDSA with SHA-256. An authority signs end certificates only (path length 0).
public struct CertificateAuthority: Sendable {
    public let certificate: Certificate
    public let key: PrivateKey

    /// A certificate and the key that belongs to it.
    public struct Issued: Sendable {
        public let certificate: Certificate
        public let key: PrivateKey
    }

    /// What an end certificate may be used for.
    public enum Usage: Sendable {
        case server
        case client
        /// A node: it answers and it calls.
        case both

        var configuration: String {
            switch self {
            case .server: "serverAuth"
            case .client: "clientAuth"
            case .both: "serverAuth,clientAuth"
            }
        }
    }

    /// Clocks differ: a certificate is good from five minutes before it was made.
    public static let backdatedMilliseconds: Int64 = 300_000

    /// A new authority with a certificate signed by itself, good until `lifetime` milliseconds after `now`
    /// (milliseconds since 1970). `serial` has at most 20 bytes, the first below 0x80; nil draws one.
    public static func make(
        commonName: String, lifetime: Int64, now: Int64, serial: [UInt8]? = nil
    ) throws(TLSMaterialFault) -> CertificateAuthority {
        let key = try PrivateKey.makeP256()
        let form = CertificateForm(
            commonName: commonName, subjectKey: key, lifetime: lifetime, now: now, serial: serial,
            extensions: [
                (NID_basic_constraints, "critical,CA:TRUE,pathlen:0"),
                (NID_key_usage, "critical,keyCertSign,cRLSign"),
                (NID_subject_key_identifier, "hash"),
            ])
        return CertificateAuthority(certificate: try form.signed(by: nil, key: key), key: key)
    }

    private init(certificate: Certificate, key: PrivateKey) {
        self.certificate = certificate
        self.key = key
    }

    /// Reads an authority that was made before.
    public init(certificatePEM: [UInt8], keyPEM: [UInt8]) throws(TLSMaterialFault) {
        certificate = try Certificate.chain(pem: certificatePEM, from: "the authority's certificate")[0]
        key = try PrivateKey(pem: keyPEM, from: "the authority's key")
        guard certificate.isAuthority else {
            throw .refused(file: "the authority's certificate", reason: "it may not sign others")
        }
        guard certificate.matches(key) else {
            throw .refused(file: "the authority's key", reason: "it does not belong to the authority's certificate")
        }
    }

    /// A certificate for `names`, with a new key. It ends no later than the authority's own.
    public func issue(
        commonName: String, names: [SubjectName], usage: Usage = .both, lifetime: Int64, now: Int64,
        serial: [UInt8]? = nil
    ) throws(TLSMaterialFault) -> Issued {
        let key = try PrivateKey.makeP256()
        var extensions: [(Int32, String)] = [
            (NID_basic_constraints, "critical,CA:FALSE"),
            (NID_key_usage, "critical,digitalSignature"),
            (NID_ext_key_usage, usage.configuration),
            (NID_subject_key_identifier, "hash"),
            (NID_authority_key_identifier, "keyid:always"),
        ]
        if !names.isEmpty { extensions.append((NID_subject_alt_name, try configuration(of: names))) }
        let form = CertificateForm(
            commonName: commonName, subjectKey: key, lifetime: min(lifetime, certificate.notAfter - now), now: now,
            serial: serial, extensions: extensions)
        return Issued(certificate: try form.signed(by: certificate, key: self.key), key: key)
    }

    private func configuration(of names: [SubjectName]) throws(TLSMaterialFault) -> String {
        var parts: [String] = []
        for name in names {
            guard let part = name.configuration else {
                throw .refused(file: "a certificate", reason: "\(name) cannot be a name in it")
            }
            parts.append(part)
        }
        return parts.joined(separator: ",")
    }
}

/// What is written on a certificate before it is signed.
private struct CertificateForm {
    let commonName: String
    let subjectKey: PrivateKey
    let lifetime: Int64
    let now: Int64
    let serial: [UInt8]?
    let extensions: [(Int32, String)]

    /// Signed by `issuer`, or by itself without one.
    func signed(by issuer: Certificate?, key: PrivateKey) throws(TLSMaterialFault) -> Certificate {
        guard lifetime > 0 else { throw .refused(file: "a certificate", reason: "it would have ended already") }
        guard !commonName.isEmpty, commonName.utf8.count <= 64 else {
            throw .refused(file: "a certificate", reason: "its common name has 1 to 64 bytes")
        }
        let serial = try drawnSerial()
        guard let pointer = X509_new() else { throw .failed("making a certificate") }
        guard fill(pointer, issuer: issuer, serial: serial), sign(pointer, key: key) else {
            X509_free(pointer)
            throw .failed("making a certificate: \(takeOpenSSLReason())")
        }
        return try Certificate(owning: pointer)
    }

    /// RFC 5280: positive, at most 20 bytes.
    private func drawnSerial() throws(TLSMaterialFault) -> [UInt8] {
        if let serial {
            precondition((1...20).contains(serial.count) && serial[0] < 0x80, "serials are positive, of 20 bytes")
            return serial
        }
        do throws(CryptographyFailure) {
            var drawn = try secureRandomBytes(16)
            drawn[0] = drawn[0] & 0x3F | 0x40
            return drawn
        } catch {
            throw .failed(error.operation)
        }
    }

    private func fill(_ pointer: OpaquePointer, issuer: Certificate?, serial: [UInt8]) -> Bool {
        let first = (now - CertificateAuthority.backdatedMilliseconds) / 1_000
        let last = (now + lifetime) / 1_000
        let subject = X509_get_subject_name(pointer)
        return X509_set_version(pointer, Int(X509_VERSION_3)) == 1
            && holdfast_set_serial(pointer, serial, Int32(serial.count)) == 1
            && holdfast_set_times(pointer, first, last) == 1
            && add("O", "Holdfast", to: subject) && add("CN", commonName, to: subject)
            && X509_set_issuer_name(pointer, issuer.map { X509_get_subject_name($0.pointer) } ?? subject) == 1
            && X509_set_pubkey(pointer, subjectKey.pointer) == 1
            && extensions.allSatisfy {
                holdfast_add_extension(pointer, issuer?.pointer ?? pointer, $0.0, $0.1) == 1
            }
    }

    private func add(_ field: String, _ value: String, to name: OpaquePointer?) -> Bool {
        X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, Array(value.utf8), Int32(value.utf8.count), -1, 0) == 1
    }

    private func sign(_ pointer: OpaquePointer, key: PrivateKey) -> Bool {
        X509_sign(pointer, key.pointer, EVP_sha256()) > 0
    }
}
