import Testing

@testable import Storage

/// A journal and what must come back from it.
private struct Model {
    var journal: MemoryJournal
    var synced: [JournalRecord] = []
    var unsynced: [JournalRecord] = []
    var number: UInt64 = 0

    init(segmentBytes: Int = 8 << 10, seed: UInt64) {
        journal = MemoryJournal(segmentBytes: segmentBytes, seed: seed)
    }

    mutating func append(_ generator: inout SeededGenerator) {
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            let records = randomRecords(&number, &generator)
            journal.append(records)
            unsynced += records
        }
    }

    mutating func sync() {
        journal.sync()
        synced += unsynced
        unsynced = []
    }

    /// All that was synced, then the unsynced batch whole or not at all: nothing else.
    mutating func recoverAndCheck() throws {
        var found: [JournalRecord] = []
        try journal.recover { found.append($0) }
        #expect(found == synced || found == synced + unsynced)
        synced = found
        unsynced = []
    }
}

@Suite struct MemoryJournalTests {
    @Test func anyCrashLeavesTheSyncedBatchesAndTheLastOneWholeOrNotAtAll() throws {
        for seed in 0..<120 as Range<UInt64> {
            var generator = SeededGenerator(state: seed)
            var model = Model(seed: seed)
            for _ in 0..<Int.random(in: 2...6, using: &generator) {
                for _ in 0..<Int.random(in: 0...12, using: &generator) {
                    model.append(&generator)
                    model.sync()
                }
                model.append(&generator)
                if Bool.random(using: &generator) { model.journal.write() }
                model.journal.crash(Bool.random(using: &generator) ? .power : .process, using: &generator)
                try model.recoverAndCheck()
            }
        }
    }

    @Test func aBatchCutAtAnyByteIsDroppedWhole() throws {
        var generator = SeededGenerator(state: 1)
        var model = Model(seed: 1)
        for _ in 0..<3 {
            model.append(&generator)
            model.sync()
        }
        model.append(&generator)
        model.journal.write()
        let range = try #require(model.journal.unsyncedRange)
        for cut in range.lowerBound...range.upperBound {
            var crashed = model
            crashed.journal.tear(step: 0) { $0 < cut }
            try crashed.recoverAndCheck()
            // The journal goes on, and what is left of the torn batch does not come back.
            crashed.append(&generator)
            crashed.sync()
            crashed.journal.crash(.power, using: &generator)
            try crashed.recoverAndCheck()
        }
    }

    @Test func aLostBlockOfAnEarlierBatchIsDamage() throws {
        var journal = MemoryJournal(seed: 3)
        for number in 1...3 as ClosedRange<UInt64> {
            journal.append([record(number, payloadBytes: 900)])
            if number < 3 { journal.sync() }
        }
        journal.write()
        var generator = SeededGenerator(state: 3)
        journal.crash(.process, using: &generator)
        let second = MemoryJournal.batches(in: journal.segments[0])[1]
        for position in second { journal.flip(0, position, &generator) }
        #expect(damage(of: journal) != nil)
    }

    @Test func theNumberOfATornBatchIsUsedAgainWithoutMixingTheTwo() throws {
        // Same sizes, same numbers: the new batch's head with the old batch's records must not pass.
        var journal = MemoryJournal(seed: 8)
        journal.append([record(1, payloadBytes: 600)])
        journal.write()
        let range = try #require(journal.unsyncedRange)
        journal.tear(step: 0) { $0 >= range.lowerBound + BatchFormat.headerBytes }
        try journal.recover { _ in Issue.record("the torn batch came back") }
        journal.append([record(2, payloadBytes: 600)])
        journal.write()
        journal.tear(step: 0) { $0 < range.lowerBound + BatchFormat.headerBytes }
        try journal.recover { _ in Issue.record("a batch made of two came back") }
    }

    @Test func everyCrashDuringAChangeOfSegmentRecovers() throws {
        for step in 0...3 {
            for cutAt in 0..<100 {
                var journal = MemoryJournal(segmentBytes: 4600, seed: 2)
                journal.append([record(1, payloadBytes: 300)])
                journal.sync()
                journal.append([record(2, payloadBytes: 300)])
                journal.write()
                #expect(journal.unsyncedSteps == 3, "successor, seal, batch")
                let expected: [UInt64] = step == 3 ? [1, 2] : [1]
                journal.tear(step: step) { $0 % 4096 < cutAt }
                #expect(try indexes(of: &journal) == expected)
                journal.append([record(3, payloadBytes: 300)])
                journal.sync()
                journal.close()
                #expect(try indexes(of: &journal) == expected + [3])
            }
        }
    }

    @Test func aBatchLargerThanASegmentGetsOneOfItsOwn() throws {
        var journal = MemoryJournal(segmentBytes: 5000, seed: 2)
        for number in 1...3 as ClosedRange<UInt64> {
            journal.append([record(number, payloadBytes: 20_000)])
            journal.sync()
        }
        var generator = SeededGenerator(state: 0)
        journal.crash(.power, using: &generator)
        #expect(try indexes(of: &journal) == [1, 2, 3])
        // The first one stayed empty, so it is needed no more.
        #expect(journal.contents.segments == 3 && journal.droppedSegments == 1)
    }

