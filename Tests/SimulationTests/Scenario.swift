import Cluster
import Placement
import Testing

@testable import Simulation

/// A quiet cluster under load, to which one thing is done on purpose.
struct Scenario {
    let world: World

    init(seed: UInt64 = 1, machines: Int = 3, configure: (inout Swarm) -> Void = { _ in }) {
        var plan = Swarm(calmWithSeed: seed)
        plan.machines = machines
        plan.loops = (0..<machines).map { 1 + $0 % 2 }
        plan.driftPpm = [Int64](repeating: 0, count: machines)
        plan.workload.clients = 6
        plan.workload.coldObjects = 6
        plan.workload.meanThinkNs = 20_000_000
        configure(&plan)
        world = World(plan: plan)
        world.form()
        world.startLoad()
        run(milliseconds: 800)
    }

    func run(milliseconds: UInt64) {
        world.run(untilNs: world.nowNs + milliseconds * 1_000_000)
    }

    /// Runs until something is so; false if it is not within the time.
    func run(atMostMs: UInt64, until isDone: @escaping () -> Bool) -> Bool {
        let limitNs = world.nowNs + atMostMs * 1_000_000
        while world.failure == nil, !isDone(), world.nowNs < limitNs {
            world.run(untilNs: world.nowNs + 2_000_000)
        }
        return isDone()
    }

    /// Ends the run as every run ends: everything mended, everything checked.
    func conclude(sourceLocation: SourceLocation = #_sourceLocation) {
        world.heal()
        world.conclude()
        #expect(world.failure == nil, sourceLocation: sourceLocation)
    }

    /// The machine that owns the hot object, as the table has it.
    func owner() throws -> Int { try #require(world.machineOfOwner(ofObject: 0)) }

    func epoch() throws -> UInt64 {
        let shard = try #require(world.shard(ofObject: 0))
        return try #require(world.newestView?.state?.table.record(of: shard)).epoch.rawValue
    }

    /// Whether the machine serves the hot object's shard, and whether it would answer a read by its lease.
    func inspect(_ machine: Int) throws -> ShardInspection? {
        let shard = try #require(world.shard(ofObject: 0))
        guard let process = world.machines[machine].process else { return nil }
        return process.loops[homeLoop(of: shard, loops: process.loops.count)]
            .inspect(shard, now: world.clocks(machine))
    }

    func others(than machine: Int) -> [Int] { world.machines.indices.filter { $0 != machine } }

    func cut(_ one: Int, from other: Int) {
        world.network.setCut(from: one, to: other, true)
        world.network.setCut(from: other, to: one, true)
    }

    /// The longest time between two acknowledged writes of the hot object since `startNs`.
    func longestPauseMs(sinceNs startNs: UInt64) -> UInt64 {
        let name = world.workload.objects[0].name
        var times = world.history.operations.compactMap { operation -> UInt64? in
            guard operation.object == name, operation.call != .read, let returned = operation.returnedNs,
                returned > startNs, case .answered = operation.outcome
            else { return nil }
            return returned
        }
        times.sort()
        let moments = [startNs] + times + [world.nowNs]
        return (zip(moments.dropFirst(), moments).map { $0 - $1 }.max() ?? 0) / 1_000_000
    }
}
