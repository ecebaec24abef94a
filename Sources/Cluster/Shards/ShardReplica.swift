import Binary
import ObjectRuntime
import Placement
import Raft

/// One shard at one node: its log, its objects, and, at the owner, what is under way.
///
/// Belongs to one loop. The loop feeds it messages, tries and table records; `flush` in
/// `ShardReplica+Turn` says once per turn what is to be written and sent.
final class ShardReplica {
    let shard: ShardID
    let nodeID: NodeID
    let settings: NodeSettings
    var raft: AppointedReplica
    var state: ShardState
    /// Where objects rest that are not in memory.
    let source: any ObjectSource
    var counters = NodeCounters()

    /// The newest record of the table, and this process: together they say whether it may lead.
    private(set) var record: ShardRecord
    private(set) var process: NodeProcess?
    /// The placement state that named the record: lease duration, live processes.
    private(set) var placement: PlacementState?
    let entropy: SipHash
    /// Limits and quotas, as the loop knows them.
    let quotas: QuotaBook
    /// Default lifetimes of items, by project and class; only of classes that have one.
    var defaultLifetimesMs: [ClassName: UInt64] = [:]
    /// This node's disk has room; and the others whose disks have not.
    var hasRoom = true
    var fullNodes: [NodeID] = []
    /// O8: having proposed to give the shard away at this epoch, never start or resume it.
    private(set) var givenAway: Epoch?
    private(set) var move: Move?
    private var moveProposed = false
    /// By when the table should have answered a proposal to give the shard away (O8).
    private var settleAtMs: UInt64?

    /// Answers by the index on which they rest.
    var gate = OutputGate<HeldOutput>()
    /// Answers that rest on nothing uncommitted and await O4 at the end of the turn.
    var readsToCheck: [HeldOutput] = []
    /// Tries that wait for this node to serve, or for a table newer than the one it knows.
    var mailbox: Mailbox<Try>
    /// Reads that wait for an index that is not committed yet (`Holdfast-Min-Index`).
    var waitingForIndex: [WaitingRead] = []
    /// Entries up to here were executed by this leadership and are in `state` already.
    var executedThrough = LogIndex.zero
    /// Rises as the state machine's entries are applied.
    var appliedThrough: LogIndex
    /// In order: an edge hears of the past before it is told what comes.
    var outbox: [(node: NodeID, message: PeerMessage)] = []
    var requests: [LoopRequest] = []
    /// For the node's store, in order.
    var storeRequests: [StoreRequest] = []
    var work = StoreWork()

    /// The report that first listed this replica: a newer one without it ends it (O9).
    let joinedAt: LogPoint
    /// The owner's scrub, and the newest whose report this replica gave.
    var scrub: OwnScrub?
    var newestScrub: UInt64?
    var scrubOutcomes: [ScrubOutcome] = []
    /// Why this replica cannot be relied on: the loop takes it out of service (O9).
    var loss: String?
    /// The voters that the placement leader wishes for (O9).
    var replicaWish: [NodeID]?
    /// Since when the owner has known of a plan to merge this shard.
    var mergeBegun: (into: ShardID, atMs: UInt64)?
    var reportedAtMs: UInt64?
    /// Splits that are committed: the children wait for the store (O13).
    var newborns: [Newborn] = []
    /// Nobody may leave the shard before (`LoopCore.isNewestChildServed`). As it was at the last tick.
    var isNewestChildServed = false
    /// When the table was last asked to follow a split or a merge.
    var dividedAtMs: UInt64 = 0

    /// For the placement leader: what was executed since its last report, and for which objects.
    var executedSinceReport: UInt64 = 0
    var keySample = KeySample()

