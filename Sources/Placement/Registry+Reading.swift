import Raft

extension Registry {
    /// The run that the nonce names is over, or was barred before it could register (O7).
    public func isBuried(node: NodeID, nonce: UInt64) -> Bool {
        burialPlace(node: node, nonce: nonce) == .grave
    }

    /// Whether some process with this incarnation is registered and not fenced.
    public func isLive(incarnation: UInt64) -> Bool {
        nodes.contains { node in node.live.contains { $0.incarnation.rawValue == incarnation } }
    }

    /// Registered once and over. A table may be older than a process that is heard of already: such a one
    /// is not over, only unknown.
    public func isOver(incarnation: UInt64) -> Bool {
        incarnation != 0 && incarnation <= lastIncarnation.rawValue && !isLive(incarnation: incarnation)
    }

    public func isRemoved(_ node: NodeID) -> Bool { removed.contains(node) }

    public func isDraining(_ node: NodeID) -> Bool { record(of: node)?.standing == .draining }

    /// Registered, wanted, and not replaced by another disk: may keep replicas and own shards.
    public func isActive(_ node: NodeID) -> Bool {
        record(of: node).map { $0.standing == .active && !$0.isReplaced } ?? false
    }
}
