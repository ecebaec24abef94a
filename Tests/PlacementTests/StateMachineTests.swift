import Binary
import Placement
import Raft
import Testing

@Suite("The state machine under random commands")
struct StateMachineTests {
    private func randomGenesis(_ dice: inout Dice) -> Genesis {
        genesis(nodes: 1 + dice.below(5), shards: 1 + dice.below(20), replicas: 1 + dice.below(4))
    }

    /// What holds after every command, checked without the module's own checks.
    private func check(_ old: PlacementState, _ new: PlacementState, _ result: CommandResult) {
        #expect(new.table.records.first?.start == 0)
        #expect(zip(new.table.records, new.table.records.dropFirst()).allSatisfy { $0.start < $1.start })
        #expect(Set(new.table.records.map(\.shard)).count == new.table.records.count)
        for after in new.table.records {
            if let owner = after.owner { #expect(new.registry.isLive(owner), "I5: no fenced owner") }
            #expect(new.table.position(of: after.shard) != nil && after.lost.allSatisfy { after.isMember($0.node) })
            #expect(after.members.allSatisfy { $0.since <= after.configuredAt })
            guard let before = old.table.record(of: after.shard) else {
                checkBirth(of: after, old)
                continue
            }
            #expect(before.start == after.start && after.configuredAt >= before.configuredAt)
            if before.owner == after.owner && before.epoch == after.epoch { continue }
            #expect(after.epoch == before.epoch.next, "O1: a change of owner raises the epoch by one")
            #expect(after.history.last?.epoch == after.epoch && after.history.last?.owner == after.owner)
            if let owner = after.owner {
                #expect(new.registry.newestLive(of: owner.node) == owner)
                #expect(after.replicas.contains(owner.node))
            }
        }
        if case .refused = result {
            #expect(new.table == old.table && new.registry == old.registry && new.tenants == old.tenants)
            #expect(new.settings == old.settings)
        }
        #expect(new.registry.lastIncarnation >= old.registry.lastIncarnation)
    }

    /// O13: for an object (epoch, index) never goes down, and a live owner keeps what it has.
    private func checkBirth(of child: ShardRecord, _ old: PlacementState) {
        let range = old.table.shard(forKey: child.start)
        #expect(child.epoch > range.epoch && child.owner == range.owner && child.owner != nil)
        #expect(child.shard.homeNumber == range.shard.homeNumber)
        #expect(child.history.count == 1 && child.history.last?.epoch == child.epoch)
    }

    @Test("I5 and O1 hold after every command, refused ones change nothing", arguments: 0..<40)
    func invariants(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 100)
        var machine = Machine(randomGenesis(&dice))
        for _ in 0..<300 {
            let before = machine.state
            let result = machine.apply(dice.command(for: machine.state))
            check(before, machine.state, result)
        }
    }

    @Test("no (shard, epoch) is ever given to two processes, no fenced process comes back", arguments: 0..<20)
    func history(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 200)
        var machine = Machine(randomGenesis(&dice))
        var owners: [String: NodeProcess?] = [:]
        var fenced: Set<NodeProcess> = []
        for _ in 0..<500 {
            let result = machine.apply(dice.command(for: machine.state))
            if case .fenced(let process, _) = result { fenced.insert(process) }
            if case .registered(let process) = result { #expect(!fenced.contains(process)) }
            for record in machine.state.table.records {
                let name = "\(record.shard)@\(record.epoch)"
                if let known = owners[name] { #expect(known == record.owner) }
                owners[name] = .some(record.owner)
            }
            #expect(fenced.allSatisfy { machine.state.isFenced($0) && machine.owned(by: $0).isEmpty })
        }
        #expect(!fenced.isEmpty)
    }

    @Test("while a process lives, only its own commands take shards from it", arguments: 0..<20)
    func onlyItsOwnCommand(seed: Int) {
        var dice = Dice(seed: UInt64(seed) + 300)
        var machine = Machine.running(genesis(nodes: 4, shards: 8))
        for _ in 0..<400 {
            let command = dice.command(for: machine.state)
            let before = machine.state
            machine.apply(command)
            for old in before.table.records {
                let new = machine.state.table.shard(forKey: old.start)
                guard new.epoch != old.epoch || new.owner != old.owner else { continue }
                guard let owner = old.owner, machine.state.registry.isLive(owner) else { continue }
                switch command {
                case .assign(_, let expected, let proposer, _), .yield(_, let expected, let proposer, _):
                    #expect(proposer == owner && expected == old.epoch)
                case .merge(let proposal):
                    #expect(proposal.proposer == owner && new.owner == owner && new.epoch > old.epoch)
                default:
                    Issue.record("\(command) took a shard from the live \(owner)")
                }
            }
        }
    }

    @Test("the same log gives the same bytes and results on two states", arguments: 0..<10)
    func deterministic(seed: Int) throws {
        var dice = Dice(seed: UInt64(seed) + 400)
        let genesis = randomGenesis(&dice)
        var one = PlacementState(genesis: genesis)
        var two = PlacementState(genesis: genesis)
        for step in 1...300 {
            let envelope = ProposalEnvelope(node: 1, counter: UInt64(step), command: dice.command(for: one))
            let payload = envelope.encode()
            let index = LogIndex(UInt64(step) * 2)
            #expect(one.apply(payload, at: index) == two.apply(payload, at: index))
            // Half way the second goes on from a snapshot.
            if step == 150 { two = try PlacementState.decode(two.encode()) }
        }
        #expect(one.encode() == two.encode())
        #expect(one == two)
    }

    @Test("a payload that is no proposal changes nothing but the applied index")
    func malformed() {
        var machine = Machine.running()
        let before = machine.state
        let good = ProposalEnvelope(node: 1, counter: 2, command: .setReadMode(.quorum)).encode()
        var otherVersion = good
        otherVersion[0] = 9
        var otherKind = good
        otherKind[18] = 200
        var otherCommandVersion = good
        otherCommandVersion[17] = 9
        let payloads: [[UInt8]] = [
            [], [0], otherVersion, otherKind, otherCommandVersion, good + [0], Array(good.dropLast()),
        ]
        for payload in payloads {
            let result = machine.state.apply(payload, at: machine.state.appliedIndex + 1)
            #expect(result == .refused(.malformed))
        }
        #expect(machine.state.table == before.table && machine.state.settings == before.settings)
        #expect(machine.state.registry == before.registry && machine.state.tenants == before.tenants)
        #expect(machine.state.appliedIndex == before.appliedIndex + 7)
        #expect(machine.state.apply(good, at: LogIndex(1_000)) == .done)
    }

    @Test("copies of the state are not touched by later commands")
    func copies() {
        var machine = Machine.running()
        let view = machine.state
        let bytes = view.encode()
        machine.apply(.createProject(id: "demo", createdAtMs: 1))
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .obituary))
        #expect(view.encode() == bytes)
        #expect(machine.state.table.revision > view.table.revision)
    }
}
