import HoldfastClient
import NIOCore
import NIOPosix
import Simulation

/// Many clients on all nodes. Everything here is used on one event loop, which makes it `Sendable`.
final class Load: @unchecked Sendable {
    static let objectClass = "chaos"
    private static let objectsPerKind = 8
    /// A list is left for a fresh one at this length, so that answers stay small.
    private static let listLengthMax: UInt64 = 100

    let cluster: ClusterFile
    let authorization: String
    let eventLoop: any EventLoop
    let thinkNsMean: UInt64
    private(set) var isRunning = false
    private(set) var history = History()
    private(set) var failures: [String] = []
    /// Nodes that the scenario has harmed and that are not ready again.
    private(set) var isHarmed: [Bool]

    private var clients: [LoadClient] = []
    /// Keeps the objects of this run apart from those that earlier runs left in the cluster.
    private let runName = String(monotonicNs(), radix: 36)
    private var round = 0
    private var listSegments = [UInt64](repeating: 0, count: objectsPerKind)
    private var knownVersions: [String: UInt64] = [:]
    private var nextValue: UInt64 = 1
    private var watched: [String: Takeover] = [:]
    private var generator: SeededGenerator

    /// An object whose next acknowledged write under a higher epoch is awaited.
    private struct Takeover {
        var epoch: UInt64
        var acknowledgedNs: UInt64?
    }

    init(cluster: ClusterFile, clients count: Int, rate: Int, seed: UInt64) {
        self.cluster = cluster
        authorization =
            HoldfastClient.Credentials
            .key(cluster.apiKey ?? "", secret: cluster.apiSecret ?? "").authorization
        eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        thinkNsMean = UInt64(count) * 1_000_000_000 / UInt64(rate)
        isHarmed = cluster.nodes.map { _ in false }
        generator = SeededGenerator(seed: seed)
        for number in 0..<count {
            clients.append(
                LoadClient(
                    number: number, home: number % cluster.nodes.count,
                    usesKeys: number / cluster.nodes.count % 2 == 0,
                    load: self, generator: generator.split()))
        }
    }

    // MARK: Called by the scenarios

    func start() async throws {
        try await onLoop { load in
            load.isRunning = true
            for client in load.clients { client.start() }
        }
    }

    /// Lets every client finish what it has begun; after 30 s the rest stays open in the history.
    func stop() async throws {
        try await onLoop { $0.isRunning = false }
        for _ in 0..<600 where try await onLoop({ $0.clients.contains(where: \.isBusy) }) {
            try await pause(seconds: 0.05)
        }
    }

    /// From here on the clients use fresh objects. Answers their names; the first is the hottest.
    func beginRound() async throws -> [String] {
        try await onLoop { load in
            load.round += 1
            load.listSegments = load.listSegments.map { _ in 0 }
            return (0..<Self.objectsPerKind).flatMap { [load.counter($0), load.register($0), load.list($0)] }
        }
    }

    func setHarmed(_ nodes: [Int], _ harmed: Bool) async throws {
        try await onLoop { load in
            for node in nodes { load.isHarmed[node] = harmed }
        }
    }

    /// Awaits a write of each of these objects under an epoch above the one given.
    func watch(_ epochs: [String: UInt64]) async throws {
        try await onLoop { $0.watched = epochs.mapValues { Takeover(epoch: $0) } }
    }

    /// When each watched object was first written again.
    func takeovers() async throws -> [String: UInt64?] {
        try await onLoop { $0.watched.mapValues(\.acknowledgedNs) }
    }

    func recordedHistory() async throws -> History { try await onLoop(\.history) }
    func recordedFailures() async throws -> [String] { try await onLoop(\.failures) }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (Load) throws -> Value) async throws
        -> Value
    {
        try await eventLoop.submit { try body(self) }.get()
    }

    // MARK: Called by the clients

    func begin(_ operation: PlannedOperation, by client: Int) -> OperationNumber {
        history.begin(
            process: client, object: operation.object, item: PlannedOperation.item, call: operation.call,
            atNs: monotonicNs())
    }

    func complete(_ number: OperationNumber, _ outcome: Outcome) {
        history.complete(number, outcome, atNs: monotonicNs())
    }

    func noteFailure(_ text: String) {
        failures.append(text)
    }

    func noteVersion(_ version: UInt64, of object: String) {
        if Self.isRegister(object), version > 0 { knownVersions[object] = version }
    }

    func noteAcknowledged(_ object: String, epoch: UInt64) {
        guard let takeover = watched[object], takeover.acknowledgedNs == nil, epoch > takeover.epoch else {
            return
        }
        watched[object]?.acknowledgedNs = monotonicNs()
    }

    /// A quarter of all operations meets the hottest object.
    func plan(_ generator: inout SeededGenerator) -> PlannedOperation {
        let position = generator.below(Self.objectsPerKind)
        switch generator.below(100) {
        case ..<25: return PlannedOperation(object: counter(0), call: .increment(by: 1))
        case ..<45: return PlannedOperation(object: counter(position), call: .increment(by: 1))
        case ..<65: return write(register(position), plain: generator.chance(0.25))
        case ..<80: return push(position)
        case ..<87: return PlannedOperation(object: counter(position), call: .read)
        case ..<94: return PlannedOperation(object: register(position), call: .read)
        default: return PlannedOperation(object: list(position), call: .read)
        }
    }

    private func write(_ object: String, plain: Bool) -> PlannedOperation {
        nextValue += 1
        guard !plain, let version = knownVersions[object] else {
            return PlannedOperation(object: object, call: .set(nextValue))
        }
        return PlannedOperation(
            object: object, call: .compareAndSet(expectedVersion: version, value: nextValue))
    }

    private func push(_ position: Int) -> PlannedOperation {
        nextValue += 1
        listSegments[position] += 1
        return PlannedOperation(object: list(position), call: .push(nextValue))
    }

    private func counter(_ position: Int) -> String { "\(runName)-\(round)-counter-\(position)" }
    private func register(_ position: Int) -> String { "\(runName)-\(round)-register-\(position)" }
    private func list(_ position: Int) -> String {
        "\(runName)-\(round)-list-\(position)-\(listSegments[position] / Self.listLengthMax)"
    }

    static func isRegister(_ object: String) -> Bool { object.contains("-register-") }
}