    /// When this node was named owner, to measure the pause; and by when it must have made progress (O2).
    private(set) var namedAt: Clocks?
    private var namedEpoch: Epoch?
    private var progressDeadlineMs: UInt64?
    private var progressCommit = LogIndex.zero
    private var pauses = OwnerPauses()
    /// The epoch whose barrier is committed *and applied* here (O4).
    private var servingEpoch: Epoch?
    /// O10: set when serving begins.
    private(set) var windowAge = WindowAge(ageMs: 0, since: .zero)

    var listeners = Listeners()
    /// Until then everything counts as watched.
    private(set) var watchesAllUntilMs: UInt64 = 0
    /// When the connections of an edge process that is over leave, by its incarnation (O15).
    var departures: [UInt64: UInt64] = [:]
    /// Outputs that rest on entries up to here have been let out of the gate.
    var releasedThrough = LogIndex.zero
    /// The newest barrier that reads wait for.
    var readBarrier = LogIndex.zero

    /// A read of an index that may never come.
    struct WaitingRead {
        var attempt: Try
        var untilMs: UInt64
    }

    /// A hand-over that the placement leader asked for (O8).
    struct Move {
        var target: NodeProcess
        var epoch: Epoch
        var deadlineMs: UInt64
    }

    init(
        shard: ShardID, nodeID: NodeID, origin: ReplicaOrigin, record: ShardRecord, settings: NodeSettings,
        entropy: SipHash, quotas: QuotaBook, source: any ObjectSource
    ) {
        self.entropy = entropy
        self.quotas = quotas
        self.shard = shard
        self.nodeID = nodeID
        self.settings = settings
        self.record = record
        self.source = source
        joinedAt = origin.joinedAt
        raft = AppointedReplica(id: nodeID, initial: origin.log, settings: settings.raft)
        state = origin.state
        appliedThrough = origin.log.snapshot.index
        work.stored = origin.stored
        state.eventHistoryBytes = settings.eventHistoryBytes
        mailbox = Mailbox(countLimit: settings.mailboxRequestsMax, bytesLimit: settings.mailboxBytesMax)
    }

    /// This process is the one that the table names, and its epoch is the one that the log is led by.
    var isNamedOwner: Bool { process != nil && record.owner == process }
    /// The same, or an earlier process of this node is.
    var isNamedHere: Bool { record.owner?.node == nodeID }

    var leads: Bool { raft.stage == .leading || raft.stage == .establishing }

    /// May execute operations: named by the table at the very epoch whose barrier is committed and
    /// applied, and not giving the shard away (O2, O4, O8); and all of the state can be read (O9).
    var isServing: Bool {
        servingEpoch == record.epoch && isNamedOwner && givenAway != record.epoch
            && raft.stage == .leading && raft.sealedTerm == record.epoch.term && !state.isDamaged
    }

    // MARK: - The table

    /// The table, or this process's incarnation, has changed.
    func observe(_ newRecord: ShardRecord, in state: PlacementState, process: NodeProcess?, now: Clocks) {
        self.process = process
        placement = state
        let isNewEpoch = newRecord.epoch > record.epoch
        record = newRecord
        // Named for the first time at an epoch that was known before the process was; once only, since
        // another view must not put off the moment when a replica that cannot seal gives up (O2).
        let isNewlyNamed = isNamedOwner && namedEpoch != record.epoch && isUnsealed(at: record.epoch)
        guard isNewEpoch || isNewlyNamed else { return }
        pauses.changes(to: record.epoch, gaveAway: moveProposed, nowMs: now.rawNs / 1_000_000)
        move = nil
        moveProposed = false
        // What was wished of an earlier ownership of this node is void (O9).
        replicaWish = nil
        settleAtMs = nil
        if isNamedOwner {
            becomeOwner(now: now)
        } else {
            stopLeading { raft.observe(term: record.epoch.term) }
            namedAt = nil
            progressDeadlineMs = nil
        }
        sortMailbox(now: nil)
    }

