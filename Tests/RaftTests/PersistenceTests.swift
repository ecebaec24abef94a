import Testing
@testable import Raft

/// What a late disk may and may not prove.
@Suite struct PersistenceTests {
    private func position(_ index: UInt64, _ term: UInt64) -> Position {
        Position(term: Term(term), index: LogIndex(index))
    }

    private func append(_ log: inout RaftLog, term: UInt64) {
        log.append(Entry(term: Term(term), index: log.lastIndex.next, kind: .command, payload: []))
    }

    /// What `Replication.ready` does with the entries.
    private func handOut(_ persistence: inout Persistence, _ log: RaftLog) -> Position? {
        var ready = Ready()
        ready.entries = log.entries(from: persistence.unstableFrom, through: log.lastIndex)
        persistence.handOut(&ready, last: log.last)
        return ready.mark
    }

    private func finish(
        _ persistence: inout Persistence, _ mark: Position, _ log: RaftLog, isKnown: Bool = true
    ) {
        let found = persistence.persisted(mark, in: log)
        #expect(found == isKnown)
    }

    private func cut(_ persistence: inout Persistence, _ log: inout RaftLog, from index: UInt64) {
        log.truncate(from: LogIndex(index))
        persistence.truncated(from: LogIndex(index))
    }

    @Test func severalWritesBecomeDurableInOrder() {
        var (log, persistence) = (RaftLog(boundary: .zero), Persistence(durable: .zero))
        append(&log, term: 1)
        let first = handOut(&persistence, log)!
        append(&log, term: 1)
        append(&log, term: 1)
        let second = handOut(&persistence, log)!
        finish(&persistence, first, log)
        #expect(persistence.durable == LogIndex(1))
        finish(&persistence, second, log)
        #expect(persistence.durable == LogIndex(3))
        finish(&persistence, second, log, isKnown: false)
    }

    /// A, then B at the same index, then A again: the answer to the first A is not the second A's.
    @Test func anEntryThatCameBackIsNotDurableByItsFirstWrite() {
        var (log, persistence) = (RaftLog(boundary: .zero), Persistence(durable: .zero))
        append(&log, term: 1)
        append(&log, term: 2)
        let first = handOut(&persistence, log)!
        cut(&persistence, &log, from: 2)
        append(&log, term: 3)
        let second = handOut(&persistence, log)!
        cut(&persistence, &log, from: 2)
        append(&log, term: 3)
        let third = handOut(&persistence, log)!
        #expect(first == position(2, 2))
        #expect(second == third)
        finish(&persistence, first, log)
        #expect(persistence.durable == LogIndex(1))
        // The second write is durable, but the third, still under way, begins at the same index.
        finish(&persistence, second, log)
        #expect(persistence.durable == LogIndex(1))
        finish(&persistence, third, log)
        #expect(persistence.durable == LogIndex(2))
    }

    @Test func whatIsNotHandedOutIsNotDurable() {
        var (log, persistence) = (RaftLog(boundary: .zero), Persistence(durable: .zero))
        append(&log, term: 1)
        append(&log, term: 1)
        let first = handOut(&persistence, log)!
        cut(&persistence, &log, from: 2)
        append(&log, term: 2)
        finish(&persistence, first, log)
        #expect(persistence.durable == LogIndex(1))
    }

    @Test func aSnapshotUnderWayTakesBackWhatItReplaces() {
        var (log, persistence) = (RaftLog(boundary: .zero), Persistence(durable: .zero))
        append(&log, term: 1)
        append(&log, term: 1)
        let first = handOut(&persistence, log)!
        let snapshot = Snapshot(
            index: LogIndex(9), term: Term(4), configuration: Configuration(voters: [NodeID(1)]))
        persistence.restarted(with: snapshot, keeping: LogIndex(1))
        log.restart(at: snapshot.position)
        let second = handOut(&persistence, log)!
        finish(&persistence, first, log)
        #expect(persistence.durable == LogIndex(1))
        finish(&persistence, second, log)
        #expect(persistence.durable == LogIndex(9))
    }

    @Test func theHardStateIsDurableWhenItsWriteIs() {
        let log = RaftLog(boundary: .zero)
        var persistence = Persistence(durable: .zero)
        persistence.isHardStateDirty = true
        #expect(!persistence.isHardStateDurable)
        let mark = handOut(&persistence, log)!
        #expect(!persistence.isHardStateDurable)
        finish(&persistence, mark, log)
        #expect(persistence.isHardStateDurable)
    }

    @Test func snapshotAndEntriesMustMeetAtStart() {
        let base = Snapshot(
            index: LogIndex(5), term: Term(2), configuration: Configuration(voters: [NodeID(1)]))
        func state(_ terms: [(UInt64, UInt64)]) -> InitialState {
            InitialState(
                snapshot: base,
                entries: terms.map {
                    Entry(term: Term($0.1), index: LogIndex($0.0), kind: .command, payload: [])
                })
        }
        #expect(state([]).isJoined)
        #expect(state([(6, 2), (7, 3)]).isJoined)
        #expect(state([(4, 1), (5, 2), (6, 2)]).isJoined)
        #expect(!state([(7, 2)]).isJoined)
        #expect(!state([(6, 2), (8, 2)]).isJoined)
        #expect(!state([(5, 1), (6, 2)]).isJoined)
        #expect(!state([(6, 1)]).isJoined)
        #expect(!state([(6, 3), (7, 2)]).isJoined)
    }
}
