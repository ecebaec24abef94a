import Binary
import Placement
import Raft

/// What a node decides about the cluster as a whole: the placement group, the registry, leases, fences.
/// The shards themselves live in the `LoopCore`s.
///
/// Driven like them: any number of `step`s, then one `flush`. It reads no clock and does no I/O.
public final class NodeCore {
    let identity: NodeIdentity
    let settings: NodeSettings
    private let startedAt: Clocks
    var random: RandomSource
    private var formation: Formation?
    /// Peer addresses that this node was told to join by.
    private let joinAddresses: [String]
    /// Members that have introduced themselves to this node, which is none yet.
    private var introducers: [NodeID] = []
    private static let introducersMax = 32
    /// How long a first member waits to hear of a leader before it asks to be taken in like any other node.
    static let firstMemberPatienceMs: UInt64 = 5_000
    /// The genesis that is on its way to the disk; the node is formed when it is there.
    private var forming: (genesis: Genesis, batch: BatchID?)?

    var placement: ElectedReplica?
    /// Who votes and who listens in the placement group, as far as this node knows.
    public var placementConfiguration: Configuration? { placement?.configuration }
    var state: PlacementState?
    /// The newest entry of the placement log that is in `state`.
    var placementApplied = LogIndex.zero
    /// The newest entry that is in the state which the journal has.
    var placementStored = LogIndex.zero
    var placementStoredMs: UInt64 = 0
    /// This process, once registered.
    var process: NodeProcess?
    var proposals: Proposals
    var holder = LeaseHolder()
    var granter: LeaseGranter?
    var burials = Burials()
    var reports = ReportCollection()
    var space = SpaceBoard()
    var usage: UsageLedger
    var usageAtMs: UInt64 = 0
    /// The loops have been told of quotas.
    var hasStanding = false
    /// Nodes with a link up, rising.
    private(set) var reachable: [NodeID] = []
    private var loopAliveMs: [UInt64]
    private var drainedLoops: [Bool]
    var isDraining = false
    var drainDeadlineMs: UInt64?
    var askedForFenceMs: UInt64 = 0
    var appointAtMs: UInt64 = 0
    /// When processes were seen to register, by this node's raw clock. Looked up by key only.
    var registeredAt: [NodeProcess: UInt64] = [:]
    /// O5: since when the leader waits for leases of a longer duration to run out.
    var unsettledSince: (revision: UInt64, over: Deadline)?
    var balanceAtMs: UInt64 = 0
    /// As the leader: what shards do. As a node: what its own loops have told, by loop.
    var loads = LoadBook()
    var ownLoads: [(key: Int, value: [LoadReport.Shard])] = []
    var toldLoadsMs: UInt64 = 0
    /// The name is still taken by a process that the cluster thinks alive: then again.
    var registerAtMs: UInt64?
    private var lastViewed: (index: LogIndex, leader: NodeID?, process: NodeProcess?)?
    private var lastBook: [NodeID: String] = [:]
    var rejected: UInt64 = 0

    var persist = PersistQueue()
    var effects = NodeEffects()

    public init(
        identity: NodeIdentity, membership: Membership, recovered: RecoveredLogs, settings: NodeSettings,
        seed: UInt64, now: Clocks
    ) {
        self.identity = identity
        self.settings = settings
        startedAt = now
        random = RandomSource(seed: seed)
        proposals = Proposals(nodeID: identity.nodeID, firstCounter: random.next() >> 16, settings: settings)
        loopAliveMs = Array(repeating: now.rawNs / 1_000_000, count: settings.loops)
        drainedLoops = Array(repeating: false, count: settings.loops)
        usage = UsageLedger(loops: settings.loops)
        if case .join(let addresses, _) = membership { joinAddresses = addresses } else { joinAddresses = [] }
        if let genesis = recovered.genesis {
            let initial = recovered.placement ?? genesis.firstPlacement(at: identity.nodeID)
            start(genesis, initial: initial)
        } else {
            let formation = Formation(membership: membership, identity: identity)
            self.formation = formation
            if let fault = formation.ownFault { effects.exit = .refused(fault) }
        }
    }

