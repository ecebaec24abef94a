import Glibc
import HoldfastClient
import NIOCore
import Simulation
import Synchronization

/// How a drill is made.
public struct DrillOptions: Sendable {
    public var ratePerSecond = 100.0
    public var clients = 6
    /// Load before the kill, and after the new owner's first answer.
    public var settleSeconds = 2.0
    /// So long the takeover may take.
    public var withinSeconds = 20.0
    /// So long the cluster may take to be whole again; 0 does not wait for that.
    public var recoverSeconds = 60.0
    public var seed: UInt64

    public init(seed: UInt64) { self.seed = seed }
}

/// Has the owner of a shard killed under a light load, and says what that cost.
public struct DrillRun: Sendable {
    public static let objectClass = "holdfast-drill"

    let access: LiveAccess
    let admin: LiveAdmin
    let options: DrillOptions

    public init(_ access: LiveAccess, _ admin: LiveAdmin, _ options: DrillOptions) {
        self.access = access
        self.admin = admin
        self.options = options
    }

    /// The drill itself. Throws `DrillRefusal` if it cannot begin; its object is removed in any case.
    public func strike(_ scene: DrillScene, _ kill: DrillKill) async throws -> DrillReport {
        try kill.check(scene.node)
        let stage = DrillStage(DrillPlan(object: scene.object))
        let stop = StopSign()
        let load = Task { await self.load(stage, stop) }
        var report = DrillReport(scene: scene)
        let struck = await caught { try await harm(scene, kill, stage, &report) }
        stop.raise()
        await load.value
        if case .success = struck {
            await readAll(stage, &report)
            report.take(await stage.records, object: scene.object)
        }
        report.leftOver = await access.clear([scene.object], class: Self.objectClass)
        try struck.get()
        return report
    }

    private func load(_ stage: DrillStage, _ stop: StopSign) async {
        let clients = (0..<options.clients).map { access.client(beginningAt: $0) }
        let callers = clients.map { LiveCaller(client: $0, objectClass: Self.objectClass) }
        await LiveClients(callers: callers, ratePerSecond: options.ratePerSecond, seed: options.seed).run(
            isOver: { stop.isRaised }, next: { await stage.next() }, done: { await stage.add($0) })
        for client in clients { await client.close() }
    }

    /// Kills, and follows the table and the answers until the cluster is whole again.
    private func harm(
        _ scene: DrillScene, _ kill: DrillKill, _ stage: DrillStage, _ report: inout DrillReport
    ) async throws {
        await pause(options.settleSeconds)
        guard await stage.hasAnswers else {
            throw DrillRefusal("the load gets no answers; nothing was killed", await stage.errors)
        }
        let survivors = admin.client(without: scene.url)
        let result = await caught {
            try await confirm(scene, survivors)
            let killedNs = await stage.beginWatch(scene.shard.epoch)
            let command = try kill.carryOut(scene.node)
            try await follow(scene, stage, survivors, command, &report)
            async let whole = recovery(survivors, since: killedNs)
            await pause(options.settleSeconds)
            report.successor = (try? await shard(scene, survivors, withReports: true)) ?? report.successor
            report.wholeMs = await whole
        }
        await survivors.close()
        try result.get()
    }

    /// All may have changed while somebody thought about it.
    private func confirm(_ scene: DrillScene, _ client: AdminClient) async throws {
        let health = try await client.health()
        let faults = health.faults + health.faults(without: scene.node)
        guard faults.isEmpty else {
            throw DrillRefusal("the cluster is not whole any more; nothing was killed", faults)
        }
        let now = try await shard(scene, client)
        guard now.owner == scene.node, now.epoch == scene.shard.epoch else {
            throw DrillRefusal("shard \(now.name) has another owner by now; nothing was killed")
        }
    }

    private func shard(
        _ scene: DrillScene, _ client: AdminClient, withReports: Bool = false
    ) async throws -> ShardView {
        try await client.shard(
            of: scene.object, class: Self.objectClass, project: access.project, withReports: withReports)
    }

    private func follow(
        _ scene: DrillScene, _ stage: DrillStage, _ client: AdminClient, _ command: pid_t?,
        _ report: inout DrillReport
    ) async throws {
        let limitNs = steadyNs() + UInt64(options.withinSeconds * 1e9)
        var running = command
        while await !stage.watch.isOver || running != nil, steadyNs() < limitNs {
            if await !stage.watch.isOver, let view = try? await shard(scene, client) {
                await stage.see(view)
            }
            if let pid = running, let isGood = ChildProcess.outcome(pid) {
                running = nil
                report.hasCommandFailed = !isGood
            }
            await pause(0.005)
        }
        let watch = await stage.watch
        guard watch.detectedNs != nil || !report.hasCommandFailed else {
            throw DrillRefusal("the kill command failed, and \(scene.node) still owns shard \(scene.shard.name)")
        }
        report.take(watch, await stage.gaps)
    }

    private func recovery(_ client: AdminClient, since killedNs: UInt64) async -> Double? {
        let limitNs = steadyNs() + UInt64(options.recoverSeconds * 1e9)
        while steadyNs() < limitNs {
            if let health = try? await client.health(), health.faults.isEmpty {
                return Double(steadyNs() - killedNs) / 1e6
            }
            await pause(0.1)
        }
        return nil
    }

    private func readAll(_ stage: DrillStage, _ report: inout DrillReport) async {
        let client = access.client()
        let caller = LiveCaller(client: client, objectClass: Self.objectClass)
        for item in await stage.items {
            let read = LiveCall(object: report.scene.object, item: item, call: .read)
            let record = await caller.perform(read, process: WindowCheck.reader)
            await stage.add(record)
            if !record.isAnswered { report.unread.append(item) }
        }
        await client.close()
    }

    private func pause(_ seconds: Double) async {
        await sleep(untilNs: steadyNs() + UInt64(seconds * 1e9))
    }
}

/// What the parts of a drill share.
private actor DrillStage {
    private var plan: DrillPlan
    private(set) var records: [LiveRecord] = []
    private(set) var gaps = AnswerGaps()
    private(set) var watch = TakeoverWatch(epoch: .max, killedNs: .max)

    init(_ plan: DrillPlan) { self.plan = plan }

    var items: [String] { plan.items }
    var hasAnswers: Bool { records.contains(where: \.isAnswered) }
    var errors: [String] { records.compactMap(\.error) }

    func next() -> LiveCall { plan.next() }

    func add(_ record: LiveRecord) {
        records.append(record)
        watch.see(record)
        if record.isAnswered, let now = record.operation.returnedNs {
            gaps.note(invokedNs: record.operation.invokedNs, atNs: max(now, gaps.lastNs))
        }
    }

    /// From here on all is measured; answers the time.
    func beginWatch(_ epoch: UInt64) -> UInt64 {
        let now = steadyNs()
        watch = TakeoverWatch(epoch: epoch, killedNs: now)
        gaps.restart(atNs: now)
        return now
    }

    func see(_ shard: ShardView) { watch.see(shard, atNs: steadyNs()) }
}

/// Tells many tasks to end.
private final class StopSign: Sendable {
    private let raised = Atomic(false)

    var isRaised: Bool { raised.load(ordering: .relaxed) }

    func raise() { raised.store(true, ordering: .relaxed) }
}
