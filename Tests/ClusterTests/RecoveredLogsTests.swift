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

    private func logs(_ records: [LogRecord]) throws -> RecoveredLogs {
        var logs = RecoveredLogs()
        for record in records { try logs.visit(record) }
        try logs.finish()
        return logs
    }

    private func recover(_ records: [LogRecord]) throws -> InitialState? {
        try logs(records).shard(ShardID(rawValue: 0))
    }

    private func recoverLog(_ records: [LogRecord]) throws -> RecoveredLog? {
        try logs(records).shardLog(ShardID(rawValue: 0))
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

    // MARK: What was dropped

    private var created: LogRecord { .created(configuration, group: group) }

    private func covered(_ index: UInt64, term: UInt64 = 1, replacesLog: Bool = false) -> LogRecord {
        let position = Position(term: Term(rawValue: term), index: LogIndex(rawValue: index))
        return .covered(position, replacesLog: replacesLog, group: group)
    }

    @Test func coveredEntriesAreNotKept() throws {
        let log = try #require(try recoverLog([created] + (1...9).map { entry($0) } + [covered(6), entry(10)]))
        #expect(log.covered == Position(term: Term(rawValue: 1), index: LogIndex(rawValue: 6)))
        #expect(log.entries.map(\.index.rawValue) == [7, 8, 9, 10])
        #expect(log.created == configuration && !log.isEnded && log.lost == nil)
        #expect(try recover([created, entry(1), covered(1)]) == nil, "its state is in the store")
    }

    @Test func aLogMayBeginAboveItsStartIfItIsCoveredInTheEnd() throws {
        let records = [created, covered(2), entry(5), entry(6), created, covered(2), entry(7)]
        let log = try #require(try recoverLog(records + [covered(4)]))
        #expect(log.entries.map(\.index.rawValue) == [5, 6, 7])
        #expect(log.covered.index.rawValue == 4)
        #expect(throws: DecodingFailure.self) { try recoverLog(records) }
        #expect(throws: DecodingFailure.self) { try recoverLog(records + [covered(3)]) }
        #expect(try recoverLog(records + [covered(9)])?.entries.isEmpty == true)
    }

    @Test func whatReplacesTheLogVoidsWhatIsAboveIt() throws {
        let records = [created] + (1...9).map { entry($0) } + [covered(6, term: 3, replacesLog: true)]
        let log = try #require(try recoverLog(records + [entry(7, term: 3)]))
        #expect(log.entries.map(\.term.rawValue) == [3])
        #expect(try recoverLog(records + [entry(7, term: 3)] + [records.last!])?.entries.count == 1)
    }

    @Test func repeatedStatesChangeNothing() throws {
        let other = LogRecord.created(Configuration(voters: [NodeID(rawValue: 9)]), group: group)
        let hardState = LogRecord.hardState(HardState(term: Term(rawValue: 4)), group: group)
        let snapshot = Snapshot(
            index: LogIndex(rawValue: 3), term: Term(rawValue: 1), configuration: configuration, data: [1])
        for kind in [LogRecord.snapshot(snapshot, group: group), .checkpoint(snapshot, group: group)] {
            let states = [hardState, kind, created, covered(2)]
            let records = states + [entry(4), entry(5)]
            let state = try #require(try recover(records + states + [other, entry(6, term: 4)] + states))
            #expect(state.snapshot == snapshot)
            #expect(state.entries.map(\.index.rawValue) == [4, 5, 6])
            #expect(state.hardState.term.rawValue == 4)
            #expect(try recoverLog(records + states + [other])?.created == configuration)
        }
    }

    @Test func aCheckpointLeavesTheEntriesAboveItAndASnapshotDoesNot() throws {
        let snapshot = Snapshot(
            index: LogIndex(rawValue: 2), term: Term(rawValue: 1), configuration: configuration, data: [1])
        let records = [created] + (1...4).map { entry($0) }
        let kept = try #require(try recover(records + [.checkpoint(snapshot, group: group)]))
        #expect(kept.entries.map(\.index.rawValue) == [3, 4])
        #expect(try recover(records + [.snapshot(snapshot, group: group)])?.entries.isEmpty == true)
        let later = try #require(try recoverLog(records + [.checkpoint(snapshot, group: group), covered(3)]))
        #expect(later.snapshot == nil && later.entries.map(\.index.rawValue) == [4])
    }

    @Test func anEndedGroupHasNothingUntilItIsCreatedAgain() throws {
        let hardState = LogRecord.hardState(HardState(term: Term(rawValue: 4)), group: group)
        let records = [created, hardState] + (1...4).map { entry($0) } + [covered(2), .ended(group: group)]
        let ended = try #require(try recoverLog(records))
        #expect(ended.isEnded && ended.created == nil && ended.entries.isEmpty && ended.covered == .zero)
        #expect(ended.hardState.term == .zero)
        #expect(try recover(records) == nil)
        let anew = try #require(try recover(records + [created, entry(1, term: 9)]))
        #expect(anew.entries.map(\.term.rawValue) == [9])
        #expect(try recoverLog(records + [created])?.isEnded == false)
    }

    @Test func aLostLogIsSilentUntilItEndsO9() throws {
        let lost = LogRecord.lost(at: LogPoint(epoch: Epoch(7), index: LogIndex(rawValue: 31)), group: group)
        let log = try #require(try recoverLog([created, entry(1), lost]))
        #expect(log.lost?.epoch == Epoch(7) && log.lost?.index.rawValue == 31)
        #expect(try recover([created, entry(1), lost]) == nil)
        #expect(try recoverLog([lost, .ended(group: group)])?.lost == nil)
        #expect(try recoverLog([created, lost, entry(3), entry(9)])?.entries.isEmpty == true, "a rest of it")
        #expect(try recover([lost, .ended(group: group), created]) != nil)
    }

    @Test func onlyWhatTheJournalHasOfAShardIsNamed() throws {
        #expect(try logs([created]).shards == [ShardID(rawValue: 0)])
        #expect(try logs([]).shardLog(ShardID(rawValue: 0)) == nil)
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
            [created, entry(1), entry(3)], [created, covered(4), entry(4)], [created, covered(4), entry(6)],
            [created, entry(1), covered(1, term: 2)], [raw(LogRecord.coveredKind, [], group)],
            [raw(LogRecord.coveredKind, [2], group)],
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