    @Test func aProcessThatDiesLosesWhatIsQueuedButNotWhatIsWritten() throws {
        var generator = SeededGenerator(state: 0)
        var journal = MemoryJournal(seed: 1)
        journal.append([record(1)])
        journal.write()
        journal.append([record(2)])
        journal.crash(.process, using: &generator)
        #expect(try indexes(of: &journal) == [1])
        // What recovery returned stays, whatever happens next.
        journal.crash(.power, using: &generator)
        #expect(try indexes(of: &journal) == [1])
    }

    @Test func aFullDiskStallsAtTheEndOfTheSegmentAndNothingIsLost() throws {
        var journal = MemoryJournal(segmentBytes: 5000, seed: 1)
        journal.isFull = true
        var number: UInt64 = 0
        while journal.space != .stalled {
            #expect(journal.space == .low)
            number += 1
            journal.append([record(number, payloadBytes: 100)])
            journal.sync()
        }
        #expect(number > 4 && journal.hasQueued && !journal.hasUnsynced)
        journal.append([record(number + 1, payloadBytes: 100)])
        journal.sync()
        var crashed = journal
        var generator = SeededGenerator(state: 0)
        crashed.crash(.power, using: &generator)
        #expect(try indexes(of: &crashed) == Array(1..<number))
        journal.isFull = false
        #expect(journal.space == .roomy)
        journal.sync()
        journal.crash(.power, using: &generator)
        #expect(try indexes(of: &journal) == Array(1...number + 1))
    }

    @Test func recordsOfOneGroupCanBeLeftOut() throws {
        var journal = MemoryJournal(seed: 1)
        journal.append((1...9).map { record($0) })
        journal.close()
        var groups: Set<UInt64> = []
        try journal.recover(withoutGroup: 1) { groups.insert($0.group) }
        #expect(groups == [0, 2])
    }

    @Test func aVisitorThatThrowsIsReported() throws {
        struct Refusal: Error {}
        var journal = MemoryJournal(seed: 1)
        journal.append([record(1)])
        journal.close()
        let error = #expect(throws: JournalError.self) { try journal.recover { _ in throw Refusal() } }
        #expect(error?.kind == .refused)
    }

    @Test func theSameSeedMakesTheSameBytes() throws {
        func run() throws -> [[UInt8]] {
            var generator = SeededGenerator(state: 6)
            var model = Model(seed: 6)
            for _ in 0..<40 {
                model.append(&generator)
                model.sync()
            }
            model.append(&generator)
            model.journal.write()
            model.journal.crash(.power, using: &generator)
            try model.recoverAndCheck()
            return model.journal.segments
        }
        #expect(try run() == run())
    }
}

@Suite struct DamageTests {
    @Test func damageToASyncedBatchIsAlwaysNamed() throws {
        for seed in 0..<150 as Range<UInt64> {
            var generator = SeededGenerator(state: seed)
            var model = Model(seed: seed)
            for _ in 0..<Int.random(in: 2...30, using: &generator) {
                model.append(&generator)
                model.sync()
            }
            model.journal.crash(.power, using: &generator)
            let isDamaged = model.journal.damage(using: &generator)
            #expect(isDamaged)
            #expect(damage(of: model.journal) != nil)
        }
    }

    /// Three batches over two segments, closed in order, each bit of each byte flipped.
    @Test func aFlippedBitIsNamedOrChangesNothing() throws {
        var journal = MemoryJournal(segmentBytes: 4500, seed: 5)
        for number in 1...3 as ClosedRange<UInt64> {
            journal.append([record(number, payloadBytes: 50), record(number + 10, payloadBytes: 3)])
            journal.sync()
        }
        journal.close()
        #expect(journal.segments.count == 2)
        var named = 0
        for segment in 0..<2 {
            for position in journal.segments[segment].indices {
                var damaged = journal
                var generator = SeededGenerator(state: UInt64(position))
                damaged.flip(segment, position, &generator)
                if damage(of: damaged) != nil {
                    named += 1
                } else {
                    #expect(
                        try indexes(of: &damaged) == [1, 11, 2, 12, 3, 13],
                        "segment \(segment), byte \(position)")
                }
            }
        }
        // Every byte of the batches, of the seal, of the second segment's floor record and of both segment
        // headers, but not of the close mark.
        let batch = BatchFormat.headerBytes + 2 * BatchFormat.recordHeaderBytes + 53
        let between = BatchFormat.headerBytes + BatchFormat.recordHeaderBytes
        #expect(named == 3 * batch + between + 2 * SegmentHeader.encodedBytes)
    }

    @Test func withoutACloseMarkOnlyTheLastBatchCanGoUnnoticed() throws {
        var journal = MemoryJournal(seed: 5)
        for number in 1...2 as ClosedRange<UInt64> {
            journal.append([record(number)])
            journal.sync()
        }
        var generator = SeededGenerator(state: 0)
        journal.crash(.power, using: &generator)
        for position in journal.segments[0].indices {
            var damaged = journal
            damaged.flip(0, position, &generator)
            guard damage(of: damaged) == nil else { continue }
            let found = try indexes(of: &damaged)
            #expect(found == [1, 2] || found == [1])
        }
    }

    @Test func aFlippedBitInATornTailIsStillATornTail() throws {
        var journal = MemoryJournal(seed: 5)
        journal.append([record(1)])
        journal.sync()
        journal.append([record(2, payloadBytes: 700)])
        journal.write()
        let range = try #require(journal.unsyncedRange)
        for position in range {
            var crashed = journal
            crashed.tear(step: 1) { _ in true }
            var generator = SeededGenerator(state: UInt64(position))
            crashed.flip(0, position, &generator)
            let found = try indexes(of: &crashed)
            #expect(
                found == [1] || (found == [1, 2] && position >= range.upperBound - BatchFormat.alignment))
        }
    }
}

