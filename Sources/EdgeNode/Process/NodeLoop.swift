import Cluster
import Logging
import NIOCore
import ObjectRuntime
import Placement
import Raft
import Storage
import StoreBinding
import TLS

/// One event loop of a node: feeds its `LoopCore` and carries out what the core wants.
///
/// Inputs are stepped as they come; one flush at the end of the loop's turn makes one batch for the
/// journal and one write per peer of all of them. Everything here is touched on `eventLoop` only, which
/// is what makes the unchecked `Sendable` true; each entry from outside checks it.
final class NodeLoop: @unchecked Sendable {
    let index: Int
    let eventLoop: any EventLoop
    let node: NodeShared
    private let core: LoopCore
    /// Reads of the store; the core's own source of objects is made of the same.
    private let objects: LoopObjects
    private var turnClocks: Clocks?
    private var housekeeping = Housekeeping()
    private var isTurnScheduled = false

    private(set) var currentView: ClusterView
    private var answers: [UInt64: (ClientAnswer) -> Void] = [:]
    var backups: [UInt64: (BackupAnswer) -> Void] = [:]
    private var nextToken: UInt64 = 1
    /// To other nodes, by identity; by address while the identity is not known.
    var links: [NodeID: PeerLink] = [:]
    var joinLinks: [String: PeerLink] = [:]
    /// Parents that wait to hear that their obituary is settled.
    var mourners: [Obituary: [any Channel]] = [:]
    var inboundChannels: [ObjectIdentifier: (hello: PeerHello, proof: PeerProof, channel: any Channel)] = [:]
    private(set) var http: HTTPEdge?
    /// The node's core, on the first loop.
    private(set) var brain: NodeBrain?

    init(index: Int, eventLoop: any EventLoop, node: NodeShared, core: LoopCore, objects: LoopObjects) {
        self.index = index
        self.eventLoop = eventLoop
        self.node = node
        self.core = core
        self.objects = objects
        currentView = ClusterView(
            state: nil, index: .zero, nodeID: node.identity.nodeID, nodeName: node.identity.name,
            process: nil, leader: nil)
    }

    // MARK: - Start

    func start(http settings: HTTPSettings, board: StatisticsBoard, limits: ClientLimits, brain: NodeBrain?) {
        eventLoop.preconditionInEventLoop()
        self.brain = brain
        let makeTLS = node.peerSecurity.map { security in
            { TLSHandler(context: security.certificates.current.client) }
        }
        let http = HTTPEdge(
            gateway: self, settings: settings, eventLoop: eventLoop, board: board, limits: limits, makeTLS: makeTLS)
        http.start()
        self.http = http
        let interval = TimeAmount.milliseconds(Int64(node.settings.tickMs))
        eventLoop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            self.input(.tick)
            self.brain?.input(.tick)
            if self.index == 0 { self.housekeeping.tick(self.node) }
        }
    }

    // MARK: - Turns

    /// Steps one input. The turn's flush follows when the loop has taken in what is there.
    func input(_ input: LoopInput) {
        eventLoop.preconditionInEventLoop()
        core.step(input, now: clocks())
        guard !isTurnScheduled else { return }
        isTurnScheduled = true
        eventLoop.execute { self.turn() }
    }

    /// One reading serves all inputs of a turn; the flush reads anew (O4).
    private func clocks() -> Clocks {
        if let turnClocks { return turnClocks }
        let now = SystemClocks.now()
        turnClocks = now
        return now
    }

    private func turn() {
        isTurnScheduled = false
        turnClocks = nil
        let effects = core.flush(now: SystemClocks.now())
        if let batch = effects.persist { persist(batch) }
        send(effects.messages)
        for (loop, message) in effects.toLoops {
            let target = node.loops[loop]
            let sender = node.identity.nodeID
            target.eventLoop.execute { target.input(.message(from: sender, message)) }
        }
        if !effects.store.isEmpty { node.store.carryOut(effects.store, for: self) }
        for lost in effects.lost {
            node.logger.critical("a replica cannot be read and is out of service", metadata: [
                "shard": "\(lost.shard)", "because": "\(lost.what)",
            ])
        }
        for outcome in effects.scrubbed { log(outcome) }
        for request in effects.toNode { node.tellBrain(.loop(request)) }
        for answered in effects.answers {
            answers.removeValue(forKey: answered.token.rawValue)?(answered.answer)
        }
        for settled in effects.backups { backups.removeValue(forKey: settled.token.rawValue)?(settled.answer) }
        carryOut(effects.sockets)
    }

    /// Each loop gets what is for its sockets in one piece, in order.
    private func carryOut(_ outputs: [SocketOutput]) {
        guard !outputs.isEmpty else { return }
        var byLoop = [[SocketOutput]](repeating: [], count: node.loops.count)
        for output in outputs where byLoop.indices.contains(output.loop) { byLoop[output.loop].append(output) }
        for (target, outputs) in zip(node.loops, byLoop) where !outputs.isEmpty {
            if target === self {
                http?.sockets.carryOut(outputs)
            } else {
                target.eventLoop.execute { target.http?.sockets.carryOut(outputs) }
            }
        }
    }

    private func log(_ outcome: ScrubOutcome) {
        let names = outcome.nodes.map { currentView.state?.nodeName($0) ?? "\($0)" }.joined(separator: ", ")
        let metadata: Logger.Metadata = ["shard": "\(outcome.shard)", "nodes": "\(names)"]
        switch outcome.result {
        case .sound: node.logger.debug("a scrub found all replicas equal", metadata: metadata)
        case .incomplete: node.logger.info("a scrub did not hear of all replicas", metadata: metadata)
        case .repaired:
            node.logger.critical("a scrub found replicas that differ; they come back as new ones", metadata: metadata)
        case .undecided:
            node.logger.critical(
                "a scrub found replicas that differ, and no majority; nothing was changed, look at their disks",
                metadata: metadata)
        }
    }

    private func persist(_ batch: PersistBatch) {
        node.journal.append(batch.records.map(JournalRecord.init)) { result in
            self.eventLoop.execute {
                switch result {
                case .success: self.input(.persisted(batch.id))
                case .failure(let error): self.node.failStop(error)
                }
            }
        }
    }

    // MARK: - What the node's core says

    func adopt(_ view: ClusterView) {
        currentView = view
        input(.view(view))
        http?.sockets.adopt(view)
        closeStaleLinks()
    }

    /// Looks through the expiry index, on this loop's own reader.
    func findDue(_ job: StoreJob, beforeMs: UInt64, after: ExpiryCursor?, limit: Int) {
        let found = objects.due(beforeMs: beforeMs, after: after, limit: limit)
        eventLoop.execute { self.input(.store(.due(job, found))) }
    }

    func report() -> (shards: [ShardReport], counters: NodeCounters) {
        eventLoop.preconditionInEventLoop()
        return core.report()
    }

    func readCertificatesAgain() {
        eventLoop.preconditionInEventLoop()
        housekeeping.certificates.reload(node)
    }

    func drain() {
        http?.drain()
        input(.drain)
    }
}

