import Testing

@testable import Backup

/// What an archive proves of a log.
@Suite("Proof by archives")
struct ArchivedGroupTests {
    private func proven(_ group: ArchivedGroup) -> [UInt64] {
        group.entries.keys.filter { $0 <= group.covered }.sorted()
    }

    private func group(_ entries: ClosedRange<UInt64>, term: UInt64 = 1) -> ArchivedGroup {
        var group = ArchivedGroup()
        for index in entries { group.take(ArchivedEntry(term: term), at: index) }
        return group
    }

    @Test func nothingIsProvenByBeingThere() {
        #expect(proven(group(1...5)) == [])
    }

    @Test func whatIsCoveredIs() throws {
        var group = group(1...5)
        try group.cover(3, term: 1, replacesLog: false)
        #expect(proven(group) == [1, 2, 3])
        try group.cover(2, term: 1, replacesLog: false)
        #expect(group.covered == 3)
    }

    /// A new owner's entries take the place of those that it did not find.
    @Test func replacedEntriesAreGone() throws {
        var group = group(1...5)
        group.take(ArchivedEntry(term: 2), at: 4)
        try group.cover(4, term: 2, replacesLog: false)
        #expect(proven(group) == [1, 2, 3, 4])
        #expect(group.entries[4]?.term == 2 && group.entries[5] == nil)
    }

    /// Another replica's state says nothing of this log's last entries.
    @Test func aSnapshotProvesNothingOfTheLogThatItReplaces() throws {
        var group = group(1...5)
        try group.cover(2, term: 1, replacesLog: false)
        try group.cover(9, term: 3, replacesLog: true)
        #expect(proven(group) == [1, 2])
        group.take(ArchivedEntry(term: 3), at: 10)
        try group.cover(10, term: 3, replacesLog: false)
        #expect(proven(group) == [1, 2, 10])
    }

    @Test func coveringAnotherEntryIsDamage() {
        var group = group(1...5)
        #expect(throws: BackupFailure.self) { try group.cover(3, term: 2, replacesLog: false) }
    }

    /// Behind a gap the end of the log may have been replaced.
    @Test func aGapEndsWhatIsNotProven() throws {
        var group = group(1...5)
        try group.cover(3, term: 1, replacesLog: false)
        group.end()
        try group.cover(8, term: 2, replacesLog: false)
        #expect(proven(group) == [1, 2, 3])
    }
}
