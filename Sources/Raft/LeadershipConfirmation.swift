import Binary

/// Requests to confirm leadership (ReadIndex, thesis 6.4).
///
/// Each attempt is a round with a fresh number, carried by heartbeats. A round answers the requests that
/// were waiting when it began; those that come later share the next one. An answer to an old round, late or
/// repeated, so proves nothing about a new request.
struct LeadershipConfirmation: Sendable {
    private struct Request: Sendable {
        var id: UInt64
        /// The first round that may answer it.
        var round: UInt64
    }

    private(set) var round: UInt64 = 0
    private var confirmedRound: UInt64 = 0
    private var waiting: [Request] = []
    private var answered: [ReadState] = []
    private var abandoned: [UInt64] = []
    private var lastID: UInt64 = 0

    var hasOutput: Bool { !answered.isEmpty || !abandoned.isEmpty }

    var hasWaiting: Bool { !waiting.isEmpty }

    /// No round is under way that somebody waits for, so the next one may begin at once.
    var isIdle: Bool { !waiting.contains { $0.round <= round } }

    mutating func beginRound() { round += 1 }

    mutating func add() -> UInt64 {
        lastID += 1
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.reuseRound) {
            waiting.append(Request(id: lastID, round: round))
            return lastID
        }
        #endif
        waiting.append(Request(id: lastID, round: round + 1))
        return lastID
    }

    /// Answers those whose round a quorum has confirmed. Before an entry of the own term is committed the
    /// commit index may lie below what an earlier leader acknowledged, so nothing is answered.
    mutating func evaluate(_ core: Replication) {
        guard !waiting.isEmpty, mayConfirm(core) else { return }
        let confirmed = core.configuration.quorumIndex { node in
            if node == core.id { return LogIndex(round) }
            return core.peerPosition(node).map { LogIndex(core.peers[$0].confirmedRound) } ?? .zero
        }
        confirmedRound = max(confirmedRound, confirmed.rawValue)
        let done = waiting.prefix { $0.round <= confirmedRound }
        guard !done.isEmpty else { return }
        answered += done.map { ReadState(id: $0.id, index: core.commit) }
        waiting.removeFirst(done.count)
    }

    private func mayConfirm(_ core: Replication) -> Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.confirmBeforeOwnEntry) { return true }
        #endif
        return core.isOwnTermCommitted
    }

    /// Leadership is over: those who wait must ask elsewhere.
    mutating func abandon() {
        abandoned += waiting.map(\.id)
        waiting = []
    }

    mutating func handOut(_ ready: inout Ready) {
        ready.readStates = answered
        ready.abandonedReads = abandoned
        answered = []
        abandoned = []
    }
}