// MARK: - The edge's gateway

extension NodeLoop: RequestGateway {
    var view: ClusterView { currentView }

    func submit(_ request: ClientRequest, answer: @escaping (ClientAnswer) -> Void) {
        let token = takeToken()
        answers[token] = answer
        input(.request(RequestToken(rawValue: token), request))
    }

    var loopIndex: Int { index }

    var loopCount: Int { node.loops.count }

    func refusesSocket(of project: String) -> Refusal? { core.admitSocket(of: project) }

    var quotaStanding: QuotaStanding { core.quotaStanding }

    func tell(_ input: SocketInput, hub: Int) {
        let loop = node.loops[hub]
        if loop === self {
            self.input(.socket(input))
        } else {
            loop.eventLoop.execute { loop.input(.socket(input)) }
        }
    }

    func propose(_ command: Command, answer: @escaping (Result<CommandResult, ProposalFailure>) -> Void) {
        let bound = NIOLoopBound(answer, eventLoop: eventLoop)
        node.ask(for: self) { brain, done in
            brain.propose(command) { result in done { bound.value(result) } }
        }
    }

    func nodeReport(_ answer: @escaping (NodeReport) -> Void) {
        let bound = NIOLoopBound(answer, eventLoop: eventLoop)
        node.ask(for: self) { brain, done in
            brain.report(wholeCluster: false) { reports in
                done { bound.value(reports.first ?? NodeReport()) }
            }
        }
    }

    func clusterReport(_ answer: @escaping ([NodeReport]) -> Void) {
        let bound = NIOLoopBound(answer, eventLoop: eventLoop)
        node.ask(for: self) { brain, done in
            brain.report(wholeCluster: true) { reports in done { bound.value(reports) } }
        }
    }

    /// A wish that is lost on its way may be repeated.
    func scrub(_ shards: [ShardID]) {
        let sender = node.identity.nodeID
        for shard in shards {
            guard let owner = currentView.state?.table.record(of: shard)?.owner else { continue }
            guard owner.node == sender else {
                links[owner.node]?.send([.scrubWish(shard)])
                continue
            }
            let loop = node.loops[homeLoop(of: shard, loops: node.loops.count)]
            loop.eventLoop.execute { loop.input(.message(from: sender, .scrubWish(shard))) }
        }
    }

    func journalReport() -> JournalReport? {
        let statistics = node.journal.statistics
        let buckets = zip(LatencyHistogram.boundsUs + [statistics.latency.longestUs], statistics.latency.counts)
        var report = JournalReport(
            syncDurations: DurationHistogram(
                buckets: buckets.map { (upperBoundNs: $0 * 1_000, count: $1) },
                sumNs: statistics.latency.sumUs * 1_000),
            bytesWritten: statistics.bytes)
        report.liveSegments = statistics.liveSegments
        report.liveBytes = statistics.liveBytes
        report.formerSegments = statistics.formerSegments
        report.droppedSegments = statistics.droppedSegments
        report.archivedSegments = statistics.archivedSegments
        report.archiveLagSegments = statistics.archiveLagSegments
        report.isArchiveFaulty = statistics.archiveError != nil
        return report
    }

    func storeReport() -> StoreReport? { node.store.report() }

    var certificateEnds: [String: Int64] {
        let ends = node.peerSecurity?.certificates.current.ends ?? []
        return Dictionary(ends.map { ($0.name, $0.notAfterMs) }, uniquingKeysWith: min)
    }

    var clusterKeys: ClusterKeys { node.peerSecurity?.certificates.current.clusterKeys ?? .none }

    func order(_ request: MoveRequest) { node.tellBrain(.order(request)) }

    func invite(_ address: String) { node.tellBrain(.invite(address: address)) }

    func endInvitation(_ address: String) {
        node.ask(for: self) { brain, _ in brain.endInvitation(address) }
    }

    func wallMs() -> UInt64 { SystemClocks.wallMs() }

    func randomBytes(_ count: Int) -> [UInt8] { SystemRandom.bytes(count) }

    func takeToken() -> UInt64 {
        defer { nextToken += 1 }
        return nextToken
    }
}

extension SocketOutput {
    /// The loop that holds the sockets.
    fileprivate var loop: Int {
        switch self {
        case .deliver(_, let loop, _, _): Int(loop)
        case .close(let socket, _): Int(socket.loop)
        }
    }
}
