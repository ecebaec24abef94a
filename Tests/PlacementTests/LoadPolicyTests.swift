import Placement
import Raft
import Testing

@Suite("Balancing by load")
struct LoadPolicyTests {
    private func loads(_ machine: Machine, _ load: [ShardID: UInt64]) -> [UInt64] {
        machine.everybody.map { process in machine.owned(by: process).map { load[$0] ?? 0 }.reduce(0, +) }
    }

    private func carryOut(_ decision: BalanceDecision, _ machine: inout Machine) {
        #expect(decision.reasons.count == decision.moves.count)
        for move in decision.moves {
            let result = machine.apply(
                .assign(move.shard, expected: move.epoch, proposer: move.from, target: move.to))
            #expect(result == .moved(move.shard, epoch: move.epoch.next, owner: move.to))
        }
    }

    @Test("counts stay, the load of the fullest falls, and it ends", arguments: 0..<20)
    func exchanges(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 31)
        var machine = Machine.running(genesis(nodes: 3, shards: 24))
        let load = Dictionary(
            uniqueKeysWithValues: (0..<24).map { (shard($0), UInt64(dice.below(4) == 0 ? 900 : 10 + dice.below(50))) })
        var highest = loads(machine, load).max() ?? 0
        var rounds = 0
        while rounds < 100 {
            let decision = BalancePolicy.decide(table: machine.state.table, live: machine.everybody, load: load)
            if decision.moves.isEmpty { break }
            carryOut(decision, &machine)
            let now = loads(machine, load).max() ?? 0
            #expect(now <= highest && machine.everybody.allSatisfy { machine.owned(by: $0).count == 8 })
            highest = now
            rounds += 1
        }
        #expect(rounds < 20)
        let result = loads(machine, load)
        let heaviest = load.values.max() ?? 0
        #expect((result.max() ?? 0) - (result.min() ?? 0) <= heaviest + 100)
    }

    @Test("a difference below the margin is no reason to move, and it is said")
    func margin() {
        var machine = Machine.running(genesis(nodes: 2, shards: 2, replicas: 2))
        machine.handOver(0, to: process(1, 1))
        machine.handOver(1, to: process(2, 2))
        let one = BalancePolicy.decide(
            table: machine.state.table, live: machine.everybody, load: [shard(0): 1_000, shard(1): 1_050])
        #expect(one == BalanceDecision(moves: [], explanation: .even(fewest: 1, most: 1)))
        let other = BalancePolicy.decide(
            table: machine.state.table, live: machine.everybody, load: [shard(0): 3_000, shard(1): 1_000])
        #expect(other.moves.isEmpty && other.explanation == .unevenLoad(leastPerMille: 250, mostPerMille: 750))
    }

    @Test("a node that shall own nothing is emptied, rested or not, and gets nothing")
    func emptied() {
        var machine = Machine.running(genesis(shards: 9))
        let rested = Dictionary(uniqueKeysWithValues: (0..<9).map { (shard($0), UInt64(5)) })
        for _ in 0..<3 {
            let decision = BalancePolicy.decide(
                table: machine.state.table, live: machine.everybody, unwilling: [node(2)], sinceMoveMs: rested)
            #expect(decision.moves.allSatisfy { $0.to.node != node(2) })
            #expect(decision.reasons.allSatisfy { $0 == .emptying })
            carryOut(decision, &machine)
        }
        #expect(machine.owned(by: process(2, 2)).isEmpty)
        let alone = BalancePolicy.decide(
            table: machine.state.table, live: machine.everybody, unwilling: [node(1), node(2), node(3)])
        #expect(alone.explanation == .nobodyIsLive)
    }

    @Test("a shard that moved a moment ago, is changed or is planned for stays")
    func resting() {
        var machine = Machine.running(genesis(nodes: 2, shards: 4, replicas: 2))
        for number in 0..<4 { machine.handOver(number, to: process(1, 1)) }
        machine.report(shard(0), Configuration(voters: [node(1), node(2)], learners: [node(3)]))
        machine.apply(
            .planSplit(shard(1), expected: machine.record(1).epoch, cut: machine.record(1).start + 1))
        func moves(_ since: [ShardID: UInt64]) -> [ShardID] {
            BalancePolicy.decide(table: machine.state.table, live: machine.everybody, sinceMoveMs: since)
                .moves.map(\.shard)
        }
        #expect(moves([shard(2): 59_999, shard(3): 59_999]).isEmpty)
        #expect(moves([shard(2): 60_000, shard(3): 59_999]) == [shard(2)])
        #expect(moves([:]) == [shard(2), shard(3)])
    }

    @Test("a lost replica gets no shard")
    func lostReplica() {
        var machine = Machine.running(genesis(nodes: 2, shards: 2, replicas: 2))
        for number in 0..<2 {
            machine.handOver(number, to: process(1, 1))
            machine.apply(.reportLost(shard(number), since: .genesis, proposer: process(2, 2)))
        }
        let decision = BalancePolicy.decide(table: machine.state.table, live: machine.everybody)
        #expect(decision.moves.isEmpty && decision.explanation == .heldByReplicas(fewest: 0, most: 2))
    }

    @Test("shares weigh operations, bytes and sockets; an idle cluster weighs little")
    func shares() {
        let weights = LoadWeights(operations: 6, bytes: 2, sockets: 2)
        let busy = weights.shares(of: [
            shard(0): ShardLoad(operationsPerSecond: 3_000, bytes: 1 << 30, sockets: 0),
            shard(1): ShardLoad(operationsPerSecond: 1_000, bytes: 1 << 30, sockets: 900),
        ])
        #expect(busy[shard(0)] == 5_500_000, "6 × 750,000 and 2 × 500,000")
        #expect(busy[shard(1)] == 4_500_000, "6 × 250,000, 2 × 500,000 and 2 × 1,000,000")
        let idle = weights.shares(of: [shard(0): ShardLoad(operationsPerSecond: 3)])
        #expect(idle[shard(0)] == 18_000, "of 1,000 at least")
        let huge = ShardLoad(operationsPerSecond: .max, bytes: .max, sockets: .max)
        #expect(weights.shares(of: [shard(0): huge, shard(1): huge])[shard(0)] == 10_000_000)
    }
}

