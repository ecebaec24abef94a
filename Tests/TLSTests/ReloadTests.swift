import Glibc
import Testing

@testable import TLS

/// Certificates replaced while the process runs.
@Suite struct ReloadTests {
    private let directory: String
    private var files: TLSFiles {
        TLSFiles(certificates: directory + "/node.pem", privateKey: directory + "/node.key", roots: directory + "/ca.pem")
    }

    init() throws {
        var template = Array("\(String(cString: getenv("TMPDIR") ?? strdup("/tmp")!))/holdfast-tls-XXXXXX".utf8CString)
        directory = String(cString: mkdtemp(&template)!)
        try write(TestCertificates.server)
        put(TestCertificates.authority.certificate.pem, "/ca.pem")
    }

    private func write(_ issued: CertificateAuthority.Issued) throws {
        put(issued.certificate.pem, "/node.pem")
        put(try issued.key.pem(), "/node.key")
    }

    private func put(_ bytes: [UInt8], _ name: String) {
        let file = fopen(directory + name, "w")!
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    private func end() {
        for path in files.paths { unlink(path) }
        rmdir(directory)
    }

    @Test func newConnectionsGetTheNewCertificateAndOldOnesStay() throws {
        defer { end() }
        let box = try TLSContextBox(TLSSettings(role: .server), files: files)
        let old = box.current
        let renewed = TestCertificates.issue("renewed", [.dns("server.test")], .server)
        try write(renewed)
        try box.reload()
        #expect(box.current !== old)
        #expect(box.current.certificates[0].subject == "CN=renewed,O=Holdfast")
        #expect(old.certificates[0].subject == "CN=server,O=Holdfast")
    }

    @Test func badFilesLeaveTheOldContextAndAreNamed() throws {
        defer { end() }
        let box = try TLSContextBox(TLSSettings(role: .server), files: files)
        let old = box.current
        func fault() -> TLSMaterialFault? {
            do throws(TLSMaterialFault) {
                try box.reload()
                return nil
            } catch {
                return error
            }
        }
        put(try TestCertificates.client.key.pem(), "/node.key")
        #expect(
            fault()
                == .refused(
                    file: directory + "/node.key",
                    reason: "the key does not belong to the certificate CN=server,O=Holdfast"))
        unlink(directory + "/node.key")
        #expect(fault() == .unreadableFile(path: directory + "/node.key", reason: "No such file or directory"))
        put(try TestCertificates.server.key.pem(), "/node.key")
        put(Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8), "/node.pem")
        let refusal = fault()
        #expect(refusal?.description.hasPrefix(directory + "/node.pem: certificate 1: ") == true)
        #expect(box.current === old)
    }

    @Test func aChangeIsTakenUpWhenItHasSettled() throws {
        defer { end() }
        let box = try TLSContextBox(TLSSettings(role: .server), files: files)
        #expect(try !box.reloadIfChanged(now: 0))
        #expect(try !box.reloadIfChanged(now: 10_000))
        let renewed = TestCertificates.issue("renewed", [.dns("server.test")], .server)
        put(renewed.certificate.pem, "/node.pem")
        // The certificate is there, its key is not: that is no fault yet.
        #expect(try !box.reloadIfChanged(now: 20_000))
        put(try renewed.key.pem() + [0x0A], "/node.key")
        #expect(try !box.reloadIfChanged(now: 20_999))
        #expect(try !box.reloadIfChanged(now: 21_998))
        #expect(try box.reloadIfChanged(now: 21_999))
        #expect(box.current.certificates[0].subject == "CN=renewed,O=Holdfast")
        #expect(try !box.reloadIfChanged(now: 40_000))
    }

    @Test func badFilesAreComplainedOfOnce() throws {
        defer { end() }
        let box = try TLSContextBox(TLSSettings(role: .server), files: files)
        put([0x0A], "/node.key")
        #expect(try !box.reloadIfChanged(now: 0))
        #expect(throws: TLSMaterialFault.self) { try box.reloadIfChanged(now: 1_000) }
        #expect(try !box.reloadIfChanged(now: 5_000))
        try write(TestCertificates.server)
        #expect(try !box.reloadIfChanged(now: 6_000))
        #expect(try box.reloadIfChanged(now: 7_000))
    }
}
