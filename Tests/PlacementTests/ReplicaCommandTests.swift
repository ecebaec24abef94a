import Placement
import Raft
import Testing

extension Machine {
    /// Reports as the present owner would, one index after the last report.
    @discardableResult
    mutating func report(_ id: ShardID, _ configuration: Configuration, index: UInt64? = nil) -> CommandResult {
        guard let record = state.table.record(of: id), let owner = record.owner else { fatalError("no owner") }
        let next = index ?? record.configuredAt.index.rawValue + 1
        return apply(
            .recordReplicas(
                id, expected: record.epoch, proposer: owner, index: LogIndex(next), configuration: configuration))
    }
}

@Suite("Reports of replica sets (O9)")
struct ReplicaCommandTests {
    private func nodes(_ numbers: Int...) -> [NodeID] { numbers.map { node($0) } }

    @Test("a replacement is followed from learner over joint to the new set, each stayer in its place")
    func replacement() {
        var machine = Machine.running(genesis(nodes: 4, shards: 4))
        machine.handOver(0, to: process(1, 1))
        #expect(machine.record(0).replicas == nodes(1, 2, 3))
        let learning = Configuration(voters: nodes(1, 2, 3), learners: nodes(4))
        #expect(machine.report(shard(0), learning, index: 5) == .done)
        #expect(machine.record(0).learners == nodes(4) && !machine.record(0).replicaSet.isSettled)
        let joint = Configuration(voters: nodes(1, 2, 4), outgoing: nodes(1, 2, 3))
        #expect(machine.report(shard(0), joint, index: 7) == .done)
        let record = machine.record(0)
        #expect(record.replicas == nodes(1, 2, 4) && record.outgoing == nodes(1, 2, 3))
        #expect(record.members.map(\.role) == [.voter, .voter, .voter, .leaving])
        #expect(record.members.map(\.node) == nodes(1, 2, 4, 3))
        #expect(record.members[2].since == LogPoint(epoch: record.epoch, index: LogIndex(5)))
        #expect(machine.handOver(0, to: process(3, 3)) == .refused(.targetNotReplica), "only the new half")
        #expect(machine.report(shard(0), Configuration(voters: nodes(1, 2, 4)), index: 8) == .done)
        #expect(machine.record(0).members.map(\.node) == nodes(1, 2, 4))
        #expect(machine.record(0).configuredAt.index == LogIndex(8))
    }

    @Test("the newest report counts: older ones are refused, the same one again is done")
    func newest() {
        var machine = Machine.running(genesis(nodes: 4, shards: 4))
        let three = Configuration(voters: nodes(1, 2, 3))
        let other = Configuration(voters: nodes(1, 2, 4))
        machine.report(shard(0), other, index: 9)
        let before = machine.state.table
        #expect(machine.report(shard(0), other, index: 9) == .done)
        #expect(machine.report(shard(0), three, index: 9) == .refused(.conflict))
        #expect(machine.report(shard(0), three, index: 8) == .refused(.configurationMoved))
        #expect(machine.state.table == before)
        machine.handOver(0, to: process(2, 2))
        #expect(machine.report(shard(0), three, index: 3) == .done, "a later owner knows better")
    }

    @Test("only the recorded owner reports, at its epoch (O1)")
    func onlyOwner() throws {
        var machine = Machine.running()
        let record = machine.record(0)
        let owner = try #require(record.owner)
        let other = process(owner.node == node(1) ? 2 : 1, owner.node == node(1) ? 2 : 1)
        let configuration = Configuration(voters: nodes(1, 2))
        func report(_ epoch: Epoch, _ proposer: NodeProcess, _ configuration: Configuration) -> CommandResult {
            machine.apply(
                .recordReplicas(
                    shard(0), expected: epoch, proposer: proposer, index: LogIndex(4), configuration: configuration))
        }
        #expect(report(record.epoch.next, owner, configuration) == .refused(.epochMoved))
        #expect(report(record.epoch, other, configuration) == .refused(.notOwner))
        #expect(report(record.epoch, owner, Configuration(voters: [])) == .refused(.invalidValue))
        let many = Configuration(voters: (1...65).map { node($0) })
        #expect(report(record.epoch, owner, many) == .refused(.limitReached))
        #expect(machine.record(0) == record)
        #expect(report(record.epoch, owner, configuration) == .done)
    }

