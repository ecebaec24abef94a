import HoldfastClient
import Simulation

/// Hands the shard of one hot object from node to node, again and again, while clients and subscribers on all
/// nodes use it (O8).
struct MoveOwner {
    private static let answerSecondsMax = 15.0
    /// Requests that had waited are answered by then.
    private static let afterNs: UInt64 = 200_000_000

    private let run: RoomRun

    init(_ run: RoomRun) {
        self.run = run
    }

    func execute() async throws -> [MoveReport] {
        var generator = SeededGenerator(seed: run.options.seed)
        var moves: [MoveReport] = []
        try await run.begin()
        for number in 1...run.options.rounds {
            let quietMs = try await quiet()
            guard let move = try await move(&generator, quietMs: quietMs) else { continue }
            moves.append(move)
            complain(
                "move \(number)/\(run.options.rounds): \(move.from) to \(move.to), pause \(milliseconds(move.pauseMs)), "
                    + "for the clients \(milliseconds(move.gapMs)), slowest operation \(milliseconds(move.slowestMs))")
        }
        try await pause(seconds: run.options.settleSeconds)
        try await run.end()
        return moves
    }

    /// The longest gap while nothing is moved.
    private func quiet() async throws -> Double {
        try await run.load.restartGaps()
        try await pause(seconds: run.options.settleSeconds)
        return Double(try await run.load.recordedGaps().longestNs) / 1e6
    }

    private func move(_ generator: inout SeededGenerator, quietMs: Double) async throws -> MoveReport? {
        let place = try await run.cluster.place(of: run.load.room)
        guard let target = place.others.isEmpty ? nil : generator.pick(place.others) else {
            run.sockets.overdue.append("the room has no other replica than its owner's")
            return nil
        }
        try await run.load.restartGaps()
        do {
            let answer = try await run.cluster.move(run.load.room, to: target)
            try await waitForAnswers(since: monotonicNs())
            return try await report(answer, quietMs: quietMs)
        } catch let error as HoldfastError {
            run.sockets.overdue.append("a move from \(place.owner) to \(target): \(error)")
            return nil
        }
    }

    private func waitForAnswers(since doneNs: UInt64) async throws {
        let deadline = doneNs + UInt64(Self.answerSecondsMax * 1e9)
        while try await run.load.recordedGaps().lastNs < doneNs + Self.afterNs {
            guard monotonicNs() < deadline else {
                run.sockets.overdue.append("no answer within \(Self.answerSecondsMax) s of a move")
                return
            }
            try await pause(seconds: 0.01)
        }
    }

    private func report(_ answer: JSON, quietMs: Double) async throws -> MoveReport {
        let gaps = try await run.load.recordedGaps()
        return MoveReport(
            from: answer["from"]?.text ?? "-", to: answer["to"]?.text ?? "-",
            pauseMs: answer["pauseMs"]?.int.map(Double.init),
            socketsDropped: answer["socketsDropped"]?.int ?? 0, eventsLost: answer["eventsLost"]?.int ?? 0,
            gapMs: Double(gaps.longestNs) / 1e6, slowestMs: Double(gaps.slowestNs) / 1e6, quietMs: quietMs)
    }
}

/// What one move cost.
struct MoveReport {
    var from: String
    var to: String
    /// As the two owners measured it; `nil` if they could not be asked.
    var pauseMs: Double?
    var socketsDropped: Int
    var eventsLost: Int
    /// The longest time without an answer at any client.
    var gapMs: Double
    /// The operation that took longest.
    var slowestMs: Double
    /// The longest gap just before, while nothing was moved.
    var quietMs: Double
}

extension LocalCluster {
    /// An object's owner, and the other nodes that could own it.
    func place(of object: String) async throws -> (owner: String, others: [String]) {
        let answer = try await admin.get("explain?" + query(object))
        let replicas = answer["replicas"]?.elements ?? []
        let others = replicas.filter { $0["role"]?.text == "replica" && $0["lost"]?.bool != true }
        return (answer["owner"]?.text ?? "-", others.compactMap { $0["node"]?.text })
    }

    func move(_ object: String, to node: String) async throws(HoldfastError) -> JSON {
        try await admin.post(
            "move",
            [
                "project": .string(file.project ?? ""), "class": .string(Load.objectClass), "id": .string(object),
                "to": .string(node),
            ])
    }
}
