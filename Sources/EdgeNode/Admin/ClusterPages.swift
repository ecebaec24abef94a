import Cluster
import Placement
import Raft

// What the cluster looks like: its nodes here, its shards in `ShardPages`. The table and the registry come from
// this node's view; leases, lag and pauses from the nodes' own reports.

extension AdminCall {
    func status() throws(HTTPFault) {
        let state = try state()
        let leader = edge.gateway.view.leader
        edge.gateway.clusterReport { reports in
            self.answer(.json(ClusterPages(state: state, reports: reports, leader: leader).status()))
        }
    }
}

/// The pages' content: table and registry on one side, reports on the other.
struct ClusterPages {
    let state: PlacementState
    /// By node name; nodes that were not reached are missing.
    let reports: [String: NodeReport]
    let leader: NodeID?

    init(state: PlacementState, reports: [NodeReport], leader: NodeID?) {
        self.state = state
        self.reports = Dictionary(reports.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.leader = leader
    }

    func status() -> [UInt8] {
        let leading = reports.values.filter { $0.role == .leader }.max { $0.term < $1.term }
        let term = reports.values.map(\.term).max() ?? 0
        return JSONOutput.object { page in
            page.key("leader")
            page.name(leading?.name ?? leader.flatMap(state.nodeName))
            page.member("term", term)
            page.key("nodes")
            page.array(state.nodes) { write($1, to: &$0) }
        }
    }

    private func write(_ node: NodeRecord, to page: inout JSONOutput) {
        let report = node.isReplaced ? nil : reports[node.name]
        page.object { row in
            row.member("name", node.name)
            row.member("id", hexadecimal(node.node.rawValue))
            row.member("incarnation", node.incarnation.rawValue)
            row.member("role", report?.role.rawValue ?? "unreachable")
            row.member("version", node.version)
            row.member("peer", node.peerAddress)
            row.member("url", node.clientURL)
            if let report { row.member("uptimeSeconds", report.uptimeMs / 1_000) }
            if let lease = report?.leaseRemainingMs ?? leaderKnowledge(of: node.node)?.leaseRemainingMs {
                row.member("leaseRemainingMs", lease)
            }
            row.member("standing", node.isReplaced ? "replaced" : "\(node.standing)")
            row.member("shardsOwned", state.shardsOwned(by: node.node))
            row.member("replicas", state.replicasKept(by: node.node))
            if let lag = shardLag(of: node.node) { row.member("lag", lag) }
            if let lag = placementLag(of: node) { row.member("placementLag", lag) }
            row.member("ready", report?.isReady ?? false)
        }
    }

    /// What the placement leader knows of a node, if it could be reached.
    private func leaderKnowledge(of node: NodeID) -> (
        node: NodeID, index: UInt64, leaseRemainingMs: UInt64
    )? {
        reports.values.lazy.filter { $0.role == .leader }.flatMap(\.placementProgress).first {
            $0.node == node
        }
    }

    /// The most entries that the node lacks in any shard, as the shard's owner knows it.
    private func shardLag(of node: NodeID) -> UInt64? {
        guard !reports.isEmpty else { return nil }
        return reports.values.flatMap(\.shards).flatMap(\.replicaLag).filter { $0.node == node }.map(\.lag)
            .max() ?? 0
    }

    private func placementLag(of node: NodeRecord) -> UInt64? {
        guard let newest = reports.values.map(\.placementIndex).max() else { return nil }
        guard let own = reports[node.name]?.placementIndex ?? leaderKnowledge(of: node.node)?.index else {
            return nil
        }
        return newest - min(newest, own)
    }
}

extension PlacementState {
    /// By whatever run of the node.
    func shardsOwned(by node: NodeID) -> Int { table.records.filter { $0.owner?.node == node }.count }

    /// Learners, and voters that are on their way out, included.
    func replicasKept(by node: NodeID) -> Int { table.records.filter { $0.isMember(node) }.count }
}

extension ClusterPages {
    func name(_ node: NodeID) -> String {
        state.nodeName(node) ?? hexadecimal(node.rawValue)
    }
}

/// Sixteen digits, as keys and ids are written everywhere.
func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

extension JSONOutput {
    /// A name, or null.
    mutating func name(_ name: String?) {
        if let name { value(name) } else { null() }
    }
}
