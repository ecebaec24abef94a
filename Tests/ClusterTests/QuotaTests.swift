import Binary
import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// How a quota of operations is dealt out, and kept.
struct OperationShareTests {
    @Test(arguments: [
        // Nobody wants anything: equal parts.
        (600, [0, 0, 0], [200, 200, 200]),
        // There is enough for all: what they want (or what is theirs anyway), and an equal part of the rest.
        (600, [100, 0, 20], [233, 183, 183]),
        // One alone gets all but what is guaranteed to the others.
        (600, [9_999, 0, 0], [500, 50, 50]),
        // Too much is wanted: by demand, above the guaranteed parts.
        (600, [600, 600, 0], [275, 275, 50]),
        (1_200, [1_200, 400, 100], [807, 292, 100]),
        (0, [5, 5], [0, 0]), (7, [7], [7]), (7, [], []),
    ] as [(UInt64, [UInt64], [UInt64])])
    func sharesFollowDemand(_ rate: UInt64, _ demands: [UInt64], _ shares: [UInt64]) {
        #expect(OperationShares.split(rate, demands: demands) == shares)
    }

    @Test func sharesAreNeverMoreThanTheQuotaNorLessThanAQuarterOfAnEqualPart() {
        var random = RandomSource(seed: 11)
        for _ in 0..<3_000 {
            let edges = 1 + random.next() % 40
            let rate = random.next() % 1_000_000_000_001 >> (random.next() % 40)
            let demands = (0..<edges).map { _ in random.next() % (1 << 50) >> (random.next() % 50) }
            let shares = OperationShares.split(rate, demands: demands)
            #expect(shares.reduce(0, +) <= rate)
            #expect(shares.allSatisfy { $0 >= rate / (4 * edges) })
        }
    }

    @Test func aBucketLetsThroughItsRateAndOneSecondMore() {
        // 50 operations a second, asked for 200 times a second for ten seconds.
        var bucket = OperationBucket(rate: 50_000, nowMs: 0)
        var passed = 0
        for nowMs in stride(from: UInt64(0), to: 10_000, by: 5) where bucket.take(nowMs: nowMs) == nil {
            passed += 1
        }
        #expect((549...550).contains(passed))
    }

    @Test func whatABucketSaysAboutWaitingIsTrue() {
        for rate in [1_000, 999, 333, 60_000, 7_777_000] as [UInt64] {
            var bucket = OperationBucket(rate: rate, nowMs: 50)
            var waitMs: UInt64?
            while waitMs == nil { waitMs = bucket.take(nowMs: 50) }
            let dueMs = 50 + (waitMs ?? 0)
            var early = bucket
            #expect(early.take(nowMs: dueMs - 1) != nil)
            #expect(bucket.take(nowMs: dueMs) == nil)
        }
        var closed = OperationBucket(rate: 0, nowMs: 0)
        #expect(closed.take(nowMs: 1_000_000) == 10_000)
    }

    @Test func aNewRateTakesEffectAtOnceAndSavesNothingUp() {
        var bucket = OperationBucket(rate: 1_000_000, nowMs: 0)
        bucket.setRate(2_000, nowMs: 5)
        let passed = (0..<10).filter { _ in bucket.take(nowMs: 5) == nil }.count
        #expect(passed == 2)
        bucket.setRate(1_000_000, nowMs: 5)
        #expect(bucket.take(nowMs: 5) == 1)
        #expect(bucket.take(nowMs: 6) == nil)
    }
}

/// What nodes tell each other of usage, and what each makes of it.
struct UsageLedgerTests {
    private func process(_ node: UInt64, _ incarnation: UInt64 = 1) -> NodeProcess {
        NodeProcess(node: NodeID(rawValue: node), incarnation: Incarnation(rawValue: incarnation))
    }

    private func load(_ objects: UInt64, _ bytes: UInt64, _ sockets: UInt64, _ demand: UInt64) -> LoopLoad {
        var load = LoopLoad()
        (load.objects, load.bytes, load.sockets, load.demand) = (objects, bytes, sockets, demand)
        return load
    }

    private func report(_ process: NodeProcess, objects: UInt64, demands: [UInt64] = [0, 0]) -> UsageReport {
        UsageReport(
            process: process,
            lines: [UsageReport.Line(project: "p", objects: objects, bytes: 1, sockets: 2, demands: demands)])
    }

    private let limited = [(project: "p", quota: Quota(objects: 9, operationsPerSecond: 60))]

    @Test func loopsAndNodesAreSummed() {
        var ledger = UsageLedger(loops: 2)
        ledger.take(["p": load(1, 10, 100, 5), "q": load(7, 7, 7, 7)], ofLoop: 0)
        ledger.take(["p": load(2, 20, 200, 0)], ofLoop: 1)
        ledger.take(report(process(2), objects: 4, demands: [3, 4]))
        let standing = ledger.standing(limited, liveNodes: 3)
        let used = standing.lines["p"]?.used
        #expect(used?.objects == 7 && used?.bytes == 31 && used?.sockets == 302)
        #expect(used?.operationsPerSecond == 12)
        #expect(standing.lines["q"] == nil, "only projects with quotas are kept account of")
        // Six edges, the third node's count although it has said nothing: 5 + 2.5 + 3 + 4 + 2.5 + 2.5 wanted.
        #expect(standing.lines["p"]?.loopRates == [11_750, 9_250])
        let own = ledger.report(of: process(1), projects: ["idle", "p"])
        #expect(own.lines.map(\.project) == ["p"] && own.lines[0].objects == 3 && own.lines[0].demands == [5, 0])
    }

