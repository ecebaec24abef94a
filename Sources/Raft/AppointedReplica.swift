import Binary

/// A replica of a shard's log: its leader is named by the placement table, and nobody campaigns.
///
/// The term is the shard's epoch. Whoever is appointed seals a majority of replicas against all lower
/// epochs, adopts the highest log among them, commits a barrier of its own epoch, and leads (O2).
public struct AppointedReplica: Sendable {
    public enum Stage: Sendable, Equatable {
        /// Serves another owner, or none.
        case following
        /// Appointed; waits until a majority has sealed.
        case sealing
        /// Pulls the highest log of that majority.
        case adopting
        /// Leads its log; the barrier is not committed yet.
        case establishing
        /// The barrier is committed.
        case leading
    }

    var core: Replication
    public internal(set) var stage = Stage.following
    var appointment = Appointment()
    /// The table's epoch, as far as the driver has said.
    private var observedTerm = Term.zero
    /// For how long no owner has told whether the last entries here are committed.
    private var doubtTicks = 0

    public init(id: NodeID, initial: InitialState, settings: ReplicaSettings = ReplicaSettings()) {
        core = Replication(id: id, initial: initial, settings: settings)
    }

    // MARK: What it knows

    public var id: NodeID { core.id }
    public var sealedTerm: Term { core.hardState.term }
    public var sealedOwner: Candidate? { core.hardState.vote }
    public var hardState: HardState { core.hardState }
    public var holdsLog: Bool { core.holdsLog }
    public var lastIndex: LogIndex { core.log.lastIndex }
    public var lastTerm: Term { core.log.last.term }
    public var firstIndex: LogIndex { core.log.firstIndex }
    public var commit: LogIndex { core.commit }
    public var applied: LogIndex { core.applied }
    public var configuration: Configuration { core.configuration }
    public var configurationIndex: LogIndex { core.configurations.currentIndex }
    public var counters: ReplicaCounters { core.counters }
    /// Bytes of the log that are held in memory, about.
    public var logBytes: Int { core.log.bytes }

    /// The barrier is committed: this replica may propose, and serve once it has applied the barrier.
    public var isLeading: Bool { stage == .leading }

    /// The index of this epoch's first barrier; zero before there is one.
    public var barrierIndex: LogIndex { appointment.barrier }

    /// Who has answered this epoch's seal or its appends, sorted, without this replica itself.
    public var reached: [NodeID] { appointment.reached.sorted() }

    public func term(at index: LogIndex) -> Term? { core.log.term(at: index) }

    /// How much of the log `peer` holds durably, as far as this owner knows.
    public func matchIndex(of peer: NodeID) -> LogIndex { core.match(of: peer) }

    /// Whether anything is waited for: only then ticks are needed.
    public var hasOutstanding: Bool {
        switch stage {
        case .sealing, .adopting, .establishing: true
        case .leading: commit < lastIndex || core.hasOutstandingPeers
        case .following: isInDoubt || (core.snapshots.pulled.map { $0.transfer == nil } ?? false)
        }
    }

    /// The newest entry; nil if the log in memory is empty.
    public var lastEntry: Entry? { core.log.count > 0 ? core.log[core.log.lastIndex] : nil }

    /// All of the log is committed: somebody proves it who knows that every replica had it when its shard ended.
    public mutating func conclude() {
        precondition(!core.isLeading, "I6: a leader commits by counting")
        core.advanceCommit(to: core.log.lastIndex)
    }

    // MARK: Ownership

    /// The table names this node, with this incarnation, owner of the shard at this epoch. `replicas` are
    /// asked too, for a replica that does not know its configuration yet. False if the epoch is over, or is
    /// sealed for somebody else: of two that were told the same, the second does not even begin.
    @discardableResult
    public mutating func appoint(term: Term, incarnation: UInt64, asking replicas: [NodeID] = []) -> Bool {
        guard holdsLogToLead else {
            core.counters.unansweredWithoutLog += 1
            return false
        }
        let candidate = Candidate(node: id, incarnation: incarnation)
        if term == sealedTerm, sealedOwner == candidate { return stage != .following }
        guard term > sealedTerm || (term == sealedTerm && sealedOwner == nil), term > .zero,
            term >= observedTerm
        else {
            countRefusal(of: term)
            return false
        }
        beginTerm(HardState(term: term, vote: candidate))
        appointment = Appointment()
        appointment.alsoAsked = replicas
        stage = .sealing
        sendSeals()
        return true
    }

