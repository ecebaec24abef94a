import Cluster
import Placement
import Raft
import Testing

@testable import Simulation

/// The failure table of the design, row by row: what fails, and what must happen.
@Suite struct `When a process fails` {
    @Test func `a killed owner is buried and replaced, and nobody at the other nodes sees a failure`() throws
    {
        let scenario = Scenario(seed: 11)
        let world = scenario.world
        for _ in 0..<3 {
            let epoch = try scenario.epoch()
            let startNs = world.nowNs
            world.kill(try scenario.owner())
            scenario.run(milliseconds: 1_500)
            #expect(try scenario.epoch() > epoch)
            #expect(scenario.longestPauseMs(sinceNs: startNs) <= 500)
        }
        #expect(world.statistics.edgeFailures == 0)
        scenario.conclude()
    }

    @Test func `an owner that dies with its parent is fenced when its lease has run out`() throws {
        let scenario = Scenario(seed: 12)
        let world = scenario.world
        let startNs = world.nowNs
        let owner = try scenario.owner()
        world.killWithParent(owner, crash: .power, restartAfterNs: 6_000_000_000)
        scenario.run(milliseconds: 5_000)
        #expect(try scenario.owner() != owner)
        let pauseMs = scenario.longestPauseMs(sinceNs: startNs)
        #expect(pauseMs >= world.plan.leaseDurationMs / 2, "nobody may be fenced before its lease is over")
        #expect(pauseMs <= 3_000)
        #expect(world.statistics.edgeFailures == 0)
        scenario.conclude()
    }

    @Test func `the placement leader dies together with an owner`() throws {
        let scenario = Scenario(seed: 13)
        let world = scenario.world
        let startNs = world.nowNs
        let owner = try scenario.owner()
        let leader = try #require(world.machineOfPlacementLeader())
        world.kill(owner)
        if leader != owner { world.kill(leader) }
        scenario.run(milliseconds: 3_000)
        #expect(scenario.longestPauseMs(sinceNs: startNs) <= 2_000)
        scenario.conclude()
    }

    @Test(arguments: [21, 22] as [UInt64])
    func `all nodes die at once and every acknowledged operation is there`(seed: UInt64) {
        let scenario = Scenario(seed: seed)
        for _ in 0..<2 {
            scenario.world.restartAll()
            scenario.run(milliseconds: 2_000)
        }
        scenario.conclude()
    }

    @Test func `an edge that is killed and restarted takes no operation for an older one`() throws {
        let scenario = Scenario(seed: 14)
        for _ in 0..<6 {
            let owner = try scenario.owner()
            scenario.world.kill(scenario.others(than: owner)[0])
            scenario.run(milliseconds: 400)
        }
        scenario.conclude()
    }

    @Test func `a node that is asked to shut down hands its shards over first`() throws {
        let scenario = Scenario(seed: 15)
        let world = scenario.world
        let startNs = world.nowNs
        let owner = try scenario.owner()
        world.shutDown(owner)
        scenario.run(milliseconds: 3_000)
        #expect(world.machines[owner].generation == 2)
        #expect(scenario.longestPauseMs(sinceNs: startNs) <= 500)
        scenario.conclude()
    }
}

@Suite struct `When the network fails` {
    @Test func `an owner cut off from both others answers no read past its lease and is replaced`() throws {
        let scenario = Scenario(seed: 31)
        let world = scenario.world
        let owner = try scenario.owner()
        for other in scenario.others(than: owner) { scenario.cut(owner, from: other) }
        let before = try #require(try scenario.inspect(owner))
        #expect(before.passesReadCheck)
        scenario.run(milliseconds: world.plan.leaseDurationMs + 1_200)
        #expect(try scenario.inspect(owner)?.passesReadCheck != true)
        let successor = try scenario.owner()
        #expect(successor != owner)
        #expect(try scenario.inspect(successor)?.isServing == true)
        scenario.conclude()
    }

    @Test func `an owner cut off from the placement leader only is never one of two`() throws {
        let scenario = Scenario(seed: 32)
        let world = scenario.world
        let owner = try scenario.owner()
        let leader = try #require(world.machineOfPlacementLeader())
        let peer = owner == leader ? scenario.others(than: owner)[0] : leader
        scenario.cut(owner, from: peer)
        scenario.run(milliseconds: 4 * world.plan.leaseDurationMs)
        scenario.conclude()
    }

