/// What a leader does beside replicating: beat, check that it still reaches a quorum, hand over, leave.
extension ElectedReplica {
    /// Tells everybody that it leads. Each call is a new round: an answer confirms leadership for requests
    /// that were there before the round began, and for no other.
    mutating func beat() {
        heartbeatElapsed = 0
        confirmation.beginRound()
        for peer in core.peers {
            let beat = Heartbeat(commit: min(peer.match, commit), round: confirmation.round)
            core.send(.heartbeat(beat), to: peer.peer)
        }
    }

    /// A leader that hears nothing from a quorum for an election timeout goes: it may be alone.
    mutating func isInTouchWithQuorum() -> Bool {
        let heard = core.peers.filter(\.wasHeard).map(\.peer)
        for position in core.peers.indices { core.peers[position].wasHeard = false }
        return core.configuration.hasQuorum { $0 == id || heard.contains($0) }
    }

    mutating func afterCommit() {
        guard isLeader else { return }
        confirmation.evaluate(core)
        let isVoter = core.configuration.isVoter(id)
        if !isVoter, core.configurations.currentIndex <= commit { isLeaving = true }
    }

    mutating func leave() {
        let best = core.peers.filter { core.configuration.isVoter($0.peer) }.max { $0.match < $1.match }
        if let best, best.match == lastIndex { core.send(.timeoutNow, to: best.peer) }
        becomeFollower(term: term, leader: nil)
    }

    // MARK: Transfer

    /// Hands leadership to a voter: proposals stop, the target is brought up to date and told to campaign.
    /// Given up after an election timeout. False if it cannot begin.
    @discardableResult
    public mutating func transferLeadership(to target: NodeID) -> Bool {
        guard isLeader, target != id, transfer == nil, core.configuration.voters.contains(target) else {
            return false
        }
        transfer = (target, 0)
        continueTransfer(with: target)
        return true
    }

    mutating func continueTransfer(with node: NodeID) {
        guard isLeader, transfer?.target == node, core.match(of: node) == lastIndex else { return }
        core.send(.timeoutNow, to: node)
    }

    mutating func tickTransfer() {
        guard let (target, ticks) = transfer else { return }
        transfer = ticks + 1 < core.settings.electionTimeoutTicks.lowerBound ? (target, ticks + 1) : nil
    }

    // MARK: Reads

    /// Asks for confirmation that this replica still leads. Nil if it does not lead. The answer comes as a
    /// `ReadState` with this id, or among `abandonedReads`.
    public mutating func requestReadIndex() -> UInt64? {
        guard isLeader else { return nil }
        let id = confirmation.add()
        if confirmation.isIdle { beat() }
        confirmation.evaluate(core)
        return id
    }

    mutating func confirmed(_ answer: HeartbeatAnswer, by node: NodeID) {
        guard let position = core.peerPosition(node) else { return core.counters.staleMessages += 1 }
        guard answer.round <= confirmation.round else { return core.counters.impossibleAnswers += 1 }
        core.peers[position].heard(settings: core.settings)
        core.peers[position].confirmedRound = max(core.peers[position].confirmedRound, answer.round)
        confirmation.evaluate(core)
        if confirmation.isIdle, confirmation.hasWaiting, isOwnTermCommitted { beat() }
    }
}
