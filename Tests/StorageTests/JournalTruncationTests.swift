import Binary
import Glibc
import Testing

@testable import Storage

private func entry(_ index: UInt64, group: UInt64 = 1, bytes: Int = 900) -> JournalRecord {
    JournalRecord(
        kind: 1, group: group, term: 1, index: index,
        payload: [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: bytes))
}

private func state(_ kind: UInt8, _ index: UInt64 = 0, group: UInt64 = 1, bytes: Int = 5) -> JournalRecord {
    JournalRecord(
        kind: kind, group: group, term: 1, index: index, payload: [UInt8](repeating: kind, count: bytes))
}

@Suite struct JournalLedgerTests {
    private var ledger = JournalLedger()

    private mutating func begin(_ sequence: UInt64, anchored: Bool = true) {
        ledger.begin(
            SegmentHeader(sequence: sequence, capacity: 1000, salt: 0, firstBatch: 1, predecessorSalt: 0))
        if anchored && sequence > 1 { ledger.note(ledger.anchor()) }
    }

    @Test mutating func aSegmentIsNeededUntilItsEntriesAreCovered() {
        begin(1)
        ledger.note([entry(1), entry(2), entry(1, group: 2)])
        begin(2)
        ledger.note([entry(3)])
        #expect(ledger.floor() == 1)
        ledger.note([state(JournalKind.covered, 1), state(JournalKind.covered, 1, group: 2)])
        #expect(ledger.floor() == 1)
        ledger.note([state(JournalKind.covered, 2)])
        #expect(ledger.floor() == 2)
        begin(3)
        #expect(ledger.floor() == 2)
        #expect(ledger.floor(limit: 1) == 1)
        #expect(ledger.drop(below: 2).map(\.sequence) == [1])
        #expect(ledger.segments.map(\.sequence) == [2, 3])
    }

    @Test(arguments: [JournalKind.snapshot, JournalKind.checkpoint, JournalKind.ended, JournalKind.lost])
    mutating func otherRecordsFreeEntriesAsWell(_ kind: UInt8) {
        begin(1)
        ledger.note([entry(1), entry(2)])
        begin(2)
        ledger.note([state(kind, 2)])
        #expect(ledger.floor() == 2)
    }

    @Test mutating func anEntryThatReplacesOthersFreesThem() {
        begin(1)
        ledger.note([entry(1)])
        begin(2)
        ledger.note([entry(2), entry(3)])
        begin(3)
        ledger.note([entry(2), state(JournalKind.covered, 1)])
        #expect(ledger.floor() == 3)
    }

    /// What stays of the log is written again; said again in an anchor, it voids nothing that came since.
    @Test(arguments: [JournalKind.snapshot, JournalKind.covered])
    mutating func whatReplacesALogFreesWhatWasAboveIt(_ kind: UInt8) {
        let replacement = JournalRecord(kind: kind, group: 1, term: 1, index: 2, payload: [1])
        begin(1)
        ledger.note([entry(1), entry(2), entry(3)])
        begin(2)
        ledger.note([replacement])
        #expect(ledger.floor() == 2 && ledger.pressure(aboveBytes: 0) == [])
        ledger.note([entry(3)])
        begin(3)
        #expect(ledger.floor() == 2 && ledger.pressure(aboveBytes: 0) == [1], "an entry that came behind it is needed")
        ledger.note([state(JournalKind.covered, 3)])
        #expect(ledger.floor() == 3)
    }

    @Test mutating func readingBeginsOnlyWhereASegmentHasItsAnchor() {
        begin(1)
        begin(2, anchored: false)
        ledger.note([entry(1)])
        begin(3, anchored: false)
        ledger.note([entry(2)])
        begin(4)
        ledger.note([state(JournalKind.covered, 1)])
        #expect(ledger.floor() == 1)
        ledger.note([state(JournalKind.covered, 2)])
        #expect(ledger.floor() == 4)
    }

