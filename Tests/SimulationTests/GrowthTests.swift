import Cluster
import Placement
import Raft
import Testing

@testable import Simulation

/// Splits, merges, losses and replacements that meet what they least expect: each was found by a seed of the swarm.
@Suite struct `When shards split and merge` {
    @Test func `a replica whose store is busy makes the children of two splits at once`() throws {
        let scenario = Scenario(seed: 81) { $0.shards = 1 }
        let world = scenario.world
        let lagging = scenario.others(than: try scenario.owner())[0]
        world.machines[lagging].store.isFull = true
        for _ in 0..<2 { try scenario.split(ShardID(rawValue: 0)) }
        world.makeRoom(lagging)
        scenario.run(milliseconds: 2_000)
        scenario.conclude()
    }

    @Test func `a shard frozen for a merge that was called off is split next`() throws {
        let scenario = Scenario(seed: 82) { $0.shards = 1 }
        let world = scenario.world
        try scenario.split(ShardID(rawValue: 0))
        // Without it the merge cannot come to its end.
        world.killWithParent(
            scenario.others(than: try scenario.owner())[0], crash: .process, restartAfterNs: 8_000_000_000)
        let records = try scenario.records()
        world.propose(
            .planMerge(
                left: records[0].shard, expectedLeft: records[0].epoch, right: records[1].shard,
                expectedRight: records[1].epoch))
        #expect(scenario.run(atMostMs: 1_000) { (try? scenario.records()[0].plan) != nil })
        scenario.run(milliseconds: world.plan.settings.mergePatienceMs - 100)
        // Refused until the merge is called off; then before its owner has heard of that.
        let cut = try scenario.middle(of: records[0].shard)
        for _ in 0..<400 where try scenario.records().count == 2 {
            world.propose(.planSplit(records[0].shard, expected: records[0].epoch, cut: cut))
            scenario.run(milliseconds: 1)
        }
        #expect(scenario.run(atMostMs: 5_000) { (try? scenario.records().count) == 3 }, "\(world.situation)")
        scenario.conclude()
    }

    /// Its keys become free while nothing else changes.
    @Test func `a replica that is wanted again before the old one is erased begins when it is`() throws {
        let scenario = Scenario(seed: 83) {
            $0.shards = 2
            $0.settings.balanceIntervalMs = 300
        }
        let world = scenario.world
        let loser = scenario.others(than: try scenario.owner())[0]
        let shard = try #require(world.shard(ofObject: 0))
        world.loseLog(of: shard, machine: loser)
        world.machines[loser].syncDelayNs = 400_000_000
        #expect(scenario.run(atMostMs: 15_000) { world.isWhole }, "\(world.situation)")
        scenario.conclude()
    }

    @Test func `an owner that meets damage in the first of the tries that wait for it executes no other`() throws {
        let scenario = Scenario(seed: 85) {
            $0.shards = 1
            $0.settings.checkpointIntervalMs = 50
            $0.settings.hibernateAfterMs = 20
            $0.workload.clients = 20
            $0.workload.coldObjects = 40
            $0.workload.hotShare = 0.1
        }
        let world = scenario.world
        let shard = ShardID(rawValue: 0)
        let first = try scenario.owner()
        world.kill(first)
        let isNamed = scenario.run(atMostMs: 3_000) { (try? scenario.owner()).map { $0 != first } ?? false }
        let heir = try scenario.owner()
        #expect(isNamed && (try? scenario.inspect(heir)?.isServing) != true)
        // It cannot seal yet: tries gather.
        let third = try #require(scenario.others(than: heir).first { $0 != first })
        for way in [(third, heir), (heir, third)] { world.network.setExtraDelay(from: way.0, to: way.1, ns: 60_000_000) }
        scenario.run(milliseconds: 60)
        for way in [(third, heir), (heir, third)] { world.network.setExtraDelay(from: way.0, to: way.1, ns: 0) }
        #expect(try scenario.inspect(heir)?.isServing == false)
        world.damages[shard.homeNumber] = Damage(machine: heir)
        for _ in 0..<200 { _ = world.machines[heir].store.damage(shard, using: &world.random) }
        scenario.run(milliseconds: 2_000)
        #expect(world.damages[shard.homeNumber]?.isNoticed != false)
        scenario.conclude()
    }

    /// It was away while the shard split, and gets the child when it owns it already.
    @Test func `a replica that begins at an epoch that names it owner leads`() throws {
        let scenario = Scenario(seed: 84) {
            $0.shards = 1
            $0.settings.logTailBytes = 1 << 10
            $0.settings.checkpointIntervalMs = 50
        }
        let world = scenario.world
        let late = scenario.others(than: try scenario.owner())[1]
        let others = scenario.others(than: late)
        world.killWithParent(late, crash: .process, restartAfterNs: 2_500_000_000)
        scenario.run(milliseconds: 200)
        try scenario.split(ShardID(rawValue: 0))
        let child = try scenario.records()[1].shard
        world.machines[late].syncDelayNs = 700_000_000
        #expect(scenario.run(atMostMs: 10_000) { world.machines[late].process?.view?.process != nil })
        for other in others { world.kill(other) }
        let isNamed = scenario.run(atMostMs: 10_000) {
            (try? scenario.records()[1].owner?.node) == world.machines[late].nodeID
        }
        #expect(isNamed && !world.inspections(of: child).contains { $0.machine == late }, "\(world.situation)")
        scenario.conclude()
    }
}

extension Scenario {
    func records() throws -> [ShardRecord] { try #require(world.newestView?.state?.table.records) }

    func middle(of shard: ShardID) throws -> UInt64 {
        let range = try #require(world.newestView?.state?.table.range(of: shard))
        return range.lowerBound + (range.upperBound - range.lowerBound) / 2 + 1
    }

    /// In the middle; done when the table has one shard more.
    func split(_ shard: ShardID) throws {
        let table = try #require(world.newestView?.state?.table)
        let record = try #require(table.record(of: shard))
        world.propose(.planSplit(shard, expected: record.epoch, cut: try middle(of: shard)))
        let isDone = run(atMostMs: 5_000) { (try? records().count) ?? 0 > table.records.count }
        #expect(isDone, "\(world.situation)")
    }
}
