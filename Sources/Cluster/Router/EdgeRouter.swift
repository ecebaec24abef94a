import Binary
import DequeModule
import ObjectRuntime
import Placement
import Raft

/// The edge's half of an operation: finds the owner, tries it there, waits through a change of owner,
/// tries again under the same id, and answers the client once (O10, O11).
struct EdgeRouter {
    /// A try and where it goes.
    struct Dispatch {
        var to: NodeProcess
        var attempt: Try
    }

    /// What the edge keeps per shard while operations for it are under way.
    private struct EdgeShard {
        /// In order of arrival, which is the order of counters.
        var pending: Deque<PendingOperation> = []
        /// Highest epoch by which anything was routed.
        var routedEpoch = Epoch.zero
        var knownCommit: UInt64 = 0

        /// A finished operation must not be kept, value and all, behind one that waits.
        mutating func remove(_ finished: PendingOperation) {
            let place = place(of: finished.counter)
            if place < pending.count, pending[place] === finished { pending.remove(at: place) }
        }

        /// From another shard, whose owners have told of their log up to `known`.
        mutating func insert(_ moved: PendingOperation, known: UInt64) {
            pending.insert(moved, at: place(of: moved.counter))
            knownCommit = max(knownCommit, known)
        }

        private func place(of counter: UInt64) -> Int {
            var low = 0
            var high = pending.count
            while low < high {
                let middle = (low + high) / 2
                if pending[middle].counter < counter { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    let nodeID: NodeID
    let loop: UInt16
    let settings: NodeSettings
    private(set) var stream: EdgeStream?
    private var view: ClusterView?

    /// Operations by counter: `operations[k]` has the counter `firstCounter + k`.
    private var operations: Deque<PendingOperation?> = []
    private var firstCounter: UInt64 = 1
    private var nextSequence: UInt64 = 1
    private var shards: [ShardID: EdgeShard] = [:]
    /// `Table.division` of the table by which operations stand in `shards`.
    private var division: UInt64 = 0
    private var held: HeldBudget
    private let quotas: QuotaBook
    /// How long what comes in now may have waited to be read.
    var unreadMs: UInt64 = 0

    /// Taken by the loop after each step.
    var dispatches: [Dispatch] = []
    var answers: [AnsweredRequest] = []
    /// Those of the hub's own questions.
    var hubAnswers: [AnsweredRequest] = []
    var counters = NodeCounters()

    init(nodeID: NodeID, loop: Int, settings: NodeSettings, quotas: QuotaBook) {
        self.nodeID = nodeID
        self.loop = UInt16(loop)
        self.settings = settings
        held = HeldBudget(settings: settings)
        self.quotas = quotas
    }

    private var nextCounter: UInt64 { firstCounter + UInt64(operations.count) }

    var pendingCount: Int { shards.values.reduce(0) { $0 + $1.pending.count } }

    // MARK: - A client's request

    mutating func submit(_ token: RequestToken, _ request: ClientRequest, nowMs: UInt64) {
        guard let view, let state = view.state, let stream else {
            // O10: an edge without an incarnation admits nothing.
            return refuse(token, .notReady(node: "this node has not joined its cluster yet"))
        }
        guard isWithinQuota(token, request.project, nowMs: nowMs) else { return }
        let object = ObjectID(
            project: request.project, objectClass: request.objectClass, id: request.objectID,
            hashKey: state.genesis.hashKey)
        guard held.admits(project: request.project, bytes: request.operation.byteCount + object.canonical.count)
        else {
            return refuse(token, .overloaded)
        }
        guard !held.sheds(project: request.project, nowMs: nowMs) else { return shed(token) }
        begin(
            token, object, request.operation, id: operationID(request, stream: stream),
            project: request.project, minimumIndex: request.minimumIndex ?? 0, by: state, nowMs: nowMs)
    }

    /// A question of the hub. What carries a client's data is held within the bounds of the edge, like what comes
    /// by HTTP. The rest is small and bounded by the number of sockets: it is neither refused nor counted, so
    /// that many sockets, whose owner is lost, take nothing away from requests.
    mutating func submit(_ request: SocketHub.Request, nowMs: UInt64) {
        guard let view, let state = view.state, let stream else {
            return refuse(request.token, .notReady(node: "this node has not joined its cluster yet"))
        }
        let isCounted = request.operation.carriesData
        if isCounted {
            guard isWithinQuota(request.token, request.feed.project, nowMs: nowMs) else { return }
            let bytes = request.operation.byteCount + request.feed.object.canonical.count
            guard held.admits(project: request.feed.project, bytes: bytes) else {
                return refuse(request.token, .overloaded)
            }
            guard !held.sheds(project: request.feed.project, nowMs: nowMs) else { return shed(request.token) }
        }
        let id = request.operation.isWrite ? OperationID.edge(stream: stream, counter: nextCounter) : nil
        begin(
            request.token, request.feed.object, request.operation, id: id, project: request.feed.project,
            minimumIndex: 0, isCounted: isCounted, by: state, nowMs: nowMs)
    }

    private mutating func begin(
        _ token: RequestToken, _ object: ObjectID, _ operation: Operation, id: OperationID?, project: String,
        minimumIndex: UInt64, isCounted: Bool = true, by state: PlacementState, nowMs: UInt64
    ) {
        let record = state.table.shard(forKey: object.key.rawValue)
        let byteCount = operation.byteCount + object.canonical.count
        let pending = PendingOperation(
            token: token, counter: nextCounter, shard: record.shard, object: object, operation: operation,
            id: id, project: project, minimumIndex: minimumIndex, byteCount: byteCount,
            deadlineMs: nowMs + settings.requestDeadlineMs,
            knownIndex: shards[record.shard]?.knownCommit ?? 0, unreadMs: unreadMs, isCounted: isCounted)
        operations.append(pending)
        shards[record.shard, default: EdgeShard()].pending.append(pending)
        if isCounted { held.take(project: project, bytes: byteCount) }
        if record.owner == nil { counters.heldRequests += 1 }
        dispatch(pending, by: record, nowMs: nowMs)
    }

    private func operationID(_ request: ClientRequest, stream: EdgeStream) -> OperationID? {
        guard request.operation.isWrite else { return nil }
        if let key = request.idempotency {
            return .client(apiKey: key.apiKey, key: key.key, requestHash: key.requestHash)
        }
        return .edge(stream: stream, counter: nextCounter)
    }

    /// Answers for itself if the project has had its operations of this second.
    private mutating func isWithinQuota(_ token: RequestToken, _ project: String, nowMs: UInt64) -> Bool {
        guard let (refusal, retryAfterMs) = quotas.admitOperation(of: project, nowMs: nowMs) else { return true }
        give(token, ClientAnswer(reply: .refused(refusal), applied: .no, retryAfterMs: retryAfterMs))
        return false
    }

    private mutating func refuse(_ token: RequestToken, _ refusal: Refusal) {
        counters.refusedRequests += 1
        give(token, ClientAnswer(reply: .refused(refusal), applied: .no, retryAfterMs: 500))
    }

    /// The newest work goes first: what was let in keeps its time.
    private mutating func shed(_ token: RequestToken) {
        counters.shedRequests += 1
        refuse(token, .overloaded)
    }

    private mutating func give(_ token: RequestToken, _ answer: ClientAnswer) {
        let answered = AnsweredRequest(token: token, answer: answer)
        if token.rawValue & SocketHub.tokenBit == 0 { answers.append(answered) } else { hubAnswers.append(answered) }
    }

    // MARK: - Tries

    private mutating func dispatch(_ pending: PendingOperation, by record: ShardRecord, nowMs: UInt64) {
        guard let owner = record.owner, let stream else {
            pending.isHeld = true
            return
        }
        let sequence = nextSequence
        nextSequence += 1
        let request = Request(
            object: pending.object, operation: pending.operation, id: pending.id,
            settledBelow: lowestUnsettled(of: pending.shard), isRetry: pending.wasSent,
            knownIndex: pending.knownIndex)
        shards[pending.shard]?.routedEpoch = record.epoch
        pending.sent(sequence, nowMs: nowMs)
        if owner.node != nodeID { counters.forwardedOperations += 1 }
        dispatches.append(
            Dispatch(
                to: owner,
                attempt: Try(
                    origin: Origin(node: nodeID, loop: loop, token: pending.counter), shard: pending.shard,
                    epoch: record.epoch, minimumIndex: pending.minimumIndex, sequence: sequence,
                    stream: stream, request: request)))
    }

    /// Every operation of this edge on this shard with a lower counter has had its answer (O10).
    private func lowestUnsettled(of shard: ShardID) -> UInt64 {
        shards[shard]?.pending.first?.counter ?? nextCounter
    }

    /// Tries again, in order of arrival, what has no answer yet.
    private mutating func redispatch(
        _ shard: ShardID, by record: ShardRecord, nowMs: UInt64, where isDue: (PendingOperation) -> Bool
    ) {
        guard let waiting = shards[shard]?.pending else { return }
        for pending in waiting where !pending.isDone && isDue(pending) {
            dispatch(pending, by: record, nowMs: nowMs)
        }
    }

    // MARK: - What the table says

    mutating func observe(_ newView: ClusterView, nowMs: UInt64) {
        view = newView
        if stream == nil, let process = newView.process { firstCounter = firstCounter(of: process) }
        stream = newView.process.map { makeStream($0) }
        guard let state = newView.state else { return }
        rehome(state.table)
        guard !operations.isEmpty else { return }
        for record in state.table.records {
            guard let edge = shards[record.shard], !edge.pending.isEmpty, record.epoch > edge.routedEpoch,
                record.owner != nil
            else { continue }
            redispatch(record.shard, by: record, nowMs: nowMs) { _ in true }
        }
    }

    /// O13: a split or merge has given keys to another shard; what waits for the old one waits for the new one. What
    /// the old one was told of an operation, it has handed on with the keys.
    private mutating func rehome(_ table: Table) {
        guard table.division != division else { return }
        division = table.division
        for pending in operations {
            guard let pending, !pending.isDone else { continue }
            let shard = table.shard(forKey: pending.object.key.rawValue).shard
            guard shard != pending.shard else { continue }
            let known = shards[pending.shard]?.knownCommit ?? 0
            shards[pending.shard]?.remove(pending)
            pending.shard = shard
            shards[shard, default: EdgeShard()].insert(pending, known: known)
        }
        shards = shards.filter { !$0.value.pending.isEmpty || table.position(of: $0.key) != nil }
    }

    /// O10: counters start again with each process, so the incarnation is part of the name.
    private func makeStream(_ process: NodeProcess) -> EdgeStream {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.restartEdgeCounter) {
            return EdgeStream(incarnation: nodeID.rawValue, loop: loop)
        }
        #endif
        return EdgeStream(incarnation: process.incarnation.rawValue, loop: loop)
    }

    /// A counter also names the operation in outcomes. Those for an earlier process of this node may
    /// still be on their way, so every process counts in a range of its own.
    private func firstCounter(of process: NodeProcess) -> UInt64 {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.restartEdgeCounter) { return 1 }
        #endif
        return process.incarnation.rawValue << 40 | 1
    }

    /// A link has come up: what went over its predecessor may be lost, so it goes again. The id makes
    /// the second try harmless (O10).
    mutating func linkUp(_ node: NodeID, nowMs: UInt64) {
        guard let state = view?.state, !operations.isEmpty else { return }
        for record in state.table.records where record.owner?.node == node {
            redispatch(record.shard, by: record, nowMs: nowMs) { !$0.isHeld }
        }
    }

    // MARK: - Outcomes

    mutating func settle(_ outcome: TryOutcome, ownerName: String, nowMs: UInt64) {
        guard let pending = operation(outcome.token), !pending.isDone else { return }
        switch outcome.result {
        case .answered(let answer):
            if let known = shards[pending.shard]?.knownCommit, outcome.commitIndex > known {
                shards[pending.shard]?.knownCommit = outcome.commitIndex
            }
            held.answered(
                afterMs: pending.unreadMs + (nowMs >= pending.lastSentMs ? nowMs - pending.lastSentMs : 0),
                isWrite: pending.operation.isWrite)
            if answer.replayed { counters.replayedOperations += 1 }
            finish(pending, with: answer, outcome, ownerName)
        case .unchanged(let answer):
            pending.settledUnchanged(through: outcome.sequence)
            // O10: a newer copy would be executed, and might find something to change: its outcome decides.
            if pending.openSends.isEmpty { finish(pending, with: answer, outcome, ownerName) }
        case .refused:
            pending.refused(outcome.sequence)
            if outcome.sequence == pending.lastSequence { wait(pending, above: outcome.epoch, nowMs: nowMs) }
        case .overloaded: refuse(pending, outcome, because: .overloaded)
        case .noSpace: refuse(pending, outcome, because: .diskFull)
        }
    }

    /// Only what certainly took no effect at another owner before.
    private mutating func refuse(_ pending: PendingOperation, _ outcome: TryOutcome, because refusal: Refusal) {
        pending.refused(outcome.sequence)
        guard pending.isCertainlyNotApplied else { return }
        counters.refusedRequests += 1
        finish(pending, ClientAnswer(reply: .refused(refusal), applied: .no, retryAfterMs: 500))
    }

    private mutating func finish(
        _ pending: PendingOperation, with answer: Answer, _ outcome: TryOutcome, _ ownerName: String
    ) {
        finish(
            pending,
            ClientAnswer(
                reply: answer.reply, applied: answer.applied, epoch: answer.epoch ?? outcome.epoch.rawValue,
                index: answer.index, owner: ownerName,
                replayed: answer.replayed && pending.isNamedByClient))
    }

    /// Refused at `epoch`: goes on when the table names an owner at a higher one.
    private mutating func wait(_ pending: PendingOperation, above epoch: Epoch, nowMs: UInt64) {
        pending.isHeld = true
        counters.heldRequests += 1
        guard let record = view?.state?.table.record(of: pending.shard), record.epoch > epoch else { return }
        dispatch(pending, by: record, nowMs: nowMs)
    }

    /// Called every tick: gives up what is past its deadline, and repeats what was lost on the way.
    mutating func tick(nowMs: UInt64) {
        guard !operations.isEmpty else { return }
        for pending in operations {
            guard let pending else { continue }
            guard pending.deadlineMs > nowMs else {
                giveUp(pending)
                continue
            }
            guard !pending.isHeld, nowMs >= pending.lastSentMs + EdgeRouter.resendAfterMs(pending) else {
                continue
            }
            guard let record = view?.state?.table.record(of: pending.shard) else { continue }
            dispatch(pending, by: record, nowMs: nowMs)
        }
        trim()
    }

    /// A try without an outcome is repeated after this long: frames are lost only with their link,
    /// so this is rare.
    static let resendAfterMs: UInt64 = 1_000

    /// The more tries are open, the longer: a slow owner must be able to answer the newest one.
    private static func resendAfterMs(_ pending: PendingOperation) -> UInt64 {
        resendAfterMs * UInt64(max(1, pending.openSends.count))
    }

    private mutating func giveUp(_ pending: PendingOperation) {
        if pending.isCertainlyNotApplied {
            counters.refusedRequests += 1
            finish(
                pending,
                ClientAnswer(reply: .refused(.noOwner), applied: .no, retryAfterMs: 1_000))
        } else {
            counters.unknownOutcomes += 1
            finish(pending, ClientAnswer(reply: .refused(.outcomeUnknown), applied: .unknown))
        }
    }

    private func operation(_ counter: UInt64) -> PendingOperation? {
        guard counter >= firstCounter, counter < nextCounter else { return nil }
        return operations[Int(counter - firstCounter)]
    }

    private mutating func finish(_ pending: PendingOperation, _ answer: ClientAnswer) {
        pending.isDone = true
        operations[Int(pending.counter - firstCounter)] = nil
        if pending.isCounted { held.give(project: pending.project, bytes: pending.byteCount) }
        shards[pending.shard]?.remove(pending)
        give(pending.token, answer)
        trim()
    }

    private mutating func trim() {
        while let first = operations.first, first == nil {
            operations.removeFirst()
            firstCounter += 1
        }
    }
}

extension PendingOperation {
    /// Only a client that named its operation is told that the answer is a repeated one.
    var isNamedByClient: Bool {
        if case .client = id { return true }
        return false
    }
}
