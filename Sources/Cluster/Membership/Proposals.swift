import Placement
import Raft

/// This node's commands on their way through the placement group: handed over, repeated until their
/// entry comes out of the log, and settled then. Every command is idempotent or names what it expects,
/// so a repetition does no harm.
struct Proposals {
    private struct Pending {
        var counter: UInt64
        var command: Command
        /// Who asked; nil for the node's own commands, which are repeated without end.
        var token: RequestToken?
        var deadlineMs: UInt64
        var nextTryMs: UInt64
        var wasHandedOver = false
    }

    private let nodeID: NodeID
    private let settings: NodeSettings
    private var pending: [Pending] = []
    private var nextCounter: UInt64

    /// `firstCounter` is random, so that a proposal of an earlier process is not taken for one of this.
    init(nodeID: NodeID, firstCounter: UInt64, settings: NodeSettings) {
        self.nodeID = nodeID
        self.settings = settings
        nextCounter = firstCounter
    }

    mutating func add(_ command: Command, token: RequestToken?, nowMs: UInt64) {
        // The same wish again, as loops repeat theirs: it is under way.
        if token == nil, pending.contains(where: { $0.token == nil && $0.command == command }) { return }
        pending.append(
            Pending(
                counter: nextCounter, command: command, token: token,
                deadlineMs: nowMs + settings.proposalDeadlineMs, nextTryMs: nowMs))
        nextCounter += 1
    }

    /// What is to be handed to the leader now.
    mutating func due(nowMs: UInt64) -> [ProposalEnvelope] {
        var envelopes: [ProposalEnvelope] = []
        for position in pending.indices where pending[position].nextTryMs <= nowMs {
            pending[position].nextTryMs = nowMs + settings.proposalRetryMs
            envelopes.append(
                ProposalEnvelope(
                    node: nodeID.rawValue, counter: pending[position].counter,
                    command: pending[position].command))
        }
        return envelopes
    }

    /// A leader has it, or it is on its way there: from now on its outcome may be unknown.
    mutating func handedOver(_ id: ProposalID) {
        guard let position = pending.firstIndex(where: { $0.counter == id.counter }) else { return }
        pending[position].wasHandedOver = true
    }

    /// No leader is known: try again soon.
    mutating func postpone(_ id: ProposalID, nowMs: UInt64) {
        guard let position = pending.firstIndex(where: { $0.counter == id.counter }) else { return }
        pending[position].nextTryMs = nowMs + settings.tickMs
    }

    /// The entry has been applied here.
    mutating func applied(_ id: ProposalID) -> RequestToken? {
        guard id.node == nodeID.rawValue,
            let position = pending.firstIndex(where: { $0.counter == id.counter })
        else { return nil }
        return pending.remove(at: position).token
    }

    /// What has waited too long, with what can be said about it.
    mutating func expired(nowMs: UInt64) -> [(token: RequestToken, failure: ProposalFailure)] {
        let over = pending.filter { $0.token != nil && $0.deadlineMs <= nowMs }
        pending.removeAll { $0.token != nil && $0.deadlineMs <= nowMs }
        return over.compactMap { item in
            item.token.map { ($0, item.wasHandedOver ? .unknownOutcome : .noLeader) }
        }
    }

    /// Drops the node's own wishes that the state has overtaken.
    mutating func dropOvertaken(_ isOvertaken: (Command) -> Bool) {
        pending.removeAll { $0.token == nil && isOvertaken($0.command) }
    }
}
