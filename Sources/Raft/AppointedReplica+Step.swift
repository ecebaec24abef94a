import Binary

/// Messages of peers. A replica serves one candidate at one epoch, refuses everything below, and a seal or
/// a message of a leader above moves it up.
extension AppointedReplica {
    public mutating func step(_ message: Message) {
        guard takesPart else { return core.counters.unansweredWithoutLog += 1 }
        guard message.to == id, message.from != id, message.term > .zero else {
            return core.counters.misdirected += 1
        }
        switch message.body {
        case .seal: stepSeal(message)
        case .append(let append):
            guard admit(message) else { return refuse(message) }
            core.endPulledSnapshot()
            heardOfOwner()
            core.follow(append, of: message.from)
            #if PLANTED_BUGS
            core.acknowledgement?.term = message.term
            core.acknowledgement?.incarnation = message.incarnation
            #endif
        case .snapshotChunk(let chunk) where !chunk.isPulled:
            guard admit(message) else { return refuse(message) }
            if core.receive(chunk, from: message.from) { core.acknowledge(core.commit, to: message.from) }
        case .pull(let pull): stepPull(pull, message)
        case .snapshotProgress(let progress) where stage == .following:
            core.snapshotProgressed(progress, from: message.from)
        case .sealRefusal: stepRefusal(message)
        case .heartbeat, .heartbeatAnswer, .voteRequest, .voteAnswer, .timeoutNow:
            core.counters.misdirected += 1
        default: stepAnswer(message)
        }
    }

    /// A replica without its log is silent: "I have none" would count as an empty log (O2, O9).
    private var takesPart: Bool {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.answerSealWithoutLog) { return true }
        #endif
        return core.holdsLog
    }

    /// Whether the sender is the candidate that this replica serves, or may serve from now on. A leader's
    /// message at a higher epoch seals as a seal does: its answer waits for the disk in the same way.
    private mutating func admit(_ message: Message) -> Bool {
        let candidate = Candidate(node: message.from, incarnation: message.incarnation)
        if message.term == sealedTerm, sealedOwner == candidate { return true }
        #if PLANTED_BUGS
        // Whom it serves is noted all the same: without, it would be silent, which is another bug.
        let isTaken = sealedOwner != nil
        if PlantedBug.isActive(.voteTwice), message.term == sealedTerm, isTaken { return true }
        if PlantedBug.isActive(.skipEpochCheck), stage == .following, message.term <= sealedTerm, isTaken,
            message.body != .seal
        {
            return true
        }
        #endif
        guard message.term > sealedTerm || (message.term == sealedTerm && sealedOwner == nil) else {
            countRefusal(of: message.term)
            return false
        }
        beginTerm(HardState(term: message.term, vote: candidate))
        return true
    }

    /// Tells whom this replica is sealed for.
    mutating func refuse(_ message: Message) {
        core.send(.sealRefusal(sealedOwner), to: message.from)
    }

    private mutating func stepSeal(_ message: Message) {
        guard admit(message) else { return refuse(message) }
        guard !core.isJoining || mayPretendLog else { return }
        core.messagesAfterPersist.append(
            Message(
                from: id, to: message.from, term: message.term, incarnation: message.incarnation,
                body: .sealAnswer(core.log.last)))
    }

    private var mayPretendLog: Bool {
        #if PLANTED_BUGS
        return PlantedBug.isActive(.answerSealWithoutLog)
        #else
        return false
        #endif
    }

    /// Somebody is sealed for another. At a higher epoch, ours is over; at ours, that replica is lost to us.
    private mutating func stepRefusal(_ message: Message) {
        guard stage != .following else { return core.counters.staleMessages += 1 }
        if message.term > sealedTerm { return resign() }
        if message.term == sealedTerm {
            core.counters.secondCandidates += 1
        } else {
            core.counters.staleMessages += 1
        }
    }

    private mutating func stepAnswer(_ message: Message) {
        guard message.term == sealedTerm, message.incarnation == core.incarnation, stage != .following else {
            return core.counters.staleMessages += 1
        }
        switch message.body {
        case .sealAnswer(let last):
            appointment.addAnswer(of: message.from, last: last)
            evaluateSeals()
        case .pullAnswer(let answer): stepPullAnswer(answer, from: message.from)
        case .pullConflict(let hint): stepPullConflict(hint, from: message.from)
        case .pullPending: stepPullPending(from: message.from)
        case .snapshotChunk(let chunk): stepPulledChunk(chunk, from: message.from)
        default: stepFollowerAnswer(message)
        }
    }

    private mutating func stepFollowerAnswer(_ message: Message) {
        guard core.isLeading else { return core.counters.staleMessages += 1 }
        appointment.noteReached(message.from)
        switch message.body {
        case .appendAccepted(let answer): core.accepted(answer, from: message.from)
        case .appendRejected(let answer): core.rejected(answer, from: message.from)
        case .snapshotProgress(let progress): core.snapshotProgressed(progress, from: message.from)
        default: core.counters.misdirected += 1
        }
        afterProgress()
    }
}
