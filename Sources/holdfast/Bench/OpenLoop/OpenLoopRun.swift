import HoldfastClient
import NIOCore
import NIOPosix

/// The figures of one rate.
struct OpenLoopFigures: Sendable {
    var workload: BenchWorkload
    var connections: Int
    var offeredPerSecond: Double
    var counts: OpenLoopCounts
    var seconds: Double
    var serverMicrosecondsPerAnswer: Double?
    /// What refusals and successes say against what the objects hold; nil if the workload does not count.
    var verdict: Honesty?

    var goodputPerSecond: Double { Double(counts.succeeded) / seconds }
    var refusedCount: UInt64 { counts.refused.values.reduce(0, +) }

    func milliseconds(_ percentile: Double) -> Double {
        counts.succeeded == 0 ? 0 : Double(counts.latencies.valueAtPercentile(percentile)) / 1e6
    }

    /// Of what was let in, from its sending on.
    func answerMilliseconds(_ percentile: Double) -> Double {
        counts.succeeded == 0 ? 0 : Double(counts.answerTimes.valueAtPercentile(percentile)) / 1e6
    }
}

/// Increments that were answered against those that the objects hold. What was refused as not applied and took effect
/// all the same shows as too many, what was acknowledged and lost as too few.
struct Honesty: Sendable {
    var counted: UInt64
    var acknowledged: UInt64
    var unknown: UInt64

    var isKept: Bool { counted >= acknowledged && counted <= acknowledged + unknown }

    var text: String {
        isKept
            ? "the objects hold \(counted) increments, \(acknowledged) were acknowledged and \(unknown) left open: "
                + "nothing refused took effect, nothing acknowledged is lost"
            : "BROKEN: the objects hold \(counted) increments, \(acknowledged) were acknowledged and \(unknown) left open"
    }
}

/// One workload at one rate of arrivals, once.
struct OpenLoopRun {
    var workload: BenchWorkload
    var connections: Int
    var objects: Int
    var perSecond: Double
    var warmUpSeconds: Double
    var seconds: Double
    var target: BenchTarget
    var serverPids: [Int32]
    var loops: [any EventLoop]

    /// So long the last answers are waited for.
    private static let patienceSeconds = 40.0

    func measure() async throws -> OpenLoopFigures {
        let objectCount = workload.objectCount(objects)
        let pool = ConnectionPool(endpoints: target.endpoints, on: loops[0])
        try await workload.prepare(objectCount, target, pool)
        let requests = target.endpoints.map { endpoint in
            (0..<objectCount).map { workload.request(target, object: $0).encoded(for: endpoint) }
        }
        let drivers = loops.enumerated().map {
            OpenLoop(on: $1, endpoints: target.endpoints, requests: requests, number: $0)
        }
        for (position, driver) in drivers.enumerated() {
            let numbers = stride(from: position, to: connections, by: drivers.count)
            try await driver.connect(Array(numbers)).get()
        }
        let part = perSecond / Double(drivers.count)
        for driver in drivers { try await driver.begin(perSecond: part).get() }
        try await sleep(warmUpSeconds)
        for driver in drivers { try await driver.startMeasuring().get() }
        let serverBefore = ProcessTimes.seconds(of: serverPids)
        let began = NIODeadline.now()
        try await sleep(seconds)
        let serverAfter = ProcessTimes.seconds(of: serverPids)
        for driver in drivers { try await driver.end().get() }
        let elapsed = Double((NIODeadline.now() - began).nanoseconds) / 1e9
        try await waitForAnswers(drivers)
        var counts = OpenLoopCounts()
        for driver in drivers { counts.add(try await driver.stop().get()) }
        var figures = OpenLoopFigures(
            workload: workload, connections: connections, offeredPerSecond: perSecond, counts: counts,
            seconds: elapsed)
        let answers = Double(max(1, counts.succeeded + figures.refusedCount))
        if let serverBefore, let serverAfter, !serverPids.isEmpty {
            figures.serverMicrosecondsPerAnswer = (serverAfter - serverBefore) * 1e6 / answers
        }
        figures.verdict = try await verdict(counts, objectCount, pool)
        await pool.close()
        return figures
    }

