import Foundation
import Storage
import Testing

@testable import EdgeNode

/// O9, O12: whatever happens to the files of a stopped node, it never starts with other content than it had.
@Suite(.serialized) struct DamagedDiskTests {
    private enum Outcome: Hashable {
        case identical
        /// These shards are named as lost, the others are what they were.
        case lostShards
        case storeSetAside
        case directorySetAside
        /// It says of which version it is, and that is not ours.
        case refused
    }

    private func remove(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

    private func names(_ path: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    }

    private func content(_ path: String) throws -> DiskContent {
        let disk = try NodeDisk.open(StoppedNode.opening(path), logger: StoppedNode.silent)
        defer {
            disk.journal.close()
            disk.store.close()
        }
        return try DiskContent(disk)
    }

    /// Opens what was damaged and says what became of it; other content is a failed expectation.
    private func judge(_ path: String, against whole: DiskContent, _ what: String) throws -> Outcome {
        let found: DiskContent
        do {
            found = try content(path)
        } catch let error as JournalError where error.kind == .otherVersion {
            return .refused
        } catch let error as StoreError where error.kind == .otherVersion {
            return .refused
        }
        if found.node != whole.node {
            #expect(found.logs.isEmpty && found.objects.isEmpty, "\(what): a new identity with old content")
            #expect(names(path).contains("rejoin"), "\(what): nothing says that it has to join")
            let kept = try #require(names(path).first { $0.hasPrefix("damaged-") })
            #expect(names("\(path)/\(kept)").contains("journal") || what.contains("journal"))
            return .directorySetAside
        }
        #expect(found.logs == whole.logs, "\(what): other logs")
        for (shard, objects) in found.objects { #expect(objects == whole.objects[shard], "\(what): shard \(shard)") }
        let missing = whole.objects.keys.filter { found.objects[$0] == nil }
        if missing.isEmpty { return .identical }
        if found.damaged.isEmpty {
            #expect(names(path).contains { $0.hasPrefix("store.damaged-") } && found.objects.isEmpty, "\(what)")
            return .storeSetAside
        }
        #expect(missing.allSatisfy(found.damaged.contains), "\(what): a shard is gone and nobody says so")
        return .lostShards
    }

    // MARK: - Bytes

    /// Every byte of the first and last pages, and what is written of the rest, in samples; all of it with
    /// HOLDFAST_EVERY_BYTE.
    private func offsets(_ bytes: [UInt8]) -> [Int] {
        if ProcessInfo.processInfo.environment["HOLDFAST_EVERY_BYTE"] != nil { return Array(bytes.indices) }
        return bytes.indices.filter {
            $0 < 160 || $0 >= bytes.count - 160 || $0 % (bytes[$0] == 0 ? 397 : 23) == 0
        }
    }

    private func flipEach(of file: String, _ bits: UInt8 = 0x10) throws -> [Outcome: Int] {
        let node = try StoppedNode()
        defer { remove(node.path) }
        let whole = try content(try node.copy())
        let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: "\(node.path)/\(file)")))
        var outcomes: [Outcome: Int] = [:]
        for offset in offsets(bytes) {
            let copy = try node.copy()
            var damaged = bytes
            damaged[offset] ^= bits
            try Data(damaged).write(to: URL(fileURLWithPath: "\(copy)/\(file)"))
            outcomes[try judge(copy, against: whole, "\(file) byte \(offset)"), default: 0] += 1
            remove(copy)
        }
        return outcomes
    }

    @Test func anyByteOfTheJournal() throws {
        let outcomes = try flipEach(of: "journal/000000000001.segment")
        #expect(outcomes[.directorySetAside, default: 0] > 100, "\(outcomes)")
        #expect(outcomes[.lostShards] == nil && outcomes[.storeSetAside] == nil, "\(outcomes)")
    }

    @Test func anyByteOfTheStore() throws {
        let outcomes = try flipEach(of: "store/data.mdb")
        #expect(outcomes[.directorySetAside] == nil, "\(outcomes)")
        #expect(outcomes[.lostShards, default: 0] > 0 && outcomes[.storeSetAside, default: 0] > 0, "\(outcomes)")
    }

    @Test func anyByteOfTheIdentity() throws {
        let outcomes = try flipEach(of: "identity")
        #expect(outcomes.keys.allSatisfy { $0 == .directorySetAside }, "\(outcomes)")
    }

    // MARK: - Files

    @Test(arguments: [
        "journal", "journal/000000000001.segment", "identity", "store", "store/data.mdb", "store/lock.mdb", "peers",
    ])
    func anyFileIsGone(_ file: String) throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        let whole = try content(try node.copy())
        remove("\(node.path)/\(file)")
        // Without the addresses nothing can be set aside; with nothing wrong nothing has to be.
        let found = try? content(node.path)
        switch file {
        case "journal", "journal/000000000001.segment", "identity":
            let found = try #require(found)
            #expect(found.node != whole.node && found.logs.isEmpty && found.objects.isEmpty)
        case "store", "store/data.mdb":
            #expect(found?.node == whole.node && found?.logs == whole.logs && found?.objects.isEmpty == true)
        default: #expect(found == whole)
        }
    }

    @Test(arguments: ["journal/000000000001.segment", "store/data.mdb", "identity"], [0, 1, 40, 4_096, 9_000])
    func anyFileIsCut(_ file: String, _ size: Int) throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        let whole = try content(try node.copy())
        let path = "\(node.path)/\(file)"
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        guard size < bytes.count else { return }
        try bytes.prefix(size).write(to: URL(fileURLWithPath: path))
        let found = try content(node.path)
        if file.hasPrefix("store") {
            #expect(found.node == whole.node && found.logs == whole.logs && found.objects.isEmpty)
        } else {
            #expect(found.node != whole.node && found.logs.isEmpty && found.objects.isEmpty)
        }
    }

    // MARK: - Setting aside

    @Test func nothingIsDeletedAndTheNodeMayOnlyRejoin() throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        let before = try Data(contentsOf: URL(fileURLWithPath: node.path + "/store/data.mdb"))
        remove(node.path + "/journal/000000000001.segment")
        let first = try content(node.path)
        #expect(first.node != StoppedNode.node)
        let kept = try #require(names(node.path).first { $0.hasPrefix("damaged-") })
        let after = try Data(contentsOf: URL(fileURLWithPath: "\(node.path)/\(kept)/store/data.mdb"))
        #expect(after == before && names("\(node.path)/\(kept)").contains("identity"))
        let former = try #require(PeerFile(directory: node.path, .rejoin))
        #expect(former.clusterID == StoppedNode.cluster && former.addresses == ["127.0.0.1:7102"])
        // The parent must bury the new one from now on.
        #expect(PeerFile(directory: node.path)?.node == first.node)
        // Started again before it has joined: the same new identity.
        #expect(try content(node.path).node == first.node)
    }

    @Test func aSecondDamageAtOnceStopsTheNode() throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        remove(node.path + "/identity")
        let fresh = try content(node.path)
        remove(node.path + "/identity")
        #expect { try content(node.path) } throws: { "\($0)".contains("within a minute") }
        #expect(names(node.path).filter { $0.hasPrefix("damaged-") }.count == 1)
        // Later it is another damage.
        var later = StoppedNode.opening(node.path)
        later.wallMs += 120_000
        let disk = try NodeDisk.open(later, logger: StoppedNode.silent)
        defer { disk.store.close() }
        #expect(disk.directory.identity.node != fresh.node)
        #expect(names(node.path).filter { $0.hasPrefix("damaged-") }.count == 2)
    }

    @Test func onDamageStopChangesNothing() throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        remove(node.path + "/journal/000000000001.segment")
        let opening = StoppedNode.opening(node.path, onDamage: .stop)
        #expect { try NodeDisk.open(opening, logger: StoppedNode.silent) } throws: { "\($0)".contains("on-damage") }
        #expect(!names(node.path).contains { $0.hasPrefix("damaged-") || $0 == "rejoin" })
    }

    @Test func theOnlyNodeOfAClusterIsNotThrownAway() throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        remove(node.path + "/journal/000000000001.segment")
        remove(node.path + "/peers")
        #expect { try content(node.path) } throws: { "\($0)".contains("no other node is known") }
        #expect(!names(node.path).contains { $0.hasPrefix("damaged-") || $0 == "rejoin" })
    }

    @Test func aProcessKilledInTheMiddleIsFollowedByOneThatFinishes() throws {
        let node = try StoppedNode()
        defer { remove(node.path) }
        // The journal has been moved, the rest has not.
        let begun = node.path + "/damaged-5.unfinished"
        try FileManager.default.createDirectory(atPath: begun, withIntermediateDirectories: false)
        try FileManager.default.moveItem(atPath: node.path + "/journal", toPath: begun + "/journal")
        PeerFile(clusterID: StoppedNode.cluster, node: 7, addresses: ["127.0.0.1:7102"]).write(to: node.path, .rejoin)
        #expect(try content(node.path).node != StoppedNode.node)
        #expect(names(node.path + "/damaged-5") == ["identity", "journal", "store"])
    }
}
