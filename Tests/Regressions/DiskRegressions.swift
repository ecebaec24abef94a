import Testing

@testable import Raft
@testable import RaftTests
@testable import Simulation
@testable import SimulationTests
@testable import Storage
@testable import StorageTests

/// Bugs of others in what is on the disk and when: numbers 15 to 19.
@Suite struct DiskRegressions {
    init() { prepareRegression() }

    /// Acknowledged before the flush: lost writes and split brain (nats-server #7564, #7567). Guard: nothing is
    /// counted before it is durable (`Replication.match(of:)`, `Ready.messagesAfterPersist`), also when all
    /// lose power at once, and whoever forms the next quorum.
    @Test func r15NothingIsAcknowledgedBeforeAMajorityHasItOnDisk() throws {
        var group = TestGroup.owned()
        for node in group.nodes.indices { group.nodes[node].syncsAtOnce = false }
        let indexOrNil = group.propose([1], at: 1)
        let index = try #require(indexOrNil)
        group.settle(rounds: 3)
        #expect(group[1].commit < index, "it is in three page caches")
        group.syncDisk(of: 1)
        group.settle(rounds: 3)
        #expect(group[1].commit < index, "one disk is no majority")
        group.syncDisk(of: 2)
        group.settle(rounds: 3)
        #expect(group[1].commit == index)
        for heir in 2...3 as ClosedRange<UInt64> {
            var dark = group
            for number in 1...3 as ClosedRange<UInt64> {
                dark.crash(number)
                dark.nodes[dark.position(number)].syncsAtOnce = true
            }
            for number in 2...3 as ClosedRange<UInt64> { dark.restart(number) }
            dark.network = []
            dark.appoint(heir)
            dark.settle(rounds: 40)
            #expect(dark[heir].isLeading && dark.applied(heir).contains([1]))
            #expect(dark.rules.violations == [])
        }
    }

    /// A flipped bit loses records, or deletes them everywhere (nats-server #7549, #7556). Guard: each record's
    /// checksum (`BatchFormat.record`). Only the last batch may be taken for torn; it is dropped whole.
    @Test func r16NoFlippedByteChangesARecord() throws {
        var journal = MemoryJournal(segmentBytes: 4_600, seed: 3)
        let records = (1...3).map { StorageTests.record($0, payloadBytes: 40) }
        for record in records {
            journal.append([record])
            journal.sync()
        }
        var generator = Storage.SeededGenerator(state: 3)
        journal.crash(.process, using: &generator)
        let batches = MemoryJournal.batches(in: journal.segments[0])
        #expect(batches.count == 3)
        for (number, batch) in batches.enumerated() {
            for byte in batch {
                var damaged = journal
                damaged.flip(0, byte, &generator)
                var found: [JournalRecord] = []
                do {
                    try damaged.recover { found.append($0) }
                    #expect(number == 2 && found == Array(records[..<2]), "byte \(byte) of batch \(number)")
                } catch {
                    #expect(number < 2)
                }
            }
        }
    }

    /// A cluster of one answers before its own log is on disk (etcd #14370). Guard: the own copy is counted like
    /// any other (`Replication.ownMatch`).
    @Test func r17AGroupOfOneWaitsForItsDiskToo() throws {
        var group = TestGroup.owned(by: [1], on: 1...1)
        group.nodes[0].syncsAtOnce = false
        let indexOrNil = group.propose([1], at: 1)
        let index = try #require(indexOrNil)
        group.settle(rounds: 3)
        #expect(group[1].commit < index)
        group.syncDisk(of: 1)
        group.settle(rounds: 1)
        #expect(group[1].commit == index)
        group.crash(1)
        group.nodes[0].syncsAtOnce = true
        group.restart(1)
        group.appoint(1)
        group.settle()
        #expect(group[1].isLeading && group.applied(1).contains([1]))
    }

    /// Two appends reach the disk in the other order (etcd #6368, #6378). Guard: `JournalRecovery.judgeEnd`: a batch
    /// behind a bad one was written after it had been durable, so that is damage, and nothing is guessed (O12).
    @Test func r18ABatchBehindAMissingOneIsDamageNotAnEnd() throws {
        var generator = Storage.SeededGenerator(state: 3)
        for missing in 0..<3 {
            var journal = MemoryJournal(seed: 3)
            for number in 1...4 as ClosedRange<UInt64> {
                journal.append([StorageTests.record(number, payloadBytes: 300)])
                journal.sync()
            }
            journal.crash(.process, using: &generator)
            for byte in MemoryJournal.batches(in: journal.segments[0])[missing] {
                journal.flip(0, byte, &generator)
            }
            #expect(throws: JournalError.self) { try journal.recover { _ in } }
        }
    }

    /// The applied index is stored outside the transaction, and entries are applied twice (etcd #13766, #14685).
    /// Guard: a checkpoint carries the index that its state has (`ShardState+Checkpoint`), in one transaction.
    @Test func r19StateAndAppliedIndexChangeTogether() {
        let scenario = Scenario(seed: 19) {
            $0.settings.checkpointIntervalMs = 20
            $0.settings.checkpointLogBytes = 1 << 10
        }
        for _ in 0..<2 {
            scenario.world.restartAll()
            scenario.run(milliseconds: 1_500)
        }
        scenario.conclude()
    }
}
