import Storage
import Testing

@testable import Backup

@Suite("The cover of the key space")
struct BackupCoverTests {
    private func file(_ shard: UInt32, _ start: UInt64, _ end: UInt64) -> BackupShard {
        BackupShard(
            shard: shard, range: StoredRange(start: start, end: end), epoch: 1, index: 1, objects: 0, bytes: 1,
            hash: 1, file: "shard-\(shard)")
    }

    @Test func beginsWithOneGap() {
        #expect(BackupCover().gaps == [.all])
        #expect(!BackupCover().isWhole)
    }

    @Test func gapsAreWhatNoFileHas() {
        var cover = BackupCover()
        #expect(cover.add(file(2, 100, 199)).isEmpty)
        #expect(cover.add(file(1, 10, 49)).isEmpty)
        #expect(
            cover.gaps == [
                StoredRange(start: 0, end: 9), StoredRange(start: 50, end: 99), StoredRange(start: 200, end: .max),
            ])
        #expect(cover.files.map(\.shard) == [1, 2])
    }

    @Test func wholeToTheVeryEnd() {
        var cover = BackupCover()
        _ = cover.add(file(2, 100, .max))
        _ = cover.add(file(1, 0, 99))
        #expect(cover.isWhole)
        #expect(BackupCover.isWhole(cover.files.map(\.range)))
    }

    /// A parent before its split, then the child alone: the parent's file goes, and what it had is asked for again.
    @Test func newerFilesReplaceWhatTheyOverlap() {
        var cover = BackupCover()
        _ = cover.add(file(1, 0, .max))
        #expect(cover.add(file(65_537, 500, .max)).map(\.shard) == [1])
        #expect(cover.gaps == [StoredRange(start: 0, end: 499)])
        #expect(cover.add(file(1, 0, 499)).isEmpty)
        #expect(cover.isWhole)
    }

    @Test(arguments: [
        [StoredRange(start: 1, end: .max)], [StoredRange(start: 0, end: .max - 1)],
        [StoredRange(start: 0, end: 9), StoredRange(start: 11, end: .max)],
        [StoredRange(start: 0, end: 9), StoredRange(start: 9, end: .max)], [],
    ])
    func isNotWhole(_ ranges: [StoredRange]) {
        #expect(!BackupCover.isWhole(ranges))
    }
}