    /// Nobody has been sealed for at this epoch: below it, or by the table when it took this replica in (O9).
    private func isUnsealed(at epoch: Epoch) -> Bool {
        raft.sealedTerm < epoch.term || (raft.sealedTerm == epoch.term && raft.sealedOwner == nil)
    }

    private func becomeOwner(now: Clocks) {
        guard givenAway != record.epoch, let process else { return }
        namedAt = now
        namedEpoch = record.epoch
        servingEpoch = nil
        stopLeading {
            raft.appoint(term: record.epoch.term, incarnation: process.incarnation.rawValue, asking: record.replicas)
        }
        // O2: growing patience, so that a slow majority is found in the end.
        let patience = settings.establishTimeoutMs << UInt64(min(record.yieldsInARow, 4))
        progressDeadlineMs = now.rawNs / 1_000_000 + patience
        progressCommit = raft.commit
    }

    /// The table has the shard no more.
    func abdicate() {
        guard leads else { return }
        stopLeading { raft.resign() }
    }

    /// Changes the log's leadership by `change`. What was speculative is dropped; what was committed
    /// while this node still led leaves (O3).
    private func stopLeading(_ change: () -> Void) {
        let led = leads
        let commitBefore = raft.commit
        change()
        if led { dropSpeculation(commitBefore: commitBefore) }
    }

    /// `commitBefore` is the commit index of this node's own leadership: a later owner may have put
    /// other entries in the place of those above it.
    private func dropSpeculation(commitBefore: LogIndex) {
        releaseCommitted(through: commitBefore)
        _ = gate.dropAll()
        readsToCheck.removeAll()
        waitingForIndex.removeAll()
        state.committed(through: commitBefore.rawValue)
        state.rollBack(above: commitBefore.rawValue)
        appliedThrough = max(appliedThrough, min(executedThrough, commitBefore))
        executedThrough = .zero
        servingEpoch = nil
        move = nil
        readBarrier = .zero
        listeners.removeAll()
        departures.removeAll()
    }

    /// After a new table record: tries of epochs that are over go back to their edges (O11).
    func sortMailbox(now: Clocks?) {
        for attempt in mailbox.takeAll() { receive(attempt, now: now) }
    }

    // MARK: - Messages

    func step(_ message: Message) {
        // A snapshot that the disk cannot take would be sent again and again; unanswered, it is offered now and then.
        if !hasRoom, case .snapshotChunk = message.body { return }
        guard leads else {
            raft.step(message)
            return
        }
        let commitBefore = raft.commit
        let epochBefore = raft.sealedTerm
        raft.step(message)
        // Sealed by a later owner in the middle of this node's work.
        if !leads || raft.sealedTerm != epochBefore { dropSpeculation(commitBefore: commitBefore) }
    }

    // MARK: - Giving up (O2) and handing over (O8)

    /// Whether time matters to this shard at the moment.
    var needsTicks: Bool {
        raft.hasOutstanding || move != nil || !departures.isEmpty || (isDraining && isNamedOwner)
            || (!hasRoom && isServing) || scrub != nil
            || hasReplicaWork || hasDivisionWork || work.isSnapshotWanted || work.hasOffer
            || !work.backups.isEmpty
            || work.installation?.retryAtMs != nil
            || (isNamedOwner && givenAway != record.epoch && progressDeadlineMs != nil)
    }

    /// Kept by the loop: whether it is on the list of those that get ticks, and of those that have
    /// something to do at the end of the turn.
    var isAwake = false
    var isMarked = false

    /// Called every tick while `needsTicks`.
    func tick(now: Clocks) {
        let nowMs = now.rawNs / 1_000_000
        if raft.hasOutstanding { raft.tick() }
        watchProgress(nowMs: nowMs)
        leaveIfDraining(nowMs: nowMs)
        leaveIfFull(nowMs: nowMs)
        leaveIfOutside(nowMs: nowMs)
        advanceReplicas(nowMs: nowMs)
        advanceDivision(now: now)
        watchScrub(nowMs: nowMs)
        advanceSnapshot(nowMs: nowMs)
        installAgain(nowMs: nowMs)
        releaseUnusedSnapshots()
        advanceMove(now: now)
        settleGivenAway(nowMs: nowMs)
        departOverdue(now: now)
    }

