/// A replica of a group that elects its leader: the placement group.
///
/// Driven by `step`, `tick` and `propose`; everything it wants done comes out of `ready`.
public struct ElectedReplica: Sendable {
    public enum Role: Sendable, Equatable { case follower, preCandidate, candidate, leader }

    var core: Replication
    public internal(set) var role = Role.follower
    /// Whom this replica believes to lead the current term.
    public internal(set) var leader: NodeID?

    var generator: Generator
    /// Ticks since the leader, or a campaign that was voted for, was last heard of.
    var electionElapsed = 0
    var electionTimeout = 0
    var heartbeatElapsed = 0
    var campaign = Campaign()
    var confirmation = LeadershipConfirmation()
    /// To whom leadership is being handed, and for how long already.
    var transfer: (target: NodeID, ticks: Int)?
    /// The leader of the current term is dead (O7): this replica campaigns without stickiness in this term.
    var obituary: (leader: NodeID, term: Term)?
    /// A leader that is no longer a voter goes when the others had a tick to learn of it.
    var isLeaving = false

    public init(
        id: NodeID, initial: InitialState, settings: ReplicaSettings = ReplicaSettings(), seed: UInt64
    ) {
        core = Replication(id: id, initial: initial, settings: settings)
        core.spreadsCommitAtOnce = true
        generator = Generator(seed: seed ^ id.rawValue)
        resetElectionTimer()
    }

    // MARK: What it knows

    public var id: NodeID { core.id }
    public var term: Term { core.term }
    public var commit: LogIndex { core.commit }
    public var applied: LogIndex { core.applied }
    public var lastIndex: LogIndex { core.log.lastIndex }
    public var lastTerm: Term { core.log.last.term }
    public var firstIndex: LogIndex { core.log.firstIndex }
    public var hardState: HardState { core.hardState }
    public var configuration: Configuration { core.configuration }
    public var configurationIndex: LogIndex { core.configurations.currentIndex }
    public var counters: ReplicaCounters { core.counters }
    public var isLeader: Bool { role == .leader }
    /// Bytes of the log that are held in memory, about.
    public var logBytes: Int { core.log.bytes }

    /// True once this leader has committed an entry of its own term: then everything that any earlier
    /// leader committed is committed here too.
    public var isOwnTermCommitted: Bool { core.isOwnTermCommitted }

    public var isTransferringLeadership: Bool { transfer != nil }

    public func term(at index: LogIndex) -> Term? { core.log.term(at: index) }

    /// How much of the log `peer` holds durably, as far as this leader knows.
    public func matchIndex(of peer: NodeID) -> LogIndex { core.match(of: peer) }

    // MARK: Work

    public var hasReady: Bool {
        core.hasReady || confirmation.hasOutput
    }

    public mutating func ready() -> Ready {
        var ready = core.ready()
        confirmation.handOut(&ready)
        return ready
    }

    /// The oldest outstanding `Ready` whose `mark` this is has become durable.
    public mutating func persisted(term: Term, index: LogIndex) {
        core.persisted(Position(term: term, index: index))
        countOwnVoteWhenDurable()
        afterCommit()
    }

    /// Appends a command. Nil if this replica does not lead, or is handing leadership over.
    public mutating func propose(_ payload: [UInt8]) -> LogIndex? {
        guard isLeader, transfer == nil else { return nil }
        return core.appendOwn(.command, payload)
    }

    /// Begins the change to `target` (its voters and learners). Nil if this replica does not lead, has not yet
    /// committed an entry of its term, or another change is under way. A change of voters goes through a
    /// joint configuration, which the leader leaves by itself.
    public mutating func proposeConfiguration(_ target: Configuration) -> LogIndex? {
        guard isLeader, transfer == nil else { return nil }
        return core.changeConfiguration(to: target)
    }

    public mutating func compact(keepingBytes: Int, through index: LogIndex) {
        core.compact(keepingBytes: keepingBytes, through: index)
    }

    public mutating func reportUnreachable(_ peer: NodeID) { core.reportUnreachable(peer) }

    public mutating func reportReachable(_ peer: NodeID) { core.reportReachable(peer) }

    // MARK: Time

    public mutating func tick() {
        guard core.holdsLog else { return }
        if isLeader { tickLeader() } else { tickFollower() }
    }

    private mutating func tickFollower() {
        electionElapsed += 1
        guard electionElapsed >= electionTimeout else { return }
        resetElectionTimer()
        // Also for one that does not campaign: who listens by an entry that is lost is told nothing by anybody.
        leader = nil
        startCampaign(currentReason)
    }

    private mutating func tickLeader() {
        electionElapsed += 1
        heartbeatElapsed += 1
        tickTransfer()
        if isLeaving { return leave() }
        if electionElapsed >= core.settings.electionTimeoutTicks.lowerBound {
            electionElapsed = 0
            guard isInTouchWithQuorum() else { return becomeFollower(term: term, leader: nil) }
        }
        if heartbeatElapsed >= core.settings.heartbeatTicks { beat() }
        core.tickPeers()
    }

    /// The time is drawn anew for each wait, so that two campaigns that meet once do not meet for ever.
    mutating func resetElectionTimer() {
        electionElapsed = 0
        electionTimeout = Int.random(in: core.settings.electionTimeoutTicks, using: &generator)
    }
}
