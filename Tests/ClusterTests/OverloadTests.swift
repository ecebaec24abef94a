import ObjectRuntime
import Testing

@testable import Cluster

/// A queue that stands, one that comes and goes, and who is refused.
struct OverloadGaugeTests {
    private var gauge = OverloadGauge(targetMs: 100)
    private var nowMs: UInt64 = 10_000

    /// One interval in which `answers` came after so many milliseconds each.
    private mutating func interval(_ answersMs: [UInt64], isWrite: Bool = true) {
        for afterMs in answersMs { gauge.answered(afterMs: afterMs, isWrite: isWrite) }
        nowMs += OverloadGauge.intervalMs
        gauge.advance(nowMs: nowMs)
    }

    private init() { gauge.advance(nowMs: nowMs) }

    @Test mutating func oneQuickAnswerSaysThatNothingStands() {
        interval(Array(repeating: 900, count: 999) + [100])
        #expect(gauge.limit == nil)
        interval(Array(repeating: 101, count: 1_000))
        // 10,000 a second for a tenth of a second.
        #expect(gauge.limit == 1_000)
    }

    @Test mutating func slowWritesAreSeenBesideQuickReads() {
        for _ in 0..<1_000 { gauge.answered(afterMs: 0, isWrite: false) }
        interval(Array(repeating: 200, count: 1_000))
        #expect(gauge.limit == 2_000)
    }

    @Test mutating func fewAnswersSayNothingAndSilenceEndsTheLimit() {
        interval(Array(repeating: 200, count: 7))
        #expect(gauge.limit == nil)
        interval(Array(repeating: 200, count: 1_000))
        #expect(gauge.limit != nil)
        for _ in 0..<9 { interval([]) }
        #expect(gauge.limit != nil)
        for _ in 0..<2 { interval([]) }
        #expect(gauge.limit == nil)
    }

    @Test mutating func roomIsGivenBackInStepsAndNeverLessThanTheLeast() {
        interval(Array(repeating: 500, count: 20))
        #expect(gauge.limit == OverloadGauge.leastLimit)
        interval(Array(repeating: 5, count: 20))
        #expect(gauge.limit == 281)
        for _ in 0..<20 {
            gauge.refused()
            interval(Array(repeating: 5, count: 20))
        }
        #expect(gauge.limit ?? 0 > 1_000, "as long as somebody is refused there is a limit")
        for _ in 0..<10 { interval(Array(repeating: 5, count: 20)) }
        #expect(gauge.limit == nil)
    }

    @Test mutating func aTargetOfZeroIsNeverMissed() {
        gauge = OverloadGauge(targetMs: 0)
        interval(Array(repeating: 9_000, count: 1_000))
        #expect(gauge.limit == nil)
    }
}

struct SheddingTests {
    private var budget: HeldBudget
    private let settings: NodeSettings

    init() {
        settings = NodeSettings()
        budget = HeldBudget(settings: settings)
    }

    /// A standing queue, after which 1,000 may be under way.
    private mutating func overload(nowMs: UInt64 = 100) {
        for _ in 0..<1_000 { budget.answered(afterMs: 150, isWrite: true) }
        _ = budget.sheds(project: "p", nowMs: nowMs)
    }

    private mutating func take(_ project: String, _ count: Int, nowMs: UInt64 = 102) -> Int {
        var taken = 0
        for _ in 0..<count where !budget.sheds(project: project, nowMs: nowMs) {
            budget.take(project: project, bytes: 1)
            taken += 1
        }
        return taken
    }

    @Test mutating func theNewestAreRefused() {
        overload()
        let taken = take("flood", 5_000)
        #expect(taken == 1_000)
        budget.give(project: "flood", bytes: 1)
        let next = take("flood", 5)
        #expect(next == 1)
    }

    @Test mutating func aFloodTakesNothingFromOthers() {
        overload()
        _ = take("flood", 5_000)
        let second = take("second", 5_000)
        #expect(second == 500, "an equal part of two")
        let third = take("third", 5_000)
        #expect(third == 333, "an equal part of three")
        var all = 1_000 + second + third
        for number in 0..<100 { all += take("small \(number)", 5_000) }
        #expect(all <= 2_000)
    }

