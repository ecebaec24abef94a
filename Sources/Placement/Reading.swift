import Raft

/// What nodes look up in the state, on every loop and for every request.
extension PlacementState {
    /// Registered nodes, by node id.
    public var nodes: [NodeRecord] { registry.nodes }

    /// The newest registered run of a node, fenced or not: the only one whose links peers accept (O9).
    public func newestIncarnation(of node: NodeID) -> Incarnation? {
        registry.record(of: node)?.incarnation
    }

    /// Registered once and over; false for processes that are not registered (yet).
    public func isFenced(_ process: NodeProcess) -> Bool {
        registry.isFenced(process)
    }

    /// What people call a node: from its registration, or from the genesis record before that.
    public func nodeName(_ node: NodeID) -> String? {
        registry.record(of: node)?.name ?? genesis.members.first { $0.node == node }?.name
    }

    /// The shards that a process owns, in the order of their ranges.
    public func shards(ownedBy process: NodeProcess) -> [ShardID] {
        table.shards(ownedBy: process)
    }

    public func classSettings(project: String, class name: String) -> ClassSettings {
        tenants.classSettings(project: project, class: name)
    }

    /// Whether any shard waits for an owner.
    public var hasOwnerlessShards: Bool {
        table.records.contains { $0.owner == nil }
    }
}
