import Cluster
import ObjectRuntime
import Placement
import Raft

// The shards, and why one is where it is.

extension AdminCall {
    func shards() throws(HTTPFault) {
        let state = try state()
        let leader = edge.gateway.view.leader
        edge.gateway.clusterReport { reports in
            self.answer(.json(ClusterPages(state: state, reports: reports, leader: leader).shards()))
        }
    }

    func explain() throws(HTTPFault) {
        let state = try state()
        let place = try explainedPlace(state)
        let leader = edge.gateway.view.leader
        let show = { (reports: [NodeReport]) in
            let pages = ClusterPages(state: state, reports: reports, leader: leader)
            self.answer(.json(pages.explain(place.record, key: place.key)))
        }
        // For who asks often: what this node's table says now, without the word of any other node.
        if target.parameter("reports") == "none" { return show([]) }
        edge.gateway.clusterReport(show)
    }

    private func explainedPlace(_ state: PlacementState) throws(HTTPFault) -> (record: ShardRecord, key: UInt64?) {
        if let text = target.parameter("shard") {
            guard let shard = ShardID(text: text) else { throw .notAShard }
            guard let record = state.table.record(of: shard) else { throw .unknownShard(shard) }
            return (record, nil)
        }
        guard let project = target.parameter("project"), let id = target.parameter("id") else {
            throw .validation("query", "explain wants project and id, and class if it has one; or shard.")
        }
        let object = ObjectID(
            project: project, objectClass: target.parameter("class") ?? ObjectRoute.defaultClass, id: id,
            hashKey: state.genesis.hashKey)
        return (state.table.shard(forKey: object.key.rawValue), object.key.rawValue)
    }
}

extension ObjectRoute {
    /// Of objects that were made without a class.
    static let defaultClass = "_undefined_"
}

extension ShardID {
    /// `3` or `3.1`: the original shard's number, then the serial of what became of it.
    init?(text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let first = parts.first else { return nil }
        if parts.count == 1 {
            guard let number = UInt32(first) else { return nil }
            self.init(rawValue: number)
        } else {
            guard let home = UInt16(first), let serial = UInt16(parts[1]), serial > 0 else { return nil }
            self.init(home: home, serial: serial)
        }
    }
}

extension HTTPFault {
    static let notAShard = validation("shard", "A shard is a number such as 3, or 3.1 for one that a split has made.")

    static func unknownShard(_ shard: ShardID) -> HTTPFault {
        HTTPFault(
            status: 404, name: "NotFoundError", code: "notFoundError.shard", message: "There is no shard \(shard).")
    }
}

// MARK: - All shards

extension ClusterPages {
    func shards() -> [UInt8] {
        JSONOutput.object { page in
            page.key("shards")
            page.array(state.table.records) { page, record in
                page.object { row in
                    write(record, to: &row)
                    row.key("replicas")
                    row.array(record.replicas) { $0.value(name($1)) }
                    row.key("outgoing")
                    row.array(record.outgoing) { $0.value(name($1)) }
                    row.key("learners")
                    row.array(record.learners) { $0.value(name($1)) }
                    row.key("lost")
                    row.array(record.lost) { $0.value(name($1.node)) }
                    row.key("plan")
                    row.name(record.plan.map(text))
                    if let report = ownerReport(record) { write(report, to: &row) }
                }
            }
        }
    }

    private func text(_ plan: ShardPlan) -> String {
        switch plan {
        case .split(let cut, let child): "split at \(hexadecimal(cut)), \(child) takes the upper part"
        case .merge(let other, let into): "merge with \(other) into \(into)"
        }
    }

    private func write(_ report: ShardReport, to row: inout JSONOutput) {
        row.member("stage", report.stage)
        row.member("serving", report.isServing)
        row.member("lastIndex", report.lastIndex)
        row.member("commitIndex", report.commitIndex)
        row.member("storedIndex", report.storedIndex)
        row.member("lag", report.replicaLag.map(\.lag).max() ?? 0)
        row.member("objects", report.objects)
        row.member("coldObjects", report.coldObjects)
        row.member("bytes", report.bytes)
        row.member("queued", report.queued)
    }

