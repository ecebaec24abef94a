import Binary

/// The way of an appointed owner: seal, adopt, then lead (O2).
extension AppointedReplica {
    // MARK: Seal

    /// Who is still to be sealed before this owner leads.
    var sealTargets: [NodeID] {
        let known = core.configuration.members
        let asked = known + appointment.alsoAsked.filter { !known.contains($0) }
        return asked.filter { $0 != id && !appointment.hasAnswer(of: $0) }.sorted()
    }

    mutating func sendSeals() {
        for target in sealTargets { core.send(.seal, to: target) }
    }

    /// A majority of the newest configuration in the log (both halves while it is joint), which is also the
    /// *adopted* one once a log is adopted. The own seal counts when the disk has it, and only inside the
    /// configuration. A replica that knows no configuration needs one answer to learn of one.
    private var hasSealedQuorum: Bool {
        guard !core.isJoining else { return !appointment.answers.isEmpty }
        let isOwnSealDurable = core.persistence.isHardStateDurable
        return core.configuration.hasQuorum { node in
            node == id ? isOwnSealDurable : appointment.hasAnswer(of: node)
        }
    }

    mutating func evaluateSeals() {
        guard stage == .sealing, hasSealedQuorum else { return }
        if let best = appointment.best, best.last > core.log.last || core.isJoining {
            adopt(from: best.node)
        } else {
            establish()
        }
    }

    /// No majority yet. The configuration in the own log may be one that was never committed, and that can
    /// never answer. A log that is higher than the own one holds everything committed that the own one
    /// holds (leader completeness), so it may be adopted without waiting; it may know better whom to seal.
    mutating func sealAgain() {
        sendSeals()
        if let best = appointment.best, best.last > core.log.last { adopt(from: best.node) }
    }

    // MARK: Adopt

    private mutating func adopt(from source: NodeID) {
        stage = .adopting
        appointment.source = source
        appointment.sourceTicks = 0
        appointment.pullAfter = core.log.last
        appointment.pullNeedsSnapshot = core.isJoining
        appointment.sourceIsSlow = false
        appointment.resetPatience()
        sendPull()
    }

    private mutating func sendPull() {
        guard let source = appointment.source else { return }
        let pull = Pull(previous: appointment.pullAfter, needsSnapshot: appointment.pullNeedsSnapshot)
        core.send(.pull(pull), to: source)
    }

    private mutating func pull(after position: Position) {
        appointment.pullAfter = position
        appointment.resetPatience()
        sendPull()
    }

    /// A message is the source's, and the source lives.
    private mutating func isFromSource(_ node: NodeID) -> Bool {
        guard stage == .adopting, appointment.source == node else {
            core.counters.staleMessages += 1
            return false
        }
        appointment.sourceTicks = 0
        return true
    }

    mutating func stepPullAnswer(_ answer: PullAnswer, from node: NodeID) {
        guard isFromSource(node) else { return }
        guard answer.previous == appointment.pullAfter, !appointment.pullNeedsSnapshot else {
            return core.counters.staleMessages += 1
        }
        guard case .merged(let match) = core.merge(answer.entries, after: answer.previous) else {
            return abandonSource()
        }
        core.advanceCommit(to: min(answer.commit, match))
        if core.log.last == answer.last { return finishAdopting() }
        guard !answer.entries.isEmpty, let term = core.log.term(at: match) else { return abandonSource() }
        pull(after: Position(term: term, index: match))
    }

    /// The logs part below: look further down, but never below what is committed.
    mutating func stepPullConflict(_ hint: Position, from node: NodeID) {
        guard isFromSource(node) else { return }
        let common = core.log.lastPosition(notAbove: hint)
        if common.index < appointment.pullAfter.index, common.index >= commit {
            return pull(after: common)
        }
        appointment.pullNeedsSnapshot = true
        sendPull()
    }

    mutating func stepPulledChunk(_ chunk: SnapshotChunk, from node: NodeID) {
        guard isFromSource(node) else { return }
        let before = core.snapshots.incoming?.offset ?? 0
        let isHere = core.receive(chunk, from: node)
        if isHere { return pullAfterSnapshot() }
        if chunk.isExternal { appointment.sourceIsSlow = true }
        // A file takes long. As long as it comes, asking again would only send parts of it again.
        if (core.snapshots.incoming?.offset ?? 0) > before { appointment.resetPatience() }
    }

