import ObjectRuntime
import Placement
import Raft
import Storage
import Testing

@testable import Cluster
@testable import Simulation

/// Replicas are compared at one place of their log: damage and silent differences are found and told apart from what
/// is merely newer.
struct ScrubScenarioTests {
    private let shard = TestCluster.shard

    /// With some objects that all replicas have in their stores.
    private func filled() -> TestCluster {
        let cluster = TestCluster.serving { $0.checkpointIntervalMs = 100 }
        for number in 0..<8 { _ = cluster.run(.set("a", "\(number)"), at: 0, objectID: "o\(number)") }
        cluster.advance(ms: 1_000)
        return cluster
    }

    private func scrub(_ cluster: TestCluster) throws {
        let owner = try #require(cluster.owner())
        cluster.nodes[owner].loop.step(.message(from: cluster.nodes[owner].nodeID, .scrubWish(shard)), now: cluster.now)
        cluster.flush(cluster.nodes[owner])
        cluster.advance(ms: 3_000)
    }

    private func results(_ cluster: TestCluster) -> [ScrubOutcome] { cluster.nodes.flatMap(\.scrubbed) }

    private func lost(_ cluster: TestCluster) -> [Int] {
        cluster.nodes.indices.filter { !cluster.nodes[$0].lost.isEmpty }
    }

    /// Writes an object anew behind everybody's back: all checksums are right, and so is the head.
    private func forge(_ cluster: TestCluster, _ number: Int) throws {
        let store = cluster.nodes[number].store
        let head = try #require(try store.twin.readHead(shard.rawValue))
        let key = try #require(try store.twin.keys(in: head.range, after: nil, limit: 1).first)
        var object = try #require(try store.twin.object(key))
        object.bytes[object.bytes.count - 1] ^= 1
        try store.change(
            .checkpoint(StoreCheckpoint(shard: shard.rawValue, puts: [object], head: head.content)))
    }

    @Test func equalReplicasAreFoundEqualUnderLoad() throws {
        let cluster = filled()
        let owner = try #require(cluster.owner())
        cluster.nodes[owner].loop.step(.message(from: cluster.nodes[owner].nodeID, .scrubWish(shard)), now: cluster.now)
        // What comes after the place must not count, though it is applied before anybody has looked.
        for number in 0..<40 {
            _ = cluster.submit(.addOne(), at: number % 3, objectID: "o\(number % 8)")
            cluster.advance(ms: 50)
        }
        cluster.advance(ms: 1_000)
        #expect(results(cluster).map(\.result) == [.sound])
        #expect(lost(cluster).isEmpty)
    }

    /// An operator who starts a cluster and asks at once.
    @Test func aWishBeforeTheShardIsServedIsNotForgotten() throws {
        let cluster = filled()
        for number in cluster.nodes.indices { cluster.crash(number) }
        for number in cluster.nodes.indices { try cluster.restart(number, nonce: UInt64(number) + 90) }
        let named = { cluster.nodes[0].view?.state?.table.record(of: self.shard)?.owner }
        cluster.advance(upToMs: 5_000) { named() != nil }
        let first = try #require(named())
        let owner = try #require(cluster.nodes.firstIndex { $0.nodeID == first.node })
        #expect(cluster.owner() == nil)
        cluster.nodes[owner].loop.step(.message(from: cluster.nodes[1].nodeID, .scrubWish(shard)), now: cluster.now)
        cluster.advance(upToMs: 5_000) { cluster.owner() != nil }
        #expect(cluster.owner() == owner)
        cluster.advance(ms: 3_000)
        #expect(results(cluster).map(\.result) == [.sound])
    }

    @Test(arguments: 0..<3) func aReplicaThatWasChangedSilentlyIsLost(_ number: Int) throws {
        let cluster = filled()
        try forge(cluster, number)
        try scrub(cluster)
        #expect(results(cluster).map(\.result) == [.repaired])
        #expect(results(cluster).first?.nodes == [cluster.nodes[number].nodeID])
        #expect(lost(cluster) == [number])
        // Whoever owned it, another one serves what was acknowledged.
        #expect(cluster.advance(upToMs: 10_000) { cluster.owner() != nil && cluster.owner() != number })
        for item in 0..<8 {
            let answer = cluster.run(.getItem("a"), at: number, objectID: "o\(item)")
            #expect(answer?.text.contains("\"value\":\(item)") == true)
        }
        // It is lost, or already on its way back as another member.
        let id = cluster.nodes[number].nodeID
        let record = try #require(cluster.nodes[0].view?.state?.table.record(of: shard))
        #expect(record.isLost(at: id) || record.replicaSet.since(of: id) != .genesis)
    }