    private func write(_ record: ShardRecord, to row: inout JSONOutput) {
        row.member("shard", record.shard.rawValue)
        row.member("name", "\(record.shard)")
        row.key("range")
        let range = state.table.range(of: record.shard)
        row.array(range.map { [$0.lowerBound, $0.upperBound] } ?? []) { $0.value(hexadecimal($1)) }
        row.member("epoch", record.epoch.rawValue)
        row.key("owner")
        row.name(record.owner.map { name($0.node) })
        if let owner = record.owner { row.member("incarnation", owner.incarnation.rawValue) }
    }

    private func ownerReport(_ record: ShardRecord) -> ShardReport? {
        guard let owner = record.owner else { return nil }
        return reports[name(owner.node)]?.shards.first { $0.shard == record.shard }
    }
}

// MARK: - One shard

extension ClusterPages {
    /// `key` is an object's, if the shard was asked for by one.
    func explain(_ record: ShardRecord, key: UInt64?) -> [UInt8] {
        JSONOutput.object { page in
            if let key { page.member("key", hexadecimal(key)) }
            write(record, to: &page)
            let owner = record.owner.flatMap { reports[name($0.node)] }
            if let owner { page.member("leaseRemainingMs", owner.leaseRemainingMs) }
            if let cause = record.history.last?.cause { page.member("cause", "\(cause)") }
            page.key("replicas")
            page.array(record.members) { write($1, of: record, to: &$0) }
            page.key("history")
            page.array(past(record)) { write($1, to: &$0) }
            page.key("because")
            page.array(sentences(record.shard)) { $0.value($1) }
        }
    }

    private func write(_ member: Member, of record: ShardRecord, to page: inout JSONOutput) {
        page.object { row in
            let isOwner = member.node == record.owner?.node
            row.member("node", name(member.node))
            row.member("role", isOwner ? "owner" : member.role == .voter ? "replica" : "\(member.role)")
            if record.isLost(at: member.node) { row.member("lost", true) }
            let lag = ownerReport(record)?.replicaLag.first { $0.node == member.node }?.lag
            if let lag = isOwner ? 0 : lag { row.member("lag", lag) }
        }
    }

    /// What the policies think of it, by what this node hears from the others.
    private func sentences(_ shard: ShardID) -> [String] {
        let health = state.nodes.map { node in
            NodeHealth(node: node.node, isLive: !node.isReplaced && (reports[node.name]?.leaseRemainingMs ?? 0) > 0)
        }
        return state.explain(shard, health: health)?.sentences(naming: name) ?? []
    }

    /// An owner that is no more: its epoch, and why and by what pause it ended.
    private struct PastOwner {
        var change: OwnerChange
        var end: ChangeCause
        var pauseMs: UInt64?
    }

    /// Newest first. The last line of the table's history is the present owner.
    private func past(_ record: ShardRecord) -> [PastOwner] {
        let lines = record.history
        return lines.indices.dropLast().reversed().map { line in
            let next = lines[line + 1]
            return PastOwner(
                change: lines[line], end: next.cause, pauseMs: pauseMs(of: record.shard, before: next.epoch))
        }
    }

    private func write(_ past: PastOwner, to page: inout JSONOutput) {
        page.object { row in
            row.member("epoch", past.change.epoch.rawValue)
            row.key("owner")
            row.name(past.change.owner.map { name($0.node) })
            row.member("cause", "\(past.end)")
            if let pauseMs = past.pauseMs { row.member("pauseMs", pauseMs) }
        }
    }

    /// How long nobody served the shard before `epoch`: what the old owner did not, and the new one not yet. Each
    /// node knows of its last time only; without the new owner's word nothing is known.
    func pauseMs(of shard: ShardID, before epoch: Epoch) -> UInt64? {
        let known = reports.values.flatMap(\.shards).filter { $0.shard == shard }
        guard let after = known.first(where: { $0.takeoverEpoch == epoch.rawValue })?.takeoverPauseMs else {
            return nil
        }
        return after + (known.first { $0.handOverEpoch == epoch.rawValue }?.handOverMs ?? 0)
    }
}
