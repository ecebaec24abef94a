import Binary
import ObjectRuntime
import Placement
import Raft

/// What one event loop of a node decides: the shards that live on it, and the requests of the
/// clients whose connections it holds.
///
/// Driven by one thread: any number of `step`s, then one `flush`, whose effects are carried out as a
/// whole. It reads no clock and does no I/O.
public final class LoopCore {
    let loop: Int
    let identity: NodeIdentity
    let settings: NodeSettings
    /// Until the first table has been seen.
    var recovered: RecoveredReplicas?
    /// Replicas of which the journal said at the start that they had been and gone.
    var endedHere: Set<ShardID> = []
    let entropy: SipHash
    /// Where objects rest that are not in memory.
    let store: any ObjectSource
    var hibernation: HibernationRounds
    var checkpoints: CheckpointRounds
    var expiry = ExpiryRounds()
    var scrubs = ScrubRounds()
    /// Removed replicas whose objects are leaving the disk. Looked up, or in order of the jobs.
    var erasures: [StoreJob: Erasure] = [:]
    var nextErasure: UInt64 = 0
    /// Merges that the store is making.
    var mergers: [StoreJob: Merger] = [:]
    /// The journal is longer than it should be: what holds it back is written first.
    var journalPressure: [ShardID] = []
    var lifetimes: [ClassName: UInt64] = [:]

    var view: ClusterView?
    var lease = Deadline.passed
    var replicas: [ShardID: ShardReplica] = [:]
    /// The shards of `replicas`, rising: whatever iterates does so in this order.
    var shardOrder: [ShardID] = []
    let quotas: QuotaBook
    var space = DiskSpace.roomy
    /// Other nodes without room.
    var fullNodes: [NodeID] = []
    var router: EdgeRouter
    var hub: SocketHub
    var persist = PersistQueue()
    var effects = LoopEffects()
    /// Shards that have something to do at the end of the turn.
    var dirty: [ShardReplica] = []
    /// Shards that wait for something and need ticks; idle ones cost nothing (O2: liveness is per node).
    var awake: [ShardReplica] = []
    /// Newest send seen of each edge loop: copies and latecomers are not executed (O11).
    private var newestSend: [Origin: UInt64] = [:]
    var isDraining = false
    var hasReportedDrain = false
    private var rejected: UInt64 = 0
    var rounds = LoopRounds()
    /// The raw clock of the input at hand, in milliseconds.
    var nowMs: UInt64 = 0
    private(set) var clocks = Clocks.zero
    private var turns = TurnClock()

    public init(
        loop: Int, identity: NodeIdentity, recovered: RecoveredReplicas, settings: NodeSettings, seed: UInt64,
        store: any ObjectSource
    ) {
        self.loop = loop
        self.identity = identity
        self.settings = settings
        self.recovered = recovered
        entropy = SipHash(key0: seed, key1: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(loop))
        self.store = store
        hibernation = HibernationRounds(settings)
        checkpoints = CheckpointRounds(settings)
        quotas = QuotaBook(loop: loop, limits: settings.limits)
        router = EdgeRouter(nodeID: identity.nodeID, loop: loop, settings: settings, quotas: quotas)
        hub = SocketHub(nodeID: identity.nodeID, loop: loop, entropy: entropy)
    }

    // MARK: - Inputs

    public func step(_ input: LoopInput, now: Clocks) {
        nowMs = now.rawNs / 1_000_000
        clocks = now
        turns.enter(nowMs: nowMs)
        router.unreadMs = turns.waitedMs
        switch input {
        case .request(let token, let request):
            router.submit(token, request, nowMs: nowMs)
        case .socket(let input):
            hub.take(input, nowMs: nowMs)
        case .message(let sender, let message):
            receive(message, from: sender, now: now)
        case .persisted(let id):
            release(persist.persisted(id))
        case .formed(let genesis):
            beginShards(of: genesis)
        case .view(let view):
            observe(view, now: now)
        case .lease(let lease):
            self.lease = lease
        case .store(let result):
            take(result)
        case .journalPressure(let shards):
            journalPressure = shards
        case .backup(let token, let shard):
            wishBackup(token, of: shard)
        case .space(let space):
            self.space = space
            showRoom()
        case .fullNodes(let nodes):
            fullNodes = nodes
            showRoom()
        case .quota(let standing):
            quotas.adopt(standing, nowMs: nowMs)
        case .linkUp(let node):
            forEachReplica {
                $0.raft.reportReachable(node)
                $0.linkUp(node)
            }
            router.linkUp(node, nowMs: nowMs)
            hub.linkUp(node)
        case .linkDown(let node):
            forEachReplica { $0.raft.reportUnreachable(node) }
        case .tick:
            tick(now: now)
        case .drain:
            isDraining = true
            forEachReplica { $0.drain() }
        }
        deliver(now: now)
    }

    private func showRoom() {
        forEachReplica { $0.setRoom(space.hasRoom, fullNodes: fullNodes, now: clocks) }
    }

