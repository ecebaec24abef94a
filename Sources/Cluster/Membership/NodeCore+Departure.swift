import Binary
import Placement
import Raft

/// Obituaries that the cluster has not settled yet (O7), in order of arrival.
struct Burials {
    struct Open {
        var obituary: Obituary
        var nextTryMs: UInt64
    }

    private(set) var open: [Open] = []
    /// Deaths of placement leaders that this node has acted upon.
    private var heededDeaths: [Obituary] = []

    mutating func add(_ obituary: Obituary) {
        if !open.contains(where: { $0.obituary == obituary }) {
            open.append(Open(obituary: obituary, nextTryMs: 0))
        }
    }

    /// True the first time: a leader's death is acted upon once.
    mutating func heed(_ obituary: Obituary) -> Bool {
        guard !heededDeaths.contains(obituary) else { return false }
        heededDeaths.append(obituary)
        if heededDeaths.count > 64 { heededDeaths.removeFirst() }
        return true
    }

    mutating func due(nowMs: UInt64, retryMs: UInt64) -> [Obituary] {
        var due: [Obituary] = []
        for position in open.indices where open[position].nextTryMs <= nowMs {
            open[position].nextTryMs = nowMs + retryMs
            due.append(open[position].obituary)
        }
        return due
    }

    /// Nobody could be told yet: try again at the next tick.
    mutating func postpone(_ obituary: Obituary) {
        guard let position = open.firstIndex(where: { $0.obituary == obituary }) else { return }
        open[position].nextTryMs = 0
    }

    mutating func close(where isSettled: (Obituary) -> Bool) -> [Obituary] {
        let settled = open.map(\.obituary).filter(isSettled)
        open.removeAll { isSettled($0.obituary) }
        return settled
    }
}

/// How processes leave: by obituary (O7) or by their own wish (O6 c).
extension NodeCore {
    func take(_ obituary: Obituary, now: Clocks) {
        guard state != nil else { return }
        burials.add(obituary)
        campaignIfLeaderDied(obituary)
        repeatBurials(now: now)
    }

    /// O7: an obituary of the placement leader lets followers campaign at once, the lowest live voter
    /// first, the others after a jitter, should its log turn out to be the shorter one.
    private func campaignIfLeaderDied(_ obituary: Obituary) {
        guard let placement, let leader = placement.leader, leader == obituary.node,
            leader != identity.nodeID, isNewestRun(obituary), burials.heed(obituary)
        else { return }
        let others = placement.configuration.voters.filter { $0 != leader }
        let rank = others.firstIndex(of: identity.nodeID) ?? others.count
        let ticks = rank == 0 ? 0 : 3 * rank + Int(random.next() % 3)
        self.placement?.leaderDied(leader, term: placement.term, campaignAfterTicks: ticks)
    }

    private func isNewestRun(_ obituary: Obituary) -> Bool {
        state?.registry.record(of: obituary.node)?.nonce == obituary.nonce
    }

    /// Brings obituaries to the leader until the fence is applied here; then the parents are told.
    func repeatBurials(now: Clocks) {
        guard let state else { return }
        effects.buried += burials.close { state.registry.isBuried(node: $0.node, nonce: $0.nonce) }
        for obituary in burials.due(nowMs: now.rawNs / 1_000_000, retryMs: 100) {
            if placement?.role == .leader, placement?.isOwnTermCommitted == true {
                bury(obituary, now: now)
            } else if let leader = placement?.leader, leader != identity.nodeID, leader != obituary.node {
                send(.obituary(obituary), to: leader)
            } else {
                burials.postpone(obituary)
            }
        }
    }

    private func bury(_ obituary: Obituary, now: Clocks) {
        let dead = state?.registry.record(of: obituary.node)?.live
            .first { $0.nonce == obituary.nonce }
            .map { NodeProcess(node: obituary.node, incarnation: $0.incarnation) }
        let heirs = heirs(of: obituary.node, run: dead, now: now)
        proposeAsLeader(.bury(node: obituary.node, nonce: obituary.nonce, candidates: heirs))
    }

    /// O6: who may take over, best first.
    func heirs(of node: NodeID, run: NodeProcess?, now: Clocks) -> [NodeProcess] {
        let candidates = granter?.candidates(excluding: run, now: now) ?? []
        return candidates.isEmpty ? likelyCandidates(excluding: node) : candidates
    }

    /// A leader that has just been elected has granted nothing yet, and neither an obituary nor a node's
    /// own wish need wait for leases: it names the newest runs of the nodes that it reaches. A wrong
    /// guess yields (O2).
    private func likelyCandidates(excluding dead: NodeID) -> [NodeProcess] {
        guard let state else { return [] }
        let nodes = ([identity.nodeID] + reachable).filter { $0 != dead }
        return nodes.compactMap { state.registry.newestLive(of: $0) }
    }

    // MARK: - Shutdown

    func beginDrain(now: Clocks) {
        guard !isDraining else { return }
        isDraining = true
        drainDeadlineMs = now.rawNs / 1_000_000 + settings.drainTimeoutMs
        effects.drainLoops = true
        if state == nil || process == nil { effects.exit = .drained }
    }

    /// O6 (c): once nothing is served any more, asks to be fenced; the shards go to others at once.
    func advanceDrain(now: Clocks) {
        guard isDraining, let process, let deadline = drainDeadlineMs else { return }
        let nowMs = now.rawNs / 1_000_000
        if nowMs >= deadline {
            // Not fenced: the parent's obituary does what the farewell could not.
            effects.exit = .fenced
            return
        }
        // A loop that has not said so may still answer reads under its lease.
        guard loopsAreDrained else { return }
        guard let placement else { return }
        if placement.role == .leader, let heir = heir() {
            self.placement?.transferLeadership(to: heir)
        } else if placement.role == .leader {
            askedForFenceMs = nowMs
            fence(process, cause: .requested, now: now)
        } else if let leader = placement.leader, nowMs >= askedForFenceMs + 50 {
            askedForFenceMs = nowMs
            send(.fenceMe(process), to: leader)
        }
    }

    /// It can take over at once. While leadership is handed to one that lags, or does not answer, nothing is decided.
    func mayLeadNext(_ node: NodeID) -> Bool {
        guard let placement else { return false }
        return reachable.contains(node) && placement.matchIndex(of: node) == placement.lastIndex
    }

    /// Another voter to lead the placement group, if one can be reached.
    private func heir() -> NodeID? {
        let others = placement?.configuration.voters.filter { $0 != identity.nodeID && reachable.contains($0) } ?? []
        return others.first(where: mayLeadNext) ?? others.first
    }
}
