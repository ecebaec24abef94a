import Binary
import Glibc
import Testing

@testable import Storage

@Suite struct JournalInspectorTests {
    private let temporary = TemporaryDirectory()
    private let segmentBytes = 6000

    /// Three live segments with several groups, the first ones dropped.
    private func journal(closed: Bool) -> (journal: MemoryJournal, whole: LogView, withoutLast: LogView) {
        var journal = MemoryJournal(segmentBytes: segmentBytes, seed: 4)
        var maker = HistoryMaker(seed: 9)
        var views = [LogView()]
        while journal.droppedSegments < 3 || journal.segments.count != 3 {
            let records = maker.next()
            var view = views[views.count - 1]
            for record in records { view.take(record) }
            views.append(view)
            journal.append(records)
            journal.sync()
        }
        if closed { journal.close() } else { journal.tear(step: 0) { _ in true } }
        return (journal, views[views.count - 1], views[views.count - 2])
    }

    /// The memory disk as files; the first one is `first`.
    private func writeOut(_ journal: MemoryJournal, first: UInt64) -> [UInt64] {
        _ = SystemDisk.makeDirectory(temporary.path)
        return journal.segments.enumerated().map { place, bytes in
            let sequence = first + UInt64(place)
            writeFile(
                temporary.path + "/" + SegmentFiles.name(of: sequence),
                bytes + [UInt8](repeating: 0, count: segmentBytes - bytes.count))
            return sequence
        }
    }

    private func view(_ journal: inout MemoryJournal) throws -> LogView {
        var view = LogView()
        try journal.recover { view.take($0) }
        return view
    }

    @Test(arguments: [true, false])
    func everyFlippedByteIsNamedOrChangesNothing(_ closed: Bool) throws {
        let (journal, whole, withoutLast) = journal(closed: closed)
        var named = 0
        var generator = SeededGenerator(state: 0)
        for segment in journal.segments.indices {
            for position in journal.segments[segment].indices {
                // Between the header and the first batch nothing is ever read: a sample is enough.
                if (64..<SegmentHeader.reservedBytes).contains(position) && position % 64 > 0 { continue }
                var damaged = journal
                damaged.flip(segment, position, &generator)
                do {
                    let found = try view(&damaged)
                    let isLastSegment = segment == journal.segments.count - 1
                    // The exception: the very last batch of a journal that was not closed.
                    #expect(
                        found == whole || (!closed && isLastSegment && found == withoutLast),
                        "segment \(segment), byte \(position)")
                } catch {
                    named += 1
                    #expect((error as? JournalError)?.place.contains(".segment") == true)
                }
            }
        }
        #expect(named > 3_000)
    }

    @Test func aWholeJournalIsDescribed() throws {
        let (journal, whole, _) = journal(closed: true)
        let first = journal.droppedSegments + 1
        let sequences = writeOut(journal, first: first)
        writeFile(temporary.path + "/" + SegmentFiles.name(of: 1), [7])
        let before = contents(of: temporary.path)
        let inspection = try JournalInspector.inspect(directory: temporary.path)
        #expect(inspection.damage == nil && inspection.groupsAtRisk == [])
        #expect(inspection.segments.map(\.sequence) == [1] + sequences)
        #expect(inspection.segments.map(\.isLeftover) == [true, false, false, false])
        #expect(inspection.contents.closedInOrder && inspection.contents.segments == 3)
        #expect(inspection.segments.reduce(0) { $0 + $1.records } == inspection.contents.records)
        for group in inspection.groups where group.group > 0 {
            let expected = try #require(whole.groups[group.group])
            #expect(group.covered == expected.covered)
            #expect(group.oldestSegment != nil || expected.entries.isEmpty)
        }
        #expect(contents(of: temporary.path) == before)
    }

    @Test func damageIsPlacedAndTheGroupsAreNamed() throws {
        let (journal, whole, _) = journal(closed: true)
        let sequences = writeOut(journal, first: journal.droppedSegments + 1)
        let file = temporary.path + "/" + SegmentFiles.name(of: sequences[1])
        let batch = MemoryJournal.batches(in: journal.segments[1])[0]
        let bytes = readFile(file)
        var damaged = bytes
        damaged[batch.lowerBound + 50] ^= 1
        writeFile(file, damaged)
        var inspection = try JournalInspector.inspect(directory: temporary.path)
        #expect(inspection.damage?.place == "\(file), offset \(batch.lowerBound)")
        #expect(Set(whole.groups.keys).isSubset(of: inspection.groupsAtRisk))
        unlink(file)
        inspection = try JournalInspector.inspect(directory: temporary.path)
        #expect(inspection.damage?.what.contains("segment \(sequences[1]) is missing") == true)
        writeFile(file, bytes)
        #expect(try JournalInspector.inspect(directory: temporary.path).damage == nil)
    }

    @Test func aDirectoryThatCannotBeReadIsAnError() {
        #expect(throws: JournalError.self) { try JournalInspector.inspect(directory: temporary.path + "/none") }
    }
}