    private func start(_ genesis: Genesis, initial: InitialState) {
        formation = nil
        forming = nil
        state = PlacementState(genesis: genesis)
        if !initial.snapshot.data.isEmpty { installPlacement(initial.snapshot) }
        placement = ElectedReplica(
            id: identity.nodeID, initial: initial, settings: placementSettings, seed: random.next())
        register()
    }

    /// Its snapshots are small and a joining node waits for one: no rate holds them back.
    private var placementSettings: ReplicaSettings {
        var raft = settings.raft
        raft.limitsSnapshotRate = false
        return raft
    }

    /// Asks for an incarnation; idempotent by the nonce.
    func register() {
        proposals.add(
            .register(
                Registration(
                    node: identity.nodeID, nonce: identity.nonce, name: identity.name,
                    peerAddress: identity.peerAddress, clientURL: identity.clientURL,
                    version: identity.version)),
            token: nil, nowMs: 0)
    }

    /// A node that has lost its disk comes back under its name as soon as its former process is fenced (O9).
    private func registerAgain(nowMs: UInt64) {
        guard let dueMs = registerAtMs, nowMs >= dueMs, process == nil else { return }
        registerAtMs = nil
        register()
    }

    // MARK: - Inputs

    public func step(_ input: NodeInput, now: Clocks) {
        let nowMs = now.rawNs / 1_000_000
        switch input {
        case .message(let sender, let message): receive(message, from: sender, now: now)
        case .persisted(let id): release(id, now: now)
        case .tick: tick(now: now)
        case .linkUp(let node):
            placement?.reportReachable(node)
            if !reachable.contains(node) { reachable = (reachable + [node]).sorted() }
        case .linkDown(let node):
            placement?.reportUnreachable(node)
            reachable.removeAll { $0 == node }
        case .loop(.propose(let command)): proposals.add(command, token: nil, nowMs: nowMs)
        case .loop(.drained(let loop)): drainedLoops[loop] = true
        case .loop(.loads(let loop, let shards)):
            ownLoads.removeAll { $0.key == loop }
            ownLoads.append((loop, shards))
        case .loop(.alive(let loop)): loopAliveMs[loop] = nowMs
        case .loop(.usage(let loop, let loads)): usage.take(loads, ofLoop: loop)
        case .propose(let token, let command): propose(command, token, nowMs: nowMs)
        case .report(let token, let wholeCluster): beginReport(token, wholeCluster: wholeCluster, now: now)
        case .collected(let id, let shards, let counters):
            finishOwnReport(id, shards: shards, counters: counters, now: now)
        case .obituary(let obituary): take(obituary, now: now)
        case .order(let request): order(request)
        case .invite(let address): invite(address)
        case .space(let space): self.space.set(space)
        case .journalPressure: checkpointPlacement(isPressed: true, nowMs: now.rawNs / 1_000_000)
        case .shutdown: beginDrain(now: now)
        }
    }

    private func receive(_ message: PeerMessage, from sender: NodeID, now: Clocks) {
        // Nobody else speaks in this node's name.
        guard sender != identity.nodeID else { return reject() }
        switch message {
        case .placement(let message):
            guard message.from == sender, placement != nil else { return reject() }
            placement?.step(message)
        case .join(let request): receive(request, now: now)
        case .welcome(let genesis): welcome(genesis)
        case .propose(let payload): propose(payload)
        case .leaseRequest(let request):
            guard request.process.node == sender else { return reject() }
            ask(request, now: now)
        case .leaseGrant(let grant): receive(grant, now: now)
        case .obituary(let obituary): take(obituary, now: now)
        case .fenceMe(let process):
            guard process.node == sender else { return reject() }
            fence(process, cause: .requested, now: now)
        case .reportRequest(let id): beginReport(id, for: sender)
        case .report(let id, let report): reports.add(report, to: id)
        case .usage(let report): receive(report, from: sender)
        case .loads(let report): receive(report, from: sender, now: now)
        case .space(let report): receive(report, from: sender, nowMs: now.rawNs / 1_000_000)
        case .shard, .execute, .outcome, .move, .replicas, .events, .broadcast, .feedEnd, .feedSeats,
            .scrubbed, .scrubVerdict, .scrubWish:
            reject()
        }
    }