/// The damage that recovery names, if it does; the journal itself stays as it was.
private func damage(of journal: MemoryJournal) -> JournalError? {
    var copy = journal
    copy.tear(step: copy.unsyncedSteps) { _ in true }
    do {
        try copy.recover { _ in }
        return nil
    } catch {
        #expect(error.kind == .damaged)
        return error
    }
}

private func indexes(of journal: inout MemoryJournal) throws -> [UInt64] {
    var found: [UInt64] = []
    journal.tear(step: journal.unsyncedSteps) { _ in true }
    try journal.recover { found.append($0.index) }
    return found
}

@Suite struct TwinTruncationTests {
    private func replay(_ journal: inout MemoryJournal) throws -> LogView {
        var view = LogView()
        try journal.recover { view.take($0) }
        return view
    }

    @Test func anyCrashLeavesWhatIsNeededAndTheJournalStaysSmall() throws {
        var dropped: UInt64 = 0
        for seed in 0..<60 as Range<UInt64> {
            var generator = SeededGenerator(state: seed)
            var maker = HistoryMaker(seed: seed)
            var journal = MemoryJournal(segmentBytes: 7000, seed: seed)
            var synced = LogView()
            var unsynced = LogView()
            for _ in 0..<12 {
                for step in 0...Int.random(in: 0...25, using: &generator) {
                    if step > 0 { journal.sync() }
                    synced = unsynced
                    let records = maker.next()
                    for record in records { unsynced.take(record) }
                    journal.append(records)
                }
                if Bool.random(using: &generator) { journal.write() }
                journal.crash(Bool.random(using: &generator) ? .power : .process, using: &generator)
                let found = try replay(&journal)
                #expect(found == synced || found == unsynced)
                #expect(found.isWithoutGaps)
                // What was lost is made again, so that the next records join.
                if found != unsynced { break }
                synced = unsynced
            }
            dropped += journal.droppedSegments
            #expect(journal.liveSegments < 14)
        }
        #expect(dropped > 50)
    }

    /// Tears each step of each change of segment, in several places.
    @Test func everyCrashWhileSegmentsAreDroppedRecovers() throws {
        var removals = 0
        for seed in 0..<2 as Range<UInt64> {
            var maker = HistoryMaker(seed: seed, coverPercent: 40, entryBytes: 1500)
            var journal = MemoryJournal(segmentBytes: 6000, seed: seed)
            var synced = LogView()
            for _ in 0..<40 {
                let records = maker.next()
                var next = synced
                for record in records { next.take(record) }
                journal.append(records)
                journal.write()
                removals = max(removals, journal.unsyncedSteps - 3)
                for step in 0...journal.unsyncedSteps where journal.unsyncedSteps > 1 {
                    for cut in stride(from: 0, to: 7000, by: step < 3 ? 701 : 7000) {
                        var crashed = journal
                        crashed.tear(step: step) { $0 < cut }
                        let found = try replay(&crashed)
                        #expect(found == synced || found == next)
                        if step > 2 { #expect(found == next) }
                        crashed.append(records)
                        crashed.sync()
                        #expect(crashed.liveSegments <= journal.liveSegments + 2)
                    }
                }
                journal.sync()
                synced = next
            }
        }
        #expect(removals > 0)
    }

    @Test func theTwinTellsWhoHoldsItsSegments() throws {
        var journal = MemoryJournal(segmentBytes: 5000, seed: 1)
        for index in 1...20 as ClosedRange<UInt64> {
            journal.append([
                JournalRecord(kind: 1, group: 3, term: 1, index: index, payload: [UInt8](repeating: 1, count: 300))
            ])
            journal.sync()
        }
        #expect(journal.liveBytes == journal.liveSegments * 5000)
        #expect(journal.pressure(aboveBytes: 5000) == [3])
        #expect(journal.pressure(aboveBytes: journal.liveBytes) == [])
    }
}
