import Cluster
import ObjectRuntime
import Placement
import Raft

/// Whether what the log says of connections had a cause (O15): who joined has asked to, and nobody leaves
/// whose client did not leave, whose socket did not close, and whose edge is not over for longer than the grace.
struct PresenceJudge {
    /// Clocks may run fast by so much.
    let driftMaxPpm: UInt64
    private var sockets: [Attachment: VirtualSocket] = [:]
    /// Whom an owner has seated, whether or not the edge lived to tell its socket.
    private var seated: Set<Attachment> = []
    /// Edge processes that hold or held sockets, and when the first node learnt that they are over.
    private var edges: [(process: NodeProcess, fencedNs: UInt64?)] = []

    init(driftMaxPpm: UInt64) { self.driftMaxPpm = driftMaxPpm }

    mutating func note(_ attachment: Attachment, of socket: VirtualSocket, node: NodeID) {
        sockets[attachment] = socket
        let process = NodeProcess(node: node, incarnation: Incarnation(rawValue: attachment.incarnation))
        if !edges.contains(where: { $0.process == process }) { edges.append((process, nil)) }
    }

    mutating func observe(_ state: PlacementState, nowNs: UInt64) {
        for place in edges.indices where edges[place].fencedNs == nil && state.isFenced(edges[place].process) {
            edges[place].fencedNs = nowNs
        }
    }

    /// A complaint, if the step had no cause.
    mutating func judge(_ step: EventLedger.Step, graceMs: UInt64, nowNs: UInt64) -> String? {
        switch step {
        case .joined(let connection, let attachment, let before, _):
            guard sockets[attachment] != nil else { return "\(connection) joined by a socket that was never connected" }
            if let before, before != attachment { return "\(connection) joined by a socket that it has left" }
            return nil
        case .leftTwice(let connection): return "\(connection) left without having been there"
        case .left(let connection, let attachment):
            return judgeLeave(connection, attachment, graceMs: graceMs, nowNs: nowNs)
        case .attached(_, let attachment):
            seated.insert(attachment)
            return nil
        case .forgotten: return nil
        }
    }

    private mutating func judgeLeave(
        _ connection: ConnectionID, _ attachment: Attachment, graceMs: UInt64, nowNs: UInt64
    ) -> String? {
        if let socket = sockets[attachment], socket.leavesAllowed > 0 {
            socket.leavesAllowed -= 1
            return nil
        }
        guard sockets[attachment] != nil || seated.contains(attachment) else {
            return "\(connection) left by a socket that was never connected"
        }
        let edge = edges.first { $0.process.incarnation.rawValue == attachment.incarnation }
        guard let fencedNs = edge?.fencedNs else { return "\(connection) left, though its socket is there" }
        guard nowNs >= fencedNs + graceMs * (1_000_000 - 3 * driftMaxPpm) else {
            return "\(connection) left \((nowNs - fencedNs) / 1_000_000) ms after its edge was fenced"
        }
        return nil
    }
}