    @Test("a lost replica stays lost until it is left out, and comes back as a new member")
    func lost() throws {
        var machine = Machine.running()
        let member = try #require(machine.record(0).members.first { $0.node == node(3) })
        let loss = Command.reportLost(shard(0), since: member.since, proposer: process(3, 3))
        #expect(machine.apply(loss) == .done && machine.apply(loss) == .done)
        #expect(machine.record(0).lost == [LostReplica(node: node(3), at: .genesis)])
        #expect(!machine.record(0).heirs.contains(node(3)))
        machine.report(shard(0), Configuration(voters: nodes(1, 2, 3)))
        #expect(machine.record(0).isLost(at: node(3)), "a report that lists it settles nothing")
        machine.report(shard(0), Configuration(voters: nodes(1, 2)))
        #expect(machine.record(0).lost.isEmpty)
        #expect(machine.apply(loss) == .refused(.targetNotReplica))
        machine.report(shard(0), Configuration(voters: nodes(1, 2), learners: nodes(3)))
        let again = try #require(machine.record(0).replicaSet.since(of: node(3)))
        #expect(again > member.since)
        #expect(machine.apply(loss) == .refused(.configurationMoved), "a late report is about the old membership")
        #expect(machine.record(0).lost.isEmpty)
    }

    @Test("only the newest live process of a node speaks for its disk")
    func lostBySomebody() {
        var machine = Machine.running()
        machine.apply(.register(registration(3, nonce: 99)))
        let old = Command.reportLost(shard(0), since: .genesis, proposer: process(3, 3))
        #expect(machine.apply(old) == .refused(.targetNotLive))
        #expect(machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(3, 4))) == .done)
        let unknown = Command.reportLost(shard(99), since: .genesis, proposer: process(3, 4))
        #expect(machine.apply(unknown) == .refused(.unknownShard))
    }

    @Test("a lost replica inherits nothing and is passed over by a yield, but may settle by itself")
    func lostHeirs() throws {
        var machine = Machine.running(genesis(shards: 1))
        machine.handOver(0, to: process(1, 1))
        machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(2, 2)))
        #expect(machine.handOver(0, to: process(2, 2)) == .refused(.targetNotReplica))
        machine.giveUp(0, reached: [node(2)])
        #expect(machine.record(0).owner == process(3, 3))
        machine.apply(.reportLost(shard(0), since: .genesis, proposer: process(3, 3)))
        #expect(machine.handOver(0, to: process(3, 3)) != .refused(.targetNotReplica))
        machine.apply(.fence(process(3, 3), candidates: [process(2, 2), process(1, 1)], cause: .obituary))
        #expect(machine.record(0).owner == process(1, 1))
    }
}

@Suite("Nodes that come and go")
struct NodeCommandTests {
    private func named(_ number: Int, nonce: Int, _ name: String) -> Command {
        var registration = registration(number, nonce: nonce)
        registration.name = name
        return .register(registration)
    }

