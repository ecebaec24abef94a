import Glibc
import HoldfastClient

/// Kills the process that owns the hottest object, again and again; with `--with-parent` its parent
/// first, so that nobody is left to report the death and only the lease can tell.
struct KillOwner {
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
                "kill \(round)/\(run.options.rounds): \(report.node), hottest object back after "
                    + "\(milliseconds(report.hottestPauseMs)), all \(report.objects) after \(milliseconds(report.slowestPauseMs))"
            )
        }
        try await pause(seconds: run.options.settleSeconds)
    }

    private func strike(_ victim: Victim) async throws -> FaultReport {
        let node = run.cluster.node(victim.node)
        try await run.load.watch(victim.epochs)
        try await run.load.setHarmed([victim.node], true)
        let killedNs = monotonicNs()
        if run.options.withParent { try run.cluster.send(SIGKILL, to: node.parentPid) }
        // The child dies with its parent, so it may be gone already.
        _ = kill(node.pid, SIGKILL)
        let takeovers = try await Takeovers.wait(
            run, victim, since: killedNs, seconds: Self.takeoverSecondsMax)
        if run.options.withParent {
            try await run.cluster.finish(try run.cluster.beginStart(victim.node))
        }
        if try await !run.cluster.waitReady(victim.node, seconds: Self.readySecondsMax) {
            run.overdue.append("\(node.name) was not ready \(Self.readySecondsMax) s after its death")
        }
        let readyNs = monotonicNs()
        try await run.load.setHarmed([victim.node], false)
        return FaultReport(
            node: node.name, objects: victim.epochs.count, hottestPauseMs: takeovers.hottestMs,
            slowestPauseMs: takeovers.slowestMs, readyAfterMs: Double(readyNs - killedNs) / 1e6)
    }
}

/// The node that owns the hottest object, and which objects under load it owns.
struct Victim {
    var node: Int
    var hottest: String
    /// Epoch of each of its objects before the harm.
    var epochs: [String: UInt64]

    static func ownerOfHottest(_ objects: [String], _ run: Run) async throws -> Victim {
        guard let hottest = objects.first, let owner = try await run.cluster.owner(of: hottest) else {
            throw LocalCluster.Unusable(description: "nobody owns the hottest object")
        }
        var victim = Victim(node: owner.node, hottest: hottest, epochs: [:])
        // Lists change their names as they grow, so the others stand for them.
        for object in objects where !object.contains("-list-") {
            if let found = try await run.cluster.owner(of: object), found.node == owner.node {
                victim.epochs[object] = found.epoch
            }
        }
        return victim
    }
}

/// How long the objects of a dead owner were without one.
struct Takeovers {
    var hottestMs: Double?
    var slowestMs: Double?

    static func wait(_ run: Run, _ victim: Victim, since startNs: UInt64, seconds: Double) async throws
        -> Takeovers
    {
        let deadline = startNs + UInt64(seconds * 1e9)
        var times = try await run.load.takeovers()
        while times.values.contains(nil), monotonicNs() < deadline {
            try await pause(seconds: 0.01)
            times = try await run.load.takeovers()
        }
        for (object, time) in times.sorted(by: { $0.key < $1.key }) where time == nil {
            run.overdue.append("\(object) took no write within \(seconds) s of its owner's death")
        }
        let pauses = times.compactMapValues { $0.map { Double($0 - startNs) / 1e6 } }
        return Takeovers(hottestMs: pauses[victim.hottest], slowestMs: pauses.values.max())
    }
}

func milliseconds(_ value: Double?) -> String {
    value.map { "\(Int($0.rounded())) ms" } ?? "-"
}