    func reject() { rejected += 1 }

    // MARK: - Joining

    private func receive(_ request: JoinRequest, now: Clocks) {
        guard request.node != identity.nodeID else { return reject() }
        effects.addressBook = (effects.addressBook ?? []) + [(node: request.node, address: request.peerAddress)]
        guard let state else {
            formation?.join(request)
            return form()
        }
        remember(request.node)
        send(.welcome(state.genesis), to: request.node)
        introduceItself(to: request.node, state: state)
        admit(request, state: state)
    }

    /// Whoever leads will be answered by it, and it may know no address but those of the first members. Only the
    /// registered to those that are not: else two nodes would introduce themselves to each other for ever.
    private func introduceItself(to node: NodeID, state: PlacementState) {
        guard placement?.configuration.isEmpty == false, state.registry.record(of: identity.nodeID) != nil,
            state.registry.record(of: node) == nil
        else { return }
        send(.join(joinRequest), to: node)
    }

    private func remember(_ introducer: NodeID) {
        guard placement?.configuration.isEmpty == true, !introducers.contains(introducer),
            introducers.count < NodeCore.introducersMax
        else { return }
        introducers.append(introducer)
    }

    var joinRequest: JoinRequest {
        JoinRequest(
            node: identity.nodeID, name: identity.name, peerAddress: identity.peerAddress,
            clientURL: identity.clientURL, clusterID: state?.genesis.clusterID ?? 0)
    }

    /// A node that was not among the first members becomes a learner of the placement group.
    private func admit(_ request: JoinRequest, state: PlacementState) {
        guard let placement, !placement.configuration.isMember(request.node) else { return }
        if placement.role == .leader {
            var target = placement.configuration
            guard !target.isJoint else { return }
            target = Configuration(voters: target.voters, learners: target.learners + [request.node])
            _ = self.placement?.proposeConfiguration(target)
        } else if let leader = placement.leader {
            send(.join(request), to: leader)
        }
    }

    private func form() {
        guard forming == nil, let genesis = formation?.genesis(random: &random) else { return }
        if let fault = genesis.fault {
            effects.exit = .refused(fault)
        } else {
            write(genesis)
        }
    }

    private func welcome(_ genesis: Genesis) {
        guard state == nil, forming == nil else { return }
        guard case .join(_, let cluster) = formation?.membership, cluster == 0 || cluster == genesis.clusterID
        else { return reject() }
        write(genesis)
    }

    /// The record of the genesis comes last in its batch: where it is, all the groups are (O2).
    private func write(_ genesis: Genesis) {
        let placement = genesis.firstPlacement(at: identity.nodeID)
        persist.add(.created(placement.snapshot.configuration, group: .placement))
        for record in PlacementState(genesis: genesis).table.records
        where record.replicas.contains(identity.nodeID) {
            persist.add(.created(Configuration(voters: record.replicas), group: .shard(record.shard)))
        }
        persist.add(.genesis(genesis))
        forming = (genesis, nil)
    }

    /// Whether the genesis that was just written has reached the disk.
    private func finishForming(_ id: BatchID) {
        guard let forming, forming.batch == id else { return }
        let genesis = forming.genesis
        start(genesis, initial: genesis.firstPlacement(at: identity.nodeID))
        effects.formed = genesis
        for member in genesis.members where member.node != identity.nodeID {
            send(.welcome(genesis), to: member.node)
        }
    }

    // MARK: - Time

    private func tick(now: Clocks) {
        let nowMs = now.rawNs / 1_000_000
        askToJoin(nowMs: nowMs)
        guard state != nil else { return }
        placement?.tick()
        registerAgain(nowMs: nowMs)
        askForLease(now: now)
        handOverProposals(nowMs: nowMs)
        repeatBurials(now: now)
        tellLoads(nowMs: nowMs)
        checkpointPlacement(nowMs: nowMs)
        lead(now: now)
        advanceDrain(now: now)
        exchangeUsage(nowMs: nowMs)
        exchangeSpace(nowMs: nowMs)
        for failed in proposals.expired(nowMs: nowMs) {
            effects.proposals.append((failed.token, .failure(failed.failure)))
        }
        for finished in reports.finished(nowMs: nowMs) {
            effects.reports.append((finished.token, finished.reports))
        }
    }

