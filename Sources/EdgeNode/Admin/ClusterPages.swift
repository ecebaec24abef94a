import Cluster
import ObjectRuntime
import Placement
import Raft

// What the cluster looks like: status, shards, and why an object is where it is. The table and the
// registry come from this node's view; leases, lag and pauses from the nodes' own reports.

extension AdminCall {
    func status() throws(HTTPFault) {
        let state = try state()
        let leader = edge.gateway.view.leader
        edge.gateway.clusterReport { reports in
            self.answer(.json(ClusterPages(state: state, reports: reports, leader: leader).status()))
        }
    }

    func shards() throws(HTTPFault) {
        let state = try state()
        let leader = edge.gateway.view.leader
        edge.gateway.clusterReport { reports in
            self.answer(.json(ClusterPages(state: state, reports: reports, leader: leader).shards()))
        }
    }

    func explain() throws(HTTPFault) {
        let state = try state()
        guard let project = target.parameter("project"), let id = target.parameter("id") else {
            throw .validation("query", "explain wants project and id, and class if it has one.")
        }
        let objectClass = target.parameter("class") ?? "_undefined_"
        let object = ObjectID(
            project: project, objectClass: objectClass, id: id, hashKey: state.genesis.hashKey)
        let leader = edge.gateway.view.leader
        edge.gateway.clusterReport { reports in
            let pages = ClusterPages(state: state, reports: reports, leader: leader)
            self.answer(.json(pages.explain(key: object.key.rawValue)))
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
        let report = reports[node.name]
        let process = NodeProcess(node: node.node, incarnation: node.incarnation)
        page.object { row in
            row.member("name", node.name)
            row.member("incarnation", node.incarnation.rawValue)
            row.member("role", report?.role.rawValue ?? "unreachable")
            row.member("version", node.version)
            row.member("peer", node.peerAddress)
            row.member("url", node.clientURL)
            if let report { row.member("uptimeSeconds", report.uptimeMs / 1_000) }
            if let lease = report?.leaseRemainingMs ?? leaderKnowledge(of: node.node)?.leaseRemainingMs {
                row.member("leaseRemainingMs", lease)
            }
            row.member("shardsOwned", state.shards(ownedBy: process).count)
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

// MARK: - Shards

extension ClusterPages {
    func shards() -> [UInt8] {
        JSONOutput.object { page in
            page.key("shards")
            page.array(state.table.records) { page, record in
                page.object { row in
                    write(record, to: &row)
                    row.key("replicas")
                    row.array(record.replicas) { $0.value(name($1)) }
                    if let report = ownerReport(record) { write(report, to: &row) }
                }
            }
        }
    }

    private func write(_ report: ShardReport, to row: inout JSONOutput) {
        row.member("stage", report.stage)
        row.member("serving", report.isServing)
        row.member("lastIndex", report.lastIndex)
        row.member("commitIndex", report.commitIndex)
        row.member("objects", report.objects)
        row.member("coldObjects", report.coldObjects)
        row.member("bytes", report.bytes)
        row.member("queued", report.queued)
    }

    private func write(_ record: ShardRecord, to row: inout JSONOutput) {
        row.member("shard", record.shard.rawValue)
        row.key("range")
        let range = state.table.range(of: record.shard)
        row.array(range.map { [$0.lowerBound, $0.upperBound] } ?? []) { $0.value(hexadecimal($1)) }
        row.member("epoch", record.epoch.rawValue)
        row.key("owner")
        row.name(record.owner.map { name($0.node) })
        if let owner = record.owner { row.member("incarnation", owner.incarnation.rawValue) }
    }

    func explain(key: UInt64) -> [UInt8] {
        let record = state.table.shard(forKey: key)
        let report = ownerReport(record)
        return JSONOutput.object { page in
            page.member("key", hexadecimal(key))
            write(record, to: &page)
            let owner = record.owner.flatMap { reports[name($0.node)] }
            if let owner { page.member("leaseRemainingMs", owner.leaseRemainingMs) }
            page.key("replicas")
            page.array(record.replicas) { page, node in
                page.object { row in
                    row.member("node", name(node))
                    row.member("role", node == record.owner?.node ? "owner" : "replica")
                    let lag = report?.replicaLag.first { $0.node == node }?.lag
                    if let lag = node == record.owner?.node ? 0 : lag { row.member("lag", lag) }
                }
            }
            page.key("history")
            page.array(past(record)) { write($1, lastPauseMs: report?.takeoverPauseMs, to: &$0) }
        }
    }

    /// An owner that is no more: its epoch, and why and by what pause it ended.
    private struct PastOwner {
        var change: OwnerChange
        var end: ChangeCause
        /// The present owner came after this one.
        var isLatest: Bool
    }

    /// Newest first. The last line of the table's history is the present owner.
    private func past(_ record: ShardRecord) -> [PastOwner] {
        let lines = record.history
        return lines.indices.dropLast().reversed().map { line in
            PastOwner(change: lines[line], end: lines[line + 1].cause, isLatest: line == lines.count - 2)
        }
    }

    private func write(_ past: PastOwner, lastPauseMs: UInt64?, to page: inout JSONOutput) {
        page.object { row in
            row.member("epoch", past.change.epoch.rawValue)
            row.key("owner")
            row.name(past.change.owner.map { name($0.node) })
            row.member("cause", "\(past.end)")
            // Only the present owner knows how long nobody served, and only before itself.
            if past.isLatest, let lastPauseMs { row.member("pauseMs", lastPauseMs) }
        }
    }

    private func ownerReport(_ record: ShardRecord) -> ShardReport? {
        guard let owner = record.owner else { return nil }
        return reports[name(owner.node)]?.shards.first { $0.shard == record.shard }
    }

    private func name(_ node: NodeID) -> String {
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
    fileprivate mutating func name(_ name: String?) {
        if let name { value(name) } else { null() }
    }
}
