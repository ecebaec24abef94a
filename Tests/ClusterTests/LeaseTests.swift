import Placement
import Raft
import Testing

@testable import Cluster

/// Leases on two clocks, seen from both sides (O5, O6).
struct LeaseTests {
    private func clocks(boot: UInt64, raw: UInt64) -> Clocks {
        Clocks(bootNs: boot * 1_000_000, rawNs: raw * 1_000_000, wallMs: 0)
    }

    private func clocks(_ ms: UInt64) -> Clocks { clocks(boot: ms, raw: ms) }

    private func request(_ process: NodeProcess, reachable: UInt16 = 2, isReady: Bool = true) -> LeaseRequest
    {
        LeaseRequest(
            process: process, sentBootNs: 0, sentSteadyNs: 0, isReady: isReady, reachable: reachable,
            appliedIndex: .zero)
    }

    @Test func eitherClockEndsALeaseForItsHolderBothForItsGranterO5() {
        let deadline = Deadline.after(10_000_000, from: clocks(100))
        for (boot, raw, holder, granter) in [
            (109, 109, false, false), (110, 109, true, false), (109, 110, true, false),
            (110, 110, true, true),
        ] as [(UInt64, UInt64, Bool, Bool)] {
            #expect(deadline.isOverForHolder(clocks(boot: boot, raw: raw)) == holder)
            #expect(deadline.isOverForGranter(clocks(boot: boot, raw: raw)) == granter)
        }
        #expect(Deadline.passed.isOverForHolder(.zero))
    }

    /// For 1.2 s of a lease of 1.5 s one clock was slewed by a tenth, then the machine slept for 0.35 s while the other
    /// stood still: each alone falls short.
    @Test func aSlewAndASuspensionInOneLeaseEndItInTimeO5() {
        let start = Clocks(bootNs: 0, rawNs: 0, wallMs: 0)
        let deadline = Deadline.after(1_470_000_000, from: start)
        let woken = Clocks(
            bootNs: 1_430_000_000, rawNs: 1_200_000_000, steadyNs: 1_550_000_000, wallMs: 0)
        #expect(deadline.isOverForHolder(woken))
        #expect(!deadline.isOverForGranter(woken))
    }

    @Test func ofTwoLeasesTheLongerCountsOnEachClockO6() {
        var deadline = Deadline(bootNs: 5, steadyNs: 9)
        deadline.extend(to: Deadline(bootNs: 7, steadyNs: 3))
        #expect(deadline == Deadline(bootNs: 7, steadyNs: 9))
    }

    @Test func theHolderCountsFromItsSendTimeAndTakesTwiceTheDriftOffO5() {
        let table = TestTable()
        var holder = LeaseHolder()
        let grant = LeaseGrant(
            process: table.process(1), sentBootNs: 1_000_000_000, sentSteadyNs: 2_000_000_000, durationMs: 2_000)
        let settings = table.state.settings.lease
        #expect(settings.driftPerMille == 10)
        let wasTaken = holder.take(grant, settings: settings, now: clocks(boot: 1_900, raw: 2_900))
        #expect(wasTaken)
        #expect(holder.until == Deadline(bootNs: 2_960_000_000, steadyNs: 3_960_000_000))
        #expect(holder.isHeld(clocks(boot: 2_959, raw: 3_959)))
        #expect(!holder.isHeld(clocks(boot: 2_960, raw: 3_000)))
        #expect(!holder.isHeld(clocks(boot: 2_000, raw: 3_960)))
        let isLonger = holder.take(grant, settings: settings, now: clocks(boot: 1_950, raw: 2_950))
        #expect(!isLonger, "the same grant again")
    }

    @Test func aGrantFromTheFutureIsNoLease() {
        let table = TestTable()
        var holder = LeaseHolder()
        let grant = LeaseGrant(process: table.process(1), sentBootNs: 1, sentSteadyNs: 1, durationMs: 2_000)
        let wasTaken = holder.take(grant, settings: table.state.settings.lease, now: .zero)
        #expect(!wasTaken)
    }

    @Test func theHolderAsksEarlyEnoughAndSoonerWithoutALease() {
        let table = TestTable()
        var holder = LeaseHolder()
        var asked: [UInt64] = []
        for ms in stride(from: UInt64(10), through: 200, by: 10)
        where holder.shouldAsk(durationMs: 2_000, now: clocks(ms)) { asked.append(ms) }
        #expect(asked == [10, 60, 110, 160])
        let grant = LeaseGrant(process: table.process(1), sentBootNs: 0, sentSteadyNs: 0, durationMs: 2_000)
        _ = holder.take(grant, settings: table.state.settings.lease, now: clocks(200))
        let isDue = [210, 650, 660].map { holder.shouldAsk(durationMs: 2_000, now: clocks($0)) }
        #expect(isDue == [false, false, true])
    }

