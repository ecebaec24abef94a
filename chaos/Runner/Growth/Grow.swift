import Glibc
import HoldfastClient

/// A cluster grows, shrinks and heals under load: a fourth node comes and takes its share, the first one is drained
/// and removed, another one is killed, loses its disk and comes back as a new identity (O9).
struct Grow {
    private static let shapeSecondsMax = 240.0
    private static let readySecondsMax = 60.0
    private static let recoverySecondsMax = 15.0

    private let run: RoomRun
    private let cluster: LocalCluster

    init(_ run: RoomRun) {
        self.run = run
        cluster = run.cluster
    }

    func execute() async throws -> GrowReport {
        var phases: [PhaseReport] = []
        let bulkBeganNs = monotonicNs()
        let bulk = try await BulkData.write(run.options.objects, cluster.file)
        complain("\(bulk.count) objects written in \((Double(monotonicNs() - bulkBeganNs) / 1e9).tenths) s")
        try await run.begin()
        phases.append(try await run.phase("nothing happens", quiet))
        phases.append(try await run.phase("n4 is started and joins", join))
        phases.append(try await run.phase("n4 gets its replicas", waitUntilWhole))
        phases.append(try await run.phase("n4 gets its shards", waitUntilEven))
        phases.append(try await run.phase("n1 is drained", drainFirst))
        phases.append(try await run.phase("n1 is removed", removeFirst))
        phases.append(try await run.phase("all is even again", waitUntilEven))
        phases.append(try await run.phase("n2 is killed, wiped, and serves again", loseSecond))
        phases.append(try await run.phase("n2 has all its replicas again", waitUntilWhole))
        phases.append(try await run.phase("n2 gets its shards", waitUntilEven))
        phases.append(try await run.phase("n2's old identity is removed", forgetSecond))
        phases.append(try await run.phase("nothing happens again", quiet))
        try await run.end()
        let living = try await run.load.usableNodes().map { cluster.file.nodes[$0] }
        return GrowReport(
            phases: phases, objects: bulk.count, wrongObjects: try await bulk.check(living),
            shape: try await cluster.shape())
    }

    private func quiet() async throws { try await pause(seconds: run.options.settleSeconds * 3) }

    private func waitUntilWhole() async throws { try await wait(for: \.isWhole, "whole") }
    private func waitUntilEven() async throws { try await wait(for: \.isWholeAndEven, "whole and even") }

    private func wait(for isGood: (ClusterShape) -> Bool, _ what: String) async throws {
        if try await cluster.waitForShape(Self.shapeSecondsMax, isGood) != nil { return }
        run.sockets.overdue.append(
            "the cluster is not \(what) after \(Self.shapeSecondsMax) s: \(try await cluster.shape().text)")
    }

    // MARK: A node more

    private func join() async throws {
        try await cluster.add()
        let node = cluster.file.nodes.count - 1
        try await run.load.grow(to: cluster.file, clients: run.options.clients / (node + 1))
        try await run.stage.grow(to: cluster.file)
        try await run.subscribe(run.options.subscribers / (node + 1), isLate: true) { _ in node }
    }

    // MARK: A node less

    /// Its clients go on all the time; its sockets are sent away.
    private func drainFirst() async throws {
        let stage = run.stage
        try await stage.onLoop { stage.isEmptied[0] = true }
        let name = cluster.file.nodes[0].name
        _ = try await cluster.admin.post("drain", ["node": .string(name)])
        let isEmpty = try await cluster.waitForShape(Self.shapeSecondsMax) { shape in
            shape.node(name).map { $0.shardsOwned == 0 && $0.replicas == 0 } ?? false
        }
        if isEmpty == nil {
            run.sockets.overdue.append("\(name) is not empty after \(Self.shapeSecondsMax) s of being drained")
        }
        let crowd = SocketStage.UncheckedCast(subscribers: run.subscribers)
        try await stage.wait(Self.recoverySecondsMax, for: "every socket at another node") {
            crowd.subscribers.allSatisfy { $0.isEstablished && $0.node != 0 }
        }
    }

    private func removeFirst() async throws {
        if try await !run.load.retire(0) { run.sockets.overdue.append("requests at the drained node got no answer") }
        _ = try await cluster.admin.delete("members/" + cluster.file.nodes[0].name)
        if cluster.isRunning(0) { try await cluster.stop(0) }
    }

    // MARK: A lost disk

    private func loseSecond() async throws {
        let node = cluster.node(1)
        try await setHarmed(1, true)
        // The parent first, or it would start its child again.
        try cluster.send(SIGKILL, to: node.parentPid)
        _ = kill(node.pid, SIGKILL)
        try await cluster.wipe(1)
        try await cluster.finish(try cluster.beginStart(1))
        if try await !cluster.waitReady(1, seconds: Self.readySecondsMax) {
            run.sockets.overdue.append("\(node.name) was not ready \(Self.readySecondsMax) s after its start")
        }
        try await setHarmed(1, false)
    }

    private func setHarmed(_ node: Int, _ harmed: Bool) async throws {
        try await run.load.setHarmed([node], harmed)
        try await run.stage.setHarmed(node, harmed)
    }

    private func forgetSecond() async throws {
        let replaced = try await cluster.shape().nodes.filter { $0.standing == "replaced" }
        if replaced.isEmpty { run.sockets.overdue.append("n2 came back, and its old identity is not replaced") }
        for node in replaced { _ = try await cluster.admin.delete("members/" + node.id) }
    }
}

/// What growth has shown.
struct GrowReport {
    var phases: [PhaseReport]
    var objects: Int
    /// What the bulk objects lack.
    var wrongObjects: [String]
    var shape: ClusterShape
}

struct GrowVerdict: RunVerdict {
    private let report: GrowReport
    private let sockets: SocketRun
    private let load: LoadFindings

    init(_ report: GrowReport, sockets: SocketRun, load: LoadFindings) {
        self.report = report
        self.sockets = sockets
        self.load = load
    }

    var isClean: Bool { load.isClean && sockets.isClean && report.wrongObjects.isEmpty }
    var meetsGoals: Bool { true }

    var text: String {
        var lines = ["bulk objects        \(report.objects), not as written \(report.wrongObjects.count)"]
        lines += load.counts + sockets.counts
        lines += report.phases.map {
            "\($0.name): \($0.seconds.tenths) s, longest gap \(milliseconds($0.longestGapMs)), "
                + "slowest operation \(milliseconds($0.slowestMs))"
        }
        lines.append("in the end: \(report.shape.text)")
        lines += load.faults + sockets.examples + report.wrongObjects.prefix(20).map { "BULK: " + $0 }
        lines.append(isClean ? "grow: all promises kept" : "grow: BROKEN PROMISES")
        return lines.joined(separator: "\n")
    }
}
