import Binary

/// The part that both kinds of leadership share: the log, who has what of it, what is committed, what is
/// durable, and the messages that come of it. It knows leaders and followers, not how one becomes either.
struct Replication: Sendable {
    let id: NodeID
    let settings: ReplicaSettings
    /// False: nothing is answered or acknowledged in this name (O9).
    let holdsLog: Bool

    private(set) var hardState: HardState
    var log: RaftLog
    var configurations: ConfigurationHistory
    private(set) var commit: LogIndex
    /// Handed out to be applied.
    var applied: LogIndex
    var persistence: Persistence

    /// True from `lead` to `stopLeading`; `peers` is not empty only then.
    var isLeading = false
    /// Sorted by id.
    var peers: [Progress] = []
    /// Tell followers of a new commit index at once, or leave it to the next tick.
    var spreadsCommitAtOnce = false

    var snapshots = SnapshotExchange()
    var messages: [Message] = []
    var messagesAfterPersist: [Message] = []
    var acknowledgement: Acknowledgement?
    /// The driver is to be asked for a snapshot.
    var snapshotRequest = false
    var counters = ReplicaCounters()

    /// The newest acknowledgement that is not yet handed out: it stands for those before it.
    struct Acknowledgement: Sendable {
        var leader: NodeID
        var term: Term
        var incarnation: UInt64
        var match: LogIndex
    }

    init(id: NodeID, initial: InitialState, settings: ReplicaSettings) {
        precondition(initial.isJoined, "O12: snapshot and log do not meet; refuse to start, do not guess")
        self.id = id
        self.settings = settings
        holdsLog = initial.holdsLog
        hardState = initial.hardState
        let base = initial.snapshot
        #if PLANTED_BUGS
        let isCut = RemovedGuard.isRemoved(.truncateToKnownCommit)
        let entries = isCut ? [] : initial.entries.filter { $0.index > base.index }
        #else
        let entries = initial.entries.filter { $0.index > base.index }
        #endif
        log = RaftLog(boundary: base.position, entries: entries)
        configurations = ConfigurationHistory(base: base.configuration, at: base.index)
        commit = base.index
        applied = base.index
        persistence = Persistence(durable: log.lastIndex)
        for entry in entries { noteConfiguration(entry) }
    }

    var term: Term { hardState.term }

    var configuration: Configuration { configurations.current }

    /// The incarnation of the current term's candidate.
    var incarnation: UInt64 { hardState.vote?.incarnation ?? 0 }

    /// An entry of the current term is committed, and so is everything an earlier leader committed.
    var isOwnTermCommitted: Bool { isLeading && log.term(at: commit) == term }

    /// A replica that joins a running group and has not got a snapshot yet.
    var isJoining: Bool { configuration.isEmpty }

    /// Whether this replica votes in the newest configuration, or in one that may still be in force. A
    /// replica that its newest configuration leaves out must campaign as long as that one may be
    /// uncommitted: the others may need its longer log to commit it (thesis 4.2.2).
    var mayBeVoter: Bool { configurations.inForce(from: commit).contains { $0.isVoter(id) } }

    // MARK: Changes with a rule

    mutating func setHardState(_ state: HardState) {
        precondition(state.term >= term, "I6: the term never falls")
        guard state != hardState else { return }
        hardState = state
        persistence.isHardStateDirty = true
    }

    mutating func advanceCommit(to index: LogIndex) {
        guard index > commit else { return }
        precondition(index <= log.lastIndex, "I6: only what is in the log can be committed")
        commit = index
        if spreadsCommitAtOnce { wantCommitSpread() }
    }

    mutating func append(_ entry: Entry) {
        log.append(entry)
        noteConfiguration(entry)
    }

    private mutating func noteConfiguration(_ entry: Entry) {
        guard entry.kind == .configuration else { return }
        guard let configuration = Configuration(decoding: entry.payload) else {
            preconditionFailure("a configuration entry is checked before it is appended")
        }
        configurations.append(configuration, at: entry.index)
        syncPeers(addedAt: entry.index)
    }

    mutating func truncate(from index: LogIndex) {
        precondition(index > commit, "I6: nothing committed is ever cut")
        log.truncate(from: index)
        configurations.truncate(from: index)
        persistence.truncated(from: index)
    }

    /// A whole snapshot takes the place of the log.
    mutating func install(_ snapshot: Snapshot) {
        #if PLANTED_BUGS
        let isPlanted = PlantedBug.isActive(.installOverNewer)
        #else
        let isPlanted = false
        #endif
        precondition(
            snapshot.index > commit || isJoining || isPlanted, "I6: a snapshot never replaces a newer state")
        persistence.restarted(with: snapshot, keeping: commit)
        log.restart(at: snapshot.position)
        #if PLANTED_BUGS
        if !RemovedGuard.isRemoved(.keepConfigurationOverSnapshot) {
            configurations.restart(with: snapshot.configuration, at: snapshot.index)
        }
        #else
        configurations.restart(with: snapshot.configuration, at: snapshot.index)
        #endif
        commit = snapshot.index
        applied = snapshot.index
        counters.snapshotsInstalled += 1
    }

    private var forgetsFollowers: Bool {
        #if PLANTED_BUGS
        return RemovedGuard.isRemoved(.compactPastFollowers)
        #else
        return false
        #endif
    }

    // MARK: Messages

    mutating func send(_ body: Message.Body, to peer: NodeID, afterPersist: Bool = false) {
        let message = Message(from: id, to: peer, term: term, incarnation: incarnation, body: body)
        if afterPersist {
            messagesAfterPersist.append(message)
        } else {
            messages.append(message)
        }
    }

    /// Drops front entries that are applied and handed out, keeping about `keepingBytes`.
    mutating func compact(keepingBytes: Int, through limit: LogIndex) {
        var end = min(limit, applied, persistence.unstableFrom.previous)
        if log.bytes < settings.snapshotRetentionBytesMax, !forgetsFollowers,
            let needed = snapshots.lowestIndexNeeded(peers, boundary: log.boundary.index)
        {
            end = min(end, needed)
        }
        end = log.indexToKeep(bytes: keepingBytes, through: end)
        log.compact(through: end)
        configurations.compact(through: end)
    }
}
