import Glibc
import HoldfastClient

/// Stops the process that owns the hottest object for longer than its lease, and lets it go on: what it
/// still believes must get no answer out. Its parent sees no death, so the lease must tell.
struct PauseOwner {
    private static let takeoverSecondsMax = 15.0
    private static let readySecondsMax = 60.0

    private let run: Run

    init(_ run: Run) {
        self.run = run
    }

    func execute() async throws {
        for round in 1...run.options.rounds {
            let objects = try await run.load.beginRound()
            try await pause(seconds: run.options.settleSeconds)
            let victim = try await Victim.ownerOfHottest(objects, run)
            let report = try await strike(victim)
            run.faults.append(report)
            complain(
                "pause \(round)/\(run.options.rounds): \(report.node), all \(report.objects) objects back after "
                    + milliseconds(report.slowestPauseMs))
        }
        try await pause(seconds: run.options.settleSeconds)
    }

    private func strike(_ victim: Victim) async throws -> FaultReport {
        let node = run.cluster.node(victim.node)
        try await run.load.watch(victim.epochs)
        try await run.load.setHarmed([victim.node], true)
        let stoppedNs = monotonicNs()
        try run.cluster.send(SIGSTOP, to: node.pid)
        let takeovers = try await Takeovers.wait(
            run, victim, since: stoppedNs, seconds: Self.takeoverSecondsMax)
        let elapsed = Double(monotonicNs() - stoppedNs) / 1e9
        try await pause(seconds: max(0, run.options.pauseSeconds - elapsed))
        try run.cluster.send(SIGCONT, to: node.pid)
        // It must find that it is fenced and come back as another process before it is ready again.
        let isBack = try await waitForAnotherProcess(victim.node, than: node.pid)
        let isReady = try await run.cluster.waitReady(victim.node, seconds: Self.readySecondsMax)
        if !isBack || !isReady { run.overdue.append("\(node.name) did not come back as a new process") }
        try await run.load.setHarmed([victim.node], false)
        return FaultReport(
            node: node.name, objects: victim.epochs.count, hottestPauseMs: takeovers.hottestMs,
            slowestPauseMs: takeovers.slowestMs, readyAfterMs: Double(monotonicNs() - stoppedNs) / 1e6)
    }

    private func waitForAnotherProcess(_ position: Int, than pid: Int32) async throws -> Bool {
        let deadline = monotonicNs() + UInt64(Self.readySecondsMax * 1e9)
        while monotonicNs() < deadline {
            let now = run.cluster.node(position).pid
            if now != pid, now > 0 { return true }
            try await pause(seconds: 0.05)
        }
        return false
    }
}
