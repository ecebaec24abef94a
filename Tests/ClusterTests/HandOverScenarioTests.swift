import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Shards change hands because somebody asked: moves (O8) and shutdowns (O6 c).
struct HandOverScenarioTests {
    @Test func aMoveHandsOverWithoutLosingARequestO8() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let target = cluster.other(than: owner)
        let edge = cluster.other(than: owner, target)
        _ = cluster.run(.addOne(), at: edge)
        let before = try #require(cluster.inspection(owner)?.epoch)
        try ask(cluster, owner: owner, toMoveTo: target)
        let token = cluster.submit(.addOne(), at: edge)
        #expect(cluster.advance(upToMs: 2_000) { cluster.owner() == target })
        #expect(cluster.advance(upToMs: 1_000) { cluster.answer(token) != nil })
        #expect(cluster.answer(token)?.text.contains("\"value\":2,") == true)
        #expect(cluster.inspection(target)?.epoch == before.next)
        #expect(cluster.nodes[edge].view?.state?.table.records[0].history.last?.cause == .assigned)
    }

    /// The node that an operator talks to is the owner, or not.
    @Test(arguments: [true, false]) func anOrderReachesTheOwnerAndBothSidesMeasureThePause(atOwner: Bool) throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let target = cluster.other(than: owner)
        let asked = atOwner ? owner : cluster.other(than: owner, target)
        let record = try #require(cluster.nodes[asked].view?.state?.table.records[0])
        let from = try #require(record.owner)
        let to = try #require(cluster.nodes[target].view?.process)
        let request = MoveRequest(shard: TestCluster.shard, epoch: record.epoch, from: from, to: to)
        cluster.nodes[asked].core.step(.order(request), now: cluster.now)
        #expect(cluster.advance(upToMs: 2_000) { cluster.owner() == target })
        let old = try #require(cluster.nodes[owner].loop.report().shards.first)
        #expect(old.handOverEpoch == record.epoch.next.rawValue)
        #expect(old.handOverMs ?? .max <= 1_000)
        let new = try #require(cluster.nodes[target].loop.report().shards.first)
        #expect(new.takeoverEpoch == record.epoch.next.rawValue)
        #expect(new.takeoverPauseMs != nil && new.handOverMs == nil)
    }

    @Test func aMoveToADeadTargetIsSettledByTheOwnerO8() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let target = cluster.other(than: owner)
        let edge = cluster.other(than: owner, target)
        let stale = NodeProcess(node: cluster.nodes[target].nodeID, incarnation: Incarnation(rawValue: 900))
        try ask(cluster, owner: owner, toMoveTo: target, process: stale)
        let token = cluster.submit(.addOne(), at: edge)
        #expect(cluster.advance(upToMs: 5_000) { cluster.answer(token) != nil })
        #expect(cluster.answer(token)?.applied == .yes)
        #expect(cluster.owner() == owner)
    }

    @Test func aWishForAnotherEpochIsIgnoredO8() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let epoch = try #require(cluster.inspection(owner)?.epoch)
        try ask(cluster, owner: owner, toMoveTo: cluster.other(than: owner), epoch: epoch.next)
        cluster.advance(ms: 500)
        #expect(cluster.owner() == owner)
        #expect(cluster.inspection(owner)?.epoch == epoch)
    }

    @Test(arguments: 0..<3) func shutdownDrainsAndIsFencedByRequestO6(_ leaving: Int) throws {
        let cluster = TestCluster.serving(shards: 3)
        let edge = cluster.other(than: leaving)
        _ = cluster.run(.addOne(), at: edge)
        cluster.nodes[leaving].core.step(.shutdown, now: cluster.now)
        let process = try #require(cluster.nodes[leaving].view?.process)
        let token = cluster.submit(.addOne(), at: edge)
        #expect(cluster.advance(upToMs: 3_000) { cluster.nodes[leaving].exit == .drained })
        #expect(cluster.advance(upToMs: 2_000) { cluster.servingShards == 3 && cluster.answer(token) != nil })
        #expect(cluster.answer(token)?.text.contains("\"value\":2,") == true)
        let state = try #require(cluster.nodes[edge].view?.state)
        #expect(state.isFenced(process))
        #expect(
            !state.table.records.contains { $0.history.last?.cause == .requested },
            "every shard was handed over before the fence, which had nothing left to take")
    }

    @Test(arguments: 0..<3) func aRequestAtTheLeavingNodeIsAnsweredByTheHeirO8(_ leaving: Int) throws {
        let cluster = TestCluster.serving(shards: 3)
        _ = cluster.run(.addOne(), at: leaving)
        cluster.nodes[leaving].core.step(.shutdown, now: cluster.now)
        cluster.advance(ms: 20)
        let token = cluster.submit(.addOne(), at: leaving)
        #expect(cluster.advance(upToMs: 3_000) { cluster.nodes[leaving].exit == .drained })
        #expect(cluster.answer(token)?.text.contains("\"value\":2,") == true)
    }

    /// The node was told while it handed over, and did not get to it; when it owns the shard again things have changed.
    @Test func aWishOfAnEarlierOwnershipIsVoidO9() throws {
        let cluster = TestCluster.serving { $0.balanceIntervalMs = 1_000_000 }
        let owner = try #require(cluster.owner())
        let heir = cluster.other(than: owner)
        try wish(cluster, owner: owner)
        try ask(cluster, owner: owner, toMoveTo: heir)
        #expect(cluster.advance(upToMs: 2_000) { cluster.owner() == heir })
        try ask(cluster, owner: heir, toMoveTo: owner)
        #expect(cluster.advance(upToMs: 2_000) { cluster.owner() == owner })
        cluster.advance(ms: 500)
        #expect(voters(cluster, owner) == 3)
    }

    /// Late word that a node is to go must not take it out again after it was taken in anew.
    @Test func aWishForAnotherConfigurationIsVoidO9() throws {
        let cluster = TestCluster.serving { $0.balanceIntervalMs = 1_000_000 }
        let owner = try #require(cluster.owner())
        try wish(cluster, owner: owner, basis: LogPoint(epoch: Epoch(rawValue: 1), index: LogIndex(rawValue: 1)))
        cluster.advance(ms: 500)
        #expect(voters(cluster, owner) == 3)
        try wish(cluster, owner: owner)
        #expect(cluster.advance(upToMs: 2_000) { voters(cluster, owner) == 2 })
    }

    private func voters(_ cluster: TestCluster, _ node: Int) -> Int? {
        cluster.nodes[node].loop.replicas[TestCluster.shard]?.raft.configuration.voters.count
    }

    /// That one of the other replicas be none any more.
    private func wish(_ cluster: TestCluster, owner: Int, basis: LogPoint? = nil) throws {
        let record = try #require(cluster.nodes[owner].view?.state?.table.records[0])
        let other = cluster.nodes[cluster.other(than: owner)].nodeID
        let request = ReplicaRequest(
            shard: TestCluster.shard, epoch: record.epoch, basis: basis ?? record.configuredAt,
            target: record.replicas.filter { $0 != other })
        cluster.nodes[owner].loop.step(.message(from: other, .replicas(request)), now: cluster.now)
    }

    private func ask(
        _ cluster: TestCluster, owner: Int, toMoveTo target: Int, epoch: Epoch? = nil,
        process: NodeProcess? = nil
    ) throws {
        let record = try #require(cluster.nodes[owner].view?.state?.table.records[0])
        let from = try #require(record.owner)
        let to = try #require(process ?? cluster.nodes[target].view?.process)
        let request = MoveRequest(shard: TestCluster.shard, epoch: epoch ?? record.epoch, from: from, to: to)
        let sender = cluster.nodes[cluster.other(than: owner)].nodeID
        cluster.nodes[owner].loop.step(.message(from: sender, .move(request)), now: cluster.now)
    }
}
