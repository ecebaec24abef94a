import HoldfastClient

/// Who owns and keeps what, as the admin pages tell it.
struct ClusterShape: Sendable {
    struct Node: Sendable {
        var name: String
        var id: String
        var standing: String
        var isReady: Bool
        var shardsOwned: Int
        var replicas: Int
    }

    struct Shard: Sendable {
        var name: String
        var owner: String?
        var replicas: [String]
        /// No replica is coming, going or lost, and nothing is planned.
        var isSettled: Bool
    }

    var nodes: [Node] = []
    var shards: [Shard] = []

    private var active: [Node] { nodes.filter { $0.standing == "active" } }

    /// Every shard owned, with all its replicas; these spread evenly over the active nodes, and nothing left at the
    /// others.
    var isWhole: Bool {
        let others = nodes.filter { $0.standing != "active" }
        return active.allSatisfy(\.isReady) && others.allSatisfy { $0.shardsOwned == 0 && $0.replicas == 0 }
            && Self.isEven(active.map(\.replicas))
            && shards.allSatisfy { $0.owner != nil && $0.isSettled && $0.replicas.count == min(3, active.count) }
    }

    /// What a change of the cluster is to end with: whole, and as many shards owned by each.
    var isWholeAndEven: Bool { isWhole && Self.isEven(active.map(\.shardsOwned)) }

    private static func isEven(_ counts: [Int]) -> Bool { (counts.max() ?? 0) - (counts.min() ?? 0) <= 1 }

    func node(_ name: String) -> Node? { nodes.first { $0.name == name && $0.standing != "replaced" } }

    var text: String {
        nodes.map { "\($0.name) \($0.standing) owns \($0.shardsOwned) keeps \($0.replicas)" }.joined(separator: ", ")
            + "; shards not settled: \(shards.filter { !$0.isSettled || $0.owner == nil }.count)"
    }
}

extension LocalCluster {
    func shape() async throws -> ClusterShape {
        var shape = try await shards()
        let status = try await admin.get("status")
        shape.nodes = (status["nodes"]?.elements ?? []).map { node in
            ClusterShape.Node(
                name: node["name"]?.text ?? "", id: node["id"]?.text ?? "", standing: node["standing"]?.text ?? "",
                isReady: node["ready"]?.bool ?? false, shardsOwned: node["shardsOwned"]?.int ?? 0,
                replicas: node["replicas"]?.int ?? 0)
        }
        return shape
    }

    /// The shards only.
    func shards() async throws -> ClusterShape {
        let page = try await admin.get("shards")
        return ClusterShape(
            shards: (page["shards"]?.elements ?? []).map { shard in
                let isBusy = ["outgoing", "learners", "lost"].contains { shard[$0]?.elements?.isEmpty == false }
                return ClusterShape.Shard(
                    name: shard["name"]?.text ?? "", owner: shard["owner"]?.text,
                    replicas: shard["replicas"]?.elements?.compactMap(\.text) ?? [],
                    isSettled: !isBusy && shard["plan"]?.text == nil)
            })
    }

    /// Nil if it is not so within `seconds`.
    func waitForShape(_ seconds: Double, _ isGood: (ClusterShape) -> Bool) async throws -> ClusterShape? {
        let deadline = monotonicNs() + UInt64(seconds * 1e9)
        while monotonicNs() < deadline {
            do {
                let shape = try await shape()
                if isGood(shape) { return shape }
            } catch let error as HoldfastError where error.isTemporary {
                // The node that was asked is away: the next look asks another one.
            }
            try await pause(seconds: 0.25)
        }
        return nil
    }
}
