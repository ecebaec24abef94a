import Cluster
import ObjectRuntime
import Testing

@testable import Simulation

extension Scenario {
    /// Clients with sockets on the hot object, spread over all nodes, all of them joined. They come back by
    /// themselves, ask for their ids and for what they missed, and do nothing else unless told.
    init(seed: UInt64, talkers: Int, configure: (inout Swarm) -> Void = { _ in }) {
        self.init(seed: seed) { plan in
            plan.sockets.talkers = talkers
            plan.sockets.areScripted = true
            (plan.sockets.hotShare, plan.sockets.resumeShare, plan.sockets.afterShare) = (1, 1, 1)
            plan.settings.eventHistoryBytes = SocketPlan.ampleHistoryBytes
            plan.workload.hotObjects = 1
            configure(&plan)
        }
        for talker in 0..<talkers { world.openSocket(talker, at: talker % 3, greeting: .ping) }
        run(milliseconds: 200)
        for talker in world.talkers { talker.socket.map(world.join) }
        run(milliseconds: 200)
    }

    var leaves: Int {
        world.ledger.events(of: 0).count { $0.opening.starts(with: "{\"event\":\"presence:leave".utf8) }
    }

    var isEverybodyReady: Bool { world.talkers.allSatisfy { $0.socket?.isReady == true } }
}

@Suite struct `When clients listen` {
    @Test func `an owner that is killed is a pause for sockets at other nodes, and nothing else`() throws {
        let scenario = Scenario(seed: 71, talkers: 6)
        let world = scenario.world
        let owner = try scenario.owner()
        let sockets = world.talkers.compactMap(\.socket).filter { $0.machine != owner }
        world.kill(owner)
        scenario.run(milliseconds: 1_500)
        #expect(sockets.count == 4 && sockets.allSatisfy { $0.isOpen })
        #expect(scenario.isEverybodyReady)
        scenario.conclude()
        #expect(world.statistics.resumes == 2)
        #expect(world.statistics.gaps == 0)
        #expect(scenario.leaves == 0)
    }

    @Test func `clients of an edge that is killed go on elsewhere under their ids`() throws {
        let scenario = Scenario(seed: 72, talkers: 6)
        let world = scenario.world
        for _ in 0..<3 {
            let names = world.talkers.map(\.connection)
            world.kill(scenario.others(than: try scenario.owner())[0])
            scenario.run(milliseconds: 1_000)
            #expect(world.talkers.map(\.connection) == names)
        }
        scenario.conclude()
        #expect(world.statistics.resumes >= 2)
        #expect(world.statistics.gaps == 0)
        #expect(scenario.leaves == 0)
    }

    @Test func `owner and edge die together`() throws {
        let scenario = Scenario(seed: 73, talkers: 6)
        let world = scenario.world
        let owner = try scenario.owner()
        world.kill(owner)
        world.kill(scenario.others(than: owner)[0])
        scenario.run(milliseconds: 3_000)
        scenario.conclude()
        #expect(world.statistics.resumes >= 4)
        #expect(world.statistics.gaps == 0)
    }

    @Test func `an edge that is cut off is either heard again or left for another one`() throws {
        let scenario = Scenario(seed: 74, talkers: 6)
        let world = scenario.world
        let edge = scenario.others(than: try scenario.owner())[0]
        for other in scenario.others(than: edge) { scenario.cut(edge, from: other) }
        scenario.run(milliseconds: 3 * world.plan.leaseDurationMs)
        world.network.healAll()
        scenario.run(milliseconds: 1_000)
        scenario.conclude()
        #expect(world.statistics.gaps == 0)
    }

    @Test func `a node that shuts down sends its clients elsewhere, and nobody leaves`() throws {
        let scenario = Scenario(seed: 75, talkers: 6)
        let world = scenario.world
        world.shutDown(try scenario.owner())
        scenario.run(milliseconds: 2_000)
        #expect(scenario.isEverybodyReady)
        scenario.conclude()
        #expect(world.statistics.resumes == 2)
        #expect(world.statistics.gaps == 0)
        #expect(scenario.leaves == 0)
    }

    @Test func `all nodes die at once, and clients miss nothing`() {
        let scenario = Scenario(seed: 76, talkers: 6)
        scenario.world.restartAll()
        scenario.run(milliseconds: 3_000)
        scenario.conclude()
        #expect(scenario.world.statistics.gaps == 0)
        #expect(scenario.world.statistics.resumes >= 6)
    }

    @Test func `a broken connection that its node does not notice is taken over without a leave`() {
        let scenario = Scenario(seed: 77, talkers: 6)
        let world = scenario.world
        for (talker, target) in [(0, 1), (1, 1)] {
            guard let socket = world.talkers[talker].socket else { continue }
            world.vanish(socket, unnoticedNs: 20_000_000_000)
            world.comeBack(talker, afterNs: 5_000_000, to: target)
        }
        scenario.run(milliseconds: 500)
        #expect(scenario.isEverybodyReady)
        #expect(world.statistics.resumes == 2)
        #expect(scenario.leaves == 0)
        scenario.conclude()
        #expect(scenario.leaves == 0)
    }

    @Test func `every message reaches everybody else`() {
        let scenario = Scenario(seed: 78, talkers: 6)
        for _ in 0..<5 {
            for talker in scenario.world.talkers { talker.socket.map(scenario.world.say) }
            scenario.run(milliseconds: 20)
        }
        scenario.run(milliseconds: 200)
        #expect(scenario.world.statistics.socketMessages == 6 * 5 * 5)
        scenario.conclude()
    }

    @Test func `a client that closes its socket leaves at once and once`() throws {
        let scenario = Scenario(seed: 79, talkers: 6)
        let world = scenario.world
        let socket = try #require(world.talkers[0].socket)
        world.hangUp(socket)
        scenario.run(milliseconds: 200)
        #expect(scenario.leaves == 1)
        world.forgetName(0)
        world.comeBack(0, afterNs: 0)
        scenario.run(milliseconds: 200)
        scenario.conclude()
        #expect(scenario.leaves == 1)
    }
}