    @Test mutating func theAnchorHasTheNewestOfEachStateAndEndedFirst() {
        begin(1)
        ledger.note([
            state(JournalKind.created, group: 2), state(JournalKind.hardState, 1, group: 2),
            state(JournalKind.hardState, 2, group: 2), state(JournalKind.lost, group: 3), entry(1),
            state(JournalKind.snapshot, 5), state(JournalKind.checkpoint, 6), state(JournalKind.created, group: 4),
            state(JournalKind.ended, group: 4), state(JournalKind.hardState, group: 4),
            state(JournalKind.created, group: 3),
        ])
        ledger.begin(SegmentHeader(sequence: 2, capacity: 9, salt: 0, firstBatch: 1, predecessorSalt: 0))
        #expect(ledger.wantsAnchor)
        #expect(
            ledger.anchor() == [
                .floor(2), state(JournalKind.checkpoint, 6), state(JournalKind.hardState, 2, group: 2),
                state(JournalKind.created, group: 2), state(JournalKind.created, group: 3),
                state(JournalKind.ended, group: 4), state(JournalKind.hardState, group: 4),
            ])
    }

    @Test mutating func pressureNamesWhoHoldsTheOldestSegments() {
        for sequence in 1...4 as ClosedRange<UInt64> {
            begin(sequence)
            ledger.note([entry(sequence, group: sequence), entry(sequence, group: 9)])
        }
        #expect(ledger.pressure(aboveBytes: 4000) == [])
        #expect(ledger.pressure(aboveBytes: 3999) == [1, 9])
        #expect(ledger.pressure(aboveBytes: 2000) == [1, 2, 9])
        #expect(ledger.pressure(aboveBytes: 0) == [1, 2, 3, 9])
        ledger.note([state(JournalKind.covered, 3, group: 9)])
        #expect(ledger.pressure(aboveBytes: 3000) == [1])
        #expect(ledger.oldestNeeded().map(\.group) == [1, 2, 3, 4, 9])
        #expect(ledger.oldestNeeded().map(\.segment) == [1, 2, 3, 4, 4])
    }
}

@Suite struct JournalTruncationTests {
    private let temporary = TemporaryDirectory()
    private var directory: String { temporary.path + "/journal" }
    private func path(_ sequence: UInt64) -> String { directory + "/" + SegmentFiles.name(of: sequence) }
    private var sequences: [UInt64] { SegmentFiles.sequences(among: SystemDisk.names(in: directory) ?? []) }

    private func small() -> JournalOptions {
        var options = JournalOptions()
        options.firstSegmentBytes = 16 << 10
        options.segmentBytes = 16 << 10
        options.pacedRecords = .max
        return options
    }

    private func open(_ disk: any Disk = SystemDisk()) throws -> (journal: Journal, records: [JournalRecord]) {
        var records: [JournalRecord] = []
        let journal = try Journal.open(
            directory: directory, options: small(), disk: disk, visit: { records.append($0) })
        return (journal, records)
    }

    /// Appends and waits. True if all became durable.
    private func append(_ records: [JournalRecord], to journal: Journal) -> Bool {
        let outcomes = Outcomes()
        journal.append(records, durable: outcomes.callback(1))
        return outcomes.wait(1).allSatisfy { $0.error == nil }
    }

    private func failure() -> JournalError? {
        do {
            try open().journal.abandon()
            return nil
        } catch {
            return error as? JournalError
        }
    }

    /// Entries 1...`count`, covered `behind` entries later; answers the journal, closed.
    @discardableResult
    private func fill(_ count: UInt64, behind: UInt64) throws -> JournalStatistics {
        let (journal, _) = try open()
        #expect(append([state(JournalKind.created)], to: journal))
        for index in 1...count {
            let covered = index > behind ? [state(JournalKind.covered, index - behind)] : []
            #expect(append([entry(index)] + covered, to: journal))
        }
        journal.close()
        return journal.statistics
    }

    @Test func aLongRunStaysWithinItsBound() throws {
        let (journal, _) = try open()
        var maker = HistoryMaker(seed: 1)
        var view = LogView()
        var most = 0
        for _ in 0..<2000 {
            let records = maker.next()
            #expect(append(records, to: journal))
            for record in records { view.take(record) }
            most = max(most, journal.statistics.liveBytes)
        }
        journal.close()
        #expect(journal.statistics.droppedSegments > 20)
        #expect(most <= 8 * 16 << 10)
        let (again, records) = try open()
        #expect(LogView(records) == view)
        #expect(again.contents.segments == again.statistics.liveSegments)
        again.close()
    }

    @Test func onlyWhatIsNeededIsThereAndADroppedFileIsTheSpare() throws {
        let statistics = try fill(200, behind: 20)
        #expect(sequences.count <= 4 && sequences.first! > 10)
        #expect(statistics.droppedSegments == sequences.first! - 1)
        #expect(statistics.liveSegments == sequences.count)
        #expect(statistics.liveBytes == sequences.count * 16 << 10)
        let (journal, records) = try open()
        let view = LogView(records)
        #expect(view.groups[1]?.entries.keys.sorted() == Array(181...200))
        #expect(view.groups[1]?.states[JournalKind.created] != nil && view.isWithoutGaps)
        journal.close()
    }

    @Test func aMissingSegmentIsNamed() throws {
        try fill(200, behind: 60)
        let all = sequences
        #expect(all.count >= 5 && all[0] > 1)
        for missing in all {
            let bytes = readFile(path(missing))
            unlink(path(missing))
            let error = try #require(failure())
            #expect(error.kind == .damaged)
            #expect(error.what.contains("segment \(missing) is missing"), "\(error)")
            writeFile(path(missing), bytes)
        }
        for count in 2..<all.count {
            let removed = all.suffix(count).map { ($0, readFile(path($0))) }
            for (sequence, _) in removed { unlink(path(sequence)) }
            #expect(failure()?.what.contains("segment \(removed[0].0) is missing") == true)
            for (sequence, bytes) in removed { writeFile(path(sequence), bytes) }
        }
        #expect(failure() == nil)
    }

