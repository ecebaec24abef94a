import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster
@testable import Simulation

/// What journal and store say together about a replica at the start (O9).
struct RecoveredReplicaTests {
    private let voters = (1...3).map { NodeID(rawValue: $0) }
    private let present: ClosedRange<UInt64> = 10...20

    private func log(covered: UInt64 = 0, isEnded: Bool = false) -> RecoveredLog {
        var log = RecoveredLog()
        if !isEnded { log.created = Configuration(voters: voters) }
        log.isEnded = isEnded
        log.covered = Position(term: Term(rawValue: 1), index: LogIndex(rawValue: covered))
        return log
    }

    private func find(
        _ log: RecoveredLog?, isDamaged: Bool, damaged range: ClosedRange<UInt64>? = nil
    ) throws -> ReplicaOrigin.Found {
        try ReplicaOrigin.find(
            log, nil, damage: isDamaged ? .init(range: range) : nil, range: 0...UInt64.max, lostRange: present,
            source: MachineObjects(MachineStore()))
    }

    /// The journal may have all of the log: what is stored would shine through the state that begins anew.
    @Test(arguments: [0, 7] as [UInt64]) func aDamagedStoreMakesItsShardLost(_ covered: UInt64) throws {
        for log in [log(covered: covered), nil] {
            guard case .lost(let origin, let isNew) = try find(log, isDamaged: true) else {
                Issue.record("not lost: \(String(describing: log))")
                continue
            }
            #expect(isNew && !origin.log.holdsLog && origin.state.bounds.range == present)
        }
    }

    @Test func aLogThatRestsOnWhatIsGoneIsLost() throws {
        guard case .lost(let origin, isNew: true) = try find(log(covered: 7), isDamaged: false) else {
            Issue.record("not lost")
            return
        }
        // What has become another shard's since is not its own.
        #expect(origin.state.bounds.range == present)
    }

    /// The store keeps the keys for it, and takes nothing of another shard there.
    @Test func whatHasEndedIsErasedThoughItIsDamagedO9() throws {
        let wider: ClosedRange<UInt64> = 5...30
        guard case .ended(wider) = try find(log(isEnded: true), isDamaged: true, damaged: wider) else {
            Issue.record("not erased")
            return
        }
        guard case .nothing = try find(log(isEnded: true), isDamaged: true) else {
            Issue.record("without a head nothing is kept for it")
            return
        }
    }

    @Test func aJoiningReplicaRemembersItsFloorOverARestart() throws {
        var log = log()
        log.created = Configuration(voters: [])
        log.joinedAt = LogPoint(epoch: Epoch(rawValue: 5), index: LogIndex(rawValue: 9))
        guard case .held(let origin) = try find(log, isDamaged: false) else {
            Issue.record("not held")
            return
        }
        #expect(origin.log.hardState.term == Epoch(rawValue: 5).term)
    }
}
