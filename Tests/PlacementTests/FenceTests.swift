import Placement
import Raft
import Testing

@Suite("Fencing (O6) and appointing")
struct FenceTests {
    @Test("the first appointment spreads shards evenly, each at epoch 1")
    func firstAppointment() {
        var machine = Machine()
        for number in 1...3 { machine.apply(.register(registration(number, nonce: number))) }
        #expect(machine.apply(.appoint(candidates: machine.everybody)) == .appointed(shards: 12))
        for candidate in machine.everybody { #expect(machine.owned(by: candidate).count == 4) }
        #expect(machine.state.table.records.allSatisfy { $0.epoch == Epoch(1) })
        #expect(!machine.state.hasOwnerlessShards)
        #expect(machine.apply(.appoint(candidates: machine.everybody)) == .appointed(shards: 0))
    }

    @Test("a fence raises the epoch of every shard of the process and of no other")
    func raisesEpochs() {
        var machine = Machine.running()
        let before = machine.state.table.records
        let result = machine.apply(
            .fence(process(2, 2), candidates: machine.everybody, cause: .leaseExpired))
        #expect(result == .fenced(process(2, 2), shards: 4))
        for (old, new) in zip(before, machine.state.table.records) {
            if old.owner == process(2, 2) {
                #expect(new.epoch == old.epoch.next && new.owner != old.owner)
                #expect(new.history.last?.cause == .leaseExpired)
            } else {
                #expect(new == old)
            }
        }
    }

    @Test("heirs are chosen by fewest shards in the table, those of this command included")
    func evenHeirs() {
        var machine = Machine.running()
        machine.apply(.fence(process(2, 2), candidates: machine.everybody, cause: .obituary))
        #expect(machine.owned(by: process(1, 1)).count == 6)
        #expect(machine.owned(by: process(3, 3)).count == 6)
    }

    @Test("ties go to the candidate named first")
    func tiesByOrder() {
        var machine = Machine.running(genesis(shards: 3))
        machine.apply(.fence(process(2, 2), candidates: [process(3, 3), process(1, 1)], cause: .obituary))
        #expect(machine.owned(by: process(3, 3)).count == 2)
    }

    @Test("only replicas of a shard inherit it")
    func onlyReplicas() {
        var machine = Machine.running(genesis(nodes: 4, shards: 8, replicas: 2))
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .obituary))
        for record in machine.state.table.records {
            #expect(record.owner.map { record.replicas.contains($0.node) } ?? true)
        }
    }

    @Test("without a candidate the shard gets the next epoch and no owner, until one is appointed")
    func noCandidate() {
        var machine = Machine.running()
        let lost = machine.owned(by: process(1, 1))
        #expect(!lost.isEmpty)
        machine.apply(.fence(process(1, 1), candidates: [], cause: .leaseExpired))
        for shard in lost {
            #expect(machine.state.table.record(of: shard)?.owner == nil)
            #expect(machine.state.table.record(of: shard)?.epoch == Epoch(2))
        }
        #expect(machine.state.hasOwnerlessShards)
        #expect(machine.apply(.appoint(candidates: [process(2, 2)])) == .appointed(shards: lost.count))
        #expect(machine.state.table.record(of: lost[0])?.epoch == Epoch(3))
        #expect(machine.state.table.record(of: lost[0])?.history.last?.cause == .appointed)
    }

    @Test("a fenced process, a stranger or an older run is no candidate")
    func unfitCandidates() {
        var machine = Machine.running()
        machine.apply(.fence(process(2, 2), candidates: [], cause: .leaseExpired))
        machine.apply(.register(registration(3, nonce: 31)))
        let unfit = [process(2, 2), process(9, 9), process(3, 3), process(3, 77)]
        #expect(machine.apply(.appoint(candidates: unfit)) == .appointed(shards: 0))
        #expect(
            machine.apply(.fence(process(1, 1), candidates: unfit, cause: .requested))
                == .fenced(process(1, 1), shards: 4))
        #expect(machine.state.table.records.allSatisfy { $0.owner == nil || $0.owner == process(3, 3) })
    }

    @Test("the next run of the same node may inherit")
    func nextRunInherits() {
        var machine = Machine.running(genesis(nodes: 1, shards: 4))
        machine.apply(.register(registration(1, nonce: 11)))
        machine.apply(.bury(node: node(1), nonce: 10, candidates: [process(1, 2)]))
        #expect(machine.owned(by: process(1, 2)).count == 4)
    }

    @Test("a second fence of the same process does nothing more")
    func fencedTwice() {
        var machine = Machine.running()
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .obituary))
        let table = machine.state.table
        let again = machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .leaseExpired))
        #expect(again == .fenced(process(1, 1), shards: 0))
        #expect(machine.state.table == table)
    }

    @Test("a process that was never registered cannot be fenced")
    func unknownProcess() {
        var machine = Machine.running()
        #expect(
            machine.apply(.fence(process(1, 9), candidates: [], cause: .requested))
                == .refused(.unknownProcess))
        #expect(
            machine.apply(.fence(process(9, 4), candidates: [], cause: .requested))
                == .refused(.unknownProcess))
        #expect(machine.apply(.register(registration(9, nonce: 1))) == .registered(process(9, 4)))
    }

    @Test("the history keeps the last eight owners with their causes")
    func history() {
        var machine = Machine.running()
        for _ in 0..<5 {
            machine.handOver(0, to: process(2, 2))
            machine.handOver(0, to: process(1, 1))
        }
        let history = machine.record(0).history
        #expect(history.count == PlacementLimits.ownersInHistory)
        #expect(history.map(\.epoch) == (4...11).map { Epoch(UInt64($0)) })
        #expect(history.last?.owner == process(1, 1) && history.allSatisfy { $0.cause == .assigned })
    }

    /// O6 in the most obvious form: for each shard in turn count everything anew.
    private func slowHeirs(
        _ state: PlacementState, candidates: [NodeProcess], where isChosen: (ShardRecord) -> Bool
    ) -> [NodeProcess?] {
        var owners = state.table.records.map(\.owner)
        for (position, record) in state.table.records.enumerated() where isChosen(record) {
            let fit = candidates.filter { candidate in
                state.registry.record(of: candidate.node)?.newestLive == candidate
                    && record.replicas.contains(candidate.node)
            }
            let counts = fit.map { candidate in owners.count { $0 == candidate } }
            let fewest = counts.min()
            owners[position] = counts.firstIndex { $0 == fewest }.map { fit[$0] }
        }
        return owners
    }

    @Test("random fences and appointments agree with a slow twin", arguments: 0..<40)
    func slowTwin(seed: Int) {
        var dice = Dice(seed: UInt64(seed))
        let nodes = 1 + dice.below(7)
        var machine = Machine.running(
            genesis(nodes: nodes, shards: 1 + dice.below(40), replicas: 1 + dice.below(4)))
        for round in 0..<30 {
            let alive = machine.state.nodes.flatMap { record in
                record.live.map { NodeProcess(node: record.node, incarnation: $0.incarnation) }
            }
            let candidates = Array(
                dice.shuffled(alive + [process(1, 1), process(50, 1)]).prefix(dice.below(9)))
            if dice.chance(40) || alive.isEmpty {
                machine.apply(.register(registration(1 + dice.below(nodes), nonce: 1_000 + round)))
            } else if dice.chance(50) {
                let expected = slowHeirs(machine.state, candidates: candidates) { $0.owner == nil }
                machine.apply(.appoint(candidates: candidates))
                #expect(machine.state.table.records.map(\.owner) == expected)
            } else {
                let victim = dice.pick(alive)
                let heirs = candidates.filter { $0 != victim }
                let expected = slowHeirs(machine.state, candidates: heirs) { $0.owner == victim }
                machine.apply(.fence(victim, candidates: candidates, cause: .leaseExpired))
                #expect(machine.state.table.records.map(\.owner) == expected)
            }
        }
    }
}
