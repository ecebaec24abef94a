import Glibc
import Testing

@testable import Storage

private func small() -> JournalOptions {
    var options = JournalOptions()
    options.firstSegmentBytes = 16 << 10
    options.segmentBytes = 64 << 10
    return options
}

/// Opens, answers what was there, and leaves the journal open.
private func open(
    _ directory: String, _ options: JournalOptions = small(), disk: any Disk = SystemDisk()
) throws -> (journal: Journal, records: [JournalRecord]) {
    var records: [JournalRecord] = []
    let journal = try Journal.open(
        directory: directory, options: options, disk: disk, visit: { records.append($0) })
    return (journal, records)
}

/// Appends one record per number, waits for all of them.
private func append(_ numbers: ClosedRange<UInt64>, to journal: Journal, payloadBytes: Int = 100) {
    let outcomes = Outcomes()
    for number in numbers {
        journal.append([record(number, payloadBytes: payloadBytes)], durable: outcomes.callback(number))
    }
    let results = outcomes.wait(numbers.count)
    #expect(results.map(\.number) == Array(numbers))
    #expect(results.allSatisfy { $0.error == nil })
}

@Suite struct JournalTests {
    private let temporary = TemporaryDirectory()
    private var directory: String { temporary.path + "/deep/journal" }
    private func segment(_ sequence: UInt64) -> String { directory + "/" + SegmentFiles.name(of: sequence) }

    @Test func recordsComeBackInOrderAfterAClose() throws {
        let (journal, before) = try open(directory)
        #expect(before == [])
        append(1...50, to: journal)
        journal.close()
        let (again, records) = try open(directory)
        #expect(records == (1...50).map { record($0, payloadBytes: 100) })
        #expect(again.contents.closedInOrder)
        append(51...60, to: again)
        again.close()
        #expect(try open(directory).records.map(\.index) == Array(1...60))
    }

    @Test func recordsComeBackAfterAProcessDied() throws {
        for round in 0..<5 as Range<UInt64> {
            let (journal, records) = try open(directory)
            #expect(records.map(\.index) == Array(0..<round * 10).map { $0 + 1 })
            #expect(!journal.contents.closedInOrder)
            append(round * 10 + 1...round * 10 + 10, to: journal)
            journal.abandon()
        }
    }

    @Test func theFilesAreTheOwnersAlone() throws {
        let (journal, _) = try open(directory)
        defer { journal.close() }
        for (path, mode) in [(directory, 0o700), (segment(1), 0o600)] {
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(Int(status.st_mode & 0o777) == mode)
        }
    }

    @Test func manySegmentsAreOneJournal() throws {
        var expected: UInt64 = 0
        for _ in 0..<4 {
            let (journal, records) = try open(directory)
            #expect(records.map(\.index) == Array(0..<expected).map { $0 + 1 })
            append(expected + 1...expected + 300, to: journal, payloadBytes: 700)
            expected += 300
            journal.close()
        }
        let (journal, records) = try open(directory)
        #expect(records.count == 1200)
        // How many depends on how many appends a sync takes along.
        #expect(journal.contents.segments > 4)
        journal.close()
    }

    @Test func oneAppendMayBeLargerThanASegment() throws {
        let (journal, _) = try open(directory)
        append(1...3, to: journal, payloadBytes: 300_000)
        journal.close()
        #expect(try open(directory).records == (1...3).map { record($0, payloadBytes: 300_000) })
    }

    @Test func manyThreadsShareSyncsAndEachSeesItsOwnOrder() throws {
        let (journal, _) = try open(directory)
        let threads = 8 as UInt64
        let each = 200 as UInt64
        let outcomes = Outcomes()
        let workers = (0..<threads).map { thread in
            WorkerThread(name: "appender") {
                // Index 0 is no entry of a log: a segment with nothing else in it is not needed.
                for step in 1...each {
                    let number = thread * 1000 + step
                    journal.append([record(number)], durable: outcomes.callback(number))
                }
            }
        }
        for worker in workers { worker.join() }
        let results = outcomes.wait(Int(threads * each))
        for thread in 0..<threads {
            let mine = results.filter { $0.number / 1000 == thread }
            #expect(mine.map(\.number) == (1...each).map { thread * 1000 + $0 })
            #expect(mine.allSatisfy { $0.error == nil })
        }
        let statistics = journal.statistics
        #expect(statistics.appends == threads * each)
        #expect(statistics.batches < threads * each)
        #expect(statistics.latency.count == statistics.batches)
        #expect(statistics.bytes > threads * each * 41)
        journal.close()
        // Callbacks run in the order of the journal.
        #expect(try open(directory).records.map(\.index) == results.map(\.number))
    }

