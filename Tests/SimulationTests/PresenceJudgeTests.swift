import ObjectRuntime
import Testing

@testable import Simulation

/// Which leaves have a cause.
struct PresenceJudgeTests {
    private let connection = ConnectionID(unique: 1, proof: 2)
    private let attachment = Attachment(incarnation: 5, number: 9)

    /// Its edge may die before it can tell its socket so; but then it leaves when that is fenced, not before.
    @Test func aSeatThatNoSocketHeardOfStillHasToWaitForTheFence() {
        var judge = PresenceJudge(driftMaxPpm: 0)
        let unknown = judge.judge(.left(connection, attachment), graceMs: 1_000, nowNs: 1)
        #expect(unknown?.hasSuffix("never connected") == true)
        #expect(judge.judge(.attached(connection, attachment), graceMs: 1_000, nowNs: 2) == nil)
        let early = judge.judge(.left(connection, attachment), graceMs: 1_000, nowNs: 3)
        #expect(early?.hasSuffix("its socket is there") == true)
    }
}
