import HoldfastClient
import Simulation

/// Subscribers at all nodes on one object, and one writer; as members, they join it too.
final class SocketWorkload: Workload {
    private static let perNode = 3
    private static let writeRate = 40
    private static let beginSecondsMax = 30.0
    private static let settleSecondsMax = 30.0

    let hottest: String
    private let areMembers: Bool
    private let run: SocketRun
    private let stage: SocketStage
    private var cast: Cast?

    init(_ bed: Bed, object: String, areMembers: Bool) async throws {
        hottest = object
        self.areMembers = areMembers
        let options = try Options(["kill-sockets", "--dir", bed.directory])
        run = SocketRun(options: options, cluster: bed.cluster)
        stage = try await SocketStage(run)
    }

    func begin() async throws {
        let (stage, object, joins) = (stage, hottest, areMembers)
        let cast = try await stage.onLoop {
            let nodes = stage.cluster.nodes.count
            let subscribers = (0..<nodes * Self.perNode).map { number in
                Subscriber(name: "subscriber \(number)", home: number % nodes, joins: joins) { stage.isHarmed[$0] }
            }
            for subscriber in subscribers { subscriber.start(stage, object: object, joinsAgain: true) }
            return Cast(subscribers: subscribers, writer: Writer(stage, object: object, node: 0))
        }
        self.cast = cast
        try await stage.require(Self.beginSecondsMax, "opening all sockets", of: cast.subscribers) {
            cast.areEstablished
        }
        try await stage.onLoop {
            cast.writer.chooseNode = Self.rotation(stage)
            cast.writer.start(rate: Self.writeRate)
        }
    }

    /// One node after the other takes a write, but for those that are harmed, if any other is there.
    private static func rotation(_ stage: SocketStage) -> () -> Int {
        var turn = 0
        return {
            turn += 1
            let well = stage.isHarmed.indices.filter { !stage.isHarmed[$0] }
            let usable = well.isEmpty ? Array(stage.isHarmed.indices) : well
            return usable[turn % usable.count]
        }
    }

    func setHarmed(_ nodes: [Int], _ harmed: Bool) async throws {
        let stage = stage
        try await stage.onLoop {
            for node in nodes { stage.isHarmed[node] = harmed }
        }
    }

    func end() async throws -> Transcript {
        guard let cast else { return Transcript() }
        try await stage.onLoop { cast.writer.stop() }
        try await stage.wait(Self.settleSecondsMax, for: "the last event at all sockets") {
            cast.areEstablished && cast.haveCaughtUp(cast.subscribers)
        }
        var transcript = Transcript()
        transcript.lists = areMembers ? try await settledLists(cast) : []
        transcript.overdue = run.overdue
        (transcript.acknowledged, transcript.unknown, transcript.hearings) = try await stage.onLoop {
            [areMembers] in
            (
                cast.writer.acknowledged, cast.writer.unknown.sorted(),
                cast.subscribers.map { Hearing($0, isMember: areMembers) }
            )
        }
        try await stage.onLoop { for subscriber in cast.subscribers { subscriber.stop() } }
        await cast.writer.close()
        return transcript
    }

    /// Each node's list, as soon as all of them tell who is there; else as they are after the bound.
    private func settledLists(_ cast: Cast) async throws -> [[String]] {
        let deadline = monotonicNs() + UInt64(Self.settleSecondsMax * 1e9)
        while true {
            let lists = try await stage.presenceLists(of: hottest).map { $0.map(\.connectionID).sorted() }
            let here = try await stage.onLoop { cast.subscribers.compactMap(\.connectionID).sorted() }
            if lists.allSatisfy({ $0 == here }) || monotonicNs() > deadline { return lists }
            try await pause(seconds: 0.1)
        }
    }

    func samples() async throws -> [Sample] {
        guard let cast else { return [] }
        return try await stage.onLoop { cast.writer.samples }
    }
}

extension Hearing {
    init(_ subscriber: Subscriber, isMember: Bool) {
        self.init(
            name: subscriber.name, writes: subscriber.log.writes, breaks: subscriber.log.breaks,
            connectionID: isMember ? subscriber.connectionID : nil,
            presence: isMember ? subscriber.presence.map { Hearing.Presence(isJoin: $0.isJoin, id: $0.connectionID) } : [],
            presenceBreaks: subscriber.presenceBreaks)
    }
}
