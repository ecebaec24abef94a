import HoldfastClient
import NIOCore
import Simulation

/// One client: stays with its node, makes one operation after the other, and writes down what it saw.
/// Used on the load's event loop only.
final class LoadClient {
    private static let attemptsMax = 40

    let number: Int
    let home: Int
    /// Repeats an operation whose answer got lost, with the same key, at another node.
    let usesKeys: Bool
    /// Kept alive on purpose: answers and timers still come when the run is over.
    private let load: Load
    private var generator: SeededGenerator
    private var connection: HTTPConnection?
    private(set) var isBusy = false

    init(number: Int, home: Int, usesKeys: Bool, load: Load, generator: SeededGenerator) {
        self.number = number
        self.home = home
        self.usesKeys = usesKeys
        self.load = load
        self.generator = generator
    }

    /// An operation under way, over all its attempts.
    private struct Pending {
        var operation: PlannedOperation
        var recorded: OperationNumber
        var request: HTTPRequest
        var attempts = 0
        /// The node was harmed at some time since the last attempt began.
        var metHarm = false
    }

    func start() {
        guard isWanted else { return }
        open(home) { self.useHome($0) }
    }

    private var isWanted: Bool { load.isRunning && !load.isGone[home] }

    private func after(_ delay: TimeAmount, _ body: @escaping () -> Void) {
        load.eventLoop.assumeIsolated().scheduleTask(in: delay, body)
    }

    private func open(_ node: Int, _ body: @escaping (HTTPConnection?) -> Void) {
        let endpoint = load.cluster.nodes[node].endpoint
        HTTPConnection.connect(to: endpoint, on: load.eventLoop, timeout: .seconds(1))
            .assumeIsolated().whenComplete { result in
                let connection = try? result.get()
                connection?.requestTimeout = .seconds(30)
                body(connection)
            }
    }

    /// A node takes connections before it can serve: load goes to it when it says that it is ready.
    private func useHome(_ opened: HTTPConnection?) {
        guard let opened else {
            if isWanted, !load.isHarmed[home] {
                load.noteFailure("client \(number): node \(home + 1) is not reachable")
            }
            return retryHome()
        }
        opened.send(Readiness.request.encoded(for: opened.endpoint)) { result in
            guard case .success(let response) = result, Readiness.serves(response), opened.isOpen else {
                opened.close()
                // While another node is away some shards may have no owner: nobody is ready then.
                if self.isWanted, !self.load.isHarmed.contains(true) {
                    self.load.noteFailure("client \(self.number): node \(self.home + 1) is not ready")
                }
                return self.retryHome()
            }
            self.connection = opened
            self.next()
        }
    }

    private func retryHome() {
        after(.milliseconds(50)) { self.start() }
    }

    private func next() {
        guard isWanted else {
            connection?.close()
            return
        }
        let thinkNs = generator.below(2 * load.thinkNsMean + 1)
        after(.nanoseconds(Int64(thinkNs))) { self.operate() }
    }

    private func operate() {
        guard isWanted, let connection, connection.isOpen else {
            connection?.close()
            return start()
        }
        let operation = load.plan(&generator)
        let key = usesKeys && operation.isWrite ? randomIdempotencyKey() : nil
        let request = operation.request(
            project: load.cluster.project ?? "", authorization: load.authorization, idempotencyKey: key)
        isBusy = true
        let pending = Pending(
            operation: operation, recorded: load.begin(operation, by: number), request: request)
        attempt(pending, at: home, over: connection)
    }

    private func attempt(_ pending: Pending, at node: Int, over connection: HTTPConnection) {
        var pending = pending
        pending.attempts += 1
        pending.metHarm = load.isHarmed[node]
        connection.send(pending.request.encoded(for: connection.endpoint)) { result in
            pending.metHarm = pending.metHarm || self.load.isHarmed[node]
            if node != self.home { connection.close() }
            switch result {
            case .success(let response): self.take(response, pending, from: node)
            case .failure(let failure): self.take(failure, pending, from: node)
            }
        }
    }

    private func take(_ response: HTTPResponse, _ pending: Pending, from node: Int) {
        if response.isSuccess || response.status == 404 {
            guard let outcome = pending.operation.outcome(response) else {
                load.noteImpossible(
                    describe(
                        pending, node, "an answer that cannot be: \(response.status) \(response.bodyText)"))
                return finish(pending, .unknown)
            }
            if case .answered(let shown, let version) = outcome {
                load.noteShown(shown, version: version, of: pending.operation.object)
            }
            if pending.operation.isWrite, !load.noteAnswer(pending.operation, response) {
                load.noteImpossible(describe(pending, node, "an answer without epoch and index"))
            }
            if pending.operation.isWrite, let epoch = response.header("Holdfast-Epoch").flatMap(UInt64.init) {
                load.noteAcknowledged(pending.operation.object, epoch: epoch)
            }
            return finish(pending, outcome)
        }
        let error = HoldfastError(answer: response, isWrite: pending.operation.isWrite)
        if case .compareAndSet = pending.operation.call, error.kind == .conflict {
            return finish(pending, .conflict)
        }
        if !pending.metHarm { load.noteFailure(describe(pending, node, "\(error)")) }
        // After a lost answer, a later "not applied" speaks of the later attempt only.
        finish(pending, error.applied == .no && pending.attempts == 1 ? .refused : .unknown)
    }

    private func take(_ failure: HTTPFailure, _ pending: Pending, from node: Int) {
        if !pending.metHarm { load.noteFailure(describe(pending, node, "\(failure)")) }
        let mayRepeat = usesKeys || !pending.operation.isWrite
        guard mayRepeat, pending.attempts < Self.attemptsMax else { return finish(pending, .unknown) }
        repeatElsewhere(pending)
    }

    private func repeatElsewhere(_ pending: Pending) {
        let others = load.cluster.nodes.indices.filter {
            $0 != home && !load.isHarmed[$0] && !load.isGone[$0]
        }
        guard pending.attempts < Self.attemptsMax, !others.isEmpty else {
            guard pending.attempts < Self.attemptsMax else { return finish(pending, .unknown) }
            var later = pending
            later.attempts += 1
            return after(.milliseconds(250)) { self.repeatElsewhere(later) }
        }
        let node = generator.pick(others)
        open(node) { opened in
            guard let opened else {
                var later = pending
                later.attempts += 1
                return self.after(.milliseconds(50)) { self.repeatElsewhere(later) }
            }
            self.attempt(pending, at: node, over: opened)
        }
    }

    private func finish(_ pending: Pending, _ outcome: Outcome) {
        load.complete(pending.recorded, outcome)
        if outcome == .unknown { load.noteUnknown(pending.operation) }
        isBusy = false
        if let connection, connection.isOpen { next() } else { start() }
    }

    private func describe(_ pending: Pending, _ node: Int, _ what: String) -> String {
        "client \(number) at \(load.cluster.nodes[node].name), \(pending.operation.call) of \(pending.operation.object): \(what)"
    }
}
