import Foundation
import Simulation
import Testing

/// Power fails at each step of a machine's disk in turn: the machine starts again, and nothing acknowledged is lost.
@Suite struct `Power fails at a step of a disk` {
    /// All steps with `CRASH_WALK=all`; by default every so manieth, another part for each machine.
    private static let stride = ProcessInfo.processInfo.environment["CRASH_WALK"] == "all" ? 1 : 23

    @Test(arguments: CrashScript.Victim.allCases)
    func `and nothing is lost`(victim: CrashScript.Victim) throws {
        let count = CrashScript.steps(of: victim)
        #expect(count > 200)
        let first = CrashScript.Victim.allCases.firstIndex(of: victim) ?? 0
        for step in Swift.stride(from: 7 * first % Self.stride, to: count, by: Self.stride) {
            let result = CrashScript.run(victim, dyingAt: step)
            #expect(result.failure == nil, "\(victim) at step \(step)")
            if result.failure != nil { return }
        }
    }

    /// Else the steps would not be the same.
    @Test func `the script takes the same way twice, and does all that it is for`() {
        let first = CrashScript.run(.replaced, dyingAt: nil)
        #expect(first.failure == nil)
        #expect(first.trace == CrashScript.run(.replaced, dyingAt: nil).trace)
        let storage = first.statistics.storage
        for (what, count) in [
            ("checkpoints", storage.checkpoints), ("segments", storage.droppedSegments), ("splits", storage.splits),
            ("merges", storage.merges), ("snapshots", storage.snapshotsInstalled), ("losses", storage.losses),
            ("loads", storage.loads),
        ] {
            #expect(count > 0, "\(what)")
        }
    }
}