    /// Who has lost its log leads nobody: it would erase what the others have (O9).
    private var holdsLogToLead: Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.leadWithoutLog) { return true }
        #endif
        return core.holdsLog
    }

    /// The table has moved on to `term`: whatever is led or sealed below it ends.
    public mutating func observe(term: Term) {
        observedTerm = max(observedTerm, term)
        if stage != .following, sealedTerm < observedTerm { resign() }
    }

    /// Stops leading for good in this epoch. The log stays as it is.
    public mutating func resign() {
        stage = .following
        core.stopLeading()
        core.dropIncoming()
    }

    mutating func beginTerm(_ state: HardState) {
        resign()
        core.endPulledSnapshot()
        core.setHardState(state)
    }

    mutating func countRefusal(of term: Term) {
        if term < sealedTerm { core.counters.lowerEpochs += 1 } else { core.counters.secondCandidates += 1 }
    }

    // MARK: Work

    /// Appends a command.
    public mutating func propose(_ payload: [UInt8]) -> LogIndex {
        precondition(isLeading, "O2: nothing is proposed before the barrier is committed")
        return core.appendOwn(.command, payload)
    }

    /// Appends a barrier: once it is committed, what was read before it was appended is current.
    public mutating func proposeBarrier() -> LogIndex {
        precondition(isLeading, "O2: nothing is proposed before the barrier is committed")
        return core.appendOwn(.barrier)
    }

    /// Begins the change to `target` (its voters and learners). Nil if this replica does not lead or another
    /// change is under way. A change of voters goes through a joint configuration, which the owner leaves
    /// by itself (O9).
    public mutating func proposeConfiguration(_ target: Configuration) -> LogIndex? {
        guard isLeading else { return nil }
        return core.changeConfiguration(to: target)
    }

    public var hasReady: Bool { core.hasReady }

    public mutating func ready() -> Ready { core.ready() }

    /// The oldest outstanding `Ready` whose `mark` this is has become durable.
    public mutating func persisted(term: Term, index: LogIndex) {
        core.persisted(Position(term: term, index: index))
        afterProgress()
    }

    public mutating func compact(keepingBytes: Int, through index: LogIndex) {
        core.compact(keepingBytes: keepingBytes, through: index)
    }

    public mutating func reportUnreachable(_ peer: NodeID) {
        core.reportUnreachable(peer)
        if stage == .adopting, appointment.source == peer { abandonSource() }
    }

    public mutating func reportReachable(_ peer: NodeID) {
        core.reportReachable(peer)
        if stage == .sealing, sealTargets.contains(peer) { core.send(.seal, to: peer) }
    }

    // MARK: Time

    public mutating func tick() {
        switch stage {
        case .following:
            core.wantSnapshotAgain()
            tickDoubt()
        case .sealing: if appointment.isRetryDue(core.settings) { sealAgain() }
        case .adopting: tickAdoption()
        case .establishing, .leading: core.tickPeers()
        }
    }

    /// An owner tells what is committed until it hears that this is known. It may have heard so of this node's former
    /// process, late; and of an idle shard nothing more is said.
    private var isInDoubt: Bool {
        guard holdsLog, commit < lastIndex, !core.isJoining, let owner = sealedOwner else { return false }
        return owner.node != id
    }

    private mutating func tickDoubt() {
        guard isInDoubt, let owner = sealedOwner else { return doubtTicks = 0 }
        doubtTicks += 1
        guard doubtTicks >= core.settings.doubtTicks else { return }
        doubtTicks = 0
        core.acknowledge(commit, to: owner.node)
    }

    mutating func heardOfOwner() { doubtTicks = 0 }
}
