import Glibc
import TLS
import Testing

@testable import EdgeNode

/// The authority's directory, what nodes read of it, and what they do when it is not as it should be.
final class CertificateTests {
    private let path: String
    private let nowMs: Int64 = 1_800_000_000_000
    private static let dayMs: Int64 = 86_400_000

    init() throws {
        var template = Array("/tmp/holdfast-certificates-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        for name in directoryEntries(path) { remove(path + "/" + name) }
        if rmdir(path) != 0 { unlink(path) }
    }

    private var authorityPath: String { path + "/ca" }
    private var files: CertificateFiles { CertificateFiles(directory: authorityPath + "/n1") }

    private func makeAuthority() throws -> AuthorityDirectory {
        let made = try AuthorityDirectory.make(path: authorityPath, cluster: "tests", nowMs: nowMs)
        for node in ["n1", "n2"] {
            try made.add(node: node, hosts: ["\(node).example"], nowMs: nowMs, lifetimeMs: 100 * Self.dayMs)
        }
        return made
    }

    private func read(_ name: String = "n1") throws(TLSMaterialFault) -> NodeCertificates {
        try NodeCertificates(CertificateFiles(directory: authorityPath + "/\(name)"), name: name, asks: .none)
    }

    private func mode(_ file: String) -> mode_t {
        var info = stat()
        return stat(file, &info) == 0 ? info.st_mode & 0o777 : 0
    }

    // MARK: - The authority's directory

    @Test func nodesGetWhatTheyNeedAndSecretsAreTheirOwnersOnly() throws {
        _ = try makeAuthority()
        for file in ["ca.key", "cluster.key", "n1/node.key", "n1/cluster.key"] {
            #expect(mode(authorityPath + "/" + file) == 0o600, "\(file)")
        }
        #expect(access(authorityPath + "/n1/ca.key", F_OK) != 0)
        let (one, two) = (try read("n1").current, try read("n2").current)
        #expect(one.own.node == "n1" && two.own.node == "n2")
        #expect(one.clusterKeys.keys == two.clusterKeys.keys && one.clusterKeys.keys.count == 1)
        #expect(one.client.certificates.first?.names.contains(.dns("n1.example")) == true)
    }

    @Test func aSecondAuthorityInOnePlaceIsRefused() throws {
        _ = try makeAuthority()
        #expect(throws: TLSMaterialFault.self) {
            try AuthorityDirectory.make(path: authorityPath, cluster: "tests", nowMs: nowMs)
        }
        #expect(throws: TLSMaterialFault.self) {
            try AuthorityDirectory(path: authorityPath).add(node: "n1", hosts: [], nowMs: nowMs, lifetimeMs: 1)
        }
        #expect(throws: TLSMaterialFault.self) {
            try AuthorityDirectory(path: authorityPath).add(node: "../n1", hosts: [], nowMs: nowMs, lifetimeMs: 1)
        }
    }

    /// At each step every node believes every other, whichever of them has taken it up.
    @Test func anAuthorityIsReplacedStepByStep() throws {
        var authority = try makeAuthority()
        let before = try read("n1").current
        func believes(_ one: CertificateSet, _ other: CertificateSet) -> Bool {
            let chain = other.peerServer.certificates
            return (try? Certificate.check(chain, roots: one.authorities, at: nowMs + 1_000)) != nil
        }
        try authority.renewAuthority(nowMs: nowMs)
        let both = try read("n1").current
        #expect(both.authorities.count == 2)
        #expect(believes(before, both) && believes(both, before))
        #expect(throws: TLSMaterialFault.self) { try authority.renewAuthority(nowMs: nowMs) }
        #expect(throws: TLSMaterialFault.self) { try authority.dropFormer(nowMs: nowMs) }
        for node in authority.nodes { try authority.renew(node: node, nowMs: nowMs, lifetimeMs: Self.dayMs) }
        let renewed = try read("n1").current
        #expect(believes(both, renewed) && believes(renewed, both))
        #expect(!believes(before, renewed))
        try authority.dropFormer(nowMs: nowMs)
        let last = try read("n1").current
        #expect(last.authorities.count == 1)
        #expect(believes(renewed, last) && believes(last, renewed) && !believes(last, before))
        #expect(last.client.certificates.first?.names.contains(.dns("n1.example")) == true)
    }

    @Test func clusterKeysAreRotatedAndDropped() throws {
        let authority = try makeAuthority()
        let first = try authority.clusterKeyNames
        try authority.rotateClusterKey()
        let second = try authority.clusterKeyNames
        #expect(second.count == 2 && second[1] == first[0])
        for node in ["n1", "n2"] {
            #expect(try read(node).current.clusterKeys.keys.map { Hexadecimal.encode($0.fingerprint) } == second)
        }
        for _ in 2..<ClusterKeyFile.keysMax { try authority.rotateClusterKey() }
        #expect(throws: TLSMaterialFault.self) { try authority.rotateClusterKey() }
        let newest = try authority.clusterKeyNames[0]
        try authority.dropFormerClusterKeys()
        #expect(try read().current.clusterKeys.keys.map { Hexadecimal.encode($0.fingerprint) } == [newest])
    }

    // MARK: - A node reads

    @Test(arguments: ["ca.pem", "node.pem", "node.key", "cluster.key"])
    func badFilesChangeNothing(_ name: String) throws {
        let authority = try makeAuthority()
        let certificates = try read()
        let before = certificates.current.ends
        let file = files.directory + "/" + name
        let good = try PEMFile.read(file).pem
        for bad in [[], Array("nonsense".utf8), Array(good.dropLast(good.count / 2))] {
            try PEMFile.write(bad, to: file, mode: 0o600)
            #expect(throws: TLSMaterialFault.self) { try certificates.reload() }
            #expect(certificates.current.ends == before)
            #expect(throws: TLSMaterialFault.self) { try read() }
        }
        unlink(file)
        #expect(throws: TLSMaterialFault.self) { try certificates.reload() }
        try PEMFile.write(good, to: file, mode: 0o600)
        try authority.renew(node: "n1", nowMs: nowMs, lifetimeMs: 200 * Self.dayMs)
        #expect(try certificates.reload().changesAuthorities == false)
        #expect(certificates.current.ends.first?.notAfterMs != before.first?.notAfterMs)
    }

    @Test func theParentKeepsWhatItCouldReadAndTakesUpWhatIsNew() throws {
        let authority = try makeAuthority()
        func own(_ security: inout ObituarySecurity) throws -> [UInt8]? {
            try security.current().certificates.first?.derBytes
        }
        var security = ObituarySecurity(files)
        let first = try own(&security)
        let good = try PEMFile.read(files.nodeKey).pem
        try PEMFile.write(Array("nonsense".utf8), to: files.nodeKey, mode: 0o600)
        #expect(try own(&security) == first)
        var late = ObituarySecurity(files)
        #expect(throws: TLSMaterialFault.self) { try late.current() }
        try PEMFile.write(good, to: files.nodeKey, mode: 0o600)
        #expect(try own(&late) == first)
        try authority.renew(node: "n1", nowMs: nowMs, lifetimeMs: Self.dayMs)
        let renewed = try own(&security)
        #expect(renewed != nil && renewed != first)
    }

    @Test(arguments: ["node.key", "cluster.key"]) func keysThatOthersMayReadAreRefused(_ name: String) throws {
        _ = try makeAuthority()
        for mode: mode_t in [0o640, 0o604, 0o660] {
            #expect(chmod(files.directory + "/" + name, mode) == 0)
            #expect(throws: TLSMaterialFault.self) { try read() }
        }
    }

    @Test func anotherNodesCertificateIsRefused() throws {
        _ = try makeAuthority()
        #expect(throws: TLSMaterialFault.self) { try NodeCertificates(files, name: "n2", asks: .none) }
        // Of the same name, in another cluster with an authority of its own.
        let other = try AuthorityDirectory.make(path: path + "/other", cluster: "other", nowMs: nowMs)
        try other.add(node: "n1", hosts: [], nowMs: nowMs, lifetimeMs: Self.dayMs)
        let certificates = try read()
        for name in ["node.pem", "node.key", "ca.pem"] {
            try PEMFile.write(
                try PEMFile.read(path + "/other/n1/" + name).pem, to: files.directory + "/" + name, mode: 0o600)
        }
        #expect(throws: TLSMaterialFault.self) { try certificates.reload() }
    }

    // MARK: - The doctor

    private func examine(atDay day: Int64, _ directory: String? = nil) -> [DoctorReport.Finding] {
        NodeDoctor.examine(
            dataDirectory: path, tlsDirectory: directory ?? files.directory, nowMs: nowMs + day * Self.dayMs
        ).findings.filter { $0.part == "certificates" }
    }

    @Test func theDoctorWarnsThirtyDaysBeforeACertificateEnds() throws {
        _ = try makeAuthority()
        #expect(examine(atDay: 0).map(\.grade) == [.sound])
        #expect(examine(atDay: 69).map(\.grade) == [.sound])
        #expect(examine(atDay: 71).map(\.grade) == [.sound, .warning])
        #expect(examine(atDay: 101).map(\.grade) == [.sound, .damaged])
        // The authority lives for ten years.
        #expect(examine(atDay: 3_649).map(\.grade) == [.sound, .damaged, .warning])
    }

    @Test func theDoctorNamesWhatIsWrong() throws {
        _ = try makeAuthority()
        #expect(chmod(files.nodeKey, 0o644) == 0)
        #expect(examine(atDay: 0).map(\.grade) == [.damaged])
        #expect(examine(atDay: 0).first?.what.contains("chmod 600") == true)
        #expect(chmod(files.nodeKey, 0o600) == 0)
        try PEMFile.write(try PEMFile.read(authorityPath + "/n2/node.key").pem, to: files.nodeKey, mode: 0o600)
        #expect(examine(atDay: 0).map(\.grade) == [.damaged])
        #expect(examine(atDay: 0, path + "/nowhere").map(\.grade) == [.damaged])
    }

    @Test func theDoctorLooksWhereTheNodeHasNoted() throws {
        _ = try makeAuthority()
        func grades() -> [DoctorReport.Grade] {
            NodeDoctor.examine(dataDirectory: path, tlsDirectory: nil, nowMs: nowMs).findings
                .filter { $0.part == "certificates" }.map(\.grade)
        }
        #expect(grades() == [.note])
        var configuration = NodeConfiguration(name: "n1", dataDirectory: path)
        configuration.tlsDirectory = files.directory
        CertificateNote.write(configuration)
        #expect(CertificateNote(dataDirectory: path)?.files.directory == files.directory)
        #expect(grades() == [.sound])
        configuration.tlsDirectory = nil
        CertificateNote.write(configuration)
        #expect(CertificateNote(dataDirectory: path) == nil)
    }
}
