/// What a leader knows about one follower.
///
/// *probe*: it is not known where the logs part; one message at a time. *replicate*: they agree up to
/// `next`; messages follow each other without waiting, within a window. *snapshot*: the entries it needs
/// are no longer in memory.
struct Progress: Sendable {
    enum State: Sendable, Equatable { case probe, replicate, snapshot }

    let peer: NodeID
    /// The index of the entry by which this leader added it; zero if it was there before. What it acknowledges
    /// below may be word of a former life, whose log is lost: it proves nothing (O9).
    let since: LogIndex
    private(set) var state = State.probe
    /// Its log equals the leader's, durably, up to here.
    private(set) var match = LogIndex.zero
    /// The next entry to send.
    private(set) var next: LogIndex
    private(set) var isProbeOutstanding = false
    private var inFlight = InFlight()
    var transfer: OutgoingTransfer?

    /// What it has said last about its commit index, and what it makes of what it was told. It may fall: what was said
    /// before may have been its former process.
    private(set) var knownCommit = LogIndex.zero
    private var sentCommit = LogIndex.zero
    /// It is to be told the commit index although nothing else is to be sent.
    var wantsCommit = false

    /// Reported by the link. Nothing is sent until something is heard.
    var isUnreachable = false
    /// Heard of since the last check of the quorum.
    var wasHeard = false
    /// The highest round of leadership confirmation it has answered.
    var confirmedRound: UInt64 = 0

    /// It was fed a snapshot, and not everything that came after has been sent to it yet.
    private(set) var isCatchingUp = false

    private var ticksWaiting = 0
    private var retryAfter: Int

    init(peer: NodeID, since: LogIndex, next: LogIndex, retryTicks: Int) {
        self.peer = peer
        self.since = since
        self.next = next
        retryAfter = retryTicks
    }

    // MARK: Sending

    func canSendEntries(through last: LogIndex, settings: ReplicaSettings) -> Bool {
        switch state {
        case .probe: !isProbeOutstanding
        case .replicate: next <= last && !inFlight.isFull(settings)
        case .snapshot: false
        }
    }

    mutating func sent(_ entries: [Entry]) {
        switch state {
        case .probe: isProbeOutstanding = true
        case .replicate:
            guard let last = entries.last else { return }
            if inFlight.isEmpty { ticksWaiting = 0 }
            inFlight.add(last: last.index, bytes: entries.reduce(0) { $0 + $1.footprintBytes })
            next = last.index.next
        case .snapshot: break
        }
    }

    /// Everything up to `last` was sent once: from now on it lags no more than any other.
    mutating func noteSent(through last: LogIndex) {
        if state == .replicate, next > last { isCatchingUp = false }
    }

    /// A follower commits no further than the message that tells it reaches.
    mutating func sentCommit(_ commit: LogIndex, through last: LogIndex) {
        sentCommit = max(sentCommit, min(commit, last))
        wantsCommit = false
    }

    /// Whether it can commit more than it knows and was told.
    func lacksCommit(_ commit: LogIndex) -> Bool {
        let reachable = min(commit, match)
        return state == .replicate && knownCommit < reachable && sentCommit < reachable
    }

    // MARK: Hearing

    mutating func heard(settings: ReplicaSettings) {
        wasHeard = true
        isUnreachable = false
        retryAfter = settings.retryTicks
    }

    /// A link is new: the peer may have restarted, so what it knew of the commit index is asked again.
    mutating func reportReachable(settings: ReplicaSettings) {
        isUnreachable = false
        retryAfter = settings.retryTicks
        knownCommit = .zero
        sentCommit = .zero
        if state == .snapshot {
            transfer?.rewind()
        } else {
            becomeProbing(next: match < since ? next : match.next)
        }
    }

    /// False if it proves nothing yet.
    mutating func accepted(match newMatch: LogIndex, commit: LogIndex) -> Bool {
        guard newMatch >= since else {
            tryNext(after: newMatch)
            return false
        }
        knownCommit = commit
        let isNews = newMatch > match
        match = max(match, newMatch)
        inFlight.free(through: newMatch)
        if isNews { ticksWaiting = 0 }
        switch state {
        case .probe where isNews || newMatch == match: becomeReplicating()
        case .snapshot where hasSnapshotArrived: becomeReplicating()
        case .probe, .replicate, .snapshot: break
        }
        next = max(next, match.next)
        return true
    }

