import Placement
import Raft

/// A small cluster with little load, to which everything is done that storage is about: checkpoints, a split, a
/// replica that is lost and replaced by a snapshot, a merge, and journal segments that go meanwhile. The same seed takes
/// the same way up to the step at which a machine dies; from there on everything must come right.
public struct CrashScript {
    /// Whose disk it is about.
    public enum Victim: String, CaseIterable, Sendable {
        /// Of the first shard.
        case owner
        /// The one whose replica is lost and replaced.
        case replaced
        case other
    }

    private let world: World

    private init(victim: Victim, fatalStep: Int?) {
        var plan = Swarm(calmWithSeed: 5)
        plan.loops = [1, 1, 1]
        plan.shards = 1
        plan.leaseDurationMs = 400
        plan.restartMeanNs = 20_000_000
        plan.storeTurnMax = 1
        plan.segmentBytes = 5 << 10
        plan.journalBytes = 16 << 10
        plan.workload.clients = 2
        (plan.workload.hotObjects, plan.workload.coldObjects) = (2, 4)
        plan.workload.meanThinkNs = 40_000_000
        plan.settings.checkpointIntervalMs = 300
        plan.settings.checkpointLogBytes = 16 << 10
        plan.settings.hibernateAfterMs = 50
        plan.settings.logTailBytes = 1 << 10
        plan.settings.placementCheckpointEntries = 10
        plan.settings.balanceIntervalMs = 200
        plan.settings.balanceQuietMs = 100
        plan.settings.splitsByLoad = false
        plan.settings.raft.snapshotChunkBytes = 512
        world = World(plan: plan)
        world.form()
        world.startLoad()
        guard let owner = world.machineOfOwner(ofObject: 0) else {
            preconditionFailure("a cluster that has formed has owners")
        }
        let machine =
            switch victim {
            case .owner: owner
            case .replaced: (owner + 1) % 3
            case .other: (owner + 2) % 3
            }
        world.crashWalk = CrashWalk(machine: machine, fatalStep: fatalStep)
        replaced = (owner + 1) % 3
    }

    private let replaced: Int

    /// How many steps there are.
    public static func steps(of victim: Victim) -> Int {
        let script = CrashScript(victim: victim, fatalStep: nil)
        script.play()
        return script.world.crashWalk?.count ?? 0
    }

    public static func run(
        _ victim: Victim, dyingAt step: Int?, narrate: ((String) -> Void)? = nil
    ) -> SimulationResult {
        let script = CrashScript(victim: victim, fatalStep: step)
        script.world.narrate = narrate
        script.play()
        script.world.heal()
        script.world.conclude()
        return SimulationResult(of: script.world, recipe: Recipe(seed: script.world.plan.seed))
    }

    // MARK: - What happens

    private func play() {
        world.crashWalk?.isCounting = true
        run(ms: 300)
        split()
        run(ms: 100)
        replace()
        merge()
        run(ms: 200)
        world.crashWalk?.isCounting = false
    }

    private func run(ms: UInt64) { world.run(untilNs: world.nowNs + ms * 1_000_000) }

    private var records: [ShardRecord] { world.newestView?.state?.table.records ?? [] }

    /// Asks again as a person would: what was asked of a process that died is lost.
    private func ask(for what: String, _ ask: () -> Void, until isDone: () -> Bool) {
        for _ in 0..<100 where !isDone() && world.failure == nil {
            ask()
            for _ in 0..<50 where !isDone() { run(ms: 5) }
        }
        if !isDone() { world.fail(.liveness, "waited in vain for \(what): \(world.situation)") }
    }

    private func split() {
        ask(for: "the split") {
            guard let record = records.first else { return }
            world.propose(.planSplit(record.shard, expected: record.epoch, cut: 1 << 63))
        } until: {
            records.count == 2
        }
    }

    private func replace() {
        ask(for: "the replicas to be whole") {} until: { world.isWhole }
        guard let shard = world.shard(ofObject: 0) else { return }
        world.loseLog(of: shard, machine: replaced)
        ask(for: "the replica to be replaced") {} until: { world.isWhole }
    }

    private func merge() {
        ask(for: "the merge") {
            guard records.count == 2 else { return }
            gather()
            world.propose(
                .planMerge(
                    left: records[0].shard, expectedLeft: records[0].epoch, right: records[1].shard,
                    expectedRight: records[1].epoch))
        } until: {
            records.count == 1
        }
    }

    /// Only two shards of one owner can be merged.
    private func gather() {
        guard let from = records[1].owner, let to = records[0].owner, from != to,
            let machine = world.machines.firstIndex(where: { $0.nodeID == from.node }),
            let process = world.machines[machine].process
        else { return }
        let move = MoveRequest(shard: records[1].shard, epoch: records[1].epoch, from: from, to: to)
        world.give(.message(from: from.node, .move(move)), to: process, loop: 0)
    }
}
