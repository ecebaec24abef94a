import Cluster
import Glibc
import Storage
import Testing

@testable import EdgeNode

/// `doctor` over directories that are sound, odd and damaged.
final class DoctorTests {
    private let path: String

    init() throws {
        var template = Array("/tmp/holdfast-doctor-XXXXXX".utf8CString)
        path = try #require(mkdtemp(&template).map { String(cString: $0) })
    }

    deinit { remove(path) }

    private func remove(_ path: String) {
        for name in directoryEntries(path) { remove(path + "/" + name) }
        if rmdir(path) != 0 { unlink(path) }
    }

    private var data: String { path + "/data" }

    /// A node that is part of a cluster, with a journal and a store.
    private func makeNode() throws -> DataDirectory {
        let directory = try DataDirectory.open(path: data, name: "n1", newNode: 7)
        let journal = try Journal.open(directory: directory.journalDirectory) { _ in }
        journal.close()
        try directory.join(cluster: 99)
        let store = try ObjectStore.open(directory: data + "/store")
        store.close()
        return directory
    }

    private func examine() -> DoctorReport { NodeDoctor.examine(dataDirectory: data) }

    private func grades(_ report: DoctorReport, _ part: String) -> [DoctorReport.Grade] {
        report.findings.filter { $0.part == part }.map(\.grade)
    }

    private func flip(_ file: String, at offset: Int) throws {
        let descriptor = open(file, O_RDWR)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var byte: UInt8 = 0
        try #require(pread(descriptor, &byte, 1, offset) == 1)
        byte ^= 0x40
        try #require(pwrite(descriptor, &byte, 1, offset) == 1)
    }

    private func makeFile(_ name: String) throws {
        let descriptor = open(data + "/" + name, O_RDWR | O_CREAT, 0o600)
        try #require(descriptor >= 0)
        close(descriptor)
    }

    @Test func aSoundNodeIsSound() throws {
        do { _ = try makeNode() }
        let report = examine()
        #expect(!report.isDamaged)
        #expect(report.process == nil)
        for part in ["identity", "journal", "store"] { #expect(grades(report, part) == [.sound], "\(part)") }
        #expect(report.findings.first?.what == "node n1, id 0000000000000007, of cluster 0000000000000063")
    }

    @Test func whoUsesTheDirectoryIsNamed() throws {
        let directory = try makeNode()
        let report = examine()
        #expect(report.process == getpid())
        #expect(!report.isDamaged)
        _ = directory
    }

    @Test func nothingIsChanged() throws {
        do { _ = try makeNode() }
        let before = directoryEntries(data).sorted()
        _ = examine()
        #expect(directoryEntries(data).sorted() == before)
    }

    @Test func adamagedIdentityIsNamed() throws {
        do { _ = try makeNode() }
        try flip(data + "/identity", at: 30)
        let report = examine()
        #expect(grades(report, "identity") == [.damaged])
        #expect(report.isDamaged)
    }

    @Test func aJournalThatIsGoneIsALostDisk() throws {
        do { _ = try makeNode() }
        remove(data + "/journal")
        #expect(grades(examine(), "journal") == [.damaged])
    }

    @Test func anIdentityThatIsGoneIsMissed() throws {
        do { _ = try makeNode() }
        unlink(data + "/identity")
        #expect(grades(examine(), "identity") == [.damaged])
    }

    @Test func aDamagedJournalIsNamedWithItsPlace() throws {
        do { _ = try makeNode() }
        // In the segment's header.
        try flip(data + "/journal/000000000001.segment", at: 8)
        let report = examine()
        #expect(grades(report, "journal") == [.damaged])
        let finding = report.findings.first { $0.grade == .damaged }
        #expect(finding?.place.contains("000000000001.segment") == true)
        #expect(finding?.remedy.isEmpty == false)
    }

    @Test func aDamagedStoreIsNamed() throws {
        do { _ = try makeNode() }
        // The magic number of the first meta page.
        try flip(data + "/store/data.mdb", at: 16)
        #expect(grades(examine(), "store") == [.damaged])
    }

    @Test func aMissingStoreIsANote() throws {
        do { _ = try makeNode() }
        remove(data + "/store")
        let report = examine()
        #expect(grades(report, "store") == [.note])
        #expect(!report.isDamaged)
    }

    @Test func whatIsLeftOverIsListed() throws {
        do { _ = try makeNode() }
        for name in ["store.damaged-1", "cold-0", "identity.new"] { try makeFile(name) }
        mkdir(data + "/outgoing", 0o700)
        try makeFile("outgoing/1-1.snapshot")
        let report = examine()
        #expect(grades(report, "leftovers") == [.note, .note, .note, .note])
        #expect(!report.isDamaged)
    }

    @Test func noDirectoryAndAnEmptyOne() throws {
        let missing = examine()
        #expect(missing.isDamaged)
        mkdir(data, 0o700)
        let empty = examine()
        #expect(!empty.isDamaged)
        #expect(grades(empty, "identity") == [.note])
        #expect(grades(empty, "journal").isEmpty)
    }
}
