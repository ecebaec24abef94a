import Binary
import Placement
import Raft
import Testing

@testable import Cluster

/// What a restarted node finds in its journal.
struct RecoveredLogsTests {
    private let group = GroupID.shard(ShardID(rawValue: 0))
    private let configuration = Configuration(voters: (1...3).map { NodeID(rawValue: $0) })

    private func entry(_ index: UInt64, term: UInt64 = 1) -> LogRecord {
        .entry(
            Entry(
                term: Term(rawValue: term), index: LogIndex(rawValue: index), kind: .command,
                payload: [UInt8(index)]),
            group: group)
    }

    private func recover(_ records: [LogRecord]) throws -> InitialState? {
        var logs = RecoveredLogs()
        for record in records { try logs.visit(record) }
        return logs.shard(ShardID(rawValue: 0))
    }

    @Test func aLogWithoutItsCreationCountsAsLostO9() throws {
        #expect(try recover([entry(1)]) == nil)
        #expect(try recover([]) == nil)
    }

    @Test func aCreatedLogIsHeldEvenIfEmpty() throws {
        let state = try #require(try recover([.created(configuration, group: group)]))
        #expect(state.holdsLog && state.entries.isEmpty)
        #expect(state.snapshot.configuration == configuration)
        #expect(state.snapshot.index == .zero)
    }

    @Test func theNewestHardStateCounts() throws {
        let vote = Candidate(node: NodeID(rawValue: 2), incarnation: 6)
        let states = [HardState(term: Term(rawValue: 1)), HardState(term: Term(rawValue: 4), vote: vote)]
        let records = states.map { LogRecord.hardState($0, group: group) }
        let state = try #require(try recover([.created(configuration, group: group)] + records))
        #expect(state.hardState == states[1])
    }

    @Test func anEntryAtAnIndexThatIsThereCutsWhatFollows() throws {
        let records =
            [LogRecord.created(configuration, group: group)] + (1...4).map { entry($0) } + [entry(2, term: 3)]
        let state = try #require(try recover(records))
        #expect(state.entries.map(\.index.rawValue) == [1, 2])
        #expect(state.entries.map(\.term.rawValue) == [1, 3])
    }

    @Test func aSnapshotReplacesTheLogAndEntriesGoOnAboveIt() throws {
        let snapshot = Snapshot(
            index: LogIndex(rawValue: 9), term: Term(rawValue: 2), configuration: configuration, data: [1, 2])
        let records = [
            LogRecord.created(configuration, group: group), entry(1), .snapshot(snapshot, group: group),
        ]
        let state = try #require(try recover(records + [entry(10, term: 2), entry(11, term: 2)]))
        #expect(state.snapshot == snapshot)
        #expect(state.entries.map(\.index.rawValue) == [10, 11])
        #expect(throws: DecodingFailure.self) { try recover(records + [entry(9)]) }
    }

    @Test func aJoiningMembersEmptyConfigurationIsReadBack() throws {
        let state = try #require(try recover([.created(Configuration(voters: []), group: group)]))
        #expect(state.snapshot.configuration.isEmpty)
    }

    @Test func badRecordsAreRefusedO12() {
        let created = LogRecord.created(configuration, group: group)
        let high = LogRecord.hardState(HardState(term: Term(rawValue: 5)), group: group)
        let low = LogRecord.hardState(HardState(term: Term(rawValue: 4)), group: group)
        func raw(_ kind: UInt8, _ payload: [UInt8] = [], _ group: GroupID) -> LogRecord {
            LogRecord(kind: kind, group: group, term: 1, index: 1, payload: payload)
        }
        let cases: [[LogRecord]] = [
            [created, entry(2)], [created, entry(0)], [high, low], [raw(9, [], group)], [raw(99, [], group)],
            [raw(LogRecord.createdKind, [], group)], [raw(LogRecord.hardStateKind, [7], group)],
            [raw(LogRecord.snapshotKind, [], group)], [raw(LogRecord.hardStateKind, [0, 0], group)],
            [raw(LogRecord.genesisKind, [1], .node)], [raw(0, [], .node)],
        ]
        for records in cases { #expect(throws: DecodingFailure.self) { try recover(records) } }
    }

    @Test func damagedRecordsNeverTrap() {
        let vote = Candidate(node: NodeID(rawValue: 2), incarnation: 6)
        let samples = [
            LogRecord.created(configuration, group: group), .genesis(TestTable().state.genesis),
            .hardState(HardState(term: Term(rawValue: 1), vote: vote), group: group),
        ]
        for sample in samples {
            for length in 0..<sample.payload.count {
                var cut = sample
                cut.payload = Array(sample.payload[..<length])
                #expect(throws: DecodingFailure.self) { try recover([cut]) }
            }
            for position in sample.payload.indices {
                var flipped = sample
                flipped.payload[position] ^= 0xFF
                _ = try? recover([flipped])
            }
        }
    }
}