    @Test func aCallbackMayAppend() throws {
        let (journal, _) = try open(directory)
        let outcomes = Outcomes()
        let last = outcomes.callback(2)
        journal.append([record(1)]) { [weak journal] _ in journal?.append([record(2)], durable: last) }
        #expect(outcomes.wait(1).first?.error == nil)
        journal.close()
        #expect(try open(directory).records.map(\.index) == [1, 2])
    }

    @Test func closeWritesWhatIsQueuedAndLaterAppendsFail() throws {
        let (journal, _) = try open(directory)
        let outcomes = Outcomes()
        for number in 1...20 as ClosedRange<UInt64> {
            journal.append([record(number)], durable: outcomes.callback(number))
        }
        journal.close()
        journal.close()
        #expect(outcomes.wait(20).allSatisfy { $0.error == nil })
        journal.append([record(21)], durable: outcomes.callback(21))
        #expect(outcomes.wait(21).last?.error?.kind == .closed)
        #expect(try open(directory).records.count == 20)
    }

    // MARK: Recovery

    @Test func aTornTailIsDroppedAndTheJournalGoesOn() throws {
        let (journal, _) = try open(directory)
        append(1...1, to: journal)
        append(2...2, to: journal)
        journal.abandon()
        var bytes = readFile(segment(1))
        let last = MemoryJournal.batches(in: bytes)[1]
        for position in last.lowerBound + 60..<last.upperBound { bytes[position] = 0 }
        writeFile(segment(1), bytes)
        let (again, records) = try open(directory)
        #expect(records.map(\.index) == [1])
        #expect(again.contents.droppedTornBatch)
        append(3...3, to: again)
        again.abandon()
        #expect(try open(directory).records.map(\.index) == [1, 3])
    }

    /// What recovery read may be in the page cache only, after a failed sync even as "clean".
    @Test func whatWasRecoveredIsWrittenAndSyncedAgainBeforeAnybodyUsesIt() throws {
        let (journal, _) = try open(directory)
        append(1...1, to: journal)
        append(2...2, to: journal)
        journal.abandon()
        let last = MemoryJournal.batches(in: readFile(segment(1)))[1]
        let disk = FaultyDisk()
        disk.fail(.syncData, with: EIO)
        #expect(throws: JournalError.self) { try open(directory, disk: disk) }
        #expect(disk.writes.first == last.lowerBound)
        try open(directory).journal.close()
    }

    /// Old batches wait in the spare that becomes the second segment; once they were in a first one, once in
    /// a second one.
    @Test(arguments: [1, 2] as [UInt64])
    func aFileThatWasASegmentBeforeResurrectsNothing(_ sequence: UInt64) throws {
        let (journal, _) = try open(directory)
        for number in 1...60 as ClosedRange<UInt64> {
            append(number...number, to: journal, payloadBytes: 500)
        }
        journal.close()
        var old = readFile(segment(sequence))
        #expect(MemoryJournal.batches(in: old).count > 20)
        while old.count < 64 << 10 { old += old }
        let other = temporary.path + "/other"
        try open(other).journal.close()
        writeFile(other + "/spare", old)
        let (again, _) = try open(other)
        for number in 201...230 as ClosedRange<UInt64> {
            append(number...number, to: again, payloadBytes: 500)
        }
        again.abandon()
        let second = readFile(other + "/" + SegmentFiles.name(of: 2))
        let beyond = 16 << 10..<24 << 10
        #expect(second[beyond] == old[beyond] && second[beyond].contains { $0 != 0 })
        let (last, records) = try open(other)
        #expect(records.map(\.index) == Array(201...230))
        last.close()
    }

