import Glibc
import HoldfastClient
import Simulation

/// Kills any node at any moment while checkpoints, dropped segments, snapshots, splits and changes of replicas go
/// on all the time: what a start finds on the disk was left in the middle of something.
struct KillStorage {
    private static let servingSecondsMax = 30.0
    private static let lookNs: UInt64 = 1_000_000_000
    private static let wholeSecondsMax = 240.0

    private let run: Run

    init(_ run: Run) {
        self.run = run
    }

    func execute() async throws {
        var generator = SeededGenerator(seed: run.options.seed)
        var background = Background(run, seed: generator.next())
        for round in 1...run.options.rounds {
            _ = try await run.load.beginRound()
            let waitNs = generator.within(500_000_000...UInt64(6_000_000_000))
            try await background.run(until: monotonicNs() + waitNs, except: nil)
            let victim = generator.below(run.cluster.file.nodes.count)
            let report = try await strike(victim, withParent: generator.chance(0.3), &background)
            run.faults.append(report)
            complain(
                "kill \(round)/\(run.options.rounds): \(report.node) serves again after "
                    + milliseconds(report.readyAfterMs))
        }
        try await settle(&background)
    }

    private func strike(
        _ victim: Int, withParent: Bool, _ background: inout Background
    ) async throws -> FaultReport {
        await background.look(at: victim)
        let node = run.cluster.node(victim)
        try await run.load.setHarmed([victim], true)
        let killedNs = monotonicNs()
        if withParent { try run.cluster.send(SIGKILL, to: node.parentPid) }
        _ = kill(node.pid, SIGKILL)
        let starting = withParent ? try run.cluster.beginStart(victim) : nil
        // The dead process must be gone before its successor's answer counts.
        try await background.run(until: monotonicNs() + 50_000_000, except: victim)
        while try await !run.cluster.waitServing(victim, seconds: 0.1) {
            guard monotonicNs() - killedNs < UInt64(Self.servingSecondsMax * 1e9) else {
                run.overdue.append("\(node.name) did not serve \(Self.servingSecondsMax) s after its death")
                break
            }
            try await background.step(except: victim)
        }
        let servesNs = monotonicNs()
        try await run.load.setHarmed([victim], false)
        if let starting {
            // It waits until the node is ready, which it is not before it has been taken back from a drain.
            while try !run.cluster.hasFinished(starting) { try await background.step(except: nil) }
        }
        return FaultReport(
            node: node.name + (withParent ? ", parent and all," : ""), objects: 0, hottestPauseMs: nil,
            slowestPauseMs: nil, readyAfterMs: Double(servesNs - killedNs) / 1e6)
    }

    /// Ends the churn, waits until the cluster is whole, and tells what went on.
    private func settle(_ background: inout Background) async throws {
        if try await !background.churn.stop() { run.overdue.append("a drained node could not be taken back") }
        if try await run.cluster.waitForShape(Self.wholeSecondsMax, \.isWholeAndEven) == nil {
            run.overdue.append(
                "the cluster is not whole and even after \(Self.wholeSecondsMax) s: "
                    + (try await run.cluster.shape().text))
        }
        for node in run.cluster.file.nodes.indices { await background.look(at: node) }
        let (counts, churn) = (background.counts, background.churn)
        run.notes += counts.text
        run.notes.append("asked for           moves \(churn.moves), drains \(churn.drains), scrubs \(churn.scrubs)")
        if counts.unsoundScrubs > 0 { run.overdue.append("\(counts.unsoundScrubs) scrubs found replicas that differ") }
        if !counts.missing.isEmpty { run.notes.append("NOT TESTED: no " + counts.missing.joined(separator: ", no ")) }
    }

    /// What goes on beside the kills.
    private struct Background {
        var churn: Churn
        var counts = StorageCounts()
        private let run: Run
        private var lookedNs: UInt64 = 0

        init(_ run: Run, seed: UInt64) {
            self.run = run
            churn = Churn(run.cluster, seed: seed)
        }

        mutating func run(until endNs: UInt64, except victim: Int?) async throws {
            while monotonicNs() < endNs { try await step(except: victim) }
        }

        mutating func step(except victim: Int?) async throws {
            if monotonicNs() >= lookedNs + KillStorage.lookNs {
                lookedNs = monotonicNs()
                for node in run.cluster.file.nodes.indices where node != victim { await look(at: node) }
                if let shape = try? await run.cluster.shards() { counts.take(shape) }
            }
            try await churn.step(counts.shards)
            try await pause(seconds: 0.02)
        }

        mutating func look(at node: Int) async {
            guard let page = await run.cluster.metrics(node) else { return }
            counts.take(page, of: run.cluster.file.nodes[node].name)
        }
    }
}
