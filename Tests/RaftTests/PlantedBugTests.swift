#if PLANTED_BUGS
import Binary
import Testing
@testable import Raft

/// Tests of the tests: each planted bug must be found by the random clusters within its budget of seeds.
/// Run alone (`--filter PlantedBugTests`): the active bug is one for the whole process.
@Suite(.serialized) struct PlantedBugTests {
    @Test(arguments: [
        (PlantedBug.voteTwice, FuzzCluster.Kind.elected), (.voteTwice, .appointed),
        (.acknowledgeBeforeSync, .elected), (.acknowledgeBeforeSync, .appointed),
        (.skipEpochCheck, .appointed), (.serveBeforeBarrier, .appointed),
        (.answerSealWithoutLog, .appointed), (.answerSealWithoutLog, .elected), (.countLearner, .appointed),
        (.countLearner, .elected), (.installOverNewer, .appointed), (.installOverNewer, .elected),
    ])
    func isFound(bug: PlantedBug, kind: FuzzCluster.Kind) {
        PlantedBug.active = bug
        defer { PlantedBug.active = nil }
        let found = (1...400 as ClosedRange<UInt64>).first { seed in
            let changesMembers = bug == .countLearner || bug == .installOverNewer
            var cluster = FuzzCluster(
                kind: kind, seed: seed, voters: 3, joining: changesMembers ? 2 : 0,
                losesDisk: bug == .answerSealWithoutLog, changesMembers: changesMembers)
            for _ in 0..<4000 where cluster.rules.violations.isEmpty { cluster.step() }
            return !cluster.rules.violations.isEmpty
        }
        #expect(found != nil, "\(bug) is not found")
        print("\(bug) \(kind): seed \(found ?? 0)")
    }
}
#endif