    private func receive(_ message: PeerMessage, from sender: NodeID, now: Clocks) {
        switch message {
        case .shard(let shard, let message):
            guard let replica = replicas[shard], message.from == sender else {
                rejected += 1
                return
            }
            replica.step(message)
            mark(replica)
        case .execute(let attempt):
            receive(attempt, from: sender, now: now)
        case .outcome(let outcome):
            router.settle(
                outcome, ownerName: view?.state?.nodeName(sender) ?? "", nowMs: nowMs)
        case .move(let request):
            guard let replica = replicas[request.shard] else { return }
            replica.requestMove(request, nowMs: nowMs)
            mark(replica)
        case .replicas(let request):
            guard let replica = replicas[request.shard] else { return }
            replica.requestReplicas(request)
            mark(replica)
        case .scrubbed(let report):
            guard let replica = replicas[report.shard] else { return }
            replica.takeScrub(report, from: sender)
            mark(replica)
        case .scrubVerdict(let verdict):
            guard let replica = replicas[verdict.shard] else { return }
            replica.takeVerdict(verdict, from: sender)
            mark(replica)
        case .scrubWish(let shard): scrubs.want(shard)
        case .feedEnd(let end):
            replicas[end.shard]?.listeners.remove(end.feed, of: sender, from: end.object, nowMs: nowMs)
        case .feedSeats(let seats):
            replicas[seats.shard]?.listeners.keepSeats(seats, of: sender)
        case .events(let push):
            hub.receive(push, from: sender)
        case .broadcast(let push):
            hub.receive(push, from: sender)
        default:
            rejected += 1
        }
    }

    private func receive(_ attempt: Try, from sender: NodeID, now: Clocks) {
        guard attempt.origin.node == sender, isNewest(attempt), let state = view?.state,
            attempt.request.object.hasKey(of: state.genesis.hashKey), !isFromFencedEdge(attempt, state)
        else {
            rejected += 1
            return
        }
        guard let replica = replicas[attempt.shard] else {
            return sendBack(attempt)
        }
        replica.receive(attempt, now: now)
        mark(replica)
    }

    /// Not a replica, as far as this node knows: the edge waits for a newer table.
    func sendBack(_ attempt: Try) {
        let outcome = TryOutcome(
            loop: attempt.origin.loop, token: attempt.origin.token, sequence: attempt.sequence,
            shard: attempt.shard, epoch: attempt.epoch, commitIndex: 0, result: .refused)
        send(.outcome(outcome), to: attempt.origin.node)
    }

    /// O10: the ids of a fenced edge are forgotten, so nothing of it is executed any more.
    private func isFromFencedEdge(_ attempt: Try, _ state: PlacementState) -> Bool {
        state.isFenced(
            NodeProcess(
                node: attempt.origin.node,
                incarnation: Incarnation(rawValue: attempt.stream.incarnation)))
    }

    /// Each send is taken at most once, in the order of sending.
    private func isNewest(_ attempt: Try) -> Bool {
        let edge = Origin(
            node: attempt.origin.node, loop: attempt.origin.loop, token: attempt.stream.incarnation)
        return advance(&newestSend[edge, default: 0], to: attempt.sequence)
    }

    private func advance(_ newest: inout UInt64, to sequence: UInt64) -> Bool {
        guard sequence > newest else { return false }
        newest = sequence
        return true
    }

    // MARK: - Effects

    func mark(_ replica: ShardReplica) {
        guard !replica.isMarked else { return }
        replica.isMarked = true
        dirty.append(replica)
    }

    private func forEachReplica(_ body: (ShardReplica) -> Void) {
        for shard in shardOrder {
            guard let replica = replicas[shard] else { continue }
            body(replica)
            mark(replica)
        }
    }

    /// Carries the router's tries to their owners; those of this loop are executed at once. What the hub asks
    /// and hears is among them.
    private func deliver(now: Clocks) {
        repeat {
            serveHub()
            let dispatches = router.dispatches
            router.dispatches = []
            for dispatch in dispatches { deliver(dispatch, now: now) }
        } while !router.dispatches.isEmpty || !router.hubAnswers.isEmpty || !hub.isIdle
    }

    private func serveHub() {
        let answers = router.hubAnswers
        router.hubAnswers = []
        for answered in answers { hub.answered(answered.token, answered.answer, nowMs: nowMs) }
        let (requests, messages) = hub.takeQuestions()
        for request in requests { router.submit(request, nowMs: nowMs) }
        for (node, message) in messages { send(message, to: node) }
    }

    private func deliver(_ dispatch: EdgeRouter.Dispatch, now: Clocks) {
        let home = homeLoop(of: dispatch.attempt.shard, loops: settings.loops)
        if dispatch.to.node != identity.nodeID {
            effects.messages.append(Outgoing(to: dispatch.to.node, message: .execute(dispatch.attempt)))
        } else if home != loop {
            effects.toLoops.append((loop: home, message: .execute(dispatch.attempt)))
        } else {
            receive(dispatch.attempt, from: identity.nodeID, now: now)
        }
    }

    private func send(_ message: PeerMessage, to node: NodeID) {
        if node != identity.nodeID {
            effects.messages.append(Outgoing(to: node, message: message))
        } else if case .loop(let target) = message.destination, target != loop {
            effects.toLoops.append((loop: target, message: message))
        } else {
            sendHere(message)
        }
    }

