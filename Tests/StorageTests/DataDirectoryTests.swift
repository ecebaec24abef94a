import Glibc
import Testing

@testable import Storage

@Suite struct DataDirectoryTests {
    private let temporary = TemporaryDirectory()
    private var path: String { temporary.path + "/deep/data" }

    private func open(
        name: String = "n1", newNode: UInt64 = 7, cluster: UInt64? = nil
    ) throws(DataDirectoryError) -> DataDirectory {
        try DataDirectory.open(path: path, name: name, newNode: newNode, cluster: cluster)
    }

    private func failure(name: String = "n1", cluster: UInt64? = nil) -> DataDirectoryError? {
        do {
            _ = try open(name: name, cluster: cluster)
            return nil
        } catch {
            return error
        }
    }

    /// Makes a directory of a node that is part of cluster 99 and has a journal.
    private func makeFormed() throws {
        let directory = try open()
        try Journal.open(directory: directory.journalDirectory) { _ in }.close()
        try directory.join(cluster: 99)
    }

    @Test func theFirstStartMakesAnIdentityAndLaterOnesKeepIt() throws {
        do {
            let directory = try open(newNode: 7)
            #expect(directory.identity == NodeIdentity(node: 7, name: "n1", cluster: 0))
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o700)
        }
        #expect(try open(newNode: 8).identity.node == 7)
    }

    @Test func aClusterIsRecordedOnceAndForAll() throws {
        try makeFormed()
        let directory = try open(cluster: 99)
        #expect(directory.identity.cluster == 99)
        try directory.join(cluster: 99)
        let error = #expect(throws: DataDirectoryError.self) { try directory.join(cluster: 98) }
        #expect(error?.kind == .otherCluster)
    }

    @Test func aSecondProcessIsRefusedAndToldWhoHoldsIt() throws {
        let directory = try open()
        let error = try #require(failure())
        #expect(error.kind == .inUse(pid: getpid()))
        #expect(error.description.contains("process \(getpid())") && error.place == path)
        #expect(directory.identity.node == 7)
    }

    @Test func theLockGoesWithItsHolder() throws {
        do { _ = try open() }
        #expect(failure() == nil)
    }

    @Test func anotherNodesDirectoryIsRefusedUnchanged() throws {
        try makeFormed()
        let before = contents(of: path)
        let error = try #require(failure(name: "n2"))
        #expect(error.kind == .otherNode)
        #expect(error.description.contains("n1") && error.description.contains("n2"))
        #expect(contents(of: path) == before)
    }

    @Test func anotherClustersDirectoryIsRefusedUnchanged() throws {
        try makeFormed()
        let before = contents(of: path)
        #expect(failure(cluster: 98)?.kind == .otherCluster)
        #expect(contents(of: path) == before)
    }

    @Test func aLostJournalOfAFormedNodeIsALostDisk() throws {
        try makeFormed()
        let journal = path + "/journal"
        let segment = journal + "/" + SegmentFiles.name(of: 1)
        let bytes = readFile(segment)
        unlink(segment)
        #expect(failure()?.kind == .diskLost)
        #expect(SystemDisk.names(in: journal)?.contains(SegmentFiles.name(of: 1)) == false)
        writeFile(segment, bytes)
        #expect(failure() == nil)
    }

    @Test func aNodeThatNeverJoinedMayStartWithoutAJournal() throws {
        do { _ = try open() }
        #expect(failure() == nil)
    }

    @Test func aJournalWithoutAnIdentityIsNotTakenOver() throws {
        try makeFormed()
        unlink(path + "/identity")
        #expect(failure()?.kind == .diskLost)
        #expect(SystemDisk.names(in: path)?.contains("identity") == false)
    }

    @Test func anyFlippedBitOrCutInTheIdentityIsNoticed() throws {
        let bytes = NodeIdentity(node: 0xABCD, name: "nö de", cluster: 3).encode()
        #expect(NodeIdentity(decoding: bytes)?.name == "nö de")
        for position in bytes.indices {
            #expect(NodeIdentity(decoding: [UInt8](bytes[..<position])) == nil)
            for bit in 0..<8 {
                var damaged = bytes
                damaged[position] ^= 1 << UInt8(bit)
                #expect(NodeIdentity(decoding: damaged) == nil)
            }
        }
        #expect(NodeIdentity(decoding: bytes + [10]) == nil)
    }

    @Test func randomBytesAreNoIdentity() {
        var generator = SeededGenerator(state: 9)
        for _ in 0..<500 {
            let count = Int.random(in: 0...300, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            #expect(NodeIdentity(decoding: bytes) == nil)
        }
    }

    @Test func aDamagedIdentityIsNamed() throws {
        do { _ = try open() }
        var bytes = readFile(path + "/identity")
        bytes[30] ^= 1
        writeFile(path + "/identity", bytes)
        let error = try #require(failure())
        #expect(error.kind == .damaged && error.place.hasSuffix("/identity"))
        #expect(readFile(path + "/identity") == bytes)
    }

    @Test func aHalfWrittenIdentityIsNotOne() throws {
        do { _ = try open(newNode: 7) }
        writeFile(path + "/identity.new", [1, 2, 3])
        #expect(try open(newNode: 8).identity.node == 7)
    }

    @Test func namesThatWouldBreakTheFileAreRefused() {
        for name in ["", " x", "x ", "a\nb", "a\u{0}b", String(repeating: "x", count: 129)] {
            #expect(failure(name: name)?.kind == .badName)
        }
        #expect(SystemDisk.names(in: path) == nil)
    }

    @Test func aPlaceThatIsNoDirectoryIsRefused() {
        writeFile(temporary.path + "/deep", [1])
        let error = failure()
        #expect(error?.kind == .unwritable)
        #expect(error?.place == path)
    }
}