    @Test func aSegmentOfAnotherJournalIsNamed() throws {
        let other = temporary.path + "/other"
        for place in [directory, other] {
            let (journal, _) = try open(place)
            append(1...1, to: journal)
            append(2...60, to: journal, payloadBytes: 500)
            journal.close()
        }
        writeFile(segment(2), readFile(other + "/" + SegmentFiles.name(of: 2)))
        #expect(failure(directory)?.what.contains("another journal") == true)
    }

    @Test func damageIsNamedAndNothingIsChanged() throws {
        let (journal, _) = try open(directory)
        for number in 1...3 as ClosedRange<UInt64> { append(number...number, to: journal) }
        append(4...300, to: journal, payloadBytes: 500)
        journal.close()
        let whole = contents(of: directory)
        let first = SegmentFiles.name(of: 1)
        let second = SegmentFiles.name(of: 2)
        let batch = MemoryJournal.batches(in: whole[first]!)[1]
        let damages: [(String, String, (inout [UInt8]) -> Void)] = [
            (first, "offset \(batch.lowerBound)", { $0[batch.lowerBound + 50] ^= 4 }),
            (first, "header", { $0[20] ^= 1 }),
            (second, "header", { $0[20] ^= 1 }),
            (second, "offset 4096", { $0.removeLast($0.count - 4096) }),
            (second, "offset 10", { $0.removeLast($0.count - 10) }),
            (first, "16384 bytes has 16383", { $0.removeLast() }),
        ]
        for (name, text, change) in damages {
            var bytes = whole[name]!
            change(&bytes)
            writeFile(directory + "/" + name, bytes)
            let error = try #require(failure(directory))
            #expect(error.kind == .damaged)
            #expect(error.place.contains(name) && error.description.contains(text), "\(error)")
            #expect(readFile(directory + "/" + name) == bytes)
            writeFile(directory + "/" + name, whole[name]!)
        }
        #expect(failure(directory) == nil)
    }

    @Test func aMissingSegmentIsNamed() throws {
        let (journal, _) = try open(directory)
        append(1...1, to: journal)
        append(2...300, to: journal, payloadBytes: 500)
        journal.close()
        let count = UInt64(journal.statistics.batches > 0 ? SegmentFiles.sequences(among: names).count : 0)
        #expect(count >= 3)
        for missing in [1, 2, count] {
            let bytes = readFile(segment(missing))
            unlink(segment(missing))
            let error = try #require(failure(directory))
            #expect(error.kind == .damaged)
            #expect(error.what.contains("segment \(missing) is missing"), "\(error)")
            writeFile(segment(missing), bytes)
        }
    }

    private var names: [String] { SystemDisk.names(in: directory) ?? [] }

