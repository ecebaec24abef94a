import Glibc
import HoldfastClient
import Simulation

/// Kills every process of the cluster at once under load and starts the nodes again in any order.
struct RestartAll {
    private static let readySecondsMax = 90.0

    private let run: Run

    init(_ run: Run) {
        self.run = run
    }

    func execute() async throws {
        var generator = SeededGenerator(seed: run.options.seed)
        for round in 1...run.options.rounds {
            _ = try await run.load.beginRound()
            try await pause(seconds: run.options.settleSeconds * 2)
            let readyAfterMs = try await strike(&generator)
            run.faults.append(
                FaultReport(
                    node: "all", objects: 0, hottestPauseMs: nil, slowestPauseMs: nil,
                    readyAfterMs: readyAfterMs))
            complain(
                "round \(round)/\(run.options.rounds): all nodes ready after \(milliseconds(readyAfterMs))")
        }
        try await pause(seconds: run.options.settleSeconds)
    }

    private func strike(_ generator: inout SeededGenerator) async throws -> Double {
        let all = Array(run.cluster.file.nodes.indices)
        let nodes = run.cluster.file.refreshed().nodes
        try await run.load.setHarmed(all, true)
        // Parents first, or one of them would start its child again.
        for node in nodes { try run.cluster.send(SIGKILL, to: node.parentPid) }
        for node in nodes { _ = kill(node.pid, SIGKILL) }
        try await pause(seconds: 0.2)
        let startedNs = monotonicNs()
        var order = all
        for position in order.indices.dropLast() {
            order.swapAt(position, generator.within(position...order.count - 1))
        }
        var starting: [pid_t] = []
        for position in order {
            starting.append(try run.cluster.beginStart(position))
            try await pause(seconds: 0.3 * generator.fraction())
        }
        for pid in starting { try await run.cluster.finish(pid) }
        for position in all where try await !run.cluster.waitReady(position, seconds: Self.readySecondsMax) {
            run.overdue.append(
                "\(nodes[position].name) was not ready \(Self.readySecondsMax) s after its start")
        }
        try await run.load.setHarmed(all, false)
        return Double(monotonicNs() - startedNs) / 1e6
    }
}
