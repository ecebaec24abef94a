import HoldfastClient
import LiveChecks
import NIOCore
import NIOPosix
import Simulation

/// Many clients on all nodes. Everything here is used on one event loop, which makes it `Sendable`.
final class Load: @unchecked Sendable {
    static let objectClass = "chaos"
    private static let objectsPerKind = 8
    /// A list is left for a fresh one at this length, so that answers stay small.
    private static let listLengthMax: UInt64 = 100

    private(set) var cluster: ClusterFile
    let authorization: String
    let eventLoop: any EventLoop
    let thinkNsMean: UInt64
    private(set) var isRunning = false
    private(set) var history = History()
    private(set) var failures: [String] = []
    /// Answers that no node may give, at whatever node.
    private(set) var impossible: [String] = []
    /// Nodes that the scenario has harmed and that are not ready again.
    private(set) var isHarmed: [Bool]
    /// Nodes that nobody is to use any more.
    private(set) var isGone: [Bool]
    private(set) var roomLog = RoomLog()
    private(set) var gaps = AnswerGaps()

    private let mix: Mix
    /// In place of the mix.
    private var workload: (any LoadPlan)?
    private var clients: [LoadClient] = []
    /// Keeps the objects of this run apart from those that earlier runs left in the cluster.
    private let runName = String(monotonicNs(), radix: 36)
    private var round = 0
    private var listSegments = [UInt64](repeating: 0, count: objectsPerKind)
    private var knownVersions: [String: UInt64] = [:]
    private var nextValue: UInt64 = 1
    private var watched: [String: Takeover] = [:]
    private var generator: SeededGenerator

    /// What of the load goes to the one object that subscribers listen to, in percent.
    struct Mix {
        var roomPercent = 0
        /// Of that, how much writes; the rest reads.
        var roomWritePercent = 80
        /// Increments of the hottest counter, beside those that it has anyway.
        var hottestPercent = 0
    }

    /// An object whose next acknowledged write under a higher epoch is awaited.
    private struct Takeover {
        var epoch: UInt64
        var acknowledgedNs: UInt64?
    }

    init(cluster: ClusterFile, clients count: Int, rate: Int, seed: UInt64, mix: Mix = Mix(), plan: (any LoadPlan)? = nil) {
        self.cluster = cluster
        workload = plan
        self.mix = mix
        authorization =
            HoldfastClient.Credentials
            .key(cluster.apiKey ?? "", secret: cluster.apiSecret ?? "").authorization
        eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        thinkNsMean = UInt64(count) * 1_000_000_000 / UInt64(rate)
        isHarmed = cluster.nodes.map { _ in false }
        isGone = isHarmed
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

    /// A node more, with clients of its own.
    func grow(to file: ClusterFile, clients count: Int) async throws {
        try await onLoop { load in
            load.cluster = file
            let home = file.nodes.count - 1
            load.isHarmed.append(false)
            load.isGone.append(false)
            let first = load.clients.count
            for number in first..<(first + count) {
                let client = LoadClient(
                    number: number, home: home, usesKeys: number % 2 == 0, load: load,
                    generator: load.generator.split())
                load.clients.append(client)
                if load.isRunning { client.start() }
            }
        }
    }

    /// Its clients finish what they have begun and make no more; false if that takes longer than 30 s.
    func retire(_ node: Int) async throws -> Bool {
        try await onLoop { $0.isGone[node] = true }
        for _ in 0..<600 {
            if try await onLoop({ load in !load.clients.contains { $0.home == node && $0.isBusy } }) { return true }
            try await pause(seconds: 0.05)
        }
        return false
    }

    func currentCluster() async throws -> ClusterFile { try await onLoop(\.cluster) }

    /// Where requests may go.
    func usableNodes() async throws -> [Int] {
        try await onLoop { load in load.isGone.indices.filter { !load.isGone[$0] && !load.isHarmed[$0] } }
    }

    func restartGaps() async throws { try await onLoop { $0.gaps.restart(atNs: monotonicNs()) } }
    func recordedGaps() async throws -> AnswerGaps { try await onLoop(\.gaps) }
    func recordedRoom() async throws -> RoomLog { try await onLoop(\.roomLog) }
    func recordedHistory() async throws -> History { try await onLoop(\.history) }
    func recordedFailures() async throws -> [String] { try await onLoop(\.failures) }
    func recordedImpossible() async throws -> [String] { try await onLoop(\.impossible) }

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
        let now = monotonicNs()
        history.complete(number, outcome, atNs: now)
        if outcome != .unknown { gaps.note(invokedNs: history.operations[number.rawValue].invokedNs, atNs: now) }
    }

    /// False if the answer lacks what every answer to a write has.
    func noteAnswer(_ operation: PlannedOperation, _ response: HTTPResponse) -> Bool {
        operation.object == room ? roomLog.note(operation.call, response) : true
    }

    func noteUnknown(_ operation: PlannedOperation) {
        if operation.object == room { roomLog.noteUnknown(operation.call) }
    }

    func noteFailure(_ text: String) {
        failures.append(text)
    }

    func noteImpossible(_ text: String) {
        impossible.append(text)
        failures.append(text)
    }

    func noteShown(_ shown: Observation, version: UInt64, of object: String) {
        workload?.note(object, shown, version: version)
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
        if let planned = workload?.plan(&generator) { return planned }
        if mix.roomPercent > 0, generator.below(100) < mix.roomPercent {
            guard generator.below(100) < mix.roomWritePercent else {
                return PlannedOperation(object: room, call: .read)
            }
            return write(room, plain: generator.chance(0.9))
        }
        if mix.hottestPercent > 0, generator.below(100) < mix.hottestPercent {
            return PlannedOperation(object: counter(0), call: .increment(by: 1))
        }
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

    /// The object that subscribers listen to.
    var room: String { "\(runName)-room" }
    private func counter(_ position: Int) -> String { "\(runName)-\(round)-counter-\(position)" }
    private func register(_ position: Int) -> String { "\(runName)-\(round)-register-\(position)" }
    private func list(_ position: Int) -> String {
        "\(runName)-\(round)-list-\(position)-\(listSegments[position] / Self.listLengthMax)"
    }

    /// Its number is a value that somebody wrote, not a count.
    static func isRegister(_ object: String) -> Bool {
        object.contains("-register-") || object.contains("-ring-") || object.hasSuffix("-room")
    }
}

/// What the clients of a load do.
protocol LoadPlan: Sendable {
    /// The object that the harm is aimed at.
    var hottest: String { get }
    mutating func plan(_ generator: inout SeededGenerator) -> PlannedOperation
    /// An answer has shown this.
    mutating func note(_ object: String, _ shown: Observation, version: UInt64)
}
