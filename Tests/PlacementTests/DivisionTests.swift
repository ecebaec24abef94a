import Placement
import Raft
import Testing

@Suite("Splits and merges (O13)")
struct DivisionTests {
    /// Three shards, the middle one from `third` on, all owned by the first process.
    private func machine() -> Machine {
        var machine = Machine.running(genesis(shards: 3))
        for number in 0..<3 { machine.handOver(number, to: process(1, 1)) }
        return machine
    }

    private let child = ShardID(home: 1, serial: 1)

    private func split(_ machine: inout Machine, at cut: UInt64) -> CommandResult {
        let epoch = machine.record(1).epoch
        machine.apply(.planSplit(shard(1), expected: epoch, cut: cut))
        return machine.apply(
            .split(shard(1), expected: epoch, proposer: process(1, 1), cut: cut, child: child, index: LogIndex(7)))
    }

    private func proposal(_ machine: Machine, _ left: ShardID, _ right: ShardID, serial: UInt16) -> MergeProposal {
        MergeProposal(
            left: left, expectedLeft: machine.state.table.record(of: left)?.epoch ?? .zero,
            leftIndex: LogIndex(20), right: right,
            expectedRight: machine.state.table.record(of: right)?.epoch ?? .zero, rightIndex: LogIndex(30),
            proposer: process(1, 1), into: ShardID(home: left.homeNumber, serial: serial))
    }

    private func planMerge(_ machine: inout Machine, _ left: ShardID, _ right: ShardID) -> CommandResult {
        machine.apply(
            .planMerge(
                left: left, expectedLeft: machine.state.table.record(of: left)?.epoch ?? .zero, right: right,
                expectedRight: machine.state.table.record(of: right)?.epoch ?? .zero))
    }

    @Test("ids: home below, serial above")
    func ids() {
        #expect(ShardID(home: 3, serial: 2).rawValue == 0x0002_0003)
        #expect(ShardID(0x0002_0003).homeNumber == 3 && ShardID(0x0002_0003).serial == 2)
        #expect("\(shard(7)) \(ShardID(home: 7, serial: 12))" == "7 7.12")
    }

