import Placement
import Raft
import Testing

@Suite("Replica policy")
struct ReplicaPolicyTests {
    /// A cluster whose owners do what they are asked, step by step: learner, joint, settled.
    struct World {
        var machine: Machine
        var health: [NodeID: NodeHealth] = [:]
        var settings = ReplicaPolicySettings()
        var changes = 0

        init(nodes: Int, joined: Int = 0, shards: Int = 12, replicas: Int = 3) {
            machine = .running(genesis(nodes: nodes, shards: shards, replicas: replicas))
            settings.replicasPerShard = replicas
            for number in 1...nodes { set(number) }
            for number in nodes + 1..<nodes + joined + 1 { join(number) }
        }

        mutating func join(_ number: Int) {
            machine.apply(.register(registration(number, nonce: number * 10)))
            set(number)
        }

        mutating func set(_ number: Int, live: Bool = true, deadForMs: UInt64 = 0, room: Bool = true) {
            health[node(number)] = NodeHealth(
                node: node(number), isLive: live, deadForMs: deadForMs, hasRoom: room)
        }

        mutating func kill(_ number: Int, deadForMs: UInt64) {
            set(number, live: false, deadForMs: deadForMs)
            guard let process = machine.state.registry.newestLive(of: node(number)) else { return }
            let others = machine.state.nodes.filter { isLive($0.node) }.compactMap(\.newestLive)
            machine.apply(.fence(process, candidates: others, cause: .leaseExpired))
        }

        func isLive(_ node: NodeID) -> Bool { health[node]?.isLive ?? false }

        var decision: ReplicaDecision {
            ReplicaPolicy.decide(
                table: machine.state.table, registry: machine.state.registry,
                health: health.values.sorted { $0.node < $1.node }, settings: settings)
        }

        var counts: [NodeID: Int] {
            var counts: [NodeID: Int] = [:]
            for node in machine.state.table.records.flatMap(\.replicas) { counts[node, default: 0] += 1 }
            return counts
        }

        /// One step of the owner's: what its log commits next on the way to the target.
        mutating func step(_ request: ReplicaRequest) {
            guard let record = machine.state.table.record(of: request.shard), record.epoch == request.epoch else {
                return
            }
            #expect(!record.replicaSet.isJoint, "O9: nothing is asked while a change is not recorded")
            let missing = request.target.filter { !record.replicas.contains($0) }
            if !missing.allSatisfy({ record.learners.contains($0) }) {
                machine.report(record.shard, Configuration(voters: record.replicas, learners: missing))
            } else if Set(request.target) == Set(record.replicas) {
                machine.report(record.shard, Configuration(voters: record.replicas))
            } else {
                changes += 1
                let world = self
                let live = { (nodes: [NodeID]) in
                    nodes.filter { world.isLive($0) && !record.isLost(at: $0) }.count
                }
                #expect(live(record.replicas) * 2 > record.replicas.count, "the change can commit")
                #expect(live(request.target) * 2 > request.target.count, "the shard goes on after it")
                machine.report(record.shard, Configuration(voters: request.target, outgoing: record.replicas))
            }
        }

        mutating func leaveJoint() {
            for record in machine.state.table.records where record.replicaSet.isJoint && record.owner != nil {
                machine.report(record.shard, Configuration(voters: record.replicas))
            }
        }

        /// Until nothing is asked any more; `chance` is that of an owner to do as it is asked.
        mutating func settle(dice: inout Dice, chance: Int = 100) {
            for _ in 0..<3_000 {
                let decision = decision
                #expect(decision == self.decision)
                let busy = machine.state.table.records.filter { !$0.replicaSet.isSettled }.map(\.shard)
                let asked = Set(busy + decision.requests.map(\.shard) + decision.moves.map(\.shard))
                #expect(asked.count <= max(settings.changesAtOnce, busy.count))
                if decision.requests.isEmpty && decision.moves.isEmpty && busy.isEmpty { return }
                for move in decision.moves where dice.chance(chance) {
                    let result = machine.apply(
                        .assign(move.shard, expected: move.epoch, proposer: move.from, target: move.to))
                    #expect(result == .moved(move.shard, epoch: move.epoch.next, owner: move.to))
                }
                for request in decision.requests where dice.chance(chance) { step(request) }
                if dice.chance(chance) { leaveJoint() }
            }
            Issue.record("the policy never stops asking")
        }
    }

    private func settled(_ world: World, chance: Int = 100, seed: UInt64 = 1) -> World {
        var world = world
        var dice = Dice(seed: seed)
        world.settle(dice: &dice, chance: chance)
        return world
    }

