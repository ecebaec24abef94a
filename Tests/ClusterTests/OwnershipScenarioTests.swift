import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Whole nodes, three of them, one fault each.
struct OwnershipScenarioTests {
    @Test func threeNodesFormAClusterAndServeAtEveryEdge() {
        let cluster = TestCluster.serving(shards: 4)
        #expect(cluster.servingShards == 4)
        for edge in 0..<3 {
            let answer = cluster.run(.addOne(), at: edge)
            #expect(answer?.applied == .yes)
            #expect(answer?.text.contains("\"value\":\(edge + 1)") == true, "\(answer?.text ?? "none")")
        }
        for node in cluster.nodes { #expect(node.exit == nil) }
    }

    @Test func aWriteIsAnsweredOnlyWhenAMajorityIsDurableO3() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        for node in cluster.nodes { node.holdsJournal = true }
        let token = cluster.submit(.addOne(), at: owner)
        #expect(cluster.answer(token) == nil)
        sync(cluster, owner)
        #expect(cluster.answer(token) == nil, "the owner's own disk is no majority")
        sync(cluster, cluster.other(than: owner))
        #expect(cluster.answer(token)?.applied == .yes)
    }

    @Test func aMajorityWithoutTheOwnersDiskIsEnoughO3() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        cluster.nodes[owner].holdsJournal = true
        let token = cluster.submit(.addOne(), at: owner)
        #expect(cluster.answer(token)?.applied == .yes)
    }

    @Test func readsSeeNothingUncommittedO3() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        _ = cluster.run(.set("a", "1"), at: owner)
        for node in cluster.nodes { node.holdsJournal = true }
        _ = cluster.submit(.set("a", "2"), at: owner)
        let read = cluster.submit(.getItem("a"), at: owner)
        #expect(cluster.answer(read) == nil, "it rests on an entry that is not committed")
        for number in 0..<3 { sync(cluster, number) }
        #expect(cluster.answer(read)?.text.contains("\"value\":2") == true)
    }

    private func sync(_ cluster: TestCluster, _ number: Int) {
        while cluster.nodes[number].sync(now: cluster.now) { cluster.flush(cluster.nodes[number]) }
        cluster.deliver()
    }
}
