import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// How the edge routes, holds and repeats (O10, O11).
struct EdgeRouterTests {
    @Test func aRequestGoesToTheOwnerThatTheTableNames() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        let dispatch = try #require(edge.router.dispatches.first)
        #expect(dispatch.to == edge.table.process(2))
        #expect(dispatch.attempt.epoch == edge.table.record.epoch)
        #expect(!dispatch.attempt.request.isRetry)
        #expect(
            dispatch.attempt.request.id == .edge(stream: dispatch.attempt.stream, counter: edge.firstCounter))
        #expect(dispatch.attempt.stream.incarnation == edge.table.process(1).incarnation.rawValue)
    }

    @Test func anEdgeWithoutAnIncarnationAdmitsNothingO10() throws {
        var edge = TestEdge()
        edge.table.give(to: 2)
        edge.see(isRegistered: false)
        edge.submit(.addOne())
        let answer = try #require(edge.answers().first?.answer)
        #expect(answer.applied == .no)
        #expect(answer.refusal?.status == 503)
        #expect(edge.sent().isEmpty)
    }

    @Test func requestsWithoutAnOwnerAreHeldAndGoInOrderOfArrivalO11() {
        var edge = TestEdge()
        edge.see()
        for name in ["a", "b", "c"] { edge.submit(.set(ItemName(name), "1")) }
        #expect(edge.sent().isEmpty)
        #expect(edge.answers().isEmpty)
        edge.give(to: 3)
        #expect(edge.sent().map { $0.origin.token - edge.firstCounter } == [0, 1, 2])
    }

    @Test func aHigherEpochRepeatsWhatIsOpenInOrderUnderTheSameIdO10() throws {
        var edge = TestEdge(ownedBy: 2)
        for _ in 0..<3 { edge.submit(.addOne()) }
        let first = edge.sent()
        edge.give(to: 3)
        let second = edge.sent()
        #expect(second.map(\.request.id) == first.map(\.request.id))
        #expect(second.map(\.origin) == first.map(\.origin))
        #expect(second.allSatisfy { $0.request.isRetry && $0.epoch == edge.table.record.epoch })
        let sequences = (first + second).map(\.sequence)
        #expect(sequences == sequences.sorted() && Set(sequences).count == 6)
    }

    @Test func theSameEpochIsNoReasonToRepeat() {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        _ = edge.sent()
        edge.table.changeNothing()
        edge.see()
        #expect(edge.sent().isEmpty)
    }

    @Test func aRefusedTryWaitsForAHigherEpochO11() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        edge.settle(try #require(edge.sent().first), .refused)
        edge.pass(ms: 3_000)
        #expect(edge.sent().isEmpty, "not again at the same epoch")
        #expect(edge.answers().isEmpty)
        edge.give(to: 3)
        #expect(edge.sent().count == 1)
    }

    @Test func aRefusalOfAnEarlierSendLeavesTheNewerOneAlone() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        let first = try #require(edge.sent().first)
        edge.give(to: 3)
        let second = try #require(edge.sent().first)
        edge.settle(first, .refused)
        #expect(edge.sent().isEmpty, "the try at the new owner is on its way already")
        edge.settle(second, TestEdge.done())
        #expect(edge.answers().count == 1)
    }

    @Test func aRetryCarriesTheCommitIndexKnownBeforeTheFirstTryO10() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        edge.settle(try #require(edge.sent().first), TestEdge.done(), commit: 41)
        edge.submit(.addOne(), key: "x")
        edge.submit(.addOne())
        let sent = edge.sent()
        #expect(sent.map(\.request.knownIndex) == [41, 41])
        edge.settle(sent[1], TestEdge.done(), commit: 50)
        edge.give(to: 3)
        #expect(edge.sent().map(\.request.knownIndex) == [41])
    }

    @Test func settledBelowIsTheLowestPendingCounterO10() throws {
        var edge = TestEdge(ownedBy: 2)
        for _ in 0..<3 { edge.submit(.addOne()) }
        let sent = edge.sent()
        #expect(sent.allSatisfy { $0.request.settledBelow == edge.firstCounter })
        edge.settle(sent[1], TestEdge.done())
        edge.submit(.addOne())
        #expect(edge.sent().first?.request.settledBelow == edge.firstCounter, "the first is still open")
        edge.settle(sent[0], TestEdge.done())
        edge.submit(.addOne())
        #expect(edge.sent().first?.request.settledBelow == edge.firstCounter + 2)
    }

    @Test func aNewLinkRepeatsWhatWasSentOverTheOldOne() {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        _ = edge.sent()
        edge.router.linkUp(NodeID(rawValue: 3), nowMs: edge.nowMs)
        #expect(edge.sent().isEmpty, "not the owner's link")
        edge.router.linkUp(NodeID(rawValue: 2), nowMs: edge.nowMs)
        let again = edge.sent()
        #expect(again.count == 1 && again[0].request.isRetry)
    }

    @Test func aTryWithoutAnOutcomeIsRepeated() {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        _ = edge.sent()
        edge.pass(ms: EdgeRouter.resendAfterMs - 10)
        #expect(edge.sent().isEmpty)
        edge.pass(ms: 20)
        #expect(edge.sent().count == 1)
    }

    /// A write that changed nothing left no id: another copy of it would be executed (O10).
    @Test func anUnchangedWriteIsAnsweredOnlyWhenNoNewerSendIsOpen() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.setIfAbsent("a", "1"))
        let first = try #require(edge.sent().first)
        edge.give(to: 3)
        let second = try #require(edge.sent().first)
        let unchanged = TryOutcome.Result.unchanged(Answer(reply: .noContent, index: 1, applied: .yes))
        edge.settle(first, unchanged)
        #expect(edge.answers().isEmpty, "the second try may find the item gone")
        edge.settle(second, TestEdge.done(9))
        #expect(edge.answers().map(\.answer.index) == [9])
    }

    @Test func theNewestUnchangedSendSettlesAllBeforeIt() throws {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.setIfAbsent("a", "1"))
        edge.pass(ms: 1_100)
        edge.give(to: 3)
        let sent = edge.sent()
        #expect(sent.count == 3)
        edge.settle(sent[2], .unchanged(Answer(reply: .noContent, index: 4, applied: .yes)))
        #expect(edge.answers().map(\.answer.index) == [4])
    }

    @Test func repetitionsComeFurtherAndFurtherApart() {
        var edge = TestEdge(ownedBy: 2)
        edge.submit(.addOne())
        edge.pass(ms: 9_500)
        #expect(edge.sent().count == 4, "at 0, 1, 3 and 6 seconds")
    }
}
