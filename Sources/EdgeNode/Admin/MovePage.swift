import Cluster
import ObjectRuntime
import Placement
import Raft

// A shard changes hands because an operator says so (O8). The owner does it; this page asks, looks on, and tells
// what it has cost.

extension AdminCall {
    func move() throws(HTTPFault) {
        let body = try body(knowing: ["shard", "project", "class", "id", "to"])
        let state = try state()
        let record = try movedShard(body, state)
        guard let name = body["to"]?.text else {
            throw .validation("to", "The body must name the node that is to have the shard: {\"to\": \"…\"}.")
        }
        let target = try state.node(called: name)
        if record.owner?.node == target.node { return answer(.json(MoveResult(record, at: target.name).page)) }
        try checkTarget(target, of: record, state)
        let errand = MoveErrand(call: self, shard: record.shard, from: record.owner?.node, target: target)
        noted("shard.move", "\(record.shard) to \(target.name)") { errand.begin() }
    }

    private func movedShard(_ body: JSONInput, _ state: PlacementState) throws(HTTPFault) -> ShardRecord {
        if let value = body["shard"] {
            let number = value.count.flatMap { UInt32(exactly: $0) }.map { ShardID(rawValue: $0) }
            guard let shard = number ?? value.text.flatMap({ ShardID(text: $0) }) else { throw .notAShard }
            guard let record = state.table.record(of: shard) else { throw .unknownShard(shard) }
            return record
        }
        guard let project = body["project"]?.text, let id = body["id"]?.text else {
            throw .validation("shard", "The body must name a shard; or project and id, and class if it has one.")
        }
        let object = ObjectID(
            project: project, objectClass: body["class"]?.text ?? ObjectRoute.defaultClass, id: id,
            hashKey: state.genesis.hashKey)
        return state.table.shard(forKey: object.key.rawValue)
    }

    private func checkTarget(_ target: NodeRecord, of record: ShardRecord, _ state: PlacementState) throws(HTTPFault) {
        guard record.owner != nil else { throw .unavailable("Nobody owns shard \(record.shard) at the moment") }
        guard record.heirs.contains(target.node) else {
            let keepers = record.heirs.map { state.nodeName($0) ?? hexadecimal($0.rawValue) }.joined(separator: ", ")
            throw .conflict(
                "move.notVoter",
                "\(target.name) keeps no usable replica of shard \(record.shard), so it cannot own it. "
                    + "These do: \(keepers).")
        }
        guard target.newestLive != nil else {
            throw .conflict("move.notLive", "No process of \(target.name) is running.")
        }
        guard target.standing == .active else {
            throw .conflict("move.draining", "\(target.name) is being drained; undrain it first.")
        }
    }
}

/// What a move has cost.
struct MoveResult {
    var shard: ShardID
    var epoch: Epoch
    var from: String
    var to: String
    /// Nil if the nodes could not be asked.
    var pauseMs: UInt64?
    var socketsDropped: UInt64 = 0
    var eventsLost: UInt64 = 0

    init(_ record: ShardRecord, from: String, to: String) {
        (shard, epoch, self.from, self.to) = (record.shard, record.epoch, from, to)
    }

    /// The shard was there already.
    init(_ record: ShardRecord, at owner: String) {
        self.init(record, from: owner, to: owner)
        pauseMs = 0
    }

    var page: [UInt8] {
        JSONOutput.object { page in
            page.member("shard", shard.rawValue)
            page.member("name", "\(shard)")
            page.member("epoch", epoch.rawValue)
            page.member("from", from)
            page.member("to", to)
            page.key("pauseMs")
            if let pauseMs { page.value(pauseMs) } else { page.null() }
            page.member("socketsDropped", socketsDropped)
            page.member("eventsLost", eventsLost)
        }
    }
}

/// One move from its first report to its last, on the loop of the call.
private final class MoveErrand {
    private let call: AdminCall
    private let shard: ShardID
    private let from: NodeID?
    private let target: NodeRecord
    private var before: [NodeReport] = []
    private let deadlineMs: UInt64

    /// The owner is asked again after so long, since it may decline or not have heard.
    static let repeatMs: UInt64 = 300
    /// How often the view is looked at.
    static let lookMs: UInt64 = 10
    static let limitMs: UInt64 = 10_000

    init(call: AdminCall, shard: ShardID, from: NodeID?, target: NodeRecord) {
        self.call = call
        self.shard = shard
        self.from = from
        self.target = target
        deadlineMs = call.edge.nowMs + Self.limitMs
    }

    func begin() {
        call.edge.gateway.clusterReport { reports in
            self.before = reports
            self.ask()
        }
    }

    private var record: ShardRecord? { call.edge.gateway.view.state?.table.record(of: shard) }

    private func ask() {
        var nextOrderMs: UInt64 = 0
        call.edge.poll(everyMs: Self.lookMs) {
            guard let state = self.call.edge.gateway.view.state, let record = self.record else { return self.fail() }
            if record.owner?.node == self.target.node { return self.finish(record) }
            let nowMs = self.call.edge.nowMs
            guard nowMs < self.deadlineMs else { return self.fail() }
            if nowMs >= nextOrderMs, let owner = record.owner, let to = state.registry.newestLive(of: self.target.node) {
                nextOrderMs = nowMs + Self.repeatMs
                self.call.edge.gateway.order(MoveRequest(shard: self.shard, epoch: record.epoch, from: owner, to: to))
            }
            return false
        }
    }

    private func fail() -> Bool {
        call.answer(
            HTTPFault(
                status: 409, name: "ConflictError", code: "outcomeUnknown",
                message: "Shard \(shard) was not handed to \(target.name) in time; it may still be. "
                    + "Look at explain, and ask again if need be.", applied: "unknown"
            ).response)
        return true
    }

    /// The table has it; the new owner may not serve yet.
    private func finish(_ record: ShardRecord) -> Bool {
        call.edge.gateway.clusterReport { reports in
            guard let state = self.call.edge.gateway.view.state else { return _ = self.fail() }
            let pages = ClusterPages(state: state, reports: reports, leader: nil)
            let pauseMs = pages.pauseMs(of: self.shard, before: record.epoch)
            if pauseMs == nil, self.call.edge.nowMs < self.deadlineMs {
                return self.call.edge.later(afterMs: Self.lookMs) { _ = self.finish(record) }
            }
            var result = MoveResult(record, from: self.from.map(pages.name) ?? "-", to: self.target.name)
            result.pauseMs = pauseMs
            let costs = MoveCosts(before: self.before, after: reports)
            (result.socketsDropped, result.eventsLost) = (costs.droppedSockets, costs.eventGaps)
            self.call.answer(.json(result.page))
        }
        return true
    }
}

/// By how much counters have risen, over the nodes that told both times and did not start anew meanwhile.
struct MoveCosts {
    private(set) var droppedSockets: UInt64 = 0
    private(set) var eventGaps: UInt64 = 0

    init(before: [NodeReport], after: [NodeReport]) {
        for new in after {
            guard let old = before.first(where: { $0.name == new.name && $0.incarnation == new.incarnation }) else {
                continue
            }
            droppedSockets += new.counters.droppedSockets - min(new.counters.droppedSockets, old.counters.droppedSockets)
            eventGaps += new.counters.eventGaps - min(new.counters.eventGaps, old.counters.eventGaps)
        }
    }
}