@Suite("Split policy (O13)")
struct SplitPolicyTests {
    private func machine(_ shards: Int = 4) -> Machine { Machine.running(genesis(shards: shards)) }

    private func load(_ operations: UInt64, bytes: UInt64 = 1_000, objects: UInt64 = 100) -> ShardLoad {
        ShardLoad(operationsPerSecond: operations, bytes: bytes, objects: objects)
    }

    private func loads(_ first: ShardLoad) -> [ShardID: ShardLoad] {
        [shard(0): first, shard(1): load(500), shard(2): load(500), shard(3): load(500)]
    }

    private func cut(_ first: ShardLoad, _ sample: [KeyLoad]) -> SplitWish? {
        SplitPolicy.decide(
            table: machine().state.table, loads: loads(first), hottest: [shard(0): sample], health: []
        ).splits.first
    }

    private let even = [1_000, 2_000, 3_000, 4_000].map { KeyLoad(key: $0, operationsPerSecond: 200) }

    @Test("a busy shard is cut where its sampled operations halve")
    func median() {
        let wish = cut(load(2_000), even)
        #expect(wish?.cut == 3_000 && wish?.reason == .busy(perMille: 571) && wish?.shard == shard(0))
        #expect(cut(load(2_000), even.reversed())?.cut == 3_000)
    }

    @Test("nothing is split that is small, not busy enough, of one object, or unknown")
    func notSplit() {
        #expect(cut(load(999), even) == nil)
        #expect(cut(load(2_000, objects: 1), even) == nil)
        #expect(cut(load(2_000), []) == nil, "nobody knows where")
        #expect(cut(load(2_000), [KeyLoad(key: 5, operationsPerSecond: 10)]) == nil)
        let many = Dictionary(uniqueKeysWithValues: (0..<5).map { (shard($0), load(2_000)) })
        let sample = Dictionary(uniqueKeysWithValues: (0..<5).map { (shard($0), even) })
        let decision = SplitPolicy.decide(table: machine(5).state.table, loads: many, hottest: sample, health: [])
        #expect(decision.splits.isEmpty, "five alike have 200 ‰ each")
    }