    @Test func aProcessForWhichAFenceWasProposedGetsNoLeaseO5() {
        let table = TestTable()
        let settings = table.state.settings.lease
        var granter = LeaseGranter(electedAt: clocks(0))
        granter.wait(request(table.process(1)), confirmation: 1)
        granter.wait(request(table.process(2)), confirmation: 1)
        granter.noteFenceProposed(table.process(1))
        let grants = granter.confirmed(1, settings: settings, state: table.state, now: clocks(10))
        #expect(grants.map(\.process) == [table.process(2)], "asked at the moment of the grant")
        let late = granter.grant(
            request(table.process(1)), settings: settings, state: table.state, now: clocks(20))
        #expect(late == nil)
    }

    @Test func onlyAConfirmationThatBeganLaterCountsO5() {
        let table = TestTable()
        let settings = table.state.settings.lease
        var granter = LeaseGranter(electedAt: clocks(0))
        granter.wait(request(table.process(1)), confirmation: 2)
        #expect(granter.confirmed(1, settings: settings, state: table.state, now: clocks(1)).isEmpty)
        #expect(granter.confirmed(2, settings: settings, state: table.state, now: clocks(1)).count == 1)
        granter.wait(request(table.process(1)), confirmation: 3)
        granter.abandon(3)
        #expect(granter.confirmed(3, settings: settings, state: table.state, now: clocks(1)).isEmpty)
    }

    @Test func onlyTheNewestLiveRunOfANodeGetsALease() {
        var table = TestTable()
        let old = table.process(1)
        table.register(1, nonce: 55)
        var granter = LeaseGranter(electedAt: clocks(0))
        let settings = table.state.settings.lease
        let refused = granter.grant(request(old), settings: settings, state: table.state, now: clocks(1))
        #expect(refused == nil)
        let given = granter.grant(
            request(table.process(1)), settings: settings, state: table.state, now: clocks(1))
        #expect(given?.durationMs == settings.durationMs)
    }

    @Test func aNewLeaderFencesOnlyAfterTheLongestLeaseOfItsPredecessorsO6() {
        let table = TestTable()
        let granter = LeaseGranter(electedAt: clocks(100))
        for (boot, raw, may) in [(2_099, 9_000, false), (9_000, 2_099, false), (2_100, 2_100, true)]
            as [(UInt64, UInt64, Bool)]
        {
            let now = clocks(boot: boot, raw: raw)
            #expect(granter.mayFence(table.process(2), longestMs: 2_000, now: now) == may)
        }
    }

    @Test func ownGrantsMustBeOverOnBothClocksO6() {
        let table = TestTable()
        var granter = LeaseGranter(electedAt: clocks(0))
        _ = granter.grant(
            request(table.process(2)), settings: table.state.settings.lease, state: table.state,
            now: clocks(5_000))
        #expect(!granter.mayFence(table.process(2), longestMs: 2_000, now: clocks(boot: 7_000, raw: 6_999)))
        #expect(!granter.mayFence(table.process(2), longestMs: 2_000, now: clocks(boot: 6_999, raw: 7_000)))
        #expect(granter.mayFence(table.process(2), longestMs: 2_000, now: clocks(7_000)))
        granter.noteFenceProposed(table.process(2))
        #expect(!granter.mayFence(table.process(2), longestMs: 2_000, now: clocks(7_000)), "once is enough")
    }

    @Test func candidatesHoldALeaseAreReadyAndTheBestReachableComeFirstO6() {
        let table = TestTable()
        let settings = table.state.settings.lease
        var granter = LeaseGranter(electedAt: clocks(0))
        for (number, reachable, isReady) in [(1, 1, true), (2, 2, true), (3, 2, false)]
            as [(Int, UInt16, Bool)]
        {
            _ = granter.grant(
                request(table.process(number), reachable: reachable, isReady: isReady), settings: settings,
                state: table.state, now: clocks(10))
        }
        #expect(granter.candidates(excluding: nil, now: clocks(20)) == [table.process(2), table.process(1)])
        #expect(granter.candidates(excluding: table.process(2), now: clocks(20)) == [table.process(1)])
        #expect(granter.candidates(excluding: nil, now: clocks(2_010)).isEmpty)
        granter.noteFenceProposed(table.process(2))
        #expect(granter.candidates(excluding: nil, now: clocks(20)) == [table.process(1)])
    }
}