    @Test func anotherVersionIsRefusedByName() throws {
        try open(directory).journal.close()
        var bytes = readFile(segment(1))
        bytes[8] = 2
        let end = SegmentHeader.encodedBytes - 4
        let checksum = Checksum.of([UInt8](bytes[0..<end]))
        for position in 0..<4 {
            bytes[end + position] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(position)))
        }
        writeFile(segment(1), bytes)
        #expect(failure(directory)?.kind == .otherVersion)
    }

    @Test func aPlaceThatIsNoDirectoryIsRefused() throws {
        writeFile(temporary.path + "/file", [1])
        for path in ["/file", "/file/journal"] {
            #expect(failure(temporary.path + path)?.kind == .unwritable)
        }
    }

    @Test func otherFilesInTheDirectoryAreLeftAlone() throws {
        try open(directory).journal.close()
        writeFile(directory + "/notes.segment", [1])
        writeFile(directory + "/00000000000x.segment", [1])
        #expect(failure(directory) == nil)
        #expect(readFile(directory + "/notes.segment") == [1])
    }

    private func failure(_ directory: String) -> JournalError? {
        do {
            try open(directory).journal.abandon()
            return nil
        } catch {
            return error as? JournalError
        }
    }

    // MARK: Faults

    @Test(arguments: [FaultyDisk.Call.write, .syncData])
    func aFailedWriteOrSyncIsFinal(_ call: FaultyDisk.Call) throws {
        var options = small()
        options.firstSegmentBytes = 64 << 10
        let disk = FaultyDisk()
        let (journal, _) = try open(directory, options, disk: disk)
        append(1...1, to: journal)
        disk.fail(call, with: EIO)
        let outcomes = Outcomes()
        journal.append([record(2)], durable: outcomes.callback(2))
        let error = try #require(outcomes.wait(1).first?.error)
        #expect(error.kind == .failed)
        #expect(error.place.contains(SegmentFiles.name(of: 1)))
        #expect(error.what.contains(call == .write ? "pwrite" : "fdatasync"))
        journal.append([record(3)], durable: outcomes.callback(3))
        #expect(outcomes.wait(2).last?.error == error)
        journal.close()
        let (again, records) = try open(directory, options)
        #expect(records.first?.index == 1)
        #expect(!again.contents.closedInOrder)
        again.close()
    }

    @Test func aFailedSyncOfAFullDiskAtTheChangeOfSegmentLosesNothing() throws {
        let disk = FaultyDisk()
        let (journal, _) = try open(directory, disk: disk)
        append(1...1, to: journal)
        disk.fail(.syncDirectory, with: ENOSPC)
        let outcomes = Outcomes()
        for number in 2...60 as ClosedRange<UInt64> {
            journal.append([record(number, payloadBytes: 1000)], durable: outcomes.callback(number))
        }
        let results = outcomes.wait(59)
        #expect(results.last?.error?.kind == .diskFull)
        journal.close()
        let (again, records) = try open(directory)
        let acknowledged = results.filter { $0.error == nil }.map(\.number)
        #expect(records.map(\.index) == [1] + acknowledged)
        append(61...200, to: again, payloadBytes: 1000)
        again.close()
        #expect(try open(directory).records.map(\.index) == [1] + acknowledged + Array(61...200))
    }

    /// Lets each write and sync of an opening and some appends fail in turn.
    @Test(arguments: [FaultyDisk.Call.write, .syncData, .syncDirectory])
    func whateverCallFailsTheAcknowledgedRecordsAreThere(_ call: FaultyDisk.Call) throws {
        for skipping in 0..<24 {
            let place = temporary.path + "/\(skipping)"
            let (first, _) = try open(place)
            append(1...5, to: first, payloadBytes: 900)
            first.abandon()
            let disk = FaultyDisk()
            disk.fail(call, skipping: skipping, with: EIO)
            var acknowledged: [UInt64] = []
            if let (journal, records) = try? open(place, disk: disk) {
                #expect(records.map(\.index) == Array(1...5))
                let outcomes = Outcomes()
                for number in 6...40 as ClosedRange<UInt64> {
                    journal.append([record(number, payloadBytes: 900)], durable: outcomes.callback(number))
                }
                acknowledged = outcomes.wait(35).filter { $0.error == nil }.map(\.number)
                journal.abandon()
            }
            let (last, records) = try open(place)
            #expect(records.map(\.index).starts(with: Array(1...5) + acknowledged))
            last.close()
        }
    }
}

@Suite struct LatencyHistogramTests {
    @Test func durationsAreCountedInTheirBuckets() {
        var histogram = LatencyHistogram()
        for durationUs in [0, 50, 51, 100, 2_000_000] as [UInt64] { histogram.record(durationUs) }
        #expect(histogram.counts.first == 2)
        #expect(histogram.counts[1] == 1)
        #expect(histogram.counts[2] == 1)
        #expect(histogram.counts.last == 1)
        #expect(histogram.quantileUs(0.4) == 50)
        #expect(histogram.quantileUs(0.8) == 100)
        #expect(histogram.quantileUs(1) == 2_000_000)
        #expect(LatencyHistogram().quantileUs(0.5) == 0)
    }
}
