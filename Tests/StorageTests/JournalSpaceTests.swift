import Glibc
import Testing

@testable import Storage

/// Waits for what `onSpace` says.
private final class SpaceLog: @unchecked Sendable {
    private let monitor = Monitor()
    private var seen: [JournalSpace] = []

    func note(_ space: JournalSpace) {
        monitor.locked {
            seen.append(space)
            monitor.signal()
        }
    }

    func wait(for space: JournalSpace) -> [JournalSpace] {
        monitor.locked {
            while seen.last != space { monitor.wait() }
            return seen
        }
    }
}

@Suite struct JournalSpaceTests {
    private let temporary = TemporaryDirectory()
    private var directory: String { temporary.path + "/journal" }

    private func open(
        _ disk: any Disk, _ log: SpaceLog, retryMs: Int = 3_600_000
    ) throws -> (journal: Journal, records: [JournalRecord]) {
        var options = JournalOptions()
        options.firstSegmentBytes = 16 << 10
        options.segmentBytes = 64 << 10
        options.batchBytes = 8 << 10
        options.retryMs = retryMs
        var records: [JournalRecord] = []
        let journal = try Journal.open(
            directory: directory, options: options, disk: disk, onSpace: { log.note($0) },
            visit: { records.append($0) })
        return (journal, records)
    }

    /// Without a spare, it says so while the present segment still takes appends; then it waits, and goes on.
    @Test(arguments: [false, true])
    func aFullDiskIsSaidEarlyAndStallsInOrder(_ retriesByItself: Bool) throws {
        let disk = FaultyDisk()
        disk.fillUp(largeFilesOnly: true)
        let log = SpaceLog()
        let (journal, _) = try open(disk, log, retryMs: retriesByItself ? 1 : 3_600_000)
        #expect(log.wait(for: .low) == [.low])
        let outcomes = Outcomes()
        for number in 1...60 as ClosedRange<UInt64> {
            journal.append([record(number, payloadBytes: 900)], durable: outcomes.callback(number))
        }
        #expect(log.wait(for: .stalled) == [.low, .stalled])
        #expect(journal.space == .stalled)
        disk.makeRoom()
        if !retriesByItself { journal.retry() }
        let results = outcomes.wait(60)
        #expect(results.map(\.number) == Array(1...60) && results.allSatisfy { $0.error == nil })
        #expect(log.wait(for: .roomy).starts(with: [.low, .stalled]))
        journal.close()
        #expect(try open(SystemDisk(), SpaceLog()).records.map(\.index) == Array(1...60))
    }

    /// A file system may find no room for blocks that it has promised.
    @Test func aFullDiskInTheMiddleOfABatchStallsAsWell() throws {
        let disk = FaultyDisk()
        let log = SpaceLog()
        let (journal, _) = try open(disk, log)
        disk.fillUp(largeFilesOnly: false)
        let outcomes = Outcomes()
        for number in 1...3 as ClosedRange<UInt64> {
            journal.append([record(number)], durable: outcomes.callback(number))
        }
        #expect(log.wait(for: .stalled).last == .stalled)
        disk.makeRoom()
        journal.retry()
        #expect(outcomes.wait(3).allSatisfy { $0.error == nil })
        journal.close()
        #expect(try open(SystemDisk(), SpaceLog()).records.map(\.index) == [1, 2, 3])
    }

    @Test func whoClosesAStalledJournalIsToldOfTheFullDisk() throws {
        let disk = FaultyDisk()
        let log = SpaceLog()
        let (journal, _) = try open(disk, log)
        disk.fillUp(largeFilesOnly: false)
        let outcomes = Outcomes()
        for number in 1...3 as ClosedRange<UInt64> {
            journal.append([record(number)], durable: outcomes.callback(number))
        }
        #expect(log.wait(for: .stalled).last == .stalled)
        journal.close()
        let results = outcomes.wait(3)
        #expect(results.allSatisfy { $0.error?.kind == .diskFull })
        #expect(results.first?.error?.description.contains("Free space") == true)
        #expect(try open(SystemDisk(), SpaceLog()).records == [])
    }
}
