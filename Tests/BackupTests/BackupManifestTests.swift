import Storage
import Testing

@testable import Backup

@Suite("Manifests")
struct BackupManifestTests {
    private func manifest() -> BackupManifest {
        BackupManifest(
            cluster: 0xFEDC_BA98_7654_3210, version: "0.3.0", startedAtMs: 1_800_000_000_000,
            finishedAtMs: 1_800_000_001_234, placementIndex: 77, placementBytes: 900, placementHash: .max,
            shards: [
                BackupShard(
                    shard: 0, range: StoredRange(start: 0, end: 99), epoch: 3, index: 12, objects: 5, bytes: 400, hash: 1,
                    file: "shard-0-1.snapshot"),
                BackupShard(
                    shard: 65_536, range: StoredRange(start: 100, end: .max), epoch: 4, index: 13, objects: 6, bytes: 500,
                    hash: .max, file: "shard-65536-ff.snapshot"),
            ])
    }

    @Test func comesBackAsItWas() throws {
        #expect(try BackupManifest(manifest().encode()) == manifest())
        #expect(manifest().objects == 11)
        #expect(manifest().bytes == 1_800)
    }

    @Test func anyChangeIsNoticed() {
        let whole = manifest().encode()
        for position in whole.indices {
            var bytes = whole
            bytes[position] ^= 1
            #expect(throws: BackupFailure.self) { try BackupManifest(bytes) }
        }
        for count in whole.indices {
            #expect(throws: BackupFailure.self) { try BackupManifest(Array(whole[..<count])) }
        }
    }

    @Test func shardsMustCoverTheKeySpace() {
        var bad = manifest()
        bad.shards[1].range = StoredRange(start: 101, end: .max)
        #expect(throws: BackupFailure.self) { try BackupManifest(bad.encode()) }
        bad = manifest()
        bad.shards.removeLast()
        #expect(throws: BackupFailure.self) { try BackupManifest(bad.encode()) }
    }

    /// A name that leads out of the directory is none.
    @Test func filesStayInTheDirectory() {
        var bad = manifest()
        bad.shards[0].file = "../elsewhere"
        #expect(throws: BackupFailure.self) { try BackupManifest(bad.encode()) }
    }

    @Test func timesSortByName() {
        #expect(BackupFiles.timeName(ms: 0) == "19700101T000000Z")
        #expect(BackupFiles.timeName(ms: 1_795_662_000_999) == "20261126T030000Z")
    }

    @Test(arguments: [
        ("p/c/id", BackupObjectName(project: "p", objectClass: "c", id: "id")),
        ("p/c/a/b", BackupObjectName(project: "p", objectClass: "c", id: "a/b")),
        ("p/c", nil), ("p//id", nil), ("", nil), ("/c/id", nil), ("p/c/", nil),
    ] as [(String, BackupObjectName?)])
    func objectNames(_ text: String, _ name: BackupObjectName?) {
        #expect(BackupObjectName(text) == name)
    }
}
