import ObjectRuntime
import Testing

@testable import Cluster
@testable import Simulation

/// Idle objects leave memory at the owner and at its replicas, and nobody sees it.
struct HibernationScenarioTests {
    private func cluster(shards: Int = 1, afterMs: UInt64 = 2_000) -> TestCluster {
        .serving(shards: shards) {
            $0.hibernateAfterMs = afterMs
            $0.checkpointIntervalMs = 50
        }
    }

    private func report(_ cluster: TestCluster, _ number: Int) -> (objects: Int, cold: Int) {
        let shards = cluster.nodes[number].loop.report().shards
        return (shards.reduce(0) { $0 + $1.objects }, shards.reduce(0) { $0 + $1.coldObjects })
    }

    private func counters(_ cluster: TestCluster, _ number: Int) -> NodeCounters {
        cluster.nodes[number].loop.report().counters
    }

    @Test func anIdleObjectLeavesMemoryEverywhereAndARequestWakesIt() throws {
        let cluster = cluster()
        let owner = try #require(cluster.owner())
        _ = cluster.run(.addOne(), at: 0)
        cluster.advance(ms: 1_900)
        for node in 0..<3 { #expect(report(cluster, node) == (1, 0), "it is used within the setting") }
        cluster.advance(ms: 1_000)
        for node in 0..<3 { #expect(report(cluster, node) == (1, 1)) }
        let cold = (0..<3).map { cluster.nodes[$0].loop.snapshotBytes(of: TestCluster.shard) }
        #expect(Set(cold).count == 1)

        #expect(cluster.run(.getItem("n"), at: 1)?.text.contains("\"value\":1,") == true)
        #expect(report(cluster, owner) == (1, 0))
        #expect(counters(cluster, owner).wokenObjects == 1 && counters(cluster, owner).hibernatedObjects == 1)
        #expect(report(cluster, cluster.other(than: owner)) == (1, 1), "a read wakes it where it is read")

        #expect(cluster.run(.addOne(), at: 2)?.text.contains("\"value\":2,") == true)
        cluster.advance(ms: 100)
        for node in 0..<3 { #expect(report(cluster, node) == (1, 0)) }
        let hot = (0..<3).map { cluster.nodes[$0].loop.snapshotBytes(of: TestCluster.shard) }
        #expect(Set(hot).count == 1 && hot != cold)
    }

    @Test func anHeirWakesWhatItsPredecessorWrote() throws {
        let cluster = cluster(afterMs: 100)
        _ = cluster.run(.addOne(), at: 0)
        cluster.advance(ms: 500)
        let owner = try #require(cluster.owner())
        cluster.crash(owner)
        cluster.bury(owner)
        let edge = cluster.other(than: owner)
        #expect(cluster.run(.addOne(), at: edge)?.text.contains("\"value\":2,") == true)
    }

    /// The owner has nothing of it in memory when the grace time is over: reading it finds the damage.
    @Test func connectionsOfADeadNodeLeaveThoughTheirObjectIsDamagedO12O15() throws {
        let cluster = cluster(afterMs: 100)
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        let heir = cluster.other(than: owner, edge)
        let observer = cluster.connect(at: heir)
        let member = cluster.connect(at: edge)
        cluster.send(.join(SocketPayload("{}")), over: member)
        cluster.advance(ms: 1_000)
        for node in [owner, heir] { #expect(report(cluster, node) == (1, 1)) }
        var random = SeededGenerator(seed: 5)
        #expect(cluster.nodes[owner].store.damage(TestCluster.shard, using: &random))
        cluster.crash(edge)
        cluster.bury(edge)
        #expect(cluster.advance(upToMs: 20_000) { !cluster.nodes[owner].lost.isEmpty })
        try cluster.restart(edge, nonce: 97)
        #expect(cluster.advance(upToMs: 20_000) { !cluster.events("presence:leave", at: observer).isEmpty })
        #expect(cluster.events("presence:leave", at: observer).count == 1)
    }

    @Test func zeroKeepsEverythingInMemory() {
        let cluster = cluster(afterMs: 0)
        _ = cluster.run(.addOne(), at: 0)
        cluster.advance(ms: 20_000)
        for node in 0..<3 { #expect(report(cluster, node) == (1, 0)) }
    }

    @Test func aTickLooksAtFewObjects() {
        let few: (inout NodeSettings) -> Void = {
            $0.hibernateAfterMs = 100
            $0.hibernatePerTick = 2
            $0.checkpointIntervalMs = 20
        }
        let cluster = TestCluster.serving(adjust: few)
        for number in 0..<9 { _ = cluster.run(.addOne(), at: 0, objectID: "o\(number)") }
        // Nine objects are used at once; what leaves in one tick is then bounded.
        for number in 0..<9 { _ = cluster.submit(.addOne(), at: 0, objectID: "o\(number)") }
        var before = report(cluster, 0).cold
        #expect(before == 0)
        for _ in 0..<40 {
            cluster.advance(ms: 10)
            let cold = report(cluster, 0).cold
            #expect(cold - before <= 2)
            before = cold
        }
        #expect(before == 9)
    }

    /// A working set that fills the memory is no reason to write the shard's head again and again.
    @Test func whatIsStoredAlreadyMakesNoCheckpoints() {
        let bytesMax = 64 << 10
        let cluster = TestCluster.serving {
            $0.hibernateAfterMs = 0
            $0.loadedBytesMax = bytesMax
            $0.checkpointIntervalMs = 500
        }
        func loadedBytes() -> Int { cluster.nodes[0].loop.report().shards.reduce(0) { $0 + $1.loadedBytes } }
        var objects = 0
        while loadedBytes() < bytesMax / 10 * 7 {
            objects += 1
            _ = cluster.run(.addOne(), at: 0, objectID: "o\(objects)")
        }
        cluster.advance(ms: 1_000)
        let before = counters(cluster, 0).checkpointsBegun
        for _ in 0..<100 {
            _ = cluster.run(.addOne(), at: 0, objectID: "o1")
            cluster.advance(ms: 10)
        }
        #expect((1...4).contains(counters(cluster, 0).checkpointsBegun - before))
        #expect((bytesMax / 10 * 7..<bytesMax).contains(loadedBytes()))
    }
}
