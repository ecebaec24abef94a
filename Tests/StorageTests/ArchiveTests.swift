import Binary
import Glibc
import Testing

@testable import Storage

/// Segments are in the archive before they are dropped, and what is read from there is what was appended.
@Suite struct ArchiveTests {
    private let temporary = TemporaryDirectory()
    private var directory: String { temporary.path + "/journal" }
    private var archive: String { temporary.path + "/archive" }
    private var disk: ArchivedJournal.Disk { .init(directory: archive + "/7", node: 7) }

    private func options(lagBytes: Int = 1 << 20, intervalMs: Int = 1_000_000) -> JournalOptions {
        var options = JournalOptions()
        options.firstSegmentBytes = 16 << 10
        options.segmentBytes = 16 << 10
        options.pacedRecords = .max
        options.retryMs = 1
        var archive = JournalArchive(directory: archive, node: 7, cluster: 9)
        archive.lagBytes = lagBytes
        archive.intervalMs = intervalMs
        options.archive = archive
        return options
    }

    private func entry(_ index: UInt64) -> JournalRecord {
        JournalRecord(kind: 0, group: 70_000, term: 1, index: index, payload: [UInt8](repeating: UInt8(index % 251), count: 3_000))
    }

    private func covered(_ index: UInt64) -> JournalRecord {
        JournalRecord(kind: JournalKind.covered, group: 70_000, term: 1, index: index, payload: [0])
    }

    private func open(_ options: JournalOptions) throws -> Journal {
        try Journal.open(directory: directory, options: options) { _ in }
    }

    private func append(_ records: [JournalRecord], to journal: Journal) {
        let outcomes = Outcomes()
        journal.append(records, durable: outcomes.callback(1))
        #expect(outcomes.wait(1).allSatisfy { $0.error == nil })
    }

    /// Entries, each covered at once, so that segments may be dropped.
    private func fill(_ journal: Journal, _ range: ClosedRange<UInt64>) {
        for index in range { append([entry(index), covered(index)], to: journal) }
    }

    private func entries(_ run: ArchivedJournal.Run) throws -> [UInt64] {
        var found: [UInt64] = []
        try ArchivedJournal(disk).read(run) { record in
            if JournalKind.isEntry(record.kind) {
                #expect(record == entry(record.index))
                found.append(record.index)
            }
        }
        return found
    }

    @Test func archivesWhatItDrops() throws {
        let journal = try open(options())
        fill(journal, 1...40)
        journal.waitForArchive { $0.archiveLagSegments == 0 && $0.archivedSegments > 5 }
        let statistics = journal.statistics
        #expect(statistics.archiveError == nil)
        #expect(statistics.droppedSegments > 0)
        journal.close()
        #expect(ArchivedJournal.disks(in: archive) == [disk])
        let runs = ArchivedJournal(disk).runs
        #expect(runs == [.init(first: 1, last: statistics.archivedSegments)])
        let found = try entries(runs[0])
        #expect(found == Array(1...UInt64(found.count)))
        #expect(found.count > 20)
    }

    @Test func goesOnAfterARestart() throws {
        var journal = try open(options())
        fill(journal, 1...20)
        journal.close()
        journal = try open(options())
        fill(journal, 21...40)
        journal.waitForArchive { $0.archiveLagSegments == 0 && $0.archivedSegments > 2 }
        journal.close()
        let runs = ArchivedJournal(disk).runs
        #expect(runs.count == 1 && runs[0].first == 1)
        let found = try entries(runs[0])
        #expect(found == Array(1...UInt64(found.count)))
    }

    @Test func sealsAQuietSegmentForTheArchive() throws {
        let journal = try open(options(intervalMs: 1))
        append([entry(1)], to: journal)
        journal.waitForArchive { $0.archivedSegments > 0 }
        journal.close()
        #expect(try entries(.init(first: 1, last: 1)) == [1])
    }

    /// A directory that cannot be made: segments are kept up to the bound, then dropped, and the gap is written down
    /// once the archive works again.
    @Test func dropsOnBeyondTheBoundAndNotesTheGap() throws {
        writeFile(archive, [])
        let journal = try open(options(lagBytes: 64 << 10))
        fill(journal, 1...10)
        journal.waitForArchive { $0.archiveError != nil }
        #expect(journal.statistics.droppedSegments == 0)
        fill(journal, 11...80)
        #expect(journal.statistics.droppedSegments > 0)
        unlink(archive)
        journal.waitForArchive { $0.archiveLagSegments == 0 }
        journal.close()
        let names = SystemDisk.names(in: disk.directory) ?? []
        let gaps = names.filter { $0.hasSuffix(ArchiveNames.gapSuffix) }
        #expect(!gaps.isEmpty)
        let runs = ArchivedJournal(disk).runs
        #expect(runs.first.map { $0.first > 1 } == true)
        for run in runs {
            let found = try entries(run)
            #expect(zip(found, found.dropFirst()).allSatisfy { $0 + 1 == $1 })
        }
    }

    /// What an earlier process wrote has to go, but the archive holds it: more segments would not help.
    @Test func whatTheArchiveHoldsDoesNotMakeTheJournalMoveOn() throws {
        writeFile(archive, [])
        var journal = try open(options())
        fill(journal, 1...10)
        journal.waitForArchive { $0.archiveError != nil }
        journal.close()
        journal = try open(options())
        let before = journal.statistics.liveSegments
        for index in UInt64(11)...40 {
            #expect(journal.retireFormerSegments() == [])
            append([JournalRecord(kind: 0, group: 70_000, term: 1, index: index, payload: []), covered(index)], to: journal)
        }
        #expect(journal.statistics.formerSegments > 0)
        #expect(journal.statistics.liveSegments <= before + 3)
        unlink(archive)
        journal.waitForArchive { $0.archiveLagSegments == 0 }
        for index in UInt64(41)...44 {
            _ = journal.retireFormerSegments()
            append([JournalRecord(kind: 0, group: 70_000, term: 1, index: index, payload: []), covered(index)], to: journal)
        }
        #expect(journal.statistics.formerSegments == 0)
        journal.close()
    }

    @Test func anyDamageIsNoticed() throws {
        let journal = try open(options())
        fill(journal, 1...10)
        journal.waitForArchive { $0.archiveLagSegments == 0 && $0.archivedSegments > 0 }
        journal.close()
        let path = disk.directory + "/" + ArchiveNames.segment(1)
        let whole = readFile(path)
        _ = try ArchivedSegment(path: path)
        for position in stride(from: 0, to: whole.count, by: 7) {
            var bytes = whole
            bytes[position] ^= 0x20
            writeFile(path, bytes)
            #expect(throws: JournalError.self) { try ArchivedSegment(path: path) }
        }
        for count in stride(from: 0, to: whole.count, by: 97) {
            writeFile(path, Array(whole[..<count]))
            #expect(throws: JournalError.self) { try ArchivedSegment(path: path) }
        }
    }
}
