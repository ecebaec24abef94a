import Binary

/// Messages of peers: terms first, then what the role makes of them.
extension ElectedReplica {
    public mutating func step(_ message: Message) {
        guard takesPart else { return core.counters.unansweredWithoutLog += 1 }
        guard message.to == id, message.from != id else { return core.counters.misdirected += 1 }
        switch message.body {
        case .voteRequest(let request): return stepVoteRequest(request, message)
        case .voteAnswer(let answer): return stepVoteAnswer(answer, message)
        case .seal, .sealAnswer, .sealRefusal, .pull, .pullAnswer, .pullConflict, .pullPending:
            return core.counters.misdirected += 1
        default: break
        }
        if message.term < term, !takesLowerTerms { return stepLowerTerm(message) }
        if message.term > term { becomeFollower(term: message.term, leader: nil) }
        stepCurrentTerm(message)
    }

    /// A replica without its log is silent: it would vote for a log that lacks what it has forgotten (O9).
    private var takesPart: Bool {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.answerSealWithoutLog) { return true }
        #endif
        return core.holdsLog
    }

    private var takesLowerTerms: Bool {
        #if PLANTED_BUGS
        return RemovedGuard.isRemoved(.takeLowerTerms)
        #else
        return false
        #endif
    }

    /// Somebody leads a term that is over and does not know it: an answer with our term tells it. Without
    /// it a replica with a higher term and a leader that it does not follow could block each other for ever.
    private mutating func stepLowerTerm(_ message: Message) {
        core.counters.staleMessages += 1
        switch message.body {
        case .append, .heartbeat, .snapshotChunk:
            let rejection = AppendRejected(previous: .zero, hint: core.log.last)
            core.send(.appendRejected(rejection), to: message.from)
        default: break
        }
    }

    private mutating func stepCurrentTerm(_ message: Message) {
        switch message.body {
        case .append(let append):
            if acceptLeader(message.from) { core.follow(append, of: message.from) }
        case .heartbeat(let beat):
            if acceptLeader(message.from) { answer(beat, of: message.from) }
        case .snapshotChunk(let chunk):
            guard acceptLeader(message.from), !chunk.isPulled else { return }
            if core.receive(chunk, from: message.from) { core.acknowledge(core.commit, to: message.from) }
        case .timeoutNow: stepTimeoutNow(message.from)
        default:
            guard isLeader else { return core.counters.staleMessages += 1 }
            stepAnswer(message)
            afterCommit()
        }
    }

    private mutating func stepAnswer(_ message: Message) {
        switch message.body {
        case .appendAccepted(let answer):
            core.accepted(answer, from: message.from)
            continueTransfer(with: message.from)
        case .appendRejected(let answer): core.rejected(answer, from: message.from)
        case .heartbeatAnswer(let answer): confirmed(answer, by: message.from)
        case .snapshotProgress(let progress): core.snapshotProgressed(progress, from: message.from)
        default: core.counters.misdirected += 1
        }
    }

    /// Follows the sender in the current term, unless another leads it: a term has one leader.
    private mutating func acceptLeader(_ sender: NodeID) -> Bool {
        if isLeader || (leader != nil && leader != sender) {
            core.counters.secondLeaders += 1
            return false
        }
        if role != .follower { becomeFollower(term: term, leader: sender) }
        if obituary != nil {
            obituary = nil
            resetElectionTimer()
        }
        leader = sender
        electionElapsed = 0
        return true
    }

    private mutating func answer(_ beat: Heartbeat, of leader: NodeID) {
        core.advanceCommit(to: min(beat.commit, core.log.lastIndex))
        core.send(
            .heartbeatAnswer(HeartbeatAnswer(round: beat.round)), to: leader,
            afterPersist: !core.persistence.isHardStateDurable)
    }

    mutating func becomeFollower(term newTerm: Term, leader newLeader: NodeID?) {
        if newTerm > term {
            core.setHardState(HardState(term: newTerm, vote: nil))
            obituary = nil
        }
        if isLeader { core.stopLeading() }
        confirmation.abandon()
        transfer = nil
        isLeaving = false
        role = .follower
        leader = newLeader
        resetElectionTimer()
    }
}