    @Test(arguments: 0..<3) func aReplicaWithADamagedObjectIsLost(_ number: Int) throws {
        let cluster = filled()
        var random = SeededGenerator(seed: 5)
        #expect(cluster.nodes[number].store.damage(shard, using: &random))
        try scrub(cluster)
        #expect(results(cluster).map(\.result) == [.repaired])
        #expect(lost(cluster) == [number])
    }

    @Test func withoutAMajorityNothingIsDecided() throws {
        let cluster = filled()
        try forge(cluster, 0)
        var random = SeededGenerator(seed: 5)
        #expect(cluster.nodes[1].store.damage(shard, using: &random))
        try scrub(cluster)
        #expect(results(cluster).map(\.result) == [.undecided])
        #expect(lost(cluster).isEmpty && cluster.owner() != nil)
    }

    @Test func aReplicaThatIsAwayLeavesItIncomplete() throws {
        let cluster = TestCluster.serving {
            $0.checkpointIntervalMs = 100
            $0.scrubPatienceMs = 1_000
        }
        _ = cluster.run(.set("a", "1"), at: 0)
        let owner = try #require(cluster.owner())
        cluster.crash(cluster.other(than: owner))
        try scrub(cluster)
        #expect(results(cluster).map(\.result) == [.incomplete])
        #expect(lost(cluster).isEmpty)
    }

    @Test func eachShardIsScrubbedOncePerInterval() {
        let cluster = TestCluster.serving(shards: 4) { $0.scrubIntervalMs = 20_000 }
        cluster.advance(ms: 20_000)
        cluster.nodes.forEach { $0.scrubbed = [] }
        cluster.advance(ms: 20_000)
        let counts = (0..<4).map { number in
            results(cluster).count { $0.shard == ShardID(rawValue: number) && $0.result == .sound }
        }
        #expect(counts == [1, 1, 1, 1])
    }

    @Test func aVerdictCountsOnlyFromTheOwnerAboutWhatWasReported() throws {
        let cluster = filled()
        try scrub(cluster)
        let owner = try #require(cluster.owner())
        let replica = cluster.other(than: owner)
        let stranger = cluster.other(than: owner, replica)
        let epoch = try #require(cluster.inspection(owner)?.epoch)
        let id = try #require(cluster.nodes[replica].loop.replicas[shard]?.newestScrub)
        let right = ScrubVerdict(shard: shard, epoch: epoch, id: id)
        let wrong = [
            (stranger, right), (owner, ScrubVerdict(shard: shard, epoch: epoch.next, id: id)),
            (owner, ScrubVerdict(shard: shard, epoch: epoch, id: id + 1)),
        ]
        for (sender, verdict) in wrong {
            cluster.nodes[replica].loop.step(
                .message(from: cluster.nodes[sender].nodeID, .scrubVerdict(verdict)), now: cluster.now)
            cluster.flush(cluster.nodes[replica])
        }
        #expect(lost(cluster).isEmpty)
    }

    @Test(arguments: [
        // Digests by voter; nil: not heard of, 0: unsound.
        ([7, 7, 7], ScrubOutcome.Result.sound, []), ([7, 7, 8], .repaired, [3]), ([0, 7, 7], .repaired, [1]),
        ([7, 8, 9], .undecided, [1, 2, 3]), ([0, 0, 7], .undecided, [1, 2, 3]), ([7, 7, nil], .incomplete, []),
        ([7, 8, nil], .undecided, [1, 2]), ([7, nil, nil], .incomplete, []), ([nil, nil, nil], .incomplete, []),
        ([7, 7, 8, 8], .undecided, [1, 2, 3, 4]), ([7, 7, 7, 8, 0], .repaired, [4, 5]),
    ] as [([UInt64?], ScrubOutcome.Result, [UInt64])])
    func aMajorityOfTheVotersDecides(
        _ digests: [UInt64?], _ result: ScrubOutcome.Result, _ differing: [UInt64]
    ) {
        let voters = digests.indices.map { NodeID(rawValue: UInt64($0) + 1) }
        var reports: [NodeID: ScrubReport] = [:]
        for (voter, digest) in zip(voters, digests) {
            guard let digest else { continue }
            reports[voter] = ScrubReport(
                shard: shard, id: 1, index: 1, objectCount: 3, digest: digest, isSound: digest != 0)
        }
        let judgement = ScrubJudgement(voters: voters, reports: reports)
        #expect(judgement.result == result)
        #expect(judgement.differing.map(\.rawValue) == differing)
    }
}
