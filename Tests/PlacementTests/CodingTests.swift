import Binary
import Placement
import Raft
import Testing

@Suite("Binary forms")
struct CodingTests {
    private func check<Value: BinaryCoded & Equatable>(_ value: Value) throws {
        let bytes = value.encode()
        #expect(try Value.decode(bytes) == value)
        for length in 0..<bytes.count {
            #expect(throws: DecodingFailure.self) { try Value.decode(Array(bytes[..<length])) }
        }
        #expect(throws: DecodingFailure.self) { try Value.decode(bytes + [0]) }
    }

    /// Flipped bytes give a failure or another value, which then has a form of its own.
    private func flip<Value: BinaryCoded & Equatable>(_ value: Value, dice: inout Dice, times: Int) throws {
        let bytes = value.encode()
        for _ in 0..<times {
            var damaged = bytes
            for _ in 0...dice.below(3) { damaged[dice.below(damaged.count)] ^= UInt8(1 + dice.below(255)) }
            guard let other = try? Value.decode(damaged) else { continue }
            #expect(try Value.decode(other.encode()) == other)
        }
    }

    private func randomStates(seed: UInt64) -> [PlacementState] {
        var dice = Dice(seed: seed)
        var machine = Machine.running(genesis(nodes: 3, shards: 5))
        var states = [machine.state]
        for step in 1...400 {
            machine.apply(dice.command(for: machine.state))
            if step.isMultiple(of: 100) { states.append(machine.state) }
        }
        return states
    }

    @Test("every command reads back, and no shorter or longer bytes do", arguments: 0..<4)
    func commands(seed: Int) throws {
        var dice = Dice(seed: UInt64(seed))
        var machine = Machine.running(genesis(shards: 5))
        for _ in 0..<150 {
            let state = machine.state
            let command = dice.command(for: state)
            machine.apply(command)
            try check(command)
            let envelope = ProposalEnvelope(node: dice.draw(), counter: dice.draw(), command: command)
            try check(envelope)
            #expect(ProposalEnvelope.id(of: envelope.encode()) == envelope.id)
            try flip(envelope, dice: &dice, times: 30)
        }
        #expect(ProposalEnvelope.id(of: [1, 2, 3]) == nil)
    }

    @Test("every kind of result reads back")
    func results() throws {
        var dice = Dice(seed: 3)
        var results: [CommandResult] = CommandRefusal.allCases.map { .refused($0) }
        results += [
            .done, .barred, .registered(process(1, 2)), .fenced(process(3, 4), shards: 64),
            .appointed(shards: 0),
            .moved(shard(9), epoch: Epoch(generation: 2, counter: 7), owner: process(1, 1)),
            .moved(shard(9), epoch: Epoch(3), owner: nil),
            .planned(.split(cut: 99, child: ShardID(home: 4, serial: 2))),
            .planned(.merge(with: shard(7), into: ShardID(home: 6, serial: 9))),
        ]
        for result in results {
            try check(result)
            try flip(result, dice: &dice, times: 200)
        }
    }

    @Test("the genesis record reads back")
    func genesisRecord() throws {
        var dice = Dice(seed: 4)
        try check(genesis(nodes: 5, shards: 64))
        try flip(genesis(nodes: 3), dice: &dice, times: 2_000)
    }

    @Test("snapshots of random states read back, and no cut one does", arguments: 0..<2)
    func snapshots(seed: Int) throws {
        for state in randomStates(seed: UInt64(seed)) { try check(state) }
    }

    @Test("a damaged snapshot is refused or gives a state that keeps I5", arguments: 0..<4)
    func damagedSnapshots(seed: Int) throws {
        var dice = Dice(seed: UInt64(seed) + 50)
        for state in randomStates(seed: UInt64(seed)) {
            let bytes = state.encode()
            for _ in 0..<200 {
                var damaged = bytes
                for _ in 0...dice.below(3) {
                    damaged[dice.below(damaged.count)] ^= UInt8(1 + dice.below(255))
                }
                guard var other = try? PlacementState.decode(damaged) else { continue }
                let live = other.table.records.allSatisfy { $0.owner.map(other.registry.isLive) ?? true }
                #expect(live && other.table.records[0].start == 0)
                // It must bear commands, whatever it is.
                let index = other.appliedIndex.rawValue
                guard index < UInt64.max - 50 else { continue }
                for step in 1...10 {
                    _ = other.apply(dice.command(for: other), at: LogIndex(index + UInt64(step)))
                }
            }
        }
    }

    @Test("random bytes never trap a decoder")
    func randomBytes() {
        var dice = Dice(seed: 6)
        for _ in 0..<20_000 {
            var bytes = dice.bytes(dice.below(80))
            if !bytes.isEmpty, dice.chance(80) { bytes[0] = UInt8(1 + dice.below(2)) }
            if bytes.count > 1, dice.chance(50) { bytes[1] = UInt8(dice.below(40)) }
            _ = try? Command.decode(bytes)
            _ = try? ProposalEnvelope.decode(bytes)
            _ = try? CommandResult.decode(bytes)
            _ = try? Genesis.decode(bytes)
            _ = try? PlacementState.decode(bytes)
        }
    }

    @Test("equal states have equal bytes, whatever the order in which things were made")
    func canonical() {
        var one = Machine()
        var two = Machine()
        let projects = (0..<30).map { "p\($0)" }
        for id in projects { one.apply(.createProject(id: id, createdAtMs: 1)) }
        for id in projects.reversed() { two.apply(.createProject(id: id, createdAtMs: 1)) }
        for id in projects {
            one.apply(.createKey(apiKey("k", project: id)))
            two.apply(.createKey(apiKey("k", project: id)))
        }
        #expect(one.state.encode() == two.state.encode())
    }
}
