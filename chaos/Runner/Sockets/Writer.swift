import HoldfastClient
import NIOCore

/// Writes rising values to one object at a steady rate, each under a key of its own, whether or not the ones
/// before have been answered. Used on the run's event loop only, which makes it `Sendable`.
final class Writer: @unchecked Sendable {
    private static let writesPerTurnMax = 50

    private(set) var acknowledged: [SeenWrite] = []
    private(set) var unknown: Set<Int> = []
    private(set) var failures: [String] = []
    /// When each write was sent and answered.
    private(set) var samples: [Sample] = []
    private var underWay: [Int: UInt64] = [:]
    /// The node that takes the writes.
    var node: Int
    /// Or who says, for each write, which node takes it.
    var chooseNode: (() -> Int)?

    private let stage: SocketStage
    private let object: String
    private let pools: [ConnectionPool]
    private var next = 1
    private var ticking: RepeatedTask?
    private var startedNs: UInt64 = 0
    private var stoppedNs: UInt64 = 0

    init(_ stage: SocketStage, object: String, node: Int) {
        self.stage = stage
        self.object = object
        self.node = node
        pools = stage.cluster.nodes.map {
            ConnectionPool(endpoints: [$0.endpoint], on: stage.eventLoop, timeout: .seconds(20))
        }
    }

    /// Keeps to the rate also when the loop was busy: what is late is sent at the next turn.
    func start(rate: Int) {
        let began = monotonicNs()
        let first = next
        startedNs = began
        let interval = TimeAmount.nanoseconds(1_000_000_000 / Int64(rate))
        ticking = stage.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: interval) { _ in
            let due = first + Int((monotonicNs() - began) * UInt64(rate) / 1_000_000_000)
            for _ in 0..<min(Self.writesPerTurnMax, max(0, due - self.next)) { self.write() }
        }
    }

    func stop() {
        ticking?.cancel()
        ticking = nil
        stoppedNs = monotonicNs()
    }

    /// For how long it wrote at its rate.
    var seconds: Double { Double(stoppedNs - startedNs) / 1e9 }

    func write() {
        let value = next
        next += 1
        underWay[value] = monotonicNs()
        let planned = PlannedOperation(object: object, call: .set(UInt64(value)))
        let request = planned.request(
            project: stage.cluster.project ?? "", authorization: stage.authorization,
            idempotencyKey: randomIdempotencyKey())
        let node = chooseNode?() ?? node
        let pool = pools[node]
        stage.eventLoop.makeFutureWithTask { await pool.send(request, isRepeatable: true) }
            .assumeIsolated().whenSuccess { self.take($0, value, from: node) }
    }

    /// The newest value that was sent.
    var issued: Int { next - 1 }
    var isIdle: Bool { underWay.isEmpty }
    /// The lowest value without an answer; the next one to be sent if there is none.
    var oldestOpen: Int { underWay.keys.min() ?? next }

    func close() async {
        for pool in pools { await pool.close() }
    }

    private func take(_ result: Result<HTTPResponse, HTTPFailure>, _ value: Int, from node: Int) {
        let sentNs = underWay.removeValue(forKey: value) ?? 0
        var isDone = false
        if case .success(let response) = result { isDone = response.isSuccess }
        samples.append(Sample(invokedNs: sentNs, atNs: monotonicNs(), isDone: isDone))
        let name = stage.cluster.nodes[node].name
        switch result {
        case .success(let response) where response.isSuccess:
            guard let epoch = response.header("Holdfast-Epoch").flatMap(UInt64.init),
                let index = response.header("Holdfast-Index").flatMap(UInt64.init)
            else { return fail(value, "write \(value) at \(name): an answer without epoch and index") }
            acknowledged.append(
                SeenWrite(position: EventPosition(epoch: epoch, index: index), value: value))
        case .success(let response):
            fail(value, "write \(value) at \(name): \(HoldfastError(answer: response, isWrite: true))")
        case .failure(let failure): fail(value, "write \(value) at \(name): \(failure)")
        }
    }

    private func fail(_ value: Int, _ text: String) {
        unknown.insert(value)
        failures.append(text)
    }
}
