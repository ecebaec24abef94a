import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// What the edge tells its clients, and when (O10, O11).
struct EdgeOutcomeTests {
    @Test func lateAndRepeatedOutcomesAreIgnored() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        let first = try #require(edge.sent().first)
        edge.settle(first, TestEdge.done())
        #expect(edge.answers().count == 1)
        edge.settle(first, TestEdge.done())
        edge.settle(first, .refused)
        edge.settle(first, .overloaded)
        #expect(edge.answers().isEmpty)
        #expect(edge.sent().isEmpty)
    }

    @Test func outcomesOfUnknownOperationsAreIgnored() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        var attempt = try #require(edge.sent().first)
        for token in [0, 1, 2, attempt.origin.token - 1, attempt.origin.token + 1, UInt64.max] {
            attempt.origin.token = token
            edge.settle(attempt, TestEdge.done())
        }
        #expect(edge.answers().isEmpty)
    }

    @Test func neverSentPastTheDeadlineIsCertainlyNotApplied() throws {
        var edge = TestEdge()
        edge.see()
        edge.submit(.addOne())
        edge.pass(ms: 11_000)
        try expectNotApplied(&edge)
    }

    @Test func sentAndOpenPastTheDeadlineIsUnknown() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        edge.pass(ms: 11_000)
        let answer = try #require(edge.answers().first?.answer)
        #expect(answer.applied == .unknown)
        #expect(answer.refusal?.status == 409)
        #expect(answer.refusal?.code == "outcomeUnknown")
        #expect(answer.retryAfterMs == nil, "not to be retried blindly")
    }

    @Test func onlyRefusedPastTheDeadlineIsCertainlyNotApplied() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        edge.settle(try #require(edge.sent().first), .refused)
        edge.pass(ms: 11_000)
        try expectNotApplied(&edge)
    }

    @Test func oneRefusalDoesNotSettleTheOtherSends() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        _ = edge.sent()
        edge.give(to: 3)
        edge.settle(try #require(edge.sent().first), .refused)
        edge.pass(ms: 11_000)
        #expect(
            edge.answers().first?.answer.applied == .unknown, "the try at the first owner may have had effect"
        )
    }

    @Test func readsHaveNoEffectWhateverBecameOfTheirTries() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.getItem("a"))
        #expect(edge.sent().first?.request.id == nil)
        edge.pass(ms: 11_000)
        try expectNotApplied(&edge)
    }

    @Test func anOverloadedOwnerIsPassedOnOnlyIfNothingElseIsOpen() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        let first = try #require(edge.sent().first)
        edge.give(to: 3)
        edge.settle(try #require(edge.sent().first), .overloaded)
        #expect(edge.answers().isEmpty, "the first try is open")
        edge.settle(first, TestEdge.done())
        #expect(edge.answers().first?.answer.applied == .yes)
        edge.submit(.addOne())
        edge.settle(try #require(edge.sent().first), .overloaded)
        try expectNotApplied(&edge)
    }

    @Test func anOverfullEdgeRefusesAtOnceO11() throws {
        var edge = TestEdge { $0.heldRequestsMax = 2 }
        edge.see()
        for _ in 0..<2 { edge.submit(.addOne()) }
        #expect(edge.answers().isEmpty)
        edge.submit(.addOne())
        try expectNotApplied(&edge)
    }

    @Test func oneProjectDoesNotTakeTheRoomOfAnother() {
        var edge = TestEdge { $0.heldRequestsPerProjectMax = 1 }
        edge.see()
        edge.submit(.addOne(), project: "p")
        edge.submit(.addOne(), project: "p")
        edge.submit(.addOne(), project: "q")
        #expect(edge.answers().map(\.token.rawValue) == [2])
    }

    @Test func onlyNamedOperationsAreToldThatTheAnswerIsARepetition() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        edge.submit(.addOne(), key: "x")
        let again = TryOutcome.Result.answered(
            Answer(reply: .noContent, index: 3, replayed: true, applied: .yes))
        for attempt in edge.sent() { edge.settle(attempt, again) }
        #expect(edge.answers().map(\.answer.replayed) == [false, true])
    }

    @Test func finishedOperationsAreNotKeptBehindAnOpenOne() {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        _ = edge.sent()
        for _ in 0..<100 {
            edge.submit(.addOne())
            for attempt in edge.sent() { edge.settle(attempt, TestEdge.done()) }
        }
        #expect(edge.router.pendingCount == 1)
    }

    private func expectNotApplied(_ edge: inout TestEdge) throws {
        let answer = try #require(edge.answers().last?.answer)
        #expect(answer.applied == .no)
        #expect(answer.refusal?.status == 503)
        #expect(answer.retryAfterMs != nil)
    }
}