    /// O8: a proposal to give the shard away may have been refused, its target having died meanwhile.
    /// Then nobody else would ever be named; this owner asks for the next epoch itself. Whichever
    /// proposal the table applies first kills the other.
    private func settleGivenAway(nowMs: UInt64) {
        guard isNamedOwner, givenAway == record.epoch, let process else {
            settleAtMs = nil
            return
        }
        guard let dueMs = settleAtMs else {
            settleAtMs = nowMs + 2 * settings.proposalRetryMs
            return
        }
        guard nowMs >= dueMs else { return }
        settleAtMs = nowMs + 2 * settings.proposalRetryMs
        requests.append(
            .propose(.assign(shard, expected: record.epoch, proposer: process, target: process)))
    }

    /// O2: an owner that cannot commit what it has waiting gives up.
    private func watchProgress(nowMs: UInt64) {
        guard isNamedOwner, givenAway != record.epoch else { return }
        let isIdle = raft.stage == .leading && raft.commit == raft.lastIndex
        if isIdle {
            progressDeadlineMs = nil
            return
        }
        if raft.commit > progressCommit || progressDeadlineMs == nil {
            progressCommit = raft.commit
            if raft.stage == .leading { progressDeadlineMs = nowMs + (placement?.settings.lease.durationMs ?? 2_000) / 2 }
        }
        guard let deadline = progressDeadlineMs, nowMs >= deadline else { return }
        yield()
    }

    private func yield() {
        guard let process else { return }
        givenAway = record.epoch
        requests.append(
            .propose(
                .yield(shard, expected: record.epoch, proposer: process, reached: raft.reached)))
    }

    /// The placement leader asks this owner to hand over; it may decline by not answering.
    func requestMove(_ request: MoveRequest, nowMs: UInt64) {
        guard isServing, request.epoch == record.epoch, request.to.node != nodeID, move == nil,
            raft.configuration.voters.contains(request.to.node), !fullNodes.contains(request.to.node)
        else { return }
        begin(Move(target: request.to, epoch: request.epoch, deadlineMs: nowMs + 1_000), nowMs: nowMs)
    }

    /// Admission is stopped while a move is under way; what was admitted drains (O8).
    var isAdmitting: Bool { move == nil && !isDraining }
    private(set) var isDraining = false

    private func advanceMove(now: Clocks) {
        guard let move, !moveProposed else { return }
        guard isServing else {
            self.move = nil
            return
        }
        if now.rawNs / 1_000_000 >= move.deadlineMs {
            // Nothing was proposed, so the shard may be served on.
            self.move = nil
            missedMoves += 1
            sortMailbox(now: now)
            return
        }
        guard gate.isEmpty, raft.commit == raft.lastIndex,
            raft.matchIndex(of: move.target.node) == raft.lastIndex, let process
        else { return }
        moveProposed = true
        givenAway = record.epoch
        requests.append(
            .propose(
                .assign(shard, expected: record.epoch, proposer: process, target: move.target)))
    }

    /// Shutdown: admits nothing any more, and hands over what it owns (O8), so that the tries that wait
    /// here go on elsewhere.
    func drain() {
        isDraining = true
        sortMailbox(now: nil)
    }

    private var missedMoves = 0

    /// Somebody else could own this shard.
    var hasHeirs: Bool { record.heirs.contains { $0 != nodeID } }

    private func leaveIfDraining(nowMs: UInt64) {
        guard isDraining, isServing, move == nil, let registry = placement?.registry else { return }
        let heirs = record.heirs.filter { $0 != nodeID }.compactMap { registry.newestLive(of: $0) }
        handOver(to: heirs, withinMs: 500, nowMs: nowMs)
    }

