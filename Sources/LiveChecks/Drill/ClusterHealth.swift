import HoldfastClient

/// Whether a cluster is whole, by its admin pages, and whether it would bear the loss of one node.
public struct ClusterHealth: Sendable {
    private let nodes: [JSON]
    private let shards: [JSON]
    private let leader: String?
    private let replicasWanted: Int

    /// The answers to `status`, `shards` and `settings`.
    public init(status: JSON, shards: JSON, settings: JSON) {
        nodes = (status["nodes"]?.elements ?? []).filter { $0["standing"]?.text != "replaced" }
        self.shards = shards["shards"]?.elements ?? []
        leader = status["leader"]?.text
        replicasWanted = settings["replicasPerShard"]?.int ?? 3
    }

    /// What is not as it should be.
    public var faults: [String] {
        var faults: [String] = []
        if nodes.isEmpty || shards.isEmpty { faults.append("the cluster tells of no node or no shard") }
        if leader == nil { faults.append("no node leads the placement group") }
        for node in nodes {
            let name = node["name"]?.text ?? "-"
            if node["standing"]?.text != "active" { faults.append("node \(name) is \(node["standing"]?.text ?? "-")") }
            if node["ready"]?.bool != true { faults.append("node \(name) is down or not ready") }
        }
        return faults + shards.compactMap(fault)
    }

    /// What would have no majority without the node.
    public func faults(without node: String) -> [String] {
        var faults = shards.compactMap { shard -> String? in
            Self.keepsMajority(names(shard["replicas"]), without: node)
                ? nil : "shard \(Self.name(shard)) would have no majority without \(node)"
        }
        let voters = nodes.filter { ["leader", "voter"].contains($0["role"]?.text) }.compactMap { $0["name"]?.text }
        if !Self.keepsMajority(voters, without: node) {
            faults.append("the placement group would have no majority without \(node)")
        }
        return faults
    }

    /// Nodes by name with their addresses for clients.
    public func url(of node: String) -> String? { nodes.first { $0["name"]?.text == node }?["url"]?.text }

    /// Shards that the node owns, by name.
    public func shards(ownedBy node: String) -> [String] {
        shards.filter { $0["owner"]?.text == node }.map(Self.name)
    }

    public func owner(of shard: String) -> String? { shards.first { Self.name($0) == shard }?["owner"]?.text }

    private func fault(_ shard: JSON) -> String? {
        let name = "shard \(Self.name(shard))"
        if shard["owner"]?.text == nil { return "\(name) has no owner" }
        if shard["serving"]?.bool != true { return "\(name) is not served" }
        if names(shard["lost"]) != [] { return "\(name) has lost a replica" }
        let wanted = min(replicasWanted, nodes.count)
        let kept = names(shard["replicas"]).count
        if kept < wanted { return "\(name) has \(kept) replicas of \(wanted)" }
        if names(shard["learners"]) != [] || names(shard["outgoing"]) != [] { return "\(name) changes its replicas" }
        return shard["plan"]?.text.map { "\(name) is about to \($0)" }
    }

    private static func name(_ shard: JSON) -> String { shard["name"]?.text ?? "-" }

    private static func keepsMajority(_ members: [String], without node: String) -> Bool {
        members.filter { $0 != node }.count >= members.count / 2 + 1
    }
}

private func names(_ list: JSON?) -> [String] { list?.elements?.compactMap(\.text) ?? [] }
