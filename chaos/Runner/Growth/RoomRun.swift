import HoldfastClient
import LiveChecks

/// A run whose load and subscribers meet at one object, the room: every write to it is an event at each of them.
final class RoomRun {
    private static let patienceSeconds = 15.0

    let options: Options
    let cluster: LocalCluster
    let load: Load
    /// What the subscribers have seen, and what was overdue.
    let sockets: SocketRun
    let stage: SocketStage
    private(set) var subscribers: [Subscriber] = []

    init(options: Options, cluster: LocalCluster) async throws {
        self.options = options
        self.cluster = cluster
        load = Load(
            cluster: cluster.file, clients: options.clients, rate: options.rate, seed: options.seed, mix: options.mix)
        sockets = SocketRun(options: options, cluster: cluster)
        stage = try await SocketStage(sockets)
    }

    func execute() async throws -> any RunVerdict {
        if options.scenario == .move {
            let moves = try await MoveOwner(self).execute()
            return MoveVerdict(options: options, moves: moves, sockets: sockets, load: try await findings())
        }
        let report = try await Grow(self).execute()
        return GrowVerdict(report, sockets: sockets, load: try await findings())
    }

    private func findings() async throws -> LoadFindings {
        let final = try await FinalState.read(load)
        let history = try await load.recordedHistory()
        if let path = options.historyFile { try HistoryFile.write(history, to: path) }
        return LoadFindings(
            history, final: final, failures: try await load.recordedFailures(), overdue: sockets.overdue)
    }

    // MARK: The room

    /// Subscribers at all nodes first, then the load.
    func begin() async throws {
        let nodes = cluster.file.nodes.count
        try await subscribe(options.subscribers, isLate: false) { $0 % nodes }
        try await load.start()
        let crowd = SocketStage.UncheckedCast(subscribers: subscribers)
        try await stage.require(Self.patienceSeconds, "the first event at all sockets", of: subscribers) {
            crowd.subscribers.allSatisfy { !$0.log.writes.isEmpty }
        }
    }

    func subscribe(_ count: Int, isLate: Bool, home: @escaping @Sendable (Int) -> Int) async throws {
        let (stage, room, first) = (stage, load.room, subscribers.count)
        let new = try await stage.onLoop {
            let new = (first..<(first + count)).map { number in
                let subscriber = Subscriber(name: "subscriber \(number)", home: home(number)) { stage.isHarmed[$0] }
                subscriber.isLate = isLate
                subscriber.start(stage, object: room)
                return subscriber
            }
            return SocketStage.UncheckedCast(subscribers: new)
        }
        try await stage.require(Self.patienceSeconds, "opening all sockets", of: new.subscribers) {
            new.subscribers.allSatisfy(\.isEstablished)
        }
        subscribers += new.subscribers
    }

    /// Lets the clients finish and the subscribers catch up.
    func end() async throws {
        try await load.stop()
        let log = try await load.recordedRoom()
        let newest = log.acknowledged.map(\.position).max()
        let crowd = SocketStage.UncheckedCast(subscribers: subscribers)
        try await stage.wait(Self.patienceSeconds, for: "the last event at all sockets") {
            crowd.subscribers.allSatisfy { subscriber in
                guard let newest else { return true }
                return subscriber.log.writes.last.map { $0.position >= newest } ?? false
            }
        }
        try await sockets.collect(subscribers, log.acknowledged, log.unknown, on: stage)
        try await stage.onLoop { for subscriber in crowd.subscribers { subscriber.stop() } }
    }

    /// Runs `body` and answers how long it took, and what the clients felt of it.
    func phase(_ name: String, _ body: () async throws -> Void) async throws -> PhaseReport {
        _ = try await load.beginRound()
        try await load.restartGaps()
        let begunNs = monotonicNs()
        try await body()
        let gaps = try await load.recordedGaps()
        let report = PhaseReport(
            name: name, seconds: Double(monotonicNs() - begunNs) / 1e9, longestGapMs: Double(gaps.longestNs) / 1e6,
            slowestMs: Double(gaps.slowestNs) / 1e6)
        complain("\(name): \(report.seconds.tenths) s, slowest operation \(milliseconds(report.slowestMs))")
        return report
    }
}

/// What one part of a run took.
struct PhaseReport {
    var name: String
    var seconds: Double
    /// The longest time without an answer at any client.
    var longestGapMs: Double
    var slowestMs: Double
}

extension Double {
    /// With one digit behind the point.
    var tenths: String { "\((self * 10).rounded() / 10)" }
}

/// The value that so many percent of the others do not exceed.
func percentile(_ percent: Int, of values: [Double]) -> Double? {
    guard !values.isEmpty else { return nil }
    let rank = (values.count * percent + 99) / 100
    return values.sorted()[max(0, rank - 1)]
}
