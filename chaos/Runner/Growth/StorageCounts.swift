import HoldfastClient
import NIOPosix

/// How much the storage had to do, by what the nodes tell every second. What a node did between its last word and
/// its death is missing, so all figures are lower bounds.
struct StorageCounts {
    private static let counters = [
        "holdfast_store_checkpoints_total", "holdfast_journal_dropped_segments_total",
        "holdfast_store_snapshots_made_total", "holdfast_store_snapshots_installed_total",
    ]
    private static let scrubs = ["sound", "repaired", "undecided", "incomplete"]

    private var last: [String: Double] = [:]
    private var sums: [String: Double] = [:]
    private var known: [String: ClusterShape.Shard] = [:]
    private(set) var shards: [ClusterShape.Shard] = []
    private var splits = 0
    private var merges = 0
    private var replicaChanges = 0
    private var ownerChanges = 0

    // MARK: Taking

    mutating func take(_ shape: ClusterShape) {
        let isFirst = known.isEmpty
        let now = Dictionary(shape.shards.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        // Numbers are never used twice: a new one is a split's child or what a merge has made.
        let new = now.keys.filter { known[$0] == nil }.count
        let gone = known.keys.filter { now[$0] == nil }.count
        if !isFirst {
            // A split makes one of one, a merge makes one of two.
            merges += gone / 2
            splits += max(0, new - gone / 2)
        }
        for (name, shard) in now {
            guard let before = known[name] else { continue }
            if before.owner != shard.owner { ownerChanges += 1 }
            if before.replicas != shard.replicas { replicaChanges += 1 }
        }
        known = now
        shards = shape.shards
    }

    /// `page` is a node's metrics.
    mutating func take(_ page: String, of node: String) {
        for line in page.split(separator: "\n") where !line.hasPrefix("#") {
            let words = line.split(separator: " ")
            guard words.count == 2, let value = Double(words[1]), Self.isCounted(words[0]) else { continue }
            let name = String(words[0])
            let before = last[node + name] ?? 0
            // A process that began anew counts from 0.
            sums[name, default: 0] += value >= before ? value - before : value
            last[node + name] = value
        }
    }

    private static func isCounted(_ name: Substring) -> Bool {
        counters.contains { name == $0 } || name.hasPrefix("holdfast_scrubs_total")
    }

    // MARK: Telling

    private func sum(_ name: String) -> Int { Int(sums[name] ?? 0) }

    /// What a run must have had to say anything about it.
    var missing: [String] {
        let needed = [
            ("checkpoints", sum(Self.counters[0])), ("dropped segments", sum(Self.counters[1])),
            ("installed snapshots", sum(Self.counters[3])), ("splits", splits),
            ("changes of replicas", replicaChanges), ("changes of owners", ownerChanges),
        ]
        return needed.filter { $0.1 == 0 }.map(\.0)
    }

    /// Replicas that a scrub found different, without a majority or with one.
    var unsoundScrubs: Int {
        ["repaired", "undecided"].reduce(0) { $0 + sum("holdfast_scrubs_total{result=\"\($1)\"}") }
    }

    var text: [String] {
        let scrubs = Self.scrubs.map { "\($0) \(sum("holdfast_scrubs_total{result=\"\($0)\"}"))" }
        return [
            "checkpoints         \(sum(Self.counters[0])), segments dropped \(sum(Self.counters[1]))",
            "snapshots           made \(sum(Self.counters[2])), installed \(sum(Self.counters[3]))",
            "splits              \(splits), merges \(merges)",
            "changes             of replicas \(replicaChanges), of owners \(ownerChanges)",
            "scrubs              " + scrubs.joined(separator: ", "),
        ]
    }
}

extension LocalCluster {
    /// Nil if the node does not answer.
    func metrics(_ position: Int) async -> String? {
        let pool = ConnectionPool(
            endpoints: [file.nodes[position].endpoint], on: MultiThreadedEventLoopGroup.singleton.any(),
            timeout: .milliseconds(500))
        let result = await pool.send(HTTPRequest("GET", "/metrics"), isRepeatable: false)
        await pool.close()
        guard case .success(let response) = result, response.isSuccess else { return nil }
        return response.bodyText
    }
}