    mutating func stepPullPending(from node: NodeID) {
        guard isFromSource(node) else { return }
        appointment.sourceIsSlow = true
    }

    /// The file that was pulled is in place.
    mutating func endPulledFile() {
        appointment.sourceTicks = 0
        pullAfterSnapshot()
    }

    private mutating func pullAfterSnapshot() {
        guard !core.isJoining, let term = core.log.term(at: commit) else { return }
        appointment.pullNeedsSnapshot = false
        appointment.sourceIsSlow = false
        pull(after: Position(term: term, index: commit))
    }

    /// If the adopted log brought another configuration, those in it must be sealed too: back to counting.
    private mutating func finishAdopting() {
        appointment.source = nil
        appointment.resetPatience()
        stage = .sealing
        sendSeals()
        evaluateSeals()
    }

    /// The source is gone. Its answer no longer counts; any majority of the others will do.
    mutating func abandonSource() {
        guard let source = appointment.source else { return }
        appointment.dropAnswer(of: source)
        core.dropIncoming()
        finishAdopting()
    }

    /// While the own disk works on a whole file, nothing is expected of the source.
    mutating func tickAdoption() {
        if let incoming = core.snapshots.incoming, incoming.identity.isExternal, incoming.isWhole { return }
        appointment.sourceTicks += 1
        let settings = core.settings
        let patience =
            appointment.sourceIsSlow
            ? max(settings.sourceTimeoutTicks, settings.fileSourceTimeoutTicks) : settings.sourceTimeoutTicks
        if appointment.sourceTicks >= patience { return abandonSource() }
        if appointment.isRetryDue(settings) { sendPull() }
    }

    // MARK: Lead

    private mutating func establish() {
        precondition(stage == .sealing && hasSealedQuorum, "O2: nobody leads before a majority is sealed")
        core.lead()
        appointment.barrier = core.appendOwn(.barrier)
        stage = .establishing
        #if PLANTED_BUGS
        if PlantedBug.isActive(.serveBeforeBarrier) { stage = .leading }
        #endif
        afterProgress()
    }

    /// Something became durable here or elsewhere.
    mutating func afterProgress() {
        evaluateSeals()
        guard stage == .establishing, commit >= appointment.barrier else { return }
        precondition(core.isOwnTermCommitted, "O2: the committed barrier is of this epoch")
        stage = .leading
    }

    // MARK: Being pulled

    /// An owner adopts this log. Only the very candidate that this replica is sealed for may.
    mutating func stepPull(_ pull: Pull, _ message: Message) {
        let candidate = Candidate(node: message.from, incarnation: message.incarnation)
        guard maySupply(candidate, at: message.term) else {
            if message.term > sealedTerm { return core.counters.staleMessages += 1 }
            countRefusal(of: message.term)
            return refuse(message)
        }
        guard !core.isJoining else { return core.counters.unansweredWithoutLog += 1 }
        if pull.needsSnapshot || pull.previous.index < core.log.boundary.index {
            return supplySnapshot(message)
        }
        core.endPulledSnapshot()
        if core.log.matches(pull.previous) {
            supplyEntries(after: pull.previous, message)
        } else {
            reply(.pullConflict(core.log.lastPosition(notAbove: pull.previous)), to: message)
        }
    }

    private func maySupply(_ candidate: Candidate, at term: Term) -> Bool {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.skipEpochCheck), term < sealedTerm { return true }
        #endif
        return term == sealedTerm && sealedOwner == candidate
    }

    private mutating func reply(_ body: Message.Body, to message: Message) {
        core.messages.append(
            Message(
                from: id, to: message.from, term: message.term, incarnation: message.incarnation, body: body))
    }

    private mutating func supplyEntries(after previous: Position, _ message: Message) {
        let entries = core.log.entries(
            from: previous.index.next, bytesMax: core.settings.messageBytesMax,
            countMax: core.settings.messageEntriesMax)
        reply(
            .pullAnswer(
                PullAnswer(previous: previous, commit: commit, last: core.log.last, entries: entries)),
            to: message)
    }

    private mutating func supplySnapshot(_ message: Message) {
        let owner = message.from
        if let pulled = core.snapshots.pulled, pulled.owner == owner {
            core.snapshots.pulled?.transfer?.rewind()
            if pulled.transfer == nil { reply(.pullPending, to: message) }
        } else {
            core.snapshots.pulled = (owner, nil)
        }
        core.wantSnapshot()
    }
}