    private func askToJoin(nowMs: UInt64) {
        guard formation != nil || isOutside(nowMs: nowMs) else { return }
        let request = joinRequest
        for address in formation?.addressesToAsk(nowMs: nowMs) ?? [] {
            effects.toAddresses.append((address, .join(request)))
        }
        if formation != nil { return form() }
        // A later member that the cluster does not count yet: asks by the addresses it was told, those that have
        // introduced themselves, and those it knows from the genesis, of whom none may be left.
        guard nowMs % 500 < settings.tickMs, let state else { return }
        for address in joinAddresses { effects.toAddresses.append((address, .join(request))) }
        let first = state.genesis.members.map(\.node).filter { $0 != identity.nodeID }
        for node in first + introducers.filter({ !first.contains($0) }) { send(.join(request), to: node) }
    }

    /// Nobody leads this node, and it was never registered. Its own log may say that it listens, by an entry that was
    /// lost with the leader who took it in.
    private func isOutside(nowMs: UInt64) -> Bool {
        guard let placement, !placement.configuration.isEmpty else { return placement != nil }
        guard placement.leader == nil, let state, state.registry.record(of: identity.nodeID) == nil else {
            return false
        }
        // A first member belongs by the genesis; but the others may have begun without it, and do with fewer voters.
        let isFirst = state.genesis.members.contains { $0.node == identity.nodeID }
        return !isFirst || nowMs >= startedAt.rawNs / 1_000_000 + NodeCore.firstMemberPatienceMs
    }

    /// Every loop has been heard of lately: the node as a whole is alive (O2).
    func loopsAreAlive(durationMs: UInt64, nowMs: UInt64) -> Bool {
        loopAliveMs.allSatisfy { nowMs < $0 + durationMs / 2 }
    }

    func isReachable(_ node: NodeID) -> Bool { node == identity.nodeID || reachable.contains(node) }

    var loopsAreDrained: Bool { drainedLoops.allSatisfy { $0 } }

    // MARK: - Effects

    func send(_ message: PeerMessage, to node: NodeID) {
        precondition(node != identity.nodeID, "a node sends nothing to itself")
        effects.messages.append(Outgoing(to: node, message: message))
    }

    private func release(_ id: BatchID, now: Clocks) {
        release(persist.persisted(id))
        finishForming(id)
    }

    private func release(_ batch: PersistQueue.Batch) {
        for mark in batch.marks {
            placement?.persisted(term: mark.position.term, index: mark.position.index)
        }
        effects.messages.append(contentsOf: batch.messages)
    }

    public func flush(now: Clocks) -> NodeEffects {
        repeat {
            drainPlacement(now: now)
            let (batch, released) = persist.close()
            effects.persist = batch
            if let batch, forming != nil, forming?.batch == nil { forming?.batch = batch.id }
            if let released { release(released) }
        } while effects.persist == nil && placement?.hasReady == true
        publishView()
        let result = effects
        effects = NodeEffects()
        return result
    }

    private func publishView() {
        guard let state else { return }
        publishBook(state)
        let leader = placement?.leader
        if let lastViewed, lastViewed == (placementApplied, leader, process), effects.formed == nil { return }
        lastViewed = (placementApplied, leader, process)
        effects.view = ClusterView(
            state: state, index: placementApplied, nodeID: identity.nodeID, nodeName: identity.name,
            process: process, leader: leader)
    }

    private func publishBook(_ state: PlacementState) {
        var book: [(node: NodeID, address: String)] = state.genesis.members.map { ($0.node, $0.peerAddress) }
        for node in state.nodes {
            book.removeAll { $0.node == node.node }
            book.append((node.node, node.peerAddress))
        }
        book.removeAll { $0.node == identity.nodeID }
        let isNew = book.contains { lastBook[$0.node] != $0.address }
        guard isNew else { return }
        for entry in book { lastBook[entry.node] = entry.address }
        effects.addressBook = (effects.addressBook ?? []) + book
    }

    var uptimeSince: Clocks { startedAt }
}
