import Placement
import Testing

@testable import Cluster
@testable import ClusterTests
@testable import Raft
@testable import RaftTests
@testable import Simulation
@testable import SimulationTests

/// Bugs of others in who may write and who may read: numbers 20 to 27.
@Suite struct OwnershipRegressions {
    init() { prepareRegression() }

    /// A leader that stood still revokes leases with what it had prepared (etcd #12528, #15247, #16822). Guard: a
    /// replica takes nothing of a lower term (`ElectedReplica.step`), also when it has forgotten the new leader.
    @Test func r20AStaleLeadersRevocationIsRefused() throws {
        var group = TestGroup.elected()
        let old = try #require(group.leader)
        let revokedOrNil = group.propose([20], at: old)
        let revoked = try #require(revokedOrNil)
        let prepared = group.takeMessages()
        group.nodes[group.position(old)].isUp = false
        group.settle(rounds: 80)
        let new = try #require(group.leader)
        group.settle(rounds: 10)
        let other = try #require(group.others(than: old).first { $0 != new })
        group.crash(other)
        group.restart(other)
        let term = group.replica(other).term(at: revoked)
        for message in prepared { group.deliver(message) }
        #expect(term != nil && group.replica(other).term(at: revoked) == term)
        group.nodes[group.position(old)].isUp = true
        group.settle(rounds: 80)
        for number in 1...3 as ClosedRange<UInt64> { #expect(!group.applied(number).contains([20])) }
        #expect(group.rules.violations == [])
    }

    /// A lock is granted though its holder's lease has ended, and its holder writes on (etcd #11456, #11457).
    /// Guard: replicas refuse the old epoch (`AppointedReplica.admit`).
    @Test func r21ReplicasRefuseThePausedOwnersEpoch() throws {
        var group = TestGroup.owned()
        let indexOrNil = group.propose([1], at: 1)
        let index = try #require(indexOrNil)
        let late = group.takeMessages()
        group.nodes[group.position(1)].isUp = false
        group.appoint(2)
        group.settle(rounds: 30)
        _ = group.propose([2], at: 2)
        group.settle()
        group.crash(3)
        group.restart(3)
        let term = group[3].term(at: index)
        for message in late { group.deliver(message) }
        #expect(group[3].term(at: index) == term && group[3].counters.lowerEpochs == 1)
        group.nodes[group.position(1)].isUp = true
        group.settle(rounds: 60)
        for number in 1...3 as ClosedRange<UInt64> {
            #expect(group.applied(number).contains([2]) && !group.applied(number).contains([1]))
        }
        #expect(group.rules.violations == [])
    }

    /// A stale ReadIndex after a leader transfer (tikv #9208, openraft #1749): the new leader does not know yet what
    /// is committed. Guard: `LeadershipConfirmation` answers only behind an entry of the own term.
    @Test func r22ANewLeaderConfirmsNoReadBeforeAnEntryOfItsOwn() throws {
        var group = TestGroup.elected()
        let old = try #require(group.leader)
        let new = group.others(than: old)[0]
        let indexOrNil = group.propose([1], at: old)
        let index = try #require(indexOrNil)
        group.settle(rounds: 2) { !$0.reveals(index) }
        #expect(group.replica(old).commit == index && group.replica(new).commit < index)
        group.nodes[group.position(old)].replica.change(
            { _ = $0.transferLeadership(to: NodeID(new)) }, { _ in })
        group.settle(rounds: 4) { $0.from != NodeID(new) || !$0.isAppend }
        #expect(group.claimant == new)
        group.nodes[group.position(new)].replica.change({ _ = $0.requestReadIndex() }, { _ in })
        group.settle(rounds: 4) { $0.from != NodeID(new) || !$0.isAppend }
        let early = group.nodes[group.position(new)].takeReads().answered
        #expect(early == [])
        group.settle(rounds: 30)
        let answered = group.nodes[group.position(new)].takeReads().answered
        #expect(answered.count == 1 && answered.allSatisfy { $0.index > index })
    }

    /// A retried read reuses its id and matches an old answer (etcd #20418, #21399). Guard: a request waits for a
    /// round that begins after it (`LeadershipConfirmation.add`).
    @Test func r23AnAnswerToAnEarlierRoundConfirmsNoLaterRead() throws {
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var replica = ElectedReplica(id: NodeID(1), initial: .newGroup(voters), seed: 7)
        var rounds: [UInt64] = []
        var reads: [UInt64] = []
        func settle() {
            while replica.hasReady {
                let ready = replica.ready()
                reads += ready.readStates.map(\.id)
                for case .heartbeat(let beat) in ready.messages.map(\.body) { rounds.append(beat.round) }
                if let mark = ready.mark { replica.persisted(term: mark.term, index: mark.index) }
            }
        }
        func hear(_ body: Message.Body) {
            replica.step(Message(from: NodeID(2), to: NodeID(1), term: replica.term, body: body))
            settle()
        }
        while replica.role == .follower { replica.tick() }
        settle()
        for isPreVote in [true, false] {
            hear(.voteAnswer(VoteAnswer(isPreVote: isPreVote, requestTerm: replica.term, granted: true)))
        }
        hear(.appendAccepted(AppendAccepted(match: LogIndex(1), commit: .zero)))
        #expect(replica.isOwnTermCommitted)
        let firstOrNil = replica.requestReadIndex()
        let first = try #require(firstOrNil)
        settle()
        let early = try #require(rounds.last)
        let secondOrNil = replica.requestReadIndex()
        let second = try #require(secondOrNil)
        #expect(second != first)
        // The answer to the first attempt, late and twice.
        hear(.heartbeatAnswer(HeartbeatAnswer(round: early)))
        hear(.heartbeatAnswer(HeartbeatAnswer(round: early)))
        #expect(reads == [first])
        let late = try #require(rounds.last)
        #expect(late > early)
        hear(.heartbeatAnswer(HeartbeatAnswer(round: late)))
        #expect(reads == [first, second])
    }

    /// A lease promise shrinks (cockroach #133764): by a shorter duration, or by a new leadership. Guard: a grant
    /// never takes back an earlier one (`LeaseGranter.grant`), and a new leader waits the longest (O5, O6).
    @Test func r24APromisedLeaseEndNeverGoesBack() {
        let table = TestTable()
        let process = table.process(1)
        let request = LeaseRequest(
            process: process, sentBootNs: 0, sentSteadyNs: 0, isReady: true, reachable: 2, appliedIndex: .zero)
        func clocks(_ ms: UInt64) -> Clocks { Clocks(bootNs: ms * 1_000_000, rawNs: ms * 1_000_000, wallMs: 0) }
        var granter = LeaseGranter(electedAt: .zero)
        for (durationMs, nowMs) in [(2_000, 5_000), (500, 5_100)] as [(UInt64, UInt64)] {
            let grant = granter.grant(
                request, settings: LeaseSettings(durationMs: durationMs), state: table.state, now: clocks(nowMs))
            #expect(grant?.durationMs == durationMs)
        }
        #expect(!granter.mayFence(process, longestMs: 500, now: clocks(6_999)))
        #expect(granter.mayFence(process, longestMs: 500, now: clocks(7_000)))
        let next = LeaseGranter(electedAt: clocks(6_000))
        #expect(!next.mayFence(process, longestMs: 2_000, now: clocks(7_999)))
    }

    /// Local state is read because "I am the leader" (etcd #741, redisraft #19): the old owner is cut off, others
    /// write, it is read. Guard: no read past the lease (`ShardReplica.mayAnswerReads`, O4).
    @Test func r25AnOwnerThatIsCutOffStopsReading() throws {
        let scenario = Scenario(seed: 25)
        let owner = try scenario.owner()
        for other in scenario.others(than: owner) { scenario.cut(owner, from: other) }
        scenario.run(milliseconds: scenario.world.plan.leaseDurationMs + 1_200)
        #expect(try scenario.owner() != owner)
        #expect(try scenario.inspect(owner)?.passesReadCheck != true)
        scenario.conclude()
    }

    /// One object is active on two nodes when one dies or views differ (dotnet/orleans #2428, #6591, #9855). Guard:
    /// nobody is fenced before its lease has surely ended (`LeaseGranter.mayFence`, O6).
    @Test func r26NobodyIsReplacedBeforeItsLeaseHasEnded() throws {
        let scenarios = (1...20 as ClosedRange<UInt64>).lazy.map { Scenario(seed: 2_600 + $0) }
        let scenario = try #require(scenarios.first { (try? $0.owner()) != $0.world.machineOfPlacementLeader() })
        let owner = try scenario.owner()
        for other in scenario.others(than: owner) { scenario.cut(owner, from: other) }
        let isReplaced = scenario.run(atMostMs: 4 * scenario.world.plan.leaseDurationMs) {
            (try? scenario.owner()) != owner
        }
        #expect(isReplaced)
        #expect(try scenario.inspect(owner)?.passesReadCheck != true)
        scenario.run(milliseconds: 500)
        scenario.conclude()
    }

    /// An object learns that it is no longer current only when it touches storage (Cloudflare, known issues): it
    /// computes and answers without a write while its ownership moves. Guard: answers without an entry are checked
    /// after their values were taken (`ShardReplica.holdRead`, `checkReads`, O4).
    @Test func r27AnswersWithoutAWriteAreCheckedToo() throws {
        let scenario = Scenario(seed: 27) {
            ($0.workload.hotObjects, $0.workload.coldObjects) = (1, 0)
            // Some of those who are cut off with the owner only read until the other owner has written.
            ($0.workload.clients, $0.workload.readShare) = (90, 0.97)
        }
        let owner = try scenario.owner()
        for other in scenario.others(than: owner) { scenario.cut(owner, from: other) }
        scenario.run(milliseconds: 3 * scenario.world.plan.leaseDurationMs)
        #expect(try scenario.owner() != owner)
        scenario.conclude()
    }
}