    @Test("a hot object becomes a shard of its own by two cuts, and that shard is split no further")
    func hotObject() throws {
        var machine = machine()
        let sample = [KeyLoad(key: 1_000, operationsPerSecond: 50), KeyLoad(key: 7_000, operationsPerSecond: 1_800)]
        var cuts: [UInt64] = []
        var hot = shard(0)
        for _ in 0..<3 {
            var loads = loads(load(0))
            loads[hot] = load(2_000)
            let wishes = SplitPolicy.decide(
                table: machine.state.table, loads: loads, hottest: [hot: sample], health: []
            ).splits
            guard let wish = wishes.first, let owner = machine.state.table.record(of: hot)?.owner else { break }
            cuts.append(wish.cut)
            guard case .planned(.split(let cut, let child)) = machine.apply(
                .planSplit(wish.shard, expected: wish.epoch, cut: wish.cut))
            else { break }
            machine.apply(
                .split(wish.shard, expected: wish.epoch, proposer: owner, cut: cut, child: child, index: LogIndex(3)))
            hot = machine.state.table.shard(forKey: 7_000).shard
        }
        #expect(cuts == [7_000, 7_001] && machine.state.table.range(of: hot) == 7_000...7_000)
    }

    @Test("a large shard is cut in the middle of its range")
    func large() throws {
        let range = try #require(machine().state.table.range(of: shard(0)))
        let wish = try #require(cut(load(0, bytes: 5 << 30), []))
        #expect(wish.cut == range.upperBound / 2 + 1 && wish.reason == .large(perMille: 999))
    }

    @Test("siblings that have been cold for long are merged, others are not")
    func merges() {
        var machine = machine()
        let epoch = machine.record(1).epoch
        let cut = machine.record(1).start + 9
        let child = ShardID(home: 1, serial: 1)
        machine.apply(.planSplit(shard(1), expected: epoch, cut: cut))
        if let owner = machine.record(1).owner {
            machine.apply(
                .split(shard(1), expected: epoch, proposer: owner, cut: cut, child: child, index: LogIndex(3)))
        }
        let ids = machine.state.table.records.map(\.shard)
        func decide(_ child: ShardLoad, coldForMs: UInt64, down: Int? = nil) -> [MergeWish] {
            var loads = Dictionary(uniqueKeysWithValues: ids.map { ($0, load(5)) })
            loads[ids[2]] = child
            let cold = Dictionary(uniqueKeysWithValues: ids.map { ($0, coldForMs) })
            let health = (1...3).map { NodeHealth(node: node($0), isLive: $0 != down) }
            return SplitPolicy.decide(
                table: machine.state.table, loads: loads, coldForMs: cold, health: health
            ).merges
        }
        #expect(decide(load(5), coldForMs: 3_600_000).map(\.right) == [child])
        #expect(decide(load(5), coldForMs: 3_599_999).isEmpty)
        #expect(decide(load(500), coldForMs: 3_600_000).isEmpty)
        for number in 1...3 {
            #expect(decide(load(5), coldForMs: 3_600_000, down: number).isEmpty, "a merge needs every replica")
        }
        machine.report(child, Configuration(voters: [node(1), node(2)]))
        #expect(decide(load(5), coldForMs: 3_600_000).isEmpty)
    }

    @Test("plans that stand count against the bound")
    func bound() {
        var machine = machine()
        for number in [1, 2] {
            let record = machine.record(number)
            machine.apply(.planSplit(record.shard, expected: record.epoch, cut: record.start + 9))
        }
        let decision = SplitPolicy.decide(
            table: machine.state.table, loads: loads(load(2_000)), hottest: [shard(0): even], health: [])
        #expect(decision.splits.isEmpty)
    }
}