    @Test("a split makes the child one epoch above, with owner and replicas of the parent, which keeps its epoch")
    func splitting() throws {
        var machine = machine()
        let parent = machine.record(1)
        let range = try #require(machine.state.table.range(of: shard(1)))
        let cut = range.lowerBound + 1_000
        #expect(
            machine.apply(.planSplit(shard(1), expected: parent.epoch, cut: cut))
                == .planned(.split(cut: cut, child: child)))
        #expect(machine.record(1).plan == .split(cut: cut, child: child))
        #expect(split(&machine, at: cut) == .moved(child, epoch: parent.epoch.next, owner: process(1, 1)))
        let record = try #require(machine.state.table.record(of: child))
        #expect(record.replicaSet == parent.replicaSet && record.bornAt == LogIndex(7))
        #expect(record.history == [OwnerChange(epoch: parent.epoch.next, owner: process(1, 1), cause: .split)])
        #expect(machine.record(1).epoch == parent.epoch && machine.record(1).plan == nil)
        #expect(machine.state.table.range(of: shard(1)) == range.lowerBound...(cut - 1))
        #expect(machine.state.table.range(of: child) == cut...range.upperBound)
        #expect(machine.state.table.shard(forKey: cut).shard == child)
        #expect(machine.state.table.position(of: shard(2)) == 3 && machine.state.table.position(of: child) == 2)
        let before = machine.state.table
        #expect(split(&machine, at: cut) == .moved(child, epoch: parent.epoch.next, owner: process(1, 1)))
        #expect(machine.state.table == before, "a retry changes nothing")
        #expect(split(&machine, at: cut + 1) == .refused(.conflict))
    }

    @Test("what may not be planned, what may not be split")
    func refusedSplits() throws {
        var machine = machine()
        let epoch = machine.record(1).epoch
        let range = try #require(machine.state.table.range(of: shard(1)))
        func plan(_ cut: UInt64, _ expected: Epoch) -> CommandResult {
            machine.apply(.planSplit(shard(1), expected: expected, cut: cut))
        }
        #expect(plan(range.lowerBound, epoch) == .refused(.outOfRange))
        #expect(plan(range.upperBound + 1, epoch) == .refused(.outOfRange))
        #expect(plan(range.upperBound, epoch.next) == .refused(.epochMoved))
        let good = Command.split(
            shard(1), expected: epoch, proposer: process(1, 1), cut: range.upperBound, child: child,
            index: LogIndex(7))
        #expect(machine.apply(good) == .refused(.noSuchPlan))
        #expect(plan(range.upperBound, epoch) == .planned(.split(cut: range.upperBound, child: child)))
        #expect(plan(range.upperBound, epoch) == .planned(.split(cut: range.upperBound, child: child)))
        #expect(plan(range.upperBound - 1, epoch) == .refused(.planned))
        let foreign = Command.split(
            shard(1), expected: epoch, proposer: process(2, 2), cut: range.upperBound, child: child,
            index: LogIndex(7))
        #expect(machine.apply(foreign) == .refused(.notOwner))
        #expect(machine.state.table.records.count == 3)
    }

    @Test("a plan to split outlives its owner; the next one finishes it")
    func newOwnerFinishes() {
        var machine = machine()
        let cut = machine.record(1).start + 5
        machine.apply(.planSplit(shard(1), expected: machine.record(1).epoch, cut: cut))
        machine.apply(.fence(process(1, 1), candidates: [process(2, 2)], cause: .obituary))
        let epoch = machine.record(1).epoch
        let result = machine.apply(
            .split(shard(1), expected: epoch, proposer: process(2, 2), cut: cut, child: child, index: LogIndex(7)))
        #expect(result == .moved(child, epoch: epoch.next, owner: process(2, 2)))
    }

    @Test("a plan is cancelled by its owner alone, by name, and its id is never given again")
    func cancelling() {
        var machine = machine()
        let epoch = machine.record(1).epoch
        let cut = machine.record(1).start + 5
        machine.apply(.planSplit(shard(1), expected: epoch, cut: cut))
        func cancel(_ owner: NodeProcess, _ plan: ShardPlan) -> CommandResult {
            machine.apply(.cancelPlan(shard(1), expected: epoch, proposer: owner, plan: plan))
        }
        let plan = ShardPlan.split(cut: cut, child: child)
        #expect(cancel(process(2, 2), plan) == .refused(.notOwner))
        #expect(cancel(process(1, 1), plan) == .done && machine.record(1).plan == nil)
        let second = ShardPlan.split(cut: cut, child: ShardID(home: 1, serial: 2))
        #expect(machine.apply(.planSplit(shard(1), expected: epoch, cut: cut)) == .planned(second))
        #expect(cancel(process(1, 1), plan) == .done && machine.record(1).plan == second, "a late repetition")
    }

    @Test("neighbours merge into a new shard above both epochs, over both ranges")
    func merging() throws {
        var machine = machine()
        let range = try #require(machine.state.table.range(of: shard(1)))
        _ = split(&machine, at: range.lowerBound + 9)
        let into = ShardID(home: 1, serial: 2)
        #expect(planMerge(&machine, shard(1), child) == .planned(.merge(with: child, into: into)))
        #expect(machine.state.table.record(of: child)?.plan == .merge(with: shard(1), into: into))
        #expect(planMerge(&machine, shard(1), child) == .planned(.merge(with: child, into: into)))
        let proposal = proposal(machine, shard(1), child, serial: 2)
        let epoch = proposal.expectedRight.next
        #expect(machine.apply(.merge(proposal)) == .moved(into, epoch: epoch, owner: process(1, 1)))
        let record = try #require(machine.state.table.record(of: into))
        #expect(record.bornAt == LogIndex(30) && record.history.last?.cause == .merged && record.plan == nil)
        #expect(machine.state.table.range(of: into) == range && machine.state.table.records.count == 3)
        #expect(machine.state.table.record(of: shard(1)) == nil && machine.state.table.record(of: child) == nil)
        let before = machine.state.table
        #expect(machine.apply(.merge(proposal)) == .moved(into, epoch: epoch, owner: process(1, 1)))
        #expect(machine.state.table == before)
        let next = ShardPlan.split(cut: range.upperBound, child: ShardID(home: 1, serial: 3))
        #expect(machine.apply(.planSplit(into, expected: epoch, cut: range.upperBound)) == .planned(next))
    }

    @Test("a merge needs both epochs, the plan, one owner, and settled equal replicas")
    func refusedMerges() {
        var machine = machine()
        #expect(planMerge(&machine, shard(0), shard(1)) == .refused(.unfitForMerge), "two homes")
        _ = split(&machine, at: machine.record(1).start + 9)
        #expect(planMerge(&machine, child, shard(1)) == .refused(.unfitForMerge), "the wrong way round")
        #expect(planMerge(&machine, shard(1), shard(2)) == .refused(.unfitForMerge), "no neighbours")
        #expect(planMerge(&machine, shard(1), ShardID(home: 1, serial: 9)) == .refused(.unknownShard))
        #expect(machine.apply(.merge(proposal(machine, shard(1), child, serial: 2))) == .refused(.noSuchPlan))
        machine.report(child, Configuration(voters: [node(1), node(2), node(3)], learners: [node(4)]))
        #expect(planMerge(&machine, shard(1), child) == .refused(.unfitForMerge), "a learner")
        machine.report(child, Configuration(voters: [node(1), node(2), node(3)]))
        machine.apply(.reportLost(child, since: .genesis, proposer: process(2, 2)))
        #expect(planMerge(&machine, shard(1), child) == .refused(.unfitForMerge), "a lost replica")
        machine.report(child, Configuration(voters: [node(1), node(3)]))
        #expect(planMerge(&machine, shard(1), child) == .refused(.unfitForMerge), "other replicas")
        machine.report(child, Configuration(voters: [node(1), node(2), node(3)]))
        #expect(planMerge(&machine, shard(1), child) != .refused(.unfitForMerge))
        var wrong = proposal(machine, shard(1), child, serial: 2)
        wrong.expectedRight = wrong.expectedRight.next
        #expect(machine.apply(.merge(wrong)) == .refused(.epochMoved))
        wrong = proposal(machine, shard(1), child, serial: 2)
        wrong.proposer = process(3, 3)
        #expect(machine.apply(.merge(wrong)) == .refused(.notOwner))
        #expect(machine.apply(.merge(proposal(machine, shard(1), child, serial: 1))) != .done)
        #expect(machine.state.table.records.count == 4)
    }

    @Test("a change of owner or a cancelled plan thaws both shards at once", arguments: [true, false])
    func thawing(byOwner: Bool) throws {
        var machine = machine()
        _ = split(&machine, at: machine.record(1).start + 9)
        _ = planMerge(&machine, shard(1), child)
        let late = proposal(machine, shard(1), child, serial: 2)
        let record = try #require(machine.state.table.record(of: child))
        let plan = try #require(record.plan)
        if byOwner {
            machine.apply(.cancelPlan(child, expected: record.epoch, proposer: process(1, 1), plan: plan))
        } else {
            machine.apply(
                .assign(child, expected: record.epoch, proposer: process(1, 1), target: process(1, 1)))
        }
        #expect(machine.state.table.records.allSatisfy { $0.plan == nil })
        #expect(machine.apply(.merge(late)) == .refused(byOwner ? .noSuchPlan : .epochMoved))
    }

    @Test("serials run out in time")
    func serialsRunOut() {
        var machine = machine()
        let epoch = machine.record(1).epoch
        let cut = machine.record(1).start + 9
        for serial in 1...UInt16.max {
            let plan = ShardPlan.split(cut: cut, child: ShardID(home: 1, serial: serial))
            machine.apply(.planSplit(shard(1), expected: epoch, cut: cut))
            machine.apply(.cancelPlan(shard(1), expected: epoch, proposer: process(1, 1), plan: plan))
        }
        #expect(machine.apply(.planSplit(shard(1), expected: epoch, cut: cut)) == .refused(.limitReached))
        #expect(machine.record(1).plan == nil)
    }

    @Test("(epoch, index) of a key never falls through any history of splits and merges", arguments: 0..<10)
    func epochsRise(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 900)
        var machine = Machine.running(genesis(nodes: 3, shards: 2))
        let keys = (0..<20).map { _ in dice.draw() }
        var epochs = keys.map { machine.state.table.shard(forKey: $0).epoch }
        var largest = 0
        for _ in 0..<800 {
            machine.apply(dice.command(for: machine.state))
            let now = keys.map { machine.state.table.shard(forKey: $0).epoch }
            #expect(zip(epochs, now).allSatisfy { $0 <= $1 })
            epochs = now
            largest = max(largest, machine.state.table.records.count)
        }
        #expect(largest > 2, "some split came through")
    }
}