    @Test func `a new owner that reaches no majority yields to one that does`() throws {
        let scenario = Scenario(seed: 33, machines: 5) { $0.noticesCuts = false }
        let world = scenario.world
        let first = try scenario.owner()
        let epoch = try scenario.epoch()
        let shard = try #require(world.shard(ofObject: 0))
        let replicas = try #require(world.newestView?.state?.table.record(of: shard)).replicas
        let machines = world.machines.indices.filter { replicas.contains(world.machines[$0].nodeID) }
        world.kill(first)
        #expect(scenario.run(atMostMs: 2_000) { (try? scenario.epoch()) ?? 0 > epoch })
        let second = try scenario.owner()
        for other in machines where other != second { scenario.cut(second, from: other) }
        let isTakenOver = scenario.run(atMostMs: 6_000) {
            let owner = (try? scenario.owner()) ?? second
            return owner != second && (try? scenario.inspect(owner))??.isServing == true
        }
        #expect(isTakenOver, "\(world.situation)")
        scenario.conclude()
    }

    @Test func `an answer lost on its way is given again, not earned twice`() throws {
        let scenario = Scenario(seed: 34)
        let world = scenario.world
        let owner = try scenario.owner()
        for round in 0..<6 {
            let edge = scenario.others(than: owner)[round % 2]
            // Requests get through, answers do not.
            world.network.setCut(from: owner, to: edge, true)
            scenario.run(milliseconds: 150)
            world.network.setCut(from: owner, to: edge, false)
            scenario.run(milliseconds: 400)
        }
        scenario.conclude()
    }

    @Test func `without a placement leader writes go on and reads go by barrier`() throws {
        let scenario = Scenario(seed: 35, machines: 5) {
            ($0.workload.hotObjects, $0.workload.coldObjects) = (1, 0)
            $0.workload.patienceNs = 200_000_000
        }
        let world = scenario.world
        let owner = try scenario.owner()
        let shard = try #require(world.shard(ofObject: 0))
        let replicas = try #require(world.newestView?.state?.table.record(of: shard)).replicas
        let ally = try #require(
            world.machines.indices.first { $0 != owner && replicas.contains(world.machines[$0].nodeID) })
        for one in world.machines.indices {
            for other in scenario.others(than: one) where Set([one, other]) != Set([owner, ally]) {
                scenario.cut(one, from: other)
            }
        }
        let leaseMs = world.plan.leaseDurationMs
        scenario.run(milliseconds: 2 * leaseMs)
        let startNs = world.nowNs
        #expect(try scenario.inspect(owner)?.passesReadCheck == false)
        scenario.run(milliseconds: 2 * leaseMs)
        let name = world.workload.objects[0].name
        let answered = world.history.operations.filter {
            $0.object == name && $0.invokedNs > startNs && $0.returnedNs != nil
        }
        #expect(answered.contains { $0.call == .read })
        #expect(answered.contains { $0.call != .read })
        scenario.conclude()
    }
}

@Suite struct `When time goes wrong` {
    @Test func `an owner that stood still past its lease finds that out first`() throws {
        let scenario = Scenario(seed: 41)
        let world = scenario.world
        let owner = try scenario.owner()
        let generation = world.machines[owner].generation
        world.standStill(owner, .paused)
        scenario.run(milliseconds: world.plan.leaseDurationMs * 3)
        #expect(try scenario.owner() != owner)
        world.goOn(owner)
        #expect(try scenario.inspect(owner)?.passesReadCheck == false)
        scenario.run(milliseconds: 1_500)
        #expect(world.machines[owner].generation > generation, "it was fenced, so it exits and comes back")
        scenario.conclude()
    }

    @Test func `a machine that slept past its lease does not trust the clock that slept too`() throws {
        let scenario = Scenario(seed: 42)
        let world = scenario.world
        let owner = try scenario.owner()
        world.standStill(owner, .suspended)
        scenario.run(milliseconds: world.plan.leaseDurationMs * 3)
        world.goOn(owner)
        #expect(try scenario.inspect(owner)?.passesReadCheck == false)
        scenario.run(milliseconds: 1_500)
        scenario.conclude()
    }

    @Test func `jumps of the wall clock change nothing`() throws {
        let scenario = Scenario(seed: 43)
        let world = scenario.world
        let epoch = try scenario.epoch()
        for (machine, jumpMs) in [(0, 90_000), (1, -90_000), (2, 30_000), (0, -120_000)] {
            world.machines[machine].clock.jumpWall(byMs: Int64(jumpMs))
            scenario.run(milliseconds: 300)
        }
        #expect(try scenario.epoch() == epoch)
        #expect(world.statistics.edgeFailures == 0)
        scenario.conclude()
    }