@Suite("Voters of the placement group")
struct VoterPolicyTests {
    private func registry(_ count: Int, draining: [Int] = [], removed: [Int] = []) -> Registry {
        var machine = Machine(genesis(nodes: 1))
        for number in 1...count { machine.apply(.register(registration(number, nonce: number))) }
        for number in draining + removed { machine.apply(.setStanding(node(number), .draining)) }
        for number in removed { machine.apply(.removeNode(node(number))) }
        return machine.state.registry
    }

    private func health(_ count: Int, dead: [Int] = [], forMs: UInt64 = 900_000) -> [NodeHealth] {
        (1...count).map { number in
            let isDead = dead.contains(number)
            return NodeHealth(node: node(number), isLive: !isDead, deadForMs: isDead ? forMs : 0)
        }
    }

    private func configuration(_ voters: [Int], learners: [Int] = []) -> Configuration {
        Configuration(voters: voters.map { node($0) }, learners: learners.map { node($0) })
    }

    private func decide(_ present: Configuration, _ registry: Registry, _ health: [NodeHealth]) -> VoterDecision {
        VoterPolicy.decide(
            configuration: present, registry: registry, health: health, replaceAfterMs: 600_000, leader: node(1))
    }

    @Test("three of three or four, five of five or more")
    func numbers() {
        #expect(decide(configuration([1, 2, 3]), registry(3), health(3)).explanation == .right(voters: 3))
        #expect(decide(configuration([1, 2, 3], learners: [4]), registry(4), health(4)).configuration == nil)
        let five = decide(configuration([1, 2, 3], learners: [4, 5]), registry(5), health(5))
        #expect(five.configuration == configuration([1, 2, 3, 4, 5]), "in one step")
        let six = decide(configuration([1, 2, 3, 4, 5], learners: [6]), registry(6), health(6))
        #expect(six.configuration == nil)
    }

    @Test("a node that has registered listens first")
    func welcome() {
        let decision = decide(configuration([1, 2, 3]), registry(4), health(4))
        #expect(decision.configuration == configuration([1, 2, 3], learners: [4]))
        #expect(decision.explanation == .welcoming([node(4)]))
    }

    @Test("a voter that is dead for long or drained is replaced by a live listener")
    func replaced() {
        let present = configuration([1, 2, 3], learners: [4])
        #expect(decide(present, registry(4), health(4, dead: [3], forMs: 500_000)).configuration == nil)
        let dead = decide(present, registry(4), health(4, dead: [3]))
        #expect(dead.configuration == configuration([1, 2, 4], learners: [3]))
        let drained = decide(present, registry(4, draining: [2]), health(4))
        #expect(drained.explanation == .replacing(node(2), .draining, by: node(4)))
        let nobody = decide(present, registry(4), health(4, dead: [3, 4]))
        #expect(nobody.configuration == nil, "a dead listener replaces nobody, and a dead voter keeps its vote")
    }

    @Test("no change without a majority of live voters before and after it, none while joint")
    func quorum() {
        let present = configuration([1, 2, 3], learners: [4])
        #expect(decide(present, registry(4), health(4, dead: [2, 3])).explanation == .noQuorum)
        let joint = Configuration(voters: [node(1)], outgoing: [node(2)])
        #expect(decide(joint, registry(4), health(4)).explanation == .changing)
    }

    @Test("five become three when nodes are gone for long; the leader keeps its vote")
    func demoted() {
        let decision = decide(configuration([1, 2, 3, 4, 5]), registry(5), health(5, dead: [5]))
        #expect(decision.configuration == configuration([1, 2, 3], learners: [4, 5]))
    }

