import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Owners die, are cut off, or cannot lead; clients at the other nodes do not notice.
struct FailoverScenarioTests {
    @Test func theNextOwnerRepeatsTheAnswerThatDiedWithTheLastO10() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        cluster.loses = { if case .outcome = $0.message { $0.from == owner } else { false } }
        let token = cluster.submit(.addOne(), at: edge)
        cluster.advance(ms: 50)
        #expect(cluster.answer(token) == nil)
        cluster.loses = { _ in false }
        cluster.crash(owner)
        cluster.bury(owner)
        #expect(cluster.advance(upToMs: 1_000) { cluster.answer(token) != nil }, "held, not refused (O11)")
        #expect(cluster.answer(token)?.applied == .yes)
        #expect(cluster.answer(token)?.text.contains("\"value\":1,") == true)
        #expect(cluster.answer(token)?.replayed == false, "the client has not named its operation")
        #expect(cluster.run(.addOne(), at: edge)?.text.contains("\"value\":2,") == true, "once (O10)")
    }

    @Test func anObituaryNeedNotWaitForTheLeaseO7() throws {
        let cluster = TestCluster.serving(leaseDurationMs: 20_000)
        let owner = try #require(cluster.owner())
        cluster.crash(owner)
        cluster.bury(owner)
        #expect(cluster.advance(upToMs: 2_000) { cluster.owner() != nil })
        let survivor = cluster.other(than: owner)
        let dead = Obituary(node: cluster.nodes[owner].nodeID, nonce: cluster.nodes[owner].identity.nonce)
        #expect(
            cluster.advance(upToMs: 500) { cluster.nodes[survivor].buried.contains(dead) },
            "the parent is told")
        #expect(cluster.nodes[survivor].view?.state?.table.records[0].history.last?.cause == .obituary)
    }

    @Test func anOwnerCutOffAnswersNoReadPastItsLeaseAndNeverBesideAnotherI1() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        _ = cluster.run(.set("a", "1"), at: owner)
        cluster.isolate(owner)
        var most = 0
        cluster.advance(upToMs: 6_000) {
            most = max(most, (0..<3).filter { cluster.inspection($0)?.passesReadCheck == true }.count)
            return cluster.owner().map { $0 != owner } ?? false
        }
        cluster.advance(ms: 2_000)
        #expect(most <= 1)
        #expect(cluster.inspection(owner)?.passesReadCheck == false)
        let successor = try #require(
            (0..<3).first { $0 != owner && cluster.inspection($0)?.isServing == true })
        #expect(cluster.run(.set("a", "2"), at: successor)?.applied == .yes)
        let stale = cluster.submit(.getItem("a"), at: owner)
        cluster.advance(ms: 3_000)
        #expect(cluster.answer(stale).map { $0.refusal != nil } ?? true, "no stale value leaves")
    }

    @Test func readsWithoutALeaseGoThroughABarrierO4() throws {
        let cluster = TestCluster.serving { $0.readsByQuorum = true }
        let owner = try #require(cluster.owner())
        _ = cluster.run(.set("a", "1"), at: owner)
        for node in cluster.nodes { node.holdsJournal = true }
        let read = cluster.submit(.getItem("a"), at: owner)
        #expect(cluster.answer(read) == nil, "the barrier is not durable yet")
        for node in cluster.nodes {
            while node.sync(now: cluster.now) { cluster.flush(node) }
        }
        cluster.deliver()
        for node in cluster.nodes { node.holdsJournal = false }
        cluster.advance(ms: 100)
        #expect(cluster.answer(read)?.text.contains("\"value\":1") == true)
        #expect(cluster.nodes[owner].loop.report().counters.barrierReads >= 1)
    }

    @Test func twoTriesOfOneOperationHaveOneEffectO10() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        cluster.keeps = { if case .outcome = $0.message { true } else { false } }
        let token = cluster.submit(.addOne(), at: edge)
        let linkUp = LoopInput.linkUp(cluster.nodes[owner].nodeID)
        cluster.nodes[edge].loop.step(linkUp, now: cluster.now)
        cluster.flush(cluster.nodes[edge])
        cluster.deliver()
        #expect(cluster.kept.count == 2, "both tries have an outcome")
        cluster.releaseKept()
        #expect(cluster.answer(token)?.text.contains("\"value\":1,") == true)
        #expect(cluster.run(.addOne(), at: edge)?.text.contains("\"value\":2,") == true)
    }

    @Test func anOwnerThatReachesNoMajorityYieldsO2() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        cluster.loses = { if case .shard = $0.message { $0.from == owner || $0.to == owner } else { false } }
        let token = cluster.submit(.addOne(), at: owner)
        #expect(cluster.advance(upToMs: 5_000) { cluster.owner().map { $0 != owner } ?? false })
        #expect(cluster.advance(upToMs: 2_000) { cluster.answer(token) != nil })
        #expect(cluster.answer(token)?.applied == .yes)
        let history = cluster.nodes[owner].view?.state?.table.records[0].history
        #expect(history?.last?.cause == .yielded)
    }

    @Test func aReplicaWithoutItsLogAnswersNoSealO2O9() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let damaged = cluster.other(than: owner)
        _ = cluster.run(.set("a", "1"), at: owner)
        cluster.crash(damaged)
        cluster.bury(damaged)
        try cluster.restart(damaged, nonce: 77) { $0.group == .shard(TestCluster.shard) }
        cluster.advance(ms: 1_000)
        #expect(cluster.owner() == owner)
        cluster.crash(owner)
        cluster.bury(owner)
        cluster.advance(ms: 4_000)
        #expect(cluster.owner() == nil, "one log of three is no majority")
        try cluster.restart(owner, nonce: 78)
        #expect(cluster.advance(upToMs: 8_000) { cluster.owner() != nil })
        #expect(cluster.owner() != damaged)
        #expect(cluster.run(.getItem("a"), at: damaged)?.text.contains("\"value\":1") == true)
    }

    @Test func everythingAcknowledgedSurvivesTheDeathOfAllI2() throws {
        let cluster = TestCluster.serving()
        for count in 1...5 { #expect(cluster.run(.addOne(), at: count % 3)?.applied == .yes) }
        for number in 0..<3 { cluster.crash(number) }
        for number in [2, 0, 1] { try cluster.restart(number, nonce: 500 + UInt64(number)) }
        #expect(cluster.advance(upToMs: 10_000) { cluster.owner() != nil })
        #expect(cluster.run(.addOne(), at: 1)?.text.contains("\"value\":6,") == true)
    }

    @Test func aBuriedNonceCannotRegisterO7() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let victim = cluster.other(than: owner)
        cluster.crash(victim)
        cluster.bury(victim)
        let early = Obituary(node: cluster.nodes[victim].nodeID, nonce: 99)
        cluster.nodes[owner].core.step(.obituary(early), now: cluster.now)
        cluster.advance(ms: 500)
        #expect(cluster.nodes[owner].buried.contains(early))
        try cluster.restart(victim, nonce: 99)
        #expect(cluster.advance(upToMs: 2_000) { cluster.nodes[victim].exit == .fenced })
        try cluster.restart(victim, nonce: 100)
        cluster.advance(ms: 2_000)
        #expect(cluster.nodes[victim].exit == nil)
        #expect(cluster.nodes[victim].view?.process != nil)
    }
}