    @Test(arguments: [10_000, -10_000] as [Int64])
    func `clocks at the limit of their drift change nothing`(ppm: Int64) throws {
        let scenario = Scenario(seed: 44) { $0.driftPpm = [ppm, -ppm, 0] }
        let epoch = try scenario.epoch()
        scenario.run(milliseconds: 5_000)
        #expect(try scenario.epoch() == epoch)
        #expect(scenario.world.statistics.edgeFailures == 0)
        scenario.conclude()
    }
}

@Suite struct `When a disk fails` {
    @Test func `a slow replica holds nobody up`() throws {
        let scenario = Scenario(seed: 51)
        let world = scenario.world
        let slow = scenario.others(than: try scenario.owner())[0]
        let startNs = world.nowNs
        world.machines[slow].syncDelayNs = 400_000_000
        scenario.run(milliseconds: 3_000)
        #expect(scenario.longestPauseMs(sinceNs: startNs) <= 500)
        scenario.conclude()
    }

    @Test func `a node with a full disk waits and goes on when there is space`() throws {
        let scenario = Scenario(seed: 52)
        let world = scenario.world
        let full = scenario.others(than: try scenario.owner())[0]
        world.machines[full].disk.isFull = true
        let generation = world.machines[full].generation
        scenario.run(milliseconds: 4_000)
        #expect(world.machines[full].disk.isStalled)
        #expect(world.machines[full].generation == generation)
        world.makeRoom(full)
        scenario.run(milliseconds: 1_500)
        scenario.conclude()
    }

    @Test func `a replica that lost its log answers no seal in its old name`() throws {
        let scenario = Scenario(seed: 53)
        let world = scenario.world
        let owner = try scenario.owner()
        let shard = try #require(world.shard(ofObject: 0))
        let loser = scenario.others(than: owner)[0]
        world.loseLog(of: shard, machine: loser)
        scenario.run(milliseconds: 1_500)
        world.kill(owner)
        scenario.run(milliseconds: 2_500)
        #expect(try scenario.owner() != loser || scenario.inspect(loser)?.isServing != true)
        scenario.conclude()
    }
}

@Suite struct `When the table itself is wrong` {
    @Test func `of two nodes told to own one epoch only one gets to serve`() throws {
        let scenario = Scenario(seed: 61)
        let world = scenario.world
        let owner = try scenario.owner()
        let state = try #require(world.newestView?.state)
        let shard = try #require(world.shard(ofObject: 0))
        let dead = try #require(state.table.record(of: shard)?.owner)
        world.killWithParent(owner, crash: .process, restartAfterNs: 60_000_000_000)
        // Each survivor applies its own version of the fence that makes an heir.
        for heir in scenario.others(than: owner) {
            let process = try #require(world.machines[heir].process)
            var forged = state
            let own = try #require(process.view?.process)
            _ = forged.apply(
                .fence(dead, candidates: [own], cause: .leaseExpired), at: state.appliedIndex.next)
            let view = ClusterView(
                state: forged, index: state.appliedIndex.next, nodeID: process.identity.nodeID,
                nodeName: process.identity.name, process: own, leader: nil)
            for loop in process.loops.indices { world.give(.view(view), to: process, loop: loop) }
        }
        scenario.run(milliseconds: 150)
        let serving = try scenario.others(than: owner).filter { try scenario.inspect($0)?.isServing == true }
        #expect(serving.count <= 1)
        #expect(world.failure == nil)
    }
}

@Suite struct `When objects hibernate` {
    @Test func `they wake at owners and replicas, through failovers, and nobody notices`() throws {
        let scenario = Scenario(seed: 71) {
            $0.settings.hibernateAfterMs = 20
            $0.settings.checkpointIntervalMs = 50
            $0.workload.coldObjects = 30
        }
        let world = scenario.world
        for _ in 0..<3 {
            world.kill(try scenario.owner())
            scenario.run(milliseconds: 1_500)
        }
        let counters = world.machines.indices.map { machine in
            (world.machines[machine].process?.loops ?? []).map { $0.report().counters }
        }
        for loops in counters {
            #expect(loops.reduce(0) { $0 + $1.hibernatedObjects } > 20)
            #expect(loops.reduce(0) { $0 + $1.wokenObjects } > 20)
        }
        // A client may meet a process that has just started; that refuses, and may say so.
        #expect(world.statistics.unknown == 0)
        scenario.conclude()
    }
}
