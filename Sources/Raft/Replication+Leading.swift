import Binary

/// Bringing followers up to date, and counting what a quorum holds.
extension Replication {
    mutating func lead() {
        isLeading = true
        peers = []
        syncPeers(addedAt: .zero)
    }

    mutating func stopLeading() {
        isLeading = false
        peers = []
        releaseUnneededOffer()
    }

    /// Makes `peers` follow the configuration. Those who left are no longer fed.
    mutating func syncPeers(addedAt index: LogIndex) {
        guard isLeading else { return }
        let old = peers
        peers = configuration.members.filter { $0 != id }.map { member in
            old.first { $0.peer == member }
                ?? Progress(
                    peer: member, since: index, next: log.lastIndex.next, retryTicks: settings.retryTicks)
        }
    }

    func peerPosition(_ node: NodeID) -> Int? { peers.firstIndex { $0.peer == node } }

    /// Appends an entry of the current term.
    mutating func appendOwn(_ kind: EntryKind, _ payload: [UInt8] = []) -> LogIndex {
        precondition(isLeading, "I6: only the leader of a term appends to it")
        let index = log.lastIndex.next
        append(Entry(term: term, index: index, kind: kind, payload: payload))
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.countSoleCopyBeforeSync) { commitByCounting() }
        #endif
        return index
    }

    // MARK: Counting

    /// How much of the log `node` holds durably, as far as is known.
    func match(of node: NodeID) -> LogIndex {
        if node == id { return ownMatch }
        return peerPosition(node).map { peers[$0].match } ?? .zero
    }

    /// A leader's own copy counts like any other: when it is durable.
    private var ownMatch: LogIndex {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.acknowledgeBeforeSync) { return log.lastIndex }
        #endif
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.countSoleCopyBeforeSync), configuration.voters == [id] { return log.lastIndex }
        #endif
        return persistence.durable
    }

    /// Commits what a quorum of the newest configuration holds, if its last entry is of this term: entries
    /// of earlier terms are committed by what follows them, never by counting (Raft, figure 8).
    mutating func commitByCounting() {
        guard isLeading else { return }
        let index = configuration.quorumIndex { match(of: $0) }
        guard index > commit, log.term(at: index) == term else { return }
        advanceCommit(to: index)
        leaveJointWhenDue()
    }

    /// No new configuration before an entry of this term and the last configuration are committed:
    /// otherwise two leaders in a row could create majorities that do not meet.
    var mayChangeConfiguration: Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.changeMembersBeforeOwnEntry) { return isLeading }
        #endif
        return isOwnTermCommitted && configurations.currentIndex <= commit
    }

    mutating func leaveJointWhenDue() {
        guard mayChangeConfiguration, configuration.isJoint else { return }
        _ = appendOwn(.configuration, configuration.leavingJoint.encoded)
    }

    mutating func changeConfiguration(to target: Configuration) -> LogIndex? {
        guard mayChangeConfiguration, !configuration.isJoint else { return nil }
        guard !target.isEmpty, !target.isJoint, target.members.count <= Configuration.maximumMembers else {
            return nil
        }
        guard target.voters.allSatisfy(mayBecomeVoter) else { return nil }
        return appendOwn(.configuration, configuration.changing(to: target).encoded)
    }

    /// A new voter was a learner before and has acknowledged part of the log to this very leader (O9). A
    /// voter without any log answers no seal, so a joint configuration that needs it could never be left
    /// by the next owner.
    private func mayBecomeVoter(_ node: NodeID) -> Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.promoteWithoutCatchUp) { return true }
        #endif
        return configuration.isVoter(node) || node == id || match(of: node) > .zero
    }

    // MARK: Answers

    mutating func accepted(_ answer: AppendAccepted, from node: NodeID) {
        guard let position = peerPosition(node) else { return counters.staleMessages += 1 }
        guard answer.match <= log.lastIndex else { return counters.impossibleAnswers += 1 }
        peers[position].heard(settings: settings)
        guard peers[position].accepted(match: answer.match, commit: answer.commit) else { return }
        if spreadsCommitAtOnce { peers[position].wantsCommit = true }
        releaseUnneededOffer()
        commitByCounting()
    }

    mutating func rejected(_ answer: AppendRejected, from node: NodeID) {
        guard let position = peerPosition(node) else { return counters.staleMessages += 1 }
        peers[position].heard(settings: settings)
        if answer.needsSnapshot {
            if peers[position].state != .snapshot { peers[position].becomeFedBySnapshot() }
            return wantSnapshot()
        }
        let common = log.lastPosition(notAbove: answer.hint)
        guard peers[position].rejected(previous: answer.previous, retryFrom: common.index.next) else {
            return counters.staleMessages += 1
        }
    }

    // MARK: Time

    /// Sends again what got no answer, and spreads the commit index.
    mutating func tickPeers() {
        for position in peers.indices {
            guard peers[position].isOutstanding(last: log.lastIndex, commit: commit) else { continue }
            if peers[position].tick(settings: settings) {
                counters.retries += 1
                peers[position].retry()
            }
            peers[position].wantsCommit = true
        }
        wantSnapshotAgain()
    }

    mutating func wantCommitSpread() {
        for position in peers.indices { peers[position].wantsCommit = true }
    }

    var hasOutstandingPeers: Bool {
        peers.contains { $0.isOutstanding(last: log.lastIndex, commit: commit) }
    }

    mutating func reportUnreachable(_ node: NodeID) {
        if let position = peerPosition(node) { peers[position].reportUnreachable() }
    }

    mutating func reportReachable(_ node: NodeID) {
        guard let position = peerPosition(node) else { return }
        peers[position].reportReachable(settings: settings)
    }

    // MARK: Building messages

    /// At most one append for each peer, with all that is new; chunks of snapshots within their window.
    mutating func buildAppends() {
        for position in peers.indices where !peers[position].isUnreachable { buildAppend(position) }
    }

    private mutating func buildAppend(_ position: Int) {
        if peers[position].canSendEntries(through: log.lastIndex, settings: settings) {
            let previous = peers[position].next.previous
            if let previousTerm = log.term(at: previous) {
                return sendEntries(position, after: Position(term: previousTerm, index: previous))
            }
            peers[position].becomeFedBySnapshot()
        }
        if peers[position].state == .snapshot { return feedSnapshot(position) }
        if wantsCommitOnly(peers[position]) { sendCommit(position) }
    }

    private mutating func sendEntries(_ position: Int, after previous: Position) {
        let isProbe = peers[position].state == .probe
        let entries = log.entries(
            from: previous.index.next,
            bytesMax: isProbe ? settings.probeBytesMax : settings.messageBytesMax,
            countMax: settings.messageEntriesMax)
        peers[position].sent(entries)
        peers[position].noteSent(through: log.lastIndex)
        sendAppend(position, Append(previous: previous, commit: commit, entries: entries))
    }

    /// An empty append: to tell the commit index.
    private mutating func sendCommit(_ position: Int) {
        let match = peers[position].match
        guard let term = log.term(at: match) else { return }
        sendAppend(
            position, Append(previous: Position(term: term, index: match), commit: commit, entries: []))
    }

    private mutating func sendAppend(_ position: Int, _ append: Append) {
        peers[position].sentCommit(commit, through: append.entries.last?.index ?? append.previous.index)
        send(.append(append), to: peers[position].peer)
    }

    private func wantsCommitOnly(_ peer: Progress) -> Bool {
        peer.wantsCommit && peer.lacksCommit(commit) && log.term(at: peer.match) != nil
    }

    var canSendToPeers: Bool {
        peers.contains { peer in
            guard !peer.isUnreachable else { return false }
            return peer.canSendEntries(through: log.lastIndex, settings: settings) || wantsCommitOnly(peer)
                || snapshots.canFeed(peer, from: log.boundary.index, settings: settings)
        }
    }
}