    @Test mutating func withoutAQueueNobodyIsRefused() {
        let taken = take("p", 5_000)
        #expect(taken == 5_000)
    }
}

/// The same at the edge: refused at once, certainly without effect, and told when to come back.
struct SheddingEdgeTests {
    @Test func whatIsShedWasNeverSent() throws {
        var edge = TestEdge(ownedBy: 2) { $0.overloadTargetMs = 100 }
        for _ in 0..<OverloadGauge.leastLimit * 2 { edge.submit(.addOne()) }
        let sent = edge.sent()
        edge.nowMs += 150
        for attempt in sent.prefix(OverloadGauge.leastLimit) { edge.settle(attempt, TestEdge.done()) }
        edge.nowMs += OverloadGauge.intervalMs
        _ = edge.answers()
        edge.submit(.addOne())
        #expect(edge.sent().isEmpty)
        let refused = try #require(edge.answers().first?.answer)
        #expect(refused.applied == .no && refused.retryAfterMs == 500)
        #expect(refused.refusal?.status == 503)
        for attempt in sent.dropFirst(OverloadGauge.leastLimit) { edge.settle(attempt, TestEdge.done()) }
        #expect(edge.answers().allSatisfy { $0.answer.applied == .yes })
        edge.submit(.addOne())
        #expect(edge.sent().count == 1)
    }
}

/// How long something may have waited before it was read.
struct TurnClockTests {
    private var clock = TurnClock()

    private mutating func turn(from beganMs: UInt64, to endedMs: UInt64) -> UInt64 {
        clock.enter(nowMs: beganMs)
        clock.enter(nowMs: beganMs)
        clock.leave(nowMs: endedMs)
        return clock.waitedMs
    }

    @Test mutating func whatComesDuringATurnMayHaveWaitedSinceItBegan() {
        #expect(turn(from: 1_000, to: 1_300) == 0)
        #expect(turn(from: 1_301, to: 1_305) == 301)
        #expect(turn(from: 1_306, to: 1_306) == 5)
    }

    @Test mutating func afterAPauseNothingHasWaited() {
        _ = turn(from: 1_000, to: 1_010)
        #expect(turn(from: 1_030, to: 1_031) == 0)
        // A long turn's answers take long to leave: that is no pause.
        _ = turn(from: 2_000, to: 2_300)
        #expect(turn(from: 2_500, to: 2_501) == 500)
    }

    @Test mutating func aClockThatGoesBackMeansNoWait() {
        _ = turn(from: 1_000, to: 900)
        #expect(turn(from: 500, to: 600) == 0)
    }
}

/// The core's own turns: a queue in front of the loop is one too.
struct UnreadQueueTests {
    @Test func longTurnsCountAsAQueue() throws {
        var edge = TestEdge(ownedBy: 2) { $0.overloadTargetMs = 100 }
        edge.router.unreadMs = 90
        for _ in 0..<OverloadGauge.leastLimit { edge.submit(.addOne()) }
        let sent = edge.sent()
        edge.nowMs += 20
        for attempt in sent.prefix(8) { edge.settle(attempt, TestEdge.done()) }
        edge.nowMs += OverloadGauge.intervalMs
        _ = edge.answers()
        for _ in 0..<9 { edge.submit(.addOne()) }
        #expect(edge.answers().filter { $0.answer.refusal?.status == 503 }.count == 1, "90 and 20 are more than 100")
    }

    /// The loop tells its router how long its turns are.
    @Test func theLoopsOwnTurnsAreSeen() {
        let loop = LoopCore(
            loop: 0, identity: TestNode.identity(0, nonce: 1001), recovered: RecoveredReplicas(), settings: NodeSettings(),
            seed: 1, store: MemoryObjectSource())
        func turn(from beganMs: UInt64, to endedMs: UInt64) -> UInt64 {
            let clocks = { (ms: UInt64) in Clocks(bootNs: ms * 1_000_000, rawNs: ms * 1_000_000, wallMs: ms) }
            loop.step(.tick, now: clocks(beganMs))
            _ = loop.flush(now: clocks(endedMs))
            return loop.router.unreadMs
        }
        #expect(turn(from: 1_000, to: 1_300) == 0)
        #expect(turn(from: 1_301, to: 1_302) == 301)
        #expect(turn(from: 1_400, to: 1_401) == 0)
    }
}
