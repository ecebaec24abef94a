import ObjectRuntime
import Placement
import Testing

@testable import Cluster
@testable import Raft

/// The owner's half of a backup: it answers when the store has all that was acknowledged before.
struct BackupWishTests {
    private let shard = TestCluster.shard

    private func wish(_ cluster: TestCluster, _ node: Int, _ number: UInt64 = 1) {
        cluster.backup(shard, token: number, at: node)
    }

    @Test func theStoreHasWhatWasAcknowledged() throws {
        let cluster = TestCluster.serving(shards: 1) { _ in }
        _ = cluster.run(.addOne(), at: 0)
        let owner = try #require(cluster.owner())
        let commit = try #require(cluster.nodes[owner].loop.replicas[shard]?.raft.commit)
        wish(cluster, owner)
        cluster.advance(ms: 200)
        let settled = try #require(cluster.settledBackups.first)
        guard case .stored(let through) = settled.answer else {
            Issue.record("it answers \(settled.answer)")
            return
        }
        #expect(through > commit)
        #expect(cluster.nodes[owner].loop.replicas[shard]?.work.stored.index == through)
        #expect(cluster.settledBackups.count == 1)
    }

    @Test func onlyTheOwnerAnswers() throws {
        let cluster = TestCluster.serving(shards: 1) { _ in }
        let owner = try #require(cluster.owner())
        wish(cluster, cluster.other(than: owner))
        cluster.advance(ms: 50)
        #expect(cluster.settledBackups.map(\.answer) == [.notOwner])
    }

    /// Cut off, it cannot commit the barrier, and so does not know whether it still owns the shard.
    @Test func anOwnerThatIsCutOffDoesNotClaimAnything() throws {
        let cluster = TestCluster.serving(shards: 1) { _ in }
        let owner = try #require(cluster.owner())
        cluster.isolate(owner)
        wish(cluster, owner)
        cluster.advance(ms: 10_000)
        #expect(cluster.settledBackups.allSatisfy { $0.answer == .notOwner })
        #expect(cluster.settledBackups.count <= 1)
    }

    @Test func tooManyAreTurnedAway() throws {
        let cluster = TestCluster.serving(shards: 1) { _ in }
        let owner = try #require(cluster.owner())
        // All in one turn: none can be settled in between.
        for number in 1...(ShardReplica.backupWishesMax + 1) {
            cluster.nodes[owner].loop.step(.backup(RequestToken(rawValue: UInt64(number)), shard), now: cluster.now)
        }
        wish(cluster, owner, 99)
        cluster.advance(ms: 200)
        #expect(cluster.settledBackups.count { $0.answer == .busy } == 2)
        #expect(cluster.settledBackups.count == ShardReplica.backupWishesMax + 2)
    }
}