    /// By turns, so that the load of this node is spread, and a silent heir is not asked for ever.
    func handOver(to heirs: [NodeProcess], withinMs: UInt64, nowMs: UInt64) {
        guard !heirs.isEmpty else { return }
        let heir = heirs[(Int(shard.rawValue) + missedMoves) % heirs.count]
        begin(Move(target: heir, epoch: record.epoch, deadlineMs: nowMs + withinMs), nowMs: nowMs)
    }

    private func begin(_ move: Move, nowMs: UInt64) {
        self.move = move
        pauses.stopsAdmitting(nowMs: nowMs)
    }

    /// Nothing is owed to anybody, and nothing is left to hand over.
    var isDrained: Bool { gate.isEmpty && readsToCheck.isEmpty && !(isNamedOwner && hasHeirs) }

    // MARK: - Bookkeeping

    /// At the end of a turn, when all that is committed has been applied: begins to serve if the log
    /// is led at the table's epoch.
    func beginServing(now: Clocks) {
        guard servingEpoch != record.epoch, isNamedOwner, givenAway != record.epoch,
            raft.stage == .leading, raft.sealedTerm == record.epoch.term
        else { return }
        servingEpoch = record.epoch
        windowAge = WindowAge(ageMs: state.windowAgeMs, since: now)
        progressDeadlineMs = nil
        if let namedAt {
            let pauseNs = now.rawNs &- namedAt.rawNs
            pauses.serves(at: record.epoch, afterMs: pauseNs / 1_000_000)
            counters.takeoverDurations.record(ns: pauseNs)
            counters.takeovers[record.history.last.map { "\($0.cause)" } ?? "unknown", default: 0] += 1
        }
        retireFencedEdges()
        let nowMs = now.rawNs / 1_000_000
        // The very first owner has nobody whose feeds it could miss.
        watchesAllUntilMs = record.history.isEmpty ? 0 : nowMs + Listeners.lingerMs
        noticeGoneEdges(nowMs: nowMs)
        sortMailbox(now: now)
    }

    /// O10: the ids of an edge process that is fenced need not be kept any longer. Asked on every
    /// change of the table, and when serving begins.
    func retireFencedEdges() {
        guard isServing, let registry = placement?.registry else { return }
        let fenced = state.streamIncarnations.filter { registry.isOver(incarnation: $0) }
        guard !fenced.isEmpty else { return }
        let context = ExecutionContext(
            nowMs: state.logTimeMs, windowAgeMs: state.windowAgeMs, epoch: raft.sealedTerm.rawValue,
            nextIndex: raft.lastIndex.next.rawValue, random: (0, 0), limits: limits)
        guard let (payload, _) = state.executeRetirement(of: fenced, context) else { return }
        executedThrough = raft.propose(payload)
    }

    func report() -> ShardReport {
        var report = ShardReport(shard: shard)
        report.epoch = record.epoch.rawValue
        report.stage = "\(raft.stage)"
        report.isServing = isServing
        report.lastIndex = raft.lastIndex.rawValue
        report.commitIndex = raft.commit.rawValue
        report.objects = state.objectCount
        report.coldObjects = state.coldCount
        report.bytes = state.byteCount
        report.queued = mailbox.count
        report.sessions = state.sessionCount
        report.listeners = listeners.count
        pauses.report(into: &report)
        report.storedIndex = work.stored.index.rawValue
        report.loadedBytes = state.loadedBytes
        if isServing {
            report.replicaLag = raft.configuration.members.filter { $0 != nodeID }.map {
                (node: $0, lag: raft.lastIndex.rawValue - min(raft.lastIndex, raft.matchIndex(of: $0)).rawValue)
            }
        }
        return report
    }
}

/// A class of a project.
struct ClassName: Hashable {
    var project: String
    var name: String
}
