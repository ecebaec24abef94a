import Testing

@testable import TLS

@Suite struct CertificateTests {
    private let day = TestCertificates.day
    private let now = TestCertificates.now
    private let authority = TestCertificates.authority

    @Test func anAuthoritySaysWhatItIs() throws {
        let certificate = authority.certificate
        #expect(certificate.subject == "CN=Test CA,O=Holdfast")
        #expect(certificate.issuer == certificate.subject)
        #expect(certificate.isAuthority)
        #expect(certificate.matches(authority.key))
        #expect(certificate.notBefore == now - CertificateAuthority.backdatedMilliseconds)
        #expect(certificate.notAfter == now + 365 * day)
        #expect(certificate.serial.count == 32)
        #expect(try certificate.fingerprint() == SHA256.hash(certificate.derBytes))
        try Certificate.check([certificate], roots: [certificate], at: now)
    }

    @Test func anIssuedCertificateHasItsNames() throws {
        let names: [SubjectName] = [
            .dns("a.example"), .dns("*.b.example"), .ip("192.0.2.1"), .ip("2001:db8::1"),
            .uri("holdfast://0123/node/n1"), .email("a@b.example"),
        ]
        let issued = try authority.issue(
            commonName: "n1", names: names, lifetime: 30 * day, now: now, serial: [0x01, 0xAB])
        #expect(issued.certificate.names == names)
        #expect(issued.certificate.dnsNames == ["a.example", "*.b.example"])
        #expect(issued.certificate.uris == ["holdfast://0123/node/n1"])
        #expect(issued.certificate.serial == "01AB")
        #expect(issued.certificate.issuer == authority.certificate.subject)
        #expect(!issued.certificate.isAuthority)
        #expect(issued.certificate.matches(issued.key))
        #expect(!issued.certificate.matches(authority.key))
    }

    @Test func noCertificateOutlivesItsAuthority() throws {
        let issued = try authority.issue(commonName: "n1", names: [], lifetime: 10_000 * day, now: now)
        #expect(issued.certificate.notAfter == authority.certificate.notAfter)
        #expect(throws: TLSMaterialFault.self) {
            try authority.issue(commonName: "n1", names: [], lifetime: day, now: now + 366 * day)
        }
    }

    @Test(arguments: [
        SubjectName.dns("a.example,IP:1.2.3.4"), .dns(""), .dns("a b"), .dns("@section"), .ip("1.2.3"), .ip("::1,DNS:a"),
        .uri("a,DNS:b"), .uri("a b"), .uri(""), .uri("a\nb"), .email("a;b"),
    ])
    func aNameThatWouldBeAnotherIsRefused(name: SubjectName) {
        #expect(throws: TLSMaterialFault.self) {
            try authority.issue(commonName: "n1", names: [name], lifetime: day, now: now)
        }
    }

    @Test func whatIsWrittenIsReadAgain() throws {
        let again = try CertificateAuthority(
            certificatePEM: authority.certificate.pem, keyPEM: try authority.key.pem())
        #expect(again.certificate.derBytes == authority.certificate.derBytes)
        let issued = try again.issue(commonName: "n2", names: [], lifetime: day, now: now)
        let chain = try Certificate.chain(pem: issued.certificate.pem + again.certificate.pem)
        #expect(chain.map(\.subject) == ["CN=n2,O=Holdfast", "CN=Test CA,O=Holdfast"])
        try Certificate.check(chain, roots: [authority.certificate], at: now)
    }

    @Test func aChainIsCheckedAtATime() throws {
        let issued = TestCertificates.issue("n1", [], .both, lifetime: 10 * day)
        let roots = [authority.certificate]
        func refusal(_ roots: [Certificate], at time: Int64) -> TLSError? {
            do throws(TLSError) {
                try Certificate.check([issued.certificate], roots: roots, at: time)
                return nil
            } catch {
                return error
            }
        }
        #expect(refusal(roots, at: now) == nil)
        #expect(
            refusal(roots, at: now + 11 * day)
                == .certificateRefused(reason: "certificate has expired", depth: 0))
        #expect(
            refusal(roots, at: now - day)
                == .certificateRefused(reason: "certificate is not yet valid", depth: 1))
        #expect(refusal([TestCertificates.otherAuthority.certificate], at: now) != nil)
        #expect(refusal([], at: now) != nil)
    }

    @Test func anAuthorityOfPathLengthZeroMakesNoOthers() throws {
        // A certificate that an end certificate's key has signed is worth nothing.
        let issued = TestCertificates.issue("n1", [], .both)
        #expect(throws: TLSMaterialFault.self) {
            try CertificateAuthority(certificatePEM: issued.certificate.pem, keyPEM: try issued.key.pem())
        }
        #expect(throws: TLSMaterialFault.self) {
            try CertificateAuthority(
                certificatePEM: authority.certificate.pem,
                keyPEM: try TestCertificates.otherAuthority.key.pem())
        }
    }

    @Test func whatIsNoPEMIsRefusedAndNothingAsksForAPassPhrase() throws {
        let pem = TestCertificates.server.certificate.pem
        for count in stride(from: 0, to: pem.count - 1, by: 7) {
            #expect(throws: TLSMaterialFault.self) { try Certificate.chain(pem: Array(pem.prefix(count))) }
        }
        for place in stride(from: 30, to: pem.count - 30, by: 11) {
            var changed = pem
            changed[place] = UInt8(ascii: "!")
            #expect(throws: TLSMaterialFault.self) { try Certificate.chain(pem: changed) }
        }
        let encrypted = """
            -----BEGIN ENCRYPTED PRIVATE KEY-----
            MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgJmMSX9QjPZAICCAAw
            -----END ENCRYPTED PRIVATE KEY-----
            """
        #expect(throws: TLSMaterialFault.self) { try PrivateKey(pem: Array(encrypted.utf8)) }
        #expect(throws: TLSMaterialFault.self) { try PrivateKey(pem: []) }
        #expect(throws: TLSMaterialFault.self) { try Certificate.chain(pem: []) }
    }
}