    @Test("a healthy cluster is left alone")
    func healthy() {
        let world = World(nodes: 3)
        #expect(world.decision == ReplicaDecision.nothing)
        #expect(world.decision.description == "every shard is kept where it should be")
    }

    @Test("a fourth node takes its share, a few shards at a time")
    func fourth() {
        let world = settled(World(nodes: 3, joined: 1))
        #expect(world.counts.values.allSatisfy { $0 == 9 } && world.changes == 9, "each change brings one")
        #expect(world.decision == ReplicaDecision.nothing)
    }

    @Test("of a node that is dead for long enough the replicas are made anew, where there is another")
    func dead() {
        var world = World(nodes: 4)
        world.kill(2, deadForMs: 599_999)
        #expect(world.decision == ReplicaDecision.nothing)
        world.kill(2, deadForMs: 600_000)
        let finding = world.decision.findings.first
        #expect(finding?.reason == .departing(node(2), .dead(forMs: 600_000)) && finding?.hindrance == nil)
        let after = settled(world)
        #expect(after.counts[node(2)] == nil && after.changes == 9)
        #expect(after.machine.state.table.records.allSatisfy { $0.replicas.count == 3 })
    }

    @Test("without another node a dead one keeps its place, and it is said why")
    func noSpare() {
        var world = World(nodes: 3)
        world.kill(2, deadForMs: 900_000)
        #expect(world.decision.requests.isEmpty && world.decision.moves.isEmpty)
        #expect(world.decision.findings.allSatisfy { $0.hindrance == .noSpare })
        #expect(world.decision.description.contains("dead for 900 s; not now, no other live node has room"))
    }

    @Test("a node without room gets nothing")
    func full() {
        var world = World(nodes: 3, joined: 1)
        world.set(4, room: false)
        #expect(world.decision == ReplicaDecision.nothing)
    }

    @Test("a node that is drained is emptied; what it owns is moved first", arguments: [1, 3])
    func drained(replicas: Int) {
        var world = World(nodes: 4, shards: 8, replicas: replicas)
        world.machine.apply(.setStanding(node(1), .draining))
        let after = settled(world)
        #expect(after.counts[node(1)] == nil)
        #expect(after.machine.state.table.records.allSatisfy { $0.replicas.count == replicas })
        #expect(after.machine.state.nodes.first?.node == node(1))
        var machine = after.machine
        #expect(machine.apply(.removeNode(node(1))) == .done)
    }

