import NIOHTTP1
import Placement
import Raft

// Nodes come, are emptied, and go (O9).

extension AdminCall {
    func drain(_ standing: NodeStanding) throws(HTTPFault) {
        guard let name = try body(knowing: ["node"])["node"]?.text else {
            throw .validation("node", "The body must name the node: {\"node\": \"…\"}.")
        }
        let state = try state()
        let record = try state.node(called: name)
        if standing == .draining, !state.nodes.contains(where: { $0.node != record.node && state.mayTakeOver($0) }) {
            throw .conflict("node.lastOne", "There is no other node that could take over what \(record.name) has.")
        }
        propose(.setStanding(record.node, standing)) {
            .json(
                JSONOutput.object {
                    $0.member("node", record.name)
                    $0.member("standing", "\(standing)")
                    $0.member("shardsOwned", state.shardsOwned(by: record.node))
                    $0.member("replicas", state.replicasKept(by: record.node))
                })
        }
    }

    func members() throws(HTTPFault) {
        switch request.method {
        case .GET: try status()
        case .POST: try addMember()
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    private func addMember() throws(HTTPFault) {
        guard let address = try body(knowing: ["peer"])["peer"]?.text else {
            throw .validation("peer", "The body must name the node's peer address: {\"peer\": \"HOST:PORT\"}.")
        }
        guard address.utf8.count <= PlacementLimits.addressBytes, isPeerAddress(address) else {
            throw .validation("peer", "A peer address is HOST:PORT.")
        }
        _ = try state()
        let errand = InviteErrand(call: self, address: address)
        noted("node.add", address) { errand.begin() }
    }

    private func isPeerAddress(_ text: String) -> Bool {
        guard let colon = text.lastIndex(of: ":"), colon != text.startIndex else { return false }
        return UInt16(text[text.index(after: colon)...]).map { $0 > 0 } ?? false
    }

    func removeMember(_ name: String) throws(HTTPFault) {
        let state = try state()
        if let id = NodeID(digits: name), state.registry.isRemoved(id) { return answerRemoved(name) }
        let record = try state.node(called: name)
        guard record.node != edge.gateway.view.nodeID else {
            throw .unavailable("A node cannot say of itself that it is removed: ask another one")
        }
        propose(.removeNode(record.node, atMs: edge.gateway.wallMs())) { self.removed(record.name) }
    }

    private func answerRemoved(_ name: String) { answer(removed(name)) }

    private func removed(_ name: String) -> HTTPResponse { .json(JSONOutput.object { $0.member("removed", name) }) }
}

/// Invites until the node is there.
private final class InviteErrand {
    private let call: AdminCall
    private let address: String
    private let deadlineMs: UInt64

    static let repeatMs: UInt64 = 200
    static let limitMs: UInt64 = 10_000

    init(call: AdminCall, address: String) {
        self.call = call
        self.address = address
        deadlineMs = call.edge.nowMs + Self.limitMs
    }

    func begin() {
        call.edge.poll(everyMs: Self.repeatMs) {
            let gateway = self.call.edge.gateway
            if let record = gateway.view.state?.nodes.first(where: { $0.peerAddress == self.address && !$0.isReplaced }) {
                return self.end(.json(self.page(record)))
            }
            guard self.call.edge.nowMs < self.deadlineMs else {
                return self.end(
                    HTTPFault.unavailable(
                        "No node at \(self.address) has joined. It must run, with neither bootstrap nor join, an "
                            + "empty data directory and a name of its own, and be reachable there"
                    ).response)
            }
            gateway.invite(self.address)
            return false
        }
    }

    private func page(_ record: NodeRecord) -> [UInt8] {
        JSONOutput.object {
            $0.member("node", record.name)
            $0.member("id", hexadecimal(record.node.rawValue))
            $0.member("peer", record.peerAddress)
            $0.member("url", record.clientURL)
        }
    }

    private func end(_ response: HTTPResponse) -> Bool {
        call.edge.gateway.endInvitation(address)
        call.answer(response)
        return true
    }
}

extension PlacementState {
    /// By name, or by the sixteen digits of its id: a node with a new disk has the old one's name.
    func node(called name: String) throws(HTTPFault) -> NodeRecord {
        if let record = registry.record(named: name) { return record }
        if let id = NodeID(digits: name), let record = registry.record(of: id) { return record }
        throw HTTPFault(
            status: 404, name: "NotFoundError", code: "notFoundError.node", message: "There is no node \(name).")
    }

    fileprivate func mayTakeOver(_ record: NodeRecord) -> Bool {
        registry.isActive(record.node) && record.newestLive != nil
    }
}

extension NodeID {
    fileprivate init?(digits text: String) {
        guard text.utf8.count == 16, let number = UInt64(text, radix: 16) else { return nil }
        self.init(rawValue: number)
    }
}
