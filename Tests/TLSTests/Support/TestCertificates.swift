import TLS

/// Authorities and certificates for tests, all as of `now`.
enum TestCertificates {
    static let day: Int64 = 86_400_000
    /// The real time: OpenSSL checks certificates by it during a handshake.
    static let now: Int64 = Int64(unixTime()) * 1_000

    static let authority = make(authority: "Test CA")
    static let otherAuthority = make(authority: "Another CA")
    static let server = issue("server", [.dns("server.test"), .ip("127.0.0.1"), .ip("::1")], .server)
    static let client = issue("client", [.uri("holdfast://cluster/node/n1")], .client)

    static func make(authority name: String) -> CertificateAuthority {
        try! CertificateAuthority.make(commonName: name, lifetime: 365 * day, now: now)
    }

    static func issue(
        _ name: String, _ names: [SubjectName], _ usage: CertificateAuthority.Usage,
        by authority: CertificateAuthority = authority, lifetime: Int64 = 30 * day, now: Int64 = now
    ) -> CertificateAuthority.Issued {
        try! authority.issue(commonName: name, names: names, usage: usage, lifetime: lifetime, now: now)
    }
}


extension TLSSettings {
    static func testServer(_ issued: CertificateAuthority.Issued = TestCertificates.server) -> TLSSettings {
        .server(certificates: issued.certificate.pem, privateKey: try! issued.key.pem())
    }

    static func testClient(
        _ issued: CertificateAuthority.Issued? = nil, roots: Certificate = TestCertificates.authority.certificate
    ) -> TLSSettings {
        var settings = TLSSettings.client(roots: roots.pem)
        if let issued {
            settings.certificates = Material(pem: issued.certificate.pem, file: "the client's certificate")
            settings.privateKey = Material(pem: try! issued.key.pem(), file: "the client's key")
        }
        return settings
    }
}