    @Test("a name belongs to one node: taking it from a live one is refused, from a dead one replaces it")
    func replaced() {
        var machine = Machine.running()
        #expect(machine.apply(named(8, nonce: 1, "n1")) == .refused(.nameInUse))
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .leaseExpired))
        #expect(machine.apply(named(8, nonce: 1, "n1")) == .registered(process(8, 4)))
        #expect(machine.state.registry.record(of: node(1))?.isReplaced == true)
        #expect(!machine.state.registry.isActive(node(1)) && machine.state.registry.isActive(node(8)))
        #expect(machine.apply(named(1, nonce: 77, "n1")) == .refused(.nodeReplaced))
        machine.apply(.fence(process(8, 4), candidates: [], cause: .leaseExpired))
        #expect(machine.apply(named(1, nonce: 77, "n1")) == .refused(.nodeReplaced), "for good")
        #expect(machine.apply(named(1, nonce: 77, "n1-old")) == .registered(process(1, 5)))
        #expect(machine.state.registry.record(of: node(1))?.isReplaced == false)
    }

    @Test("a node is removed once it keeps nothing and runs no more, and never comes back")
    func removal() {
        var machine = Machine.running(genesis(nodes: 3, shards: 3, replicas: 1))
        #expect(machine.apply(.removeNode(node(9))) == .refused(.unknownNode))
        #expect(machine.apply(.removeNode(node(1))) == .refused(.nodeInUse))
        machine.handOver(0, to: process(1, 1))
        machine.report(shard(0), Configuration(voters: [node(1), node(2)]))
        machine.handOver(0, to: process(2, 2))
        machine.report(shard(0), Configuration(voters: [node(2)], outgoing: [node(1), node(2)]))
        #expect(machine.apply(.removeNode(node(1))) == .refused(.nodeInUse), "the old half needs it")
        machine.report(shard(0), Configuration(voters: [node(2)]))
        #expect(machine.apply(.removeNode(node(1))) == .refused(.nodeIsLive))
        machine.apply(.setStanding(node(1), .draining))
        #expect(machine.apply(.removeNode(node(1))) == .done && machine.apply(.removeNode(node(1))) == .done)
        #expect(machine.state.isFenced(process(1, 1)) && machine.state.registry.record(of: node(1)) == nil)
        #expect(machine.apply(.register(registration(1, nonce: 99))) == .refused(.nodeRemoved))
        #expect(machine.apply(named(7, nonce: 1, "n1")) == .registered(process(7, 4)), "its name is free")
    }

    @Test("the name of a removed node is remembered with the time, unless another has it by then")
    func removedNames() throws {
        var machine = Machine(genesis(nodes: 1, shards: 1))
        machine.apply(named(5, nonce: 1, "five"))
        machine.apply(named(6, nonce: 1, "six"))
        for number in [5, 6] { machine.apply(.setStanding(node(number), .draining)) }
        machine.apply(.removeNode(node(5), atMs: 700))
        // What 0.3.0 removed is not remembered: it knew no certificates.
        machine.apply(.removeNode(node(6)))
        #expect(machine.state.registry.removals.map(\.atMs) == [700])
        #expect(machine.state.registry.removal(ofName: "five") == 700)
        let copy = try PlacementState.decode(machine.state.encode())
        #expect(copy == machine.state && copy.registry.removal(ofName: "five") == 700)

        // Another node takes the name while the first is still listed: its certificate is that of the name.
        machine.apply(named(7, nonce: 1, "seven"))
        let first = try #require(machine.state.registry.record(of: node(7))?.newestLive)
        machine.apply(.fence(first, candidates: [], cause: .leaseExpired))
        machine.apply(named(8, nonce: 1, "seven"))
        #expect(machine.apply(.removeNode(node(7), atMs: 800)) == .done)
        #expect(machine.state.registry.removal(ofName: "seven") == nil)

        // The newest removal of a name counts.
        machine.apply(named(9, nonce: 1, "five"))
        machine.apply(.setStanding(node(9), .draining))
        machine.apply(.removeNode(node(9), atMs: 900))
        #expect(machine.state.registry.removals.map(\.atMs) == [900])
    }

    @Test("the memory of removed nodes is bounded")
    func boundedRemovals() {
        var machine = Machine(genesis(nodes: 1, shards: 1))
        for number in 2...(PlacementLimits.removedNodes + 10) {
            machine.apply(.register(registration(number, nonce: 1)))
            machine.apply(.setStanding(node(number), .draining))
            machine.apply(.removeNode(node(number)))
        }
        #expect(machine.state.registry.removed.count == PlacementLimits.removedNodes)
        #expect(machine.apply(.register(registration(2, nonce: 2))) != .refused(.nodeRemoved))
    }

    @Test("a node that is being drained stays so over restarts, and inherits only if nobody else can")
    func draining() {
        var machine = Machine.running(genesis(shards: 6))
        #expect(machine.apply(.setStanding(node(9), .draining)) == .refused(.unknownNode))
        #expect(machine.apply(.setStanding(node(2), .draining)) == .done)
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .obituary))
        #expect(machine.owned(by: process(3, 3)).count == 4 && machine.owned(by: process(2, 2)).count == 2)
        machine.apply(.register(registration(2, nonce: 99)))
        #expect(machine.state.registry.isDraining(node(2)))
        machine.apply(.fence(process(3, 3), candidates: [process(2, 4)], cause: .obituary))
        #expect(machine.owned(by: process(2, 4)).count == 4)
        #expect(machine.apply(.setStanding(node(2), .active)) == .done)
        #expect(machine.state.registry.isActive(node(2)))
    }

    @Test("a yield passes over nodes that are being drained")
    func yieldPastDraining() {
        var machine = Machine.running(genesis(shards: 1))
        machine.handOver(0, to: process(1, 1))
        machine.apply(.setStanding(node(2), .draining))
        machine.giveUp(0)
        #expect(machine.record(0).owner == process(3, 3))
    }

    @Test("settings for replicas have bounds; the genesis record gives the first number")
    func settings() {
        var machine = Machine(genesis(replicas: 2))
        #expect(machine.state.settings.replicasPerShard == 2 && machine.state.settings.replaceAfterMs == 600_000)
        for count in [0, 8, 1_000] {
            #expect(machine.apply(.setReplicasPerShard(count)) == .refused(.outOfRange))
        }
        for milliseconds: UInt64 in [0, 999, 2_592_000_001] {
            #expect(machine.apply(.setReplacement(afterMs: milliseconds)) == .refused(.outOfRange))
        }
        #expect(machine.apply(.setReplicasPerShard(5)) == .done)
        #expect(machine.apply(.setReplacement(afterMs: 30_000)) == .done)
        #expect(machine.state.settings.replicasPerShard == 5 && machine.state.settings.replaceAfterMs == 30_000)
    }

    @Test("every refusal has a text of its own")
    func texts() {
        let texts = CommandRefusal.allCases.map(\.text)
        #expect(Set(texts).count == texts.count && texts.allSatisfy { !$0.hasSuffix(".") })
    }
}
