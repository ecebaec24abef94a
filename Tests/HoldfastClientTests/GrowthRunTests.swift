import HoldfastClient
import LiveChecks
import Testing

@testable import chaos

/// The judgement of the chaos runs on growth and storage must be able to say no.
@Suite struct GrowthRunTests {
    private static func node(
        _ name: String, owns: Int = 2, keeps: Int = 6, standing: String = "active", isReady: Bool = true
    ) -> ClusterShape.Node {
        ClusterShape.Node(
            name: name, id: name, standing: standing, isReady: isReady, shardsOwned: owns, replicas: keeps)
    }

    private static func shard(
        _ name: String, owner: String? = "n1", on replicas: [String] = ["n1", "n2", "n3"], isSettled: Bool = true
    ) -> ClusterShape.Shard {
        ClusterShape.Shard(name: name, owner: owner, replicas: replicas, isSettled: isSettled)
    }

    private static let three = [node("n1"), node("n2"), node("n3", owns: 3, keeps: 5)]

    @Test func knowsAWholeAndEvenCluster() {
        #expect(ClusterShape(nodes: Self.three, shards: [Self.shard("1"), Self.shard("2.1")]).isWholeAndEven)
        let gone = Self.three + [Self.node("n2", owns: 0, keeps: 0, standing: "replaced", isReady: false)]
        #expect(ClusterShape(nodes: gone, shards: [Self.shard("1")]).isWholeAndEven)
    }

    @Test(arguments: [
        GrowthRunTests.node("n3", owns: 4), GrowthRunTests.node("n3", keeps: 4),
        GrowthRunTests.node("n3", isReady: false), GrowthRunTests.node("n3", owns: 0, keeps: 1, standing: "draining"),
    ])
    func seesAnUnevenCluster(third: ClusterShape.Node) {
        let nodes = [Self.node("n1"), Self.node("n2"), third]
        #expect(!ClusterShape(nodes: nodes, shards: [Self.shard("1", on: ["n1", "n2"])]).isWholeAndEven)
        #expect(!ClusterShape(nodes: nodes, shards: [Self.shard("1")]).isWholeAndEven)
    }

    @Test(arguments: [
        GrowthRunTests.shard("1", owner: nil), GrowthRunTests.shard("1", on: ["n1", "n2"]),
        GrowthRunTests.shard("1", isSettled: false),
    ])
    func seesAShardThatIsNotWhole(shard: ClusterShape.Shard) {
        #expect(!ClusterShape(nodes: Self.three, shards: [shard]).isWholeAndEven)
    }

    @Test func countsSplitsMergesAndChanges() {
        var counts = StorageCounts()
        counts.take(ClusterShape(shards: [Self.shard("1"), Self.shard("2")]))
        counts.take(ClusterShape(shards: [Self.shard("1"), Self.shard("1.1"), Self.shard("2", owner: "n2")]))
        counts.take(ClusterShape(shards: [Self.shard("1.2"), Self.shard("2", owner: "n2", on: ["n2", "n3", "n4"])]))
        #expect(counts.text.contains("splits              1, merges 1"))
        #expect(counts.text.contains("changes             of replicas 1, of owners 1"))
    }

    @Test func countsOnOverTheRestartOfANode() {
        var counts = StorageCounts()
        for value in [5, 9, 2] {
            counts.take("# HELP x\nholdfast_store_checkpoints_total \(value)\nholdfast_uptime_seconds 1\n", of: "n1")
        }
        counts.take("holdfast_store_checkpoints_total 100\n", of: "n2")
        #expect(counts.text.contains("checkpoints         111, segments dropped 0"))
        #expect(!counts.missing.contains("checkpoints") && counts.missing.contains("splits"))
    }

    @Test func noticesScrubsThatFoundADifference() {
        var counts = StorageCounts()
        let name = "holdfast_scrubs_total"
        counts.take("\(name){result=\"sound\"} 7\n\(name){result=\"repaired\"} 1\n", of: "n1")
        #expect(counts.unsoundScrubs == 1)
    }

    @Test func aPercentileIsOneOfTheValues() {
        #expect(percentile(99, of: []) == nil)
        #expect(percentile(50, of: [3, 1, 2]) == 2)
        #expect(percentile(99, of: (1...20).map(Double.init)) == 20)
        #expect(percentile(99, of: (1...200).map(Double.init)) == 198)
    }

    @Test func measuresGapsFromTheLastAnswer() {
        var gaps = AnswerGaps()
        gaps.restart(atNs: 100)
        for (invoked, at) in [(90, 110), (105, 160), (150, 165)] as [(UInt64, UInt64)] {
            gaps.note(invokedNs: invoked, atNs: at)
        }
        #expect(gaps.longestNs == 50 && gaps.slowestNs == 55 && gaps.lastNs == 165)
        gaps.restart(atNs: 200)
        #expect(gaps.longestNs == 0 && gaps.slowestNs == 0)
    }
}