    @Test func theNewestReportOfALiveProcessCounts() {
        var ledger = UsageLedger(loops: 1)
        func objects() -> UInt64? { ledger.standing(limited, liveNodes: 2).lines["p"]?.used.objects }
        ledger.take(report(process(2), objects: 4))
        ledger.take(report(process(2), objects: 3))
        #expect(objects() == 3)
        ledger.take(report(process(2, 5), objects: 6))
        ledger.take(report(process(2, 1), objects: 8))
        #expect(objects() == 6, "an earlier run's report comes late")
        ledger.keep(only: [process(1), process(2, 5)])
        #expect(objects() == 6)
        ledger.keep(only: [process(1), process(2, 6)])
        #expect(objects() == 0)
        ledger.take(["p": load(2, 0, 0, 0)], ofLoop: 0)
        #expect(objects() == 2)
        ledger.clear()
        #expect(objects() == 0)
    }

    @Test func largestFiguresOfAllNodesDoNotOverflow() throws {
        var ledger = UsageLedger(loops: 1)
        let most = UInt64(UsageReport.figureMax)
        let demands = Array(repeating: UInt64(UsageReport.demandMax), count: UsageReport.loopsMax)
        for node in 2...UInt64(PlacementLimits.nodes) {
            let line = UsageReport.Line(
                project: "p", objects: most, bytes: most, sockets: most, demands: demands)
            ledger.take(UsageReport(process: process(node), lines: [line]))
        }
        let quota = Quota(operationsPerSecond: PlacementLimits.operationsPerSecondMax)
        let standing = ledger.standing([("p", quota)], liveNodes: PlacementLimits.nodes)
        #expect(standing.lines["p"]?.used.bytes == most * 4_095)
        #expect(standing.lines["p"]?.loopRates.count == 1)
        // One more of anything is no report.
        let beyond = UsageReport(
            process: process(2),
            lines: [UsageReport.Line(project: "p", objects: most + 1, bytes: 0, sockets: 0, demands: [])])
        #expect(Samples.decode(Samples.bytes(.usage(beyond))) == nil)
    }
}

/// What one loop makes of where projects stand.
struct QuotaBookTests {
    private func book(_ quota: Quota, used: ProjectTotals = ProjectTotals(), rates: [UInt64] = []) -> QuotaBook {
        let book = QuotaBook(loop: 0, limits: Limits())
        book.adopt(QuotaStanding(lines: ["p": .init(quota: quota, used: used, loopRates: rates)]), nowMs: 0)
        return book
    }

    @Test func growthCountsUntilTheNextStanding() {
        var used = ProjectTotals()
        (used.objects, used.bytes) = (4, 100)
        let book = book(Quota(objects: 5, bytes: 200), used: used)
        #expect(book.room(of: "other") == nil)
        book.grew("p", objects: 2, bytes: 30)
        book.grew("other", objects: 9, bytes: 9)
        #expect(book.room(of: "p")?.objects == .init(used: 6, limit: 5))
        #expect(book.room(of: "p")?.bytes == .init(used: 130, limit: 200))
        book.grew("p", objects: -20, bytes: -1_000)
        #expect(book.room(of: "p")?.objects?.used == 0 && book.room(of: "p")?.bytes?.used == 0)
        book.adopt(book.standing, nowMs: 1_000)
        #expect(book.room(of: "p")?.objects?.used == 4)
        #expect(self.book(Quota(sockets: 1)).room(of: "p") == nil)
    }

    @Test func socketsAreCountedAsTheyComeAndTheNextIsRefused() {
        var used = ProjectTotals()
        used.sockets = 2
        let book = book(Quota(sockets: 4), used: used)
        #expect(book.admitSocket(of: "p") == nil)
        #expect(book.admitSocket(of: "p") == nil)
        #expect(book.admitSocket(of: "p")?.code == "rateLimitError.quota.sockets")
        #expect(book.admitSocket(of: "other") == nil)
        #expect(book.refusals == ["sockets": 1])
    }

    @Test func operationsAreRefusedBeyondTheLoopsRateAndDemandCountsThemAll() {
        let book = book(Quota(operationsPerSecond: 4), rates: [2_000])
        let refused = (0..<5).compactMap { _ in book.admitOperation(of: "p", nowMs: 100) }
        #expect(refused.count == 3)
        #expect(refused.first?.refusal.code == "rateLimitError.quota.operations")
        #expect(refused.first?.retryAfterMs == 500)
        #expect(book.admitOperation(of: "other", nowMs: 100) == nil)
        #expect(book.takeDemands(intervalMs: 1_000) == ["p": 5])
        #expect(book.takeDemands(intervalMs: 1_000).isEmpty)
        #expect(book.refusals == ["operations": 3])
        book.adopt(QuotaStanding(), nowMs: 200)
        #expect(!book.isActive && book.admitOperation(of: "p", nowMs: 200) == nil)
    }
}
