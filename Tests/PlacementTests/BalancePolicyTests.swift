import Placement
import Raft
import Testing

@Suite("Balancing policy")
struct BalancePolicyTests {
    /// Carries out what the policy asks for, as willing owners would, until it asks for nothing.
    private func converge(_ machine: inout Machine, live: [NodeProcess], load: [ShardID: UInt64] = [:]) -> Int
    {
        for round in 0..<500 {
            let decision = BalancePolicy.decide(table: machine.state.table, live: live, load: load)
            #expect(decision.moves.count <= 4)
            #expect(Set(decision.moves.map(\.shard)).count == decision.moves.count)
            if decision.moves.isEmpty { return round }
            for move in decision.moves {
                #expect(machine.state.table.record(of: move.shard)?.owner == move.from)
                let result = machine.apply(
                    .assign(move.shard, expected: move.epoch, proposer: move.from, target: move.to))
                #expect(result == .moved(move.shard, epoch: move.epoch.next, owner: move.to))
            }
        }
        Issue.record("the policy never stops asking")
        return 500
    }

    private func counts(_ machine: Machine, _ live: [NodeProcess]) -> [Int] {
        live.map { machine.owned(by: $0).count }
    }

    /// All shards owned by whoever the dice say, among the replicas.
    private func scattered(_ genesis: Genesis, dice: inout Dice, favourite: Int = 60) -> Machine {
        var machine = Machine.running(genesis)
        for record in machine.state.table.records {
            let target = dice.chance(favourite) ? record.replicas.min() : dice.pick(record.replicas)
            guard let target, let process = machine.state.registry.newestLive(of: target) else { continue }
            machine.handOver(Int(record.shard.rawValue), to: process)
        }
        return machine
    }

    @Test("an even table is left alone")
    func evenTable() {
        let machine = Machine.running()
        let decision = BalancePolicy.decide(table: machine.state.table, live: machine.everybody)
        #expect(decision == BalanceDecision.even(4, 4))
    }

    @Test("a difference of one is no reason to move")
    func differenceOfOne() {
        var machine = Machine.running(genesis(shards: 7))
        #expect(BalancePolicy.decide(table: machine.state.table, live: machine.everybody).moves.isEmpty)
        #expect(converge(&machine, live: machine.everybody) == 0)
    }