    @Test("a replica that lost its log is left out first and added again later")
    func lostReplica() throws {
        var world = World(nodes: 3, shards: 1)
        world.machine.handOver(0, to: process(1, 1))
        world.machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(2, 2)))
        let request = try #require(world.decision.requests.first)
        #expect(request.target == [node(1), node(3)])
        world.step(request)
        world.leaveJoint()
        #expect(world.machine.record(0).replicas == [node(1), node(3)])
        let after = settled(world)
        #expect(after.machine.record(0).replicas == [node(1), node(3), node(2)])
        let since = try #require(after.machine.record(0).replicaSet.since(of: node(2)))
        #expect(since > .genesis && after.machine.record(0).lost.isEmpty)
    }

    @Test("where there is another node it takes the place of a lost replica")
    func lostWithSpare() {
        var world = World(nodes: 4, shards: 4)
        world.machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(2, 2)))
        #expect(world.decision.requests.first?.target == [node(1), node(3), node(4)])
    }

    @Test("nothing is changed that a majority of live replicas could not commit or bear")
    func noQuorum() {
        var world = World(nodes: 4, shards: 4)
        world.kill(1, deadForMs: 900_000)
        world.kill(2, deadForMs: 0)
        let stuck = world.decision.findings.filter { $0.hindrance == .noQuorum }
        #expect(!stuck.isEmpty && world.decision.requests.allSatisfy { $0.shard != stuck[0].shard })
        var lost = World(nodes: 3, shards: 1)
        lost.kill(1, deadForMs: 0)
        lost.machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(2, 2)))
        #expect(lost.decision.requests.isEmpty && lost.decision.findings.first?.hindrance == .noQuorum)
    }

    @Test("while a learner is there the same wish is made again; while joint, none")
    func sameAgain() throws {
        var world = World(nodes: 4, joined: 2, shards: 9)
        world.machine.apply(.setStanding(node(1), .draining))
        let first = try #require(world.decision.requests.first)
        world.step(first)
        let record = try #require(world.machine.state.table.record(of: first.shard))
        let isSame = world.decision.requests.contains { $0.shard == first.shard && $0.target == first.target }
        #expect(!record.learners.isEmpty && isSame)
        world.step(first)
        #expect(world.machine.state.table.record(of: first.shard)?.replicaSet.isJoint == true)
        let finding = world.decision.findings.first { $0.shard == first.shard }
        #expect(finding == nil || finding?.hindrance == .changing)
    }

    @Test("a learner that is not needed any more is sent away")
    func superfluous() throws {
        var world = World(nodes: 4, shards: 4)
        let record = world.machine.record(0)
        world.machine.report(record.shard, Configuration(voters: record.replicas, learners: [node(4)]))
        world.set(4, live: false)
        let request = try #require(world.decision.requests.first)
        #expect(Set(request.target) == Set(record.replicas))
        #expect(world.decision.findings.first?.reason == .superfluousLearner)
    }

    @Test("more replicas where the setting rises, fewer where it falls")
    func settingChanges() {
        var world = World(nodes: 5, shards: 10)
        world.settings.replicasPerShard = 5
        world = settled(world)
        #expect(world.machine.state.table.records.allSatisfy { $0.replicas.count == 5 } && world.changes == 10)
        world.settings.replicasPerShard = 3
        world = settled(world)
        #expect(world.machine.state.table.records.allSatisfy { $0.replicas.count == 3 } && world.changes == 20)
        #expect(world.counts.values.allSatisfy { (5...7).contains($0) })
    }

    @Test("shards that wait for a split or merge, or for an owner, are let be")
    func letBe() {
        var world = World(nodes: 4, shards: 4)
        world.machine.apply(.setStanding(node(1), .draining))
        let record = world.machine.record(0)
        world.machine.apply(.planSplit(record.shard, expected: record.epoch, cut: record.start + 9))
        let finding = world.decision.findings.first { $0.shard == record.shard }
        #expect(finding?.hindrance == .planned)
        #expect(!world.decision.requests.contains { $0.shard == record.shard })
        for number in 1...4 {
            world.machine.apply(.fence(process(number, number), candidates: [], cause: .obituary))
        }
        #expect(world.decision.requests.isEmpty && world.decision.findings.allSatisfy { $0.hindrance != nil })
    }

    @Test("the most endangered shards come first, within the bound")
    func urgency() {
        var world = World(nodes: 6, shards: 12)
        world.settings.changesAtOnce = 2
        world.machine.apply(.setStanding(node(5), .draining))
        world.kill(1, deadForMs: 900_000)
        let live = { (id: ShardID) in
            world.machine.state.table.record(of: id)?.replicas.filter { world.isLive($0) }.count ?? 0
        }
        let asked = world.decision.requests.map(\.shard) + world.decision.moves.map(\.shard)
        #expect(asked.count == 2 && asked.allSatisfy { live($0) == 2 })
        #expect(world.decision.findings.contains { $0.hindrance == .busy })
    }

    @Test("random clusters settle: full sets, nothing on nodes that go, even, and little is moved", arguments: 0..<40)
    func converges(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 500)
        let nodes = 3 + dice.below(4)
        let replicas = 1 + dice.below(3)
        var world = World(nodes: nodes, joined: dice.below(3), shards: 1 + dice.below(20), replicas: replicas)
        let all = world.health.count
        let gone = all - 1 >= replicas + 1 ? 1 + dice.below(all) : 0
        let before = world.counts[node(gone)] ?? 0
        if gone > 0, dice.chance(50), replicas == 3 {
            world.kill(gone, deadForMs: 900_000)
        } else if gone > 0 {
            world.machine.apply(.setStanding(node(gone), .draining))
        }
        world.settle(dice: &dice, chance: 60)
        #expect(world.machine.state.table.records.allSatisfy { $0.replicas.count == replicas })
        if gone > 0 { #expect(world.counts[node(gone)] == nil) }
        let kept = world.health.keys.filter { $0 != node(gone) }.map { world.counts[$0] ?? 0 }
        if replicas == 1 { #expect((kept.max() ?? 0) - (kept.min() ?? 0) <= 1) }
        #expect(world.changes <= 3 * (before + world.machine.state.table.records.count * replicas))
        let after = world.machine.state.table
        world.settle(dice: &dice)
        #expect(world.machine.state.table == after, "it does not swing")
    }
}

extension ReplicaDecision {
    fileprivate static var nothing: ReplicaDecision {
        let machine = Machine()
        return ReplicaPolicy.decide(table: machine.state.table, registry: machine.state.registry, health: [])
    }
}
