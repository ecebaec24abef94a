import HoldfastClient
import NIOCore
import NIOPosix

/// The figures of one run, or the medians of several.
struct BenchFigures: Sendable {
    var workload: BenchWorkload
    var connections: Int
    var operationsPerSecond: Double
    var p50Ms: Double
    var p90Ms: Double
    var p99Ms: Double
    var maxMs: Double
    /// Summed over the nodes' processes; `nil` if their pids are not known.
    var serverMicrosecondsPerOperation: Double?
    var clientMicrosecondsPerOperation: Double
    var errors: [String: UInt64]

    var errorCount: UInt64 { errors.values.reduce(0, +) }
}

/// One workload at one number of connections, once.
struct BenchRun {
    var workload: BenchWorkload
    var connections: Int
    var objects: Int
    /// The objects are there already.
    var isPrepared: Bool
    var warmUpSeconds: Double
    var seconds: Double
    var target: BenchTarget
    /// The processes whose CPU is charged to the operations.
    var serverPids: [Int32]
    var loops: [any EventLoop]

    func measure() async throws -> BenchFigures {
        let objectCount = workload.objectCount(objects)
        if !isPrepared {
            let pool = ConnectionPool(endpoints: target.endpoints, on: loops[0])
            try await workload.prepare(objectCount, target, pool)
            await pool.close()
        }
        let requests = target.endpoints.map { endpoint in
            (0..<objectCount).map { workload.request(target, object: $0).encoded(for: endpoint) }
        }
        let drivers = loops.map { BenchLoop(on: $0, endpoints: target.endpoints, requests: requests) }
        for (position, driver) in drivers.enumerated() {
            let numbers = stride(from: position, to: connections, by: drivers.count)
            try await driver.start(Array(numbers)).get()
        }
        try await Self.sleep(warmUpSeconds)
        let before = Sample(serverPids)
        for driver in drivers { try await driver.startMeasuring().get() }
        try await Self.sleep(seconds)
        var counts = BenchCounts()
        for driver in drivers { counts.add(try await driver.stopMeasuring().get()) }
        let after = Sample(serverPids)
        for driver in drivers { try await driver.stop().get() }
        return figures(counts, before, after)
    }

    /// Clocks and CPU counters at one moment.
    private struct Sample {
        let time = NIODeadline.now()
        let ownSeconds = ProcessTimes.ownSeconds()
        let serverSeconds: Double?

        init(_ pids: [Int32]) {
            serverSeconds = pids.isEmpty ? nil : ProcessTimes.seconds(of: pids)
        }
    }

    private func figures(_ counts: BenchCounts, _ before: Sample, _ after: Sample) -> BenchFigures {
        let elapsed = Double((after.time - before.time).nanoseconds) / 1e9
        let operations = max(1, Double(counts.operations))
        let serverSeconds = after.serverSeconds.flatMap { end in before.serverSeconds.map { end - $0 } }
        func milliseconds(_ percentile: Double) -> Double {
            counts.operations == 0 ? 0 : Double(counts.latencies.valueAtPercentile(percentile)) / 1e6
        }
        return BenchFigures(
            workload: workload, connections: connections,
            operationsPerSecond: Double(counts.operations) / elapsed,
            p50Ms: milliseconds(50), p90Ms: milliseconds(90), p99Ms: milliseconds(99),
            maxMs: milliseconds(100),
            serverMicrosecondsPerOperation: serverSeconds.map { $0 * 1e6 / operations },
            clientMicrosecondsPerOperation: (after.ownSeconds - before.ownSeconds) * 1e6 / operations,
            errors: counts.errors)
    }

    private static func sleep(_ seconds: Double) async throws {
        try await Task.sleep(nanoseconds: UInt64(seconds * 1e9))
    }
}