    /// To this very loop.
    private func sendHere(_ message: PeerMessage) {
        switch message {
        case .outcome(let outcome): router.settle(outcome, ownerName: identity.name, nowMs: nowMs)
        case .events(let push): hub.receive(push, from: identity.nodeID)
        case .broadcast(let push): hub.receive(push, from: identity.nodeID)
        case .feedEnd(let end):
            let home = homeLoop(of: end.shard, loops: settings.loops)
            guard home == loop else { return effects.toLoops.append((loop: home, message: message)) }
            replicas[end.shard]?.listeners.remove(
                end.feed, of: identity.nodeID, from: end.object, nowMs: nowMs)
        case .feedSeats(let seats):
            let home = homeLoop(of: seats.shard, loops: settings.loops)
            guard home == loop else { return effects.toLoops.append((loop: home, message: message)) }
            replicas[seats.shard]?.listeners.keepSeats(seats, of: identity.nodeID)
        default: preconditionFailure("a core sends nothing else to itself")
        }
    }

    private func release(_ batch: PersistQueue.Batch) {
        for mark in batch.marks {
            guard let shard = mark.group.shard, let replica = replicas[shard] else { continue }
            replica.raft.persisted(term: mark.position.term, index: mark.position.index)
            self.mark(replica)
        }
        effects.messages.append(contentsOf: batch.messages)
        effects.store.append(contentsOf: batch.storeRequests)
    }

    /// Ends the turn. `now` must have been read after the last `step`: reads are checked against the
    /// lease by it, after their values were taken (O4).
    public func flush(now: Clocks) -> LoopEffects {
        nowMs = now.rawNs / 1_000_000
        clocks = now
        turns.leave(nowMs: nowMs)
        repeat {
            flushDirty(now: now)
            let (batch, released) = persist.close()
            effects.persist = batch
            // What had nothing to wait for may commit more in this very turn.
            if let released { release(released) }
        } while !dirty.isEmpty
        effects.answers = router.answers
        router.answers = []
        effects.sockets = hub.outputs
        hub.outputs = []
        let result = effects
        effects = LoopEffects()
        return result
    }

    private func flushDirty(now: Clocks) {
        while !dirty.isEmpty {
            let marked = dirty
            dirty = []
            for replica in marked {
                replica.isMarked = false
                flush(replica, now: now)
            }
            deliver(now: now)
        }
    }

    #if PLANTED_BUGS
    private func coverEarly(_ replica: ShardReplica) {
        for case .write(_, let write) in replica.storeRequests {
            persist.add(.covered(write.base.position, group: .shard(replica.shard)))
        }
    }
    #endif

    private var readsByQuorum: Bool {
        settings.readsByQuorum || view?.state?.settings.reads == .quorum
    }

    private func flush(_ replica: ShardReplica, now: Clocks) {
        replica.flush(
            into: &persist, messages: &effects.messages, lease: lease,
            readsByQuorum: readsByQuorum, now: now)
        if !replica.outbox.isEmpty {
            let outbox = replica.outbox
            replica.outbox = []
            for item in outbox { send(item.message, to: item.node) }
        }
        effects.scrubbed += replica.scrubOutcomes
        replica.scrubOutcomes = []
        if let loss = replica.loss { return lose(replica, because: loss) }
        if replica.state.isDamaged {
            return lose(replica, because: replica.state.damage.map { "\($0)" } ?? "damage")
        }
        effects.backups.append(contentsOf: replica.settleBackups(nowMs: nowMs))
        if !replica.storeRequests.isEmpty {
            #if PLANTED_BUGS
            if PlantedBug.isActive(.coverBeforeStored) { coverEarly(replica) }
            #endif
            effects.store.append(contentsOf: replica.storeRequests)
            replica.storeRequests = []
        }
        if !replica.requests.isEmpty {
            effects.toNode.append(contentsOf: replica.requests)
            replica.requests = []
        }
        if replica.needsTicks != replica.isAwake {
            replica.isAwake.toggle()
            if replica.isAwake { awake.append(replica) } else { awake.removeAll { $0 === replica } }
        }
    }

    // MARK: - Reports

    public func report() -> (shards: [ShardReport], counters: NodeCounters) {
        var counters = router.counters
        hub.report(into: &counters)
        counters.rejectedMessages += rejected
        counters.quotaRefusals.merge(quotas.refusals, uniquingKeysWith: +)
        let shards = shardOrder.compactMap { replicas[$0]?.report() }
        for shard in shardOrder { counters.add(replicas[shard]?.allCounters ?? NodeCounters()) }
        return (shards, counters)
    }

    /// Whether this loop would answer a read of the shard now, without asking anybody (I1).
    func passesReadCheck(_ shard: ShardID, now: Clocks) -> Bool {
        guard let replica = replicas[shard] else { return false }
        // O6 (c): a replica that has drained takes no read any more, whatever its lease says.
        if hasReportedDrain { return false }
        return replica.mayAnswerReads(lease: lease, readsByQuorum: readsByQuorum, now: now)
    }
}