    @Test("a node that came back gets its share, four moves at a time")
    func cameBack() {
        var machine = Machine.running(genesis(shards: 64))
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .obituary))
        machine.apply(.register(registration(1, nonce: 11)))
        let live = [process(1, 4), process(2, 2), process(3, 3)]
        let first = BalancePolicy.decide(table: machine.state.table, live: live)
        #expect(first.moves.count == 4 && first.moves.allSatisfy { $0.to == process(1, 4) })
        #expect(first.explanation == .moving(count: 4, fewest: 0, most: 32))
        _ = converge(&machine, live: live)
        #expect(counts(machine, live).sorted() == [21, 21, 22])
    }

    @Test("with full replica sets counts end within one of each other", arguments: 0..<30)
    func convergence(seed: Int) {
        var dice = Dice(seed: UInt64(seed))
        let nodes = 2 + dice.below(6)
        var machine = scattered(
            genesis(nodes: nodes, shards: 1 + dice.below(80), replicas: nodes), dice: &dice)
        _ = converge(&machine, live: machine.everybody)
        let result = counts(machine, machine.everybody)
        #expect((result.max() ?? 0) - (result.min() ?? 0) <= 1)
    }

    @Test("with partial replica sets the spread ends as even as any", arguments: 0..<30)
    func bestPossible(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 70)
        let nodes = 3 + dice.below(3)
        var machine = scattered(genesis(nodes: nodes, shards: 2 + dice.below(7), replicas: 2), dice: &dice)
        let live = Array(dice.shuffled(machine.everybody).prefix(nodes - dice.below(2)))
        _ = converge(&machine, live: live)
        let reached = counts(machine, live).map { $0 * $0 }.reduce(0, +)
        #expect(reached == smallestSumOfSquares(machine.state.table, live: live))
    }

    /// Tries every way to own the shards that live nodes own: slow, but plain to see.
    private func smallestSumOfSquares(_ table: Table, live: [NodeProcess]) -> Int {
        let choices = table.records.compactMap { record -> [Int]? in
            guard let owner = record.owner, live.contains(owner) else { return nil }
            return live.indices.filter { record.replicas.contains(live[$0].node) }
        }
        var best = Int.max
        func place(_ next: Int, _ counts: [Int]) {
            guard next < choices.count else {
                best = min(best, counts.map { $0 * $0 }.reduce(0, +))
                return
            }
            for owner in choices[next] {
                var more = counts
                more[owner] += 1
                place(next + 1, more)
            }
        }
        place(0, Array(repeating: 0, count: live.count))
        return best
    }

    @Test("no shard moves twice on the way to balance when replicas are full", arguments: 0..<10)
    func noFlapping(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 40)
        var machine = scattered(genesis(nodes: 5, shards: 60, replicas: 5), dice: &dice)
        let before = machine.state.table
        _ = converge(&machine, live: machine.everybody)
        for (old, new) in zip(before.records, machine.state.table.records) {
            #expect(new.epoch == old.epoch || new.epoch == old.epoch.next)
        }
        #expect(converge(&machine, live: machine.everybody) == 0)
    }

    @Test("moves that only half happen never lead in a circle", arguments: 0..<20)
    func halfHeartedOwners(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 90)
        var machine = scattered(
            genesis(nodes: 7, shards: 40, replicas: 2 + seed % 2), dice: &dice, favourite: 90)
        for _ in 0..<2_000 {
            let decision = BalancePolicy.decide(table: machine.state.table, live: machine.everybody)
            if decision.moves.isEmpty { break }
            #expect(
                Set(decision.moves.map(\.shard)).count == decision.moves.count, "a shard moves once a round")
            for move in decision.moves where dice.chance(50) {
                machine.apply(.assign(move.shard, expected: move.epoch, proposer: move.from, target: move.to))
            }
        }
        #expect(BalancePolicy.decide(table: machine.state.table, live: machine.everybody).moves.isEmpty)
    }

    @Test("an emptier node is reached over others when no shard of the fullest has a replica there")
    func chains() {
        // Shards with replicas on neighbours only, all owned by the lower one.
        var machine = Machine.running(genesis(nodes: 3, shards: 3, replicas: 2))
        let live = machine.everybody
        machine.handOver(0, to: process(1, 1))
        machine.handOver(1, to: process(2, 2))
        machine.handOver(2, to: process(1, 1))
        #expect(counts(machine, live) == [2, 1, 0])
        _ = converge(&machine, live: live)
        #expect(counts(machine, live) == [1, 1, 1])
    }

    @Test("a shard that is asked to move takes no part in another chain of the same round")
    func onceARound() throws {
        let live = (1...4).map { process($0, $0) }
        let replicas =
            [[1, 2, 3]] + Array(repeating: [1, 2], count: 4) + Array(repeating: [4, 2], count: 4)
        let records = replicas.enumerated().map { position, nodes in
            ShardRecord(
                shard: shard(position), start: UInt64(position), epoch: Epoch(1), owner: live[nodes[0] - 1],
                replicas: nodes.map { node($0) })
        }
        let table = try #require(Table(records: records))
        let decision = BalancePolicy.decide(table: table, live: live)
        #expect(decision.moves.map(\.shard).count { $0 == shard(0) } == 1)
        #expect(decision.moves.allSatisfy { $0.to == live[1] } && decision.moves.count == 3)
    }

    @Test("what replica sets forbid is said")
    func heldByReplicas() {
        let machine = Machine.running(genesis(nodes: 2, shards: 6, replicas: 1))
        var lopsided = machine
        lopsided.apply(.fence(process(2, 2), candidates: [], cause: .leaseExpired))
        lopsided.apply(.register(registration(2, nonce: 21)))
        let decision = BalancePolicy.decide(
            table: lopsided.state.table, live: [process(1, 1), process(2, 3)])
        #expect(decision.moves.isEmpty && decision.explanation == .heldByReplicas(fewest: 0, most: 3))
    }

    @Test("only live processes give or take")
    func onlyLive() {
        let machine = Machine.running(genesis(shards: 9))
        #expect(BalancePolicy.decide(table: machine.state.table, live: []).explanation == .nobodyIsLive)
        let decision = BalancePolicy.decide(table: machine.state.table, live: [process(1, 7), process(2, 2)])
        #expect(decision.moves.allSatisfy { $0.from == process(2, 2) && $0.to == process(1, 7) })
        #expect(!decision.moves.isEmpty)
    }

    @Test("the order in which live processes are listed does not matter", arguments: 0..<10)
    func orderFree(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 11)
        let machine = scattered(genesis(nodes: 5, shards: 30), dice: &dice)
        let one = BalancePolicy.decide(table: machine.state.table, live: machine.everybody)
        let two = BalancePolicy.decide(table: machine.state.table, live: dice.shuffled(machine.everybody))
        #expect(one == two)
    }

    @Test("of several shards the one moves that evens out the load best")
    func loads() {
        var machine = Machine.running(genesis(nodes: 2, shards: 4, replicas: 2))
        for number in 0..<4 { machine.handOver(number, to: process(1, 1)) }
        let load: [ShardID: UInt64] = [shard(0): 10, shard(1): 70, shard(2): 60, shard(3): 20]
        let decision = BalancePolicy.decide(table: machine.state.table, live: machine.everybody, load: load)
        #expect(decision.moves.map(\.shard) == [shard(1), shard(0)])
    }
}

extension BalanceDecision {
    fileprivate static func even(_ fewest: Int, _ most: Int) -> BalanceDecision {
        BalanceDecision(moves: [], explanation: .even(fewest: fewest, most: most))
    }
}