    @Test("random fleets settle, with a live majority at each step", arguments: 0..<30)
    func settles(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 3)
        let count = 3 + dice.below(5)
        let dead = dice.chance(60) ? [1 + dice.below(count)] : []
        let draining = (1...count).filter { _ in dice.chance(25) }
        let registry = registry(count, draining: draining)
        let health = health(count, dead: dead)
        var present = configuration([1, 2, 3])
        for _ in 0..<20 {
            guard let next = decide(present, registry, health).configuration else { break }
            #expect(next.voters.filter { !dead.map { node($0) }.contains($0) }.count * 2 > next.voters.count)
            present = next
        }
        #expect(decide(present, registry, health).configuration == nil)
        let spare = Set(1...count).subtracting(dead).subtracting(draining).count
        #expect(present.voters.count == (spare >= 5 ? 5 : 3))
    }

    @Test("who is being drained votes while there is nobody else, and not once it is removed")
    func drained() {
        let three = configuration([1, 2, 3])
        #expect(decide(three, registry(3, draining: [3]), health(3)).configuration == nil)
        #expect(decide(three, registry(3, draining: [2, 3]), health(3)).configuration == nil)
        let two = decide(configuration([1, 2]), registry(2, draining: [2]), health(2))
        #expect(two.configuration == configuration([1], learners: [2]), "of two none may fail either")
        #expect(decide(three, registry(3, removed: [3]), health(3)).configuration == configuration([1, 2]))
    }

    @Test("a node whose vote is needed is not removed")
    func needed() {
        let registry = registry(3, removed: [3])
        func needs(_ voters: [Int], outgoing: [Int] = []) -> Bool {
            let present = Configuration(voters: voters.map { node($0) }, outgoing: outgoing.map { node($0) })
            return VoterPolicy.needsVote(of: node(2), present, registry)
        }
        #expect(needs([1, 2, 3]) && needs([1, 2]) && needs([2]) && needs([1], outgoing: [1, 2, 3]))
        #expect(!needs([1]) && !needs([1, 3]))
        let whole = Configuration(voters: [1, 2, 3].map { node($0) })
        #expect(!VoterPolicy.needsVote(of: node(3), whole, self.registry(3, draining: [3])))
    }

    @Test("a dead voter is replaced before one that is being drained")
    func deadFirst() {
        let present = configuration([1, 2, 3], learners: [4])
        let decision = decide(present, registry(4, draining: [2]), health(4, dead: [3]))
        #expect(decision.configuration == configuration([1, 2, 4], learners: [3]))
    }
}

@Suite("Explanations")
struct ShardExplanationTests {
    @Test("one shard: who keeps it since when, who owns it why, and what is wanted")
    func explains() throws {
        var machine = Machine.running(genesis(nodes: 4, shards: 4))
        machine.handOver(0, to: process(1, 1))
        machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(2, 2)))
        machine.apply(.setStanding(node(3), .draining))
        let health = (1...4).map { NodeHealth(node: node($0), isLive: true) }
        let explanation = try #require(machine.state.explain(shard(0), health: health))
        #expect(explanation.cause == .assigned && explanation.keepers.map(\.isLost) == [false, true, false])
        #expect(explanation.keepers.map(\.departure) == [nil, nil, .draining])
        let text = explanation.description
        #expect(text.contains("process 100#1 owns shard 0 at epoch 2, assigned"))
        #expect(text.contains("node 200 is voter since (0, 0), and has lost its log"))
        #expect(text.contains("it shall go: it is being drained"))
        #expect(text.contains("node 200 has lost its replica; asking its owner"))
        #expect(machine.state.explain(shard(77), health: health) == nil)
    }

    @Test("wishes read back, and damaged ones are refused")
    func wishes() throws {
        let request = ReplicaRequest(
            shard: ShardID(home: 4, serial: 2), epoch: Epoch(9), basis: .genesis, target: [node(3), node(1)])
        let bytes = request.encode()
        #expect(try ReplicaRequest.decode(bytes) == request && request.target == [node(1), node(3)])
        for length in bytes.indices {
            #expect(throws: (any Error).self) { try ReplicaRequest.decode(Array(bytes[..<length])) }
        }
        let nobody = ReplicaRequest(shard: shard(1), epoch: Epoch(1), basis: .genesis, target: []).encode()
        #expect(throws: (any Error).self) { try ReplicaRequest.decode(nobody) }
    }
}
