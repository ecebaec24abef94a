import ObjectRuntime
import Placement
import Testing

@testable import Cluster

/// Disks that are full: writes go where there is room, reads go on, and nothing has to be restarted.
struct SpaceScenarioTests {
    private func tell(_ space: DiskSpace, _ cluster: TestCluster, _ numbers: Int...) {
        for number in numbers {
            cluster.nodes[number].loop.step(.space(space), now: cluster.now)
            cluster.nodes[number].core.step(.space(space), now: cluster.now)
            cluster.flush(cluster.nodes[number])
        }
        cluster.deliver()
    }

    private func owned(_ cluster: TestCluster, by number: Int) -> Int {
        (0..<6).filter { cluster.owner(of: ShardID(rawValue: $0)) == number }.count
    }

    @Test(arguments: [DiskSpace.low, .stalled]) func ownershipLeavesAFullNodeAndComesBack(_ space: DiskSpace) {
        let cluster = TestCluster.serving(shards: 6)
        #expect(cluster.advance(upToMs: 120_000) { owned(cluster, by: 1) == 2 })
        #expect(cluster.run(.set("a", "1"), at: 1)?.applied == .yes)
        // While stalled nothing that this node writes becomes durable.
        cluster.nodes[1].holdsJournal = space == .stalled
        tell(space, cluster, 1)
        // A write in the middle of it waits for the new owner, wherever it comes in.
        let tokens = (0..<12).map { cluster.submit(.addOne(), at: $0 % 3, objectID: "o\($0)") }
        #expect(cluster.advance(upToMs: 5_000) { owned(cluster, by: 1) == 0 && cluster.servingShards == 6 })
        #expect(cluster.advance(upToMs: 5_000) { tokens.allSatisfy { cluster.answer($0) != nil } })
        #expect(tokens.allSatisfy { cluster.answer($0)?.applied == .yes })
        // It stays away, and is an edge as good as any.
        cluster.advance(ms: 5_000)
        #expect(owned(cluster, by: 1) == 0)
        #expect(cluster.run(.addOne(), at: 1)?.applied == .yes)
        #expect(cluster.run(.getItem("a"), at: 1)?.text.contains("\"value\":1") == true)
        cluster.nodes[1].holdsJournal = false
        tell(.roomy, cluster, 1)
        #expect(cluster.advance(upToMs: 120_000) { owned(cluster, by: 1) == 2 })
        #expect(cluster.run(.addOne(), at: 1)?.text.contains("\"value\":2") == true)
    }

    @Test func withNoRoomAnywhereWritesAreRefusedAtOnceAndReadsGoOn() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        #expect(cluster.run(.set("a", "1"), at: edge)?.applied == .yes)
        tell(.low, cluster, 0, 1, 2)
        // Before the first had heard of the others it may have handed over.
        cluster.advance(ms: 1_000)
        let holder = try #require(cluster.owner())
        for number in 0..<3 {
            let token = cluster.submit(.set("a", "2"), at: number)
            #expect(cluster.advance(upToMs: 200) { cluster.answer(token) != nil })
            let answer = try #require(cluster.answer(token))
            #expect(answer.applied == .no && answer.refusal?.status == 503)
            #expect(answer.refusal?.code == "unavailable.diskFull.retry" && answer.retryAfterMs != nil)
            #expect(cluster.run(.getItem("a"), at: number)?.text.contains("\"value\":1") == true)
        }
        #expect(cluster.owner() == holder)
        // One of the others has room again: it takes over.
        let saved = cluster.other(than: holder)
        tell(.roomy, cluster, saved)
        #expect(cluster.advance(upToMs: 3_000) { cluster.owner() == saved })
        #expect(cluster.run(.set("a", "3"), at: owner)?.applied == .yes)
    }

    @Test func writesThatWaitForAHandOverGoOnWhenThereIsRoomAgain() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        // Nobody hears of the proposal to hand over, and no heir catches up.
        cluster.isolate(owner)
        tell(.low, cluster, owner)
        let token = cluster.submit(.set("a", "1"), at: owner)
        cluster.advance(ms: 100)
        #expect(cluster.answer(token) == nil)
        cluster.loses = { _ in false }
        tell(.roomy, cluster, owner)
        #expect(cluster.advance(upToMs: 5_000) { cluster.answer(token) != nil })
        #expect(cluster.answer(token)?.applied == .yes)
    }

    /// What its disk cannot take is not sent again and again.
    @Test func aReplicaWithoutRoomGetsItsSnapshotLater() throws {
        let cluster = TestCluster.serving {
            $0.checkpointIntervalMs = 100
            $0.logTailBytes = 1 << 10
        }
        let owner = try #require(cluster.owner())
        let full = cluster.other(than: owner)
        cluster.crash(full)
        for _ in 0..<100 { _ = cluster.run(.addOne(), at: owner) }
        try cluster.restart(full, nonce: 4_001)
        tell(.low, cluster, full)
        var parts = 0
        cluster.loses = { letter in
            if case .shard(_, let message) = letter.message, case .snapshotChunk = message.body { parts += 1 }
            return false
        }
        cluster.advance(ms: 5_000)
        let lagging = try #require(cluster.inspection(full)).appliedThrough
        #expect(parts < 50, "\(parts) in 5 s")
        tell(.roomy, cluster, full)
        let present = try #require(cluster.owner())
        let head = try #require(cluster.inspection(present)).appliedThrough
        #expect(lagging < head)
        #expect(cluster.advance(upToMs: 5_000) { (cluster.inspection(full)?.appliedThrough ?? .zero) >= head })
    }

    /// Ownership that moves away leaves entries of the placement group in the journal: a long one presses it, too.
    @Test func aLongJournalMakesThePlacementGroupStoreItsState() throws {
        let cluster = TestCluster.serving(shards: 2)
        let node = cluster.nodes[0]
        let stored = { node.disk.count { $0.group == .placement && $0.kind == LogRecord.checkpointKind } }
        cluster.advance(ms: 1_000)
        let before = stored()
        node.core.step(.journalPressure, now: cluster.now)
        cluster.flush(node)
        cluster.advance(ms: 100)
        #expect(stored() == before + 1)
        // Nothing new, nothing to store.
        node.core.step(.journalPressure, now: cluster.now)
        cluster.flush(node)
        cluster.advance(ms: 100)
        #expect(stored() == before + 1)
    }

    /// A node that asks for a move must not be handed what it could not keep.
    @Test func nothingIsMovedToAFullNode() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let full = cluster.other(than: owner)
        tell(.low, cluster, full)
        cluster.advance(ms: 100)
        let epoch = try #require(cluster.inspection(owner)?.epoch)
        let target = try #require(cluster.nodes[full].view?.process)
        let source = try #require(cluster.nodes[owner].view?.process)
        cluster.nodes[owner].loop.step(
            .message(
                from: cluster.nodes[0].nodeID,
                .move(MoveRequest(shard: TestCluster.shard, epoch: epoch, from: source, to: target))),
            now: cluster.now)
        cluster.flush(cluster.nodes[owner])
        cluster.advance(ms: 1_000)
        #expect(cluster.owner() == owner)
    }
}
