import Cluster
import Placement
import Testing

@testable import Simulation

@Suite struct `When nodes come and go for good` {
    @Test func `a new node is taken in, and another one is removed`() throws {
        let scenario = Scenario(seed: 91, machines: 4) { $0.founders = 3 }
        let world = scenario.world
        #expect(world.machines.map(\.isInService) == [true, true, true, false])
        world.addNode()
        let isIn = scenario.run(atMostMs: 5_000) { world.machines[3].process?.view?.process != nil }
        #expect(isIn, "\(world.situation)")
        let before = world.machines.map(\.nodeID)
        world.removeNode()
        let leaver = try #require(world.machines.firstIndex { $0.isLeaving })
        #expect(scenario.run(atMostMs: 20_000) { !world.machines[leaver].isInService }, "\(world.situation)")
        let state = try #require(world.newestView?.state)
        #expect(state.registry.isRemoved(before[leaver]) && state.registry.nodes.count == 3)
        #expect(state.table.records.allSatisfy { !$0.isMember(before[leaver]) })
        // The place is free for a node that nobody knows.
        world.addNode()
        let isBack = scenario.run(atMostMs: 5_000) { world.machines[leaver].process?.view?.process != nil }
        #expect(isBack && world.machines[leaver].nodeID != before[leaver], "\(world.situation)")
        scenario.conclude()
    }

    @Test func `three nodes stay three`() {
        let scenario = Scenario(seed: 92)
        scenario.world.removeNode()
        #expect(!scenario.world.machines.contains { $0.isLeaving })
    }

    @Test func `a core comes right while one node is away`() {
        let scenario = Scenario(seed: 93, machines: 5) { $0.healsCoreFirst = true }
        let world = scenario.world
        #expect(scenario.run(atMostMs: 5_000) { world.isWhole })
        for machine in 0..<2 { world.network.setCut(from: machine, to: 4, true) }
        world.healCore()
        #expect(world.failure == nil)
        let absent = world.machines.filter { $0.process == nil }
        #expect(absent.count == 1 && world.network.reaches(0, 4), "the others are healed, one is off")
        scenario.conclude()
    }
}

@Suite struct `The swarm` {
    private static let plans = (1...600 as ClosedRange<UInt64>).map { Swarm(seed: $0, safetyNs: 20_000_000_000) }

    @Test func `has clusters of all sizes, and all that may go wrong`() {
        #expect(Set(Self.plans.map(\.machines)) == [3, 4, 5, 6, 7])
        #expect(Self.plans.contains { ($0.founders ?? $0.machines) < $0.machines })
        #expect(Self.plans.allSatisfy { ($0.founders ?? $0.machines) >= 3 && $0.loops.count >= $0.machines })
        let kinds = Set(Self.plans.flatMap(\.faults.kinds))
        #expect(kinds == Set(FaultInjector.Kind.allCases))
    }

    /// Else I1 would break, and rightly.
    @Test func `lets clocks drift beyond rho only where reads go by quorum`() {
        let beyond = Self.plans.filter { plan in plan.driftPpm.contains { $0.magnitude > Swarm.rhoPpm.magnitude } }
        #expect(!beyond.isEmpty)
        #expect(beyond.allSatisfy { $0.settings.readsByQuorum })
    }

    @Test func `holds back what is sent over a clogged link, and lets it all go at once`() {
        var network = VirtualNetwork(machineCount: 2)
        var random = SeededGenerator(seed: 1)
        network.clog(from: 0, to: 1, untilNs: 5_000_000_000)
        let times = (0..<3).map { network.arrivals(from: 0, to: 1, nowNs: $0 * 1_000_000, &random)[0] }
        #expect(times == [5_000_000_000, 5_000_000_001, 5_000_000_002])
        #expect(network.arrivals(from: 1, to: 0, nowNs: 0, &random)[0] < 100_000_000)
    }
}