    private var hasSnapshotArrived: Bool { hasSnapshotArrived(at: match) }

    private func hasSnapshotArrived(at index: LogIndex) -> Bool {
        transfer.map { $0.snapshot.index <= index } ?? false
    }

    /// Its log may reach `index`. If it does not, the next probe says so.
    private mutating func tryNext(after index: LogIndex) {
        guard state == .probe || hasSnapshotArrived(at: index) else { return }
        ticksWaiting = 0
        becomeProbing(next: index.next)
    }

    /// What it still needs lies above this.
    var neededAbove: LogIndex { match < since ? next.previous : match }

    /// The follower has not got `previous`. False if the answer is an old one.
    mutating func rejected(previous: LogIndex, retryFrom: LogIndex) -> Bool {
        switch state {
        case .snapshot: return false
        case .replicate:
            guard previous > match else { return false }
            becomeProbing(next: max(match.next, min(previous, retryFrom)))
        case .probe:
            guard previous == next.previous else { return false }
            becomeProbing(next: max(match.next, min(previous, retryFrom)))
        }
        return true
    }

    // MARK: States

    mutating func becomeProbing(next: LogIndex) {
        state = .probe
        self.next = next
        leaveState()
    }

    mutating func becomeReplicating() {
        state = .replicate
        next = match.next
        leaveState()
    }

    mutating func becomeFedBySnapshot() {
        state = .snapshot
        isCatchingUp = true
        leaveState()
    }

    private mutating func leaveState() {
        isProbeOutstanding = false
        inFlight = InFlight()
        transfer = nil
        ticksWaiting = 0
    }

    mutating func reportUnreachable() {
        isUnreachable = true
        if state == .replicate { becomeProbing(next: match.next) }
        isProbeOutstanding = false
    }

    // MARK: Time

    /// Whether an answer is due, or entries wait to be sent.
    func isOutstanding(last: LogIndex, commit: LogIndex) -> Bool {
        !isUnreachable
            && (match < last || state != .replicate || !inFlight.isEmpty || knownCommit < min(commit, match))
    }

    /// Waits one tick; true when what was sent is to be taken for lost. Patience doubles each time.
    mutating func tick(settings: ReplicaSettings) -> Bool {
        guard !isUnreachable else { return false }
        ticksWaiting += 1
        let isFile = transfer?.snapshot.externalHash != nil
        guard ticksWaiting >= (isFile ? max(retryAfter, settings.fileRetryTicks) : retryAfter) else {
            return false
        }
        ticksWaiting = 0
        retryAfter = min(2 * retryAfter, settings.retryTicksMax)
        return true
    }

    /// Sends again what was not answered.
    mutating func retry() {
        switch state {
        case .probe: isProbeOutstanding = false
        case .replicate where !inFlight.isEmpty: becomeProbing(next: match.next)
        case .replicate: sentCommit = .zero
        case .snapshot: transfer?.rewind()
        }
    }

    mutating func transferProgressed() { ticksWaiting = 0 }
}

/// Messages that are under way to a follower, oldest first, bounded by count and bytes.
struct InFlight: Sendable {
    private var messages: [(last: LogIndex, bytes: Int)] = []
    private var bytes = 0

    var isEmpty: Bool { messages.isEmpty }

    func isFull(_ settings: ReplicaSettings) -> Bool {
        messages.count >= settings.inFlightMessagesMax || bytes >= settings.inFlightBytesMax
    }

    mutating func add(last: LogIndex, bytes size: Int) {
        messages.append((last, size))
        bytes += size
    }

    mutating func free(through index: LogIndex) {
        var count = 0
        while count < messages.count, messages[count].last <= index {
            bytes -= messages[count].bytes
            count += 1
        }
        if count > 0 { messages.removeFirst(count) }
    }
}