    private func waitForAnswers(_ drivers: [OpenLoop]) async throws {
        let deadline = NIODeadline.now() + .nanoseconds(Int64(Self.patienceSeconds * 1e9))
        for driver in drivers {
            while try await !driver.isQuiet.get(), NIODeadline.now() < deadline { try await sleep(0.02) }
        }
    }

    private func verdict(
        _ counts: OpenLoopCounts, _ objectCount: Int, _ pool: ConnectionPool
    ) async throws -> Honesty? {
        guard workload == .incrementSpread || workload == .incrementOne else { return nil }
        var held: UInt64 = 0
        for object in 0..<objectCount {
            let request = HTTPRequest(
                "GET", target.path(object: object), headers: [("Authorization", target.authorization)])
            let response = try await pool.send(request, isRepeatable: true).get()
            guard let value = (try? JSON(parsing: response.bodyBytes))?["value"]?.int else {
                throw HoldfastError(answer: response, isWrite: false)
            }
            held += UInt64(value)
        }
        return Honesty(
            counted: held, acknowledged: counts.allSucceeded, unknown: counts.allUnknown)
    }

    private func sleep(_ seconds: Double) async throws {
        try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
    }
}

extension OpenLoopFigures {
    static func table(_ all: [OpenLoopFigures]) -> String {
        var table = TextTable(
            "WORKLOAD", "CONNECTIONS", "OFFERED/S", "GOODPUT/S", "REFUSED/S", "P50 MS", "P99 MS", "MAX MS",
            "SENT P50", "SENT P99", "LEFT OPEN", "NEVER SENT", "SERVER US/ANSWER")
        for figures in all {
            table.add(
                figures.workload.rawValue, String(figures.connections),
                BenchReport.fixed(figures.offeredPerSecond, 0), BenchReport.fixed(figures.goodputPerSecond, 0),
                BenchReport.fixed(Double(figures.refusedCount) / figures.seconds, 0),
                BenchReport.fixed(figures.milliseconds(50), 2), BenchReport.fixed(figures.milliseconds(99), 2),
                BenchReport.fixed(figures.milliseconds(100), 1),
                BenchReport.fixed(figures.answerMilliseconds(50), 2),
                BenchReport.fixed(figures.answerMilliseconds(99), 2),
                String(figures.counts.unknown), String(figures.counts.neverSent),
                figures.serverMicrosecondsPerAnswer.map { BenchReport.fixed($0, 1) } ?? "-")
        }
        return table.text
    }

    /// What was refused, by kind, and whether it was honest.
    var lines: [String] {
        let rate = BenchReport.fixed(offeredPerSecond, 0)
        let refusals = counts.refused.sorted { $0.key < $1.key }.map { "\(rate)/s: \($0.value) x \($0.key)" }
        return refusals + (verdict.map { ["\(rate)/s: \($0.text)"] } ?? [])
    }

    var json: JSON {
        [
            "workload": .string(workload.rawValue), "connections": .integer(connections),
            "offeredPerSecond": .real(offeredPerSecond), "goodputPerSecond": .real(goodputPerSecond),
            "refusedPerSecond": .real(Double(refusedCount) / seconds), "p50Ms": .real(milliseconds(50)),
            "p99Ms": .real(milliseconds(99)), "maxMs": .real(milliseconds(100)),
            "sentP50Ms": .real(answerMilliseconds(50)), "sentP99Ms": .real(answerMilliseconds(99)),
            "leftOpen": .integer(counts.unknown), "neverSent": .integer(counts.neverSent),
            "serverMicrosecondsPerAnswer": serverMicrosecondsPerAnswer.map(JSON.real) ?? .null,
            "refused": .object(
                counts.refused.sorted { $0.key < $1.key }.map { JSON.Member($0.key, .integer($0.value)) }),
            "isHonest": verdict.map { .bool($0.isKept) } ?? .null,
        ]
    }
}