    @Test func whatIsLeftBelowTheFloorGoesWithOrWithoutGaps() throws {
        try fill(200, behind: 60)
        let all = sequences
        let first = all[0]
        for leftovers in [[first - 1], [first - 2], [first - 3, first - 1], [1, 2, first - 1]] {
            // Whatever it holds: nobody reads it.
            for sequence in leftovers { writeFile(path(sequence), [1, 2, 3]) }
            let (journal, records) = try open()
            #expect(LogView(records).isWithoutGaps)
            journal.abandon()
            #expect(sequences == all)
        }
    }

    @Test func aJournalOfTheVersionBeforeIsReadAndDroppedInTime() throws {
        // Without anchors: as 0.2 wrote it, each segment by hand.
        var files: [UInt64: [UInt8]] = [:]
        var writer = JournalWriter(
            segment: SegmentHeader(firstOf: 16 << 10, salt: 1), offset: SegmentHeader.reservedBytes, nextBatch: 1,
            session: 5)
        var bytes: [UInt8] = []
        func put(_ extent: Extent) {
            files[extent.segment]!.replaceSubrange(extent.range, with: bytes[..<extent.range.count])
        }
        func start(_ header: SegmentHeader) {
            files[header.sequence] = header.encode()
            let missing = (16 << 10) - SegmentHeader.encodedBytes
            files[header.sequence]! += [UInt8](repeating: 0, count: missing)
        }
        start(writer.segment)
        for index in 1...40 as ClosedRange<UInt64> {
            let record = index == 1 ? state(JournalKind.created) : entry(index - 1)
            let size = BatchFormat.bodyBytes(of: [record])
            if !writer.fits(bodyBytes: size) {
                let next = writer.successor(capacity: 16 << 10, salt: index)
                put(writer.encode(.seal, into: &bytes))
                start(next)
                writer.enter(next)
            }
            put(writer.encode([[record]], bodyBytes: size, recordCount: 1, into: &bytes))
        }
        #expect(files.count >= 3 && SystemDisk.makeDirectory(directory) == 0)
        for (sequence, content) in files { writeFile(path(sequence), content) }
        let (journal, records) = try open()
        #expect(records.count == 40)
        for index in 40...80 as ClosedRange<UInt64> {
            #expect(append([entry(index), state(JournalKind.covered, index - 1)], to: journal))
        }
        journal.close()
        #expect(sequences.first! > UInt64(files.count))
        #expect(LogView(try open().records).groups[1]?.entries.keys.sorted() == [80])
    }

    @Test func aLargeStateDoesNotFillEverySegment() throws {
        let (journal, _) = try open()
        #expect(append([state(JournalKind.checkpoint, 1, group: 7, bytes: 40_000)], to: journal))
        for index in 1...100 as ClosedRange<UInt64> {
            #expect(append([entry(index), state(JournalKind.covered, index)], to: journal))
        }
        journal.close()
        // 100 entries of about 1 KB, beside the state, in segments that have 16 KB for entries.
        #expect(sequences.last! <= 12)
        #expect(LogView(try open().records).groups[7]?.states[JournalKind.checkpoint]?.payload.count == 40_000)
    }

    // MARK: Crashes

    /// Dies at each call in turn, with a part of the write done if it is one.
    @Test(arguments: [0, 700, 5000])
    func aDeathAtAnyStepLosesNothingAndTheJournalStarts(_ tornBytes: Int) throws {
        var calls = 0
        var deaths = 0
        while true {
            let disk = FaultyDisk()
            var maker = HistoryMaker(seed: UInt64(calls), coverPercent: 40, entryBytes: 4000)
            var views: [LogView] = [LogView()]
            disk.die(after: calls, tornBytes: tornBytes)
            if let journal = try? open(disk).journal {
                for _ in 0..<40 {
                    let records = maker.next()
                    var view = views[views.count - 1]
                    for record in records { view.take(record) }
                    views.append(view)
                    guard append(records, to: journal) else { break }
                }
                journal.abandon()
            }
            let (journal, records) = try open()
            let found = LogView(records)
            // The last append may have become durable without having been acknowledged.
            #expect(views.suffix(2).contains(found), "died after \(calls) calls")
            #expect(found.isWithoutGaps)
            let more = (1...10).flatMap { _ in maker.next() }
            #expect(append(more, to: journal))
            journal.abandon()
            var view = found
            for record in more { view.take(record) }
            #expect(LogView(try open().records) == view)
            for name in SystemDisk.names(in: directory) ?? [] { unlink(directory + "/" + name) }
            guard disk.isDead else { break }
            deaths += 1
            calls += 1
        }
        #expect(deaths > 100)
    }
}
