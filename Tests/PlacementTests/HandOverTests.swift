import Placement
import Raft
import Testing

@Suite("Handing over (O1, O2, O8)")
struct HandOverTests {
    @Test("the owner assigns its shard to a replica, at the next epoch")
    func assigns() {
        var machine = Machine.running()
        #expect(
            machine.handOver(0, to: process(2, 2)) == .moved(shard(0), epoch: Epoch(2), owner: process(2, 2)))
        #expect(machine.record(0).owner == process(2, 2))
    }

    @Test("nobody but the recorded owner takes a live owner's shard")
    func overTheHead() {
        var machine = Machine.running()
        let before = machine.state.table
        for proposer in [process(2, 2), process(1, 2), process(9, 1)] {
            #expect(
                machine.apply(
                    .assign(shard(0), expected: Epoch(1), proposer: proposer, target: process(2, 2)))
                    == .refused(.notOwner))
            #expect(
                machine.apply(.yield(shard(0), expected: Epoch(1), proposer: proposer, reached: []))
                    == .refused(.notOwner))
        }
        #expect(machine.state.table == before)
    }

    @Test("a later run of the owner's node is not the owner")
    func otherRun() {
        var machine = Machine.running()
        machine.apply(.register(registration(1, nonce: 11)))
        #expect(
            machine.apply(
                .assign(shard(0), expected: Epoch(1), proposer: process(1, 4), target: process(1, 4)))
                == .refused(.notOwner))
    }

    @Test("a command that expects another epoch is refused, lower or higher")
    func otherEpoch() {
        var machine = Machine.running()
        machine.handOver(0, to: process(1, 1))
        for expected in [Epoch.zero, Epoch(1), Epoch(3)] {
            #expect(
                machine.apply(
                    .assign(shard(0), expected: expected, proposer: process(1, 1), target: process(2, 2)))
                    == .refused(.epochMoved))
            #expect(
                machine.apply(.yield(shard(0), expected: expected, proposer: process(1, 1), reached: []))
                    == .refused(.epochMoved))
        }
        #expect(machine.record(0).epoch == Epoch(2))
    }

    @Test("of a proposal and its settling, whichever applies first kills the other")
    func settling() {
        let away = Command.assign(
            shard(0), expected: Epoch(1), proposer: process(1, 1), target: process(2, 2))
        let back = Command.assign(
            shard(0), expected: Epoch(1), proposer: process(1, 1), target: process(1, 1))
        for (first, second, owner) in [(away, back, process(2, 2)), (back, away, process(1, 1))] {
            var machine = Machine.running()
            #expect(machine.apply(first) == .moved(shard(0), epoch: Epoch(2), owner: owner))
            #expect(machine.apply(second) == .refused(.epochMoved))
            #expect(machine.record(0).owner == owner)
        }
    }

    @Test("a target must be a replica, registered, not fenced, and the newest run of its node")
    func targets() {
        var machine = Machine.running(genesis(nodes: 5, shards: 10))
        #expect(machine.record(0).replicas == [node(1), node(2), node(3)])
        #expect(machine.handOver(0, to: process(4, 4)) == .refused(.targetNotReplica))
        #expect(machine.handOver(0, to: process(2, 9)) == .refused(.targetNotLive))
        machine.apply(.fence(process(3, 3), candidates: [], cause: .leaseExpired))
        #expect(machine.handOver(0, to: process(3, 3)) == .refused(.targetNotLive))
        machine.apply(.register(registration(2, nonce: 21)))
        #expect(machine.handOver(0, to: process(2, 2)) == .refused(.targetNotLive))
        #expect(
            machine.handOver(0, to: process(2, 6)) == .moved(shard(0), epoch: Epoch(2), owner: process(2, 6)))
    }

    @Test("a shard that does not exist is named as such")
    func unknownShard() {
        var machine = Machine.running()
        #expect(
            machine.apply(.assign(shard(99), expected: .zero, proposer: process(1, 1), target: process(1, 1)))
                == .refused(.unknownShard))
        #expect(
            machine.apply(.yield(shard(99), expected: .zero, proposer: process(1, 1), reached: []))
                == .refused(.unknownShard))
    }

    @Test("a shard without owner is nobody's to assign")
    func ownerless() {
        var machine = Machine()
        machine.apply(.register(registration(1, nonce: 1)))
        #expect(
            machine.apply(.assign(shard(0), expected: .zero, proposer: process(1, 1), target: process(1, 1)))
                == .refused(.notOwner))
    }

    @Test("a yield goes to the next replica in rotation")
    func rotation() {
        var machine = Machine.running()
        var owners: [NodeProcess?] = []
        for _ in 0..<4 {
            machine.giveUp(0)
            owners.append(machine.record(0).owner)
        }
        #expect(owners == [process(2, 2), process(3, 3), process(1, 1), process(2, 2)])
        #expect(machine.record(0).yieldsInARow == 4)
        machine.handOver(0, to: process(1, 1))
        #expect(machine.record(0).yieldsInARow == 0)
    }

    @Test("a yield prefers a replica that the owner reached")
    func prefersReached() {
        var machine = Machine.running()
        machine.giveUp(0, reached: [node(1), node(3)])
        #expect(machine.record(0).owner == process(3, 3))
    }

    @Test("an owner that came by a yield passes on in plain rotation, so every replica gets its turn")
    func noPingPong() {
        var machine = Machine.running(genesis(nodes: 5, shards: 5, replicas: 5))
        var tried: Set<NodeID> = []
        for _ in 0..<5 {
            guard let owner = machine.record(0).owner else { break }
            tried.insert(owner.node)
            machine.giveUp(0, reached: [node(1), node(2)])
        }
        #expect(tried.count == 5)
    }

    @Test("a yield passes over fenced nodes and takes the newest run of the next")
    func skipsFenced() {
        var machine = Machine.running()
        machine.apply(.fence(process(2, 2), candidates: [], cause: .leaseExpired))
        machine.apply(.register(registration(3, nonce: 31)))
        machine.giveUp(0, reached: [node(2)])
        #expect(machine.record(0).owner == process(3, 4))
    }

    @Test("a yield with nobody else to take it comes back at a higher epoch")
    func backToItself() {
        var machine = Machine.running(genesis(nodes: 1, shards: 2))
        #expect(machine.giveUp(0) == .moved(shard(0), epoch: Epoch(2), owner: process(1, 1)))
        machine.apply(.register(registration(1, nonce: 11)))
        #expect(machine.giveUp(0) == .moved(shard(0), epoch: Epoch(3), owner: process(1, 2)))
    }

    @Test("a yield by an old run whose node has no live newest run leaves the shard without owner")
    func yieldToNobody() {
        var machine = Machine.running(genesis(nodes: 1, shards: 2))
        machine.apply(.register(registration(1, nonce: 11)))
        machine.apply(.bury(node: node(1), nonce: 11, candidates: []))
        #expect(machine.giveUp(0) == .moved(shard(0), epoch: Epoch(2), owner: nil))
        #expect(machine.state.hasOwnerlessShards)
    }
}
