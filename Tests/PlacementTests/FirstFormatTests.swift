import Binary
import Placement
import Raft
import Testing

/// Bytes that 0.2.0 wrote.
@Suite("Formats of 0.2.0")
struct FirstFormatTests {
    /// Three nodes, four shards with two replicas each, all given out; the first process buried and its
    /// next one registered; a shorter lease, reads by quorum, a project, an obituary of a stranger.
    private let snapshot =
        "0101070000000000000001000000000000000200000000000000036400000000000000026e310d31302e302e302e313a"
        + "373130310f687474703a2f2f31302e302e302e31c800000000000000026e320d31302e302e302e323a373130310f6874"
        + "74703a2f2f31302e302e302e322c01000000000000026e330d31302e302e302e333a373130310f687474703a2f2f3130"
        + "2e302e302e330402d00f2009090909090909090909090909090909090909090909090909090909090909090a04036400"
        + "000000000000026e310d31302e302e302e313a373130310f687474703a2f2f31302e302e302e3105302e312e30040b00"
        + "0000000000000000010a00000000000000c800000000000000026e320d31302e302e302e323a373130310f687474703a"
        + "2f2f31302e302e302e3205302e312e300214000000000000000000002c01000000000000026e330d31302e302e302e33"
        + "3a373130310f687474703a2f2f31302e302e302e3305302e312e30031e00000000000000000000018403000000000000"
        + "010000000000000006040000000000000000000201c80000000000000002026400000000000000c80000000000000002"
        + "0101640000000000000001060201c80000000000000002010100000000000000400101c8000000000000000202c80000"
        + "00000000002c01000000000000010101c800000000000000020602000000000000008001012c0100000000000003022c"
        + "0100000000000064000000000000000101012c0100000000000003060300000000000000c00201c80000000000000002"
        + "026400000000000000c800000000000000020101640000000000000001060201c8000000000000000201f403d00f010a"
        + "02010464656d6f01000001002009090909090909090909090909090909090909090909090909090909090909090000"

    /// The second run of node 1 registers.
    private let command =
        "010164000000000000000b00000000000000026e310d31302e302e302e313a373130310f687474703a2f2f31302e302e"
        + "302e3105302e312e30"

    private func bytes(_ hexadecimal: String) throws -> [UInt8] {
        let digits = try hexadecimal.map { try #require($0.hexDigitValue) }
        return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
    }

    /// The same commands as were given to 0.2.0.
    private func expected() -> Machine {
        var machine = Machine.running(genesis(nodes: 3, shards: 4, replicas: 2))
        machine.apply(.fence(process(1, 1), candidates: machine.everybody, cause: .obituary))
        machine.apply(.register(registration(1, nonce: 11)))
        machine.apply(.setLeaseDuration(milliseconds: 500))
        machine.apply(.setReadMode(.quorum))
        machine.apply(.createProject(id: "demo", createdAtMs: 1))
        machine.apply(.bury(node: node(9), nonce: 1, candidates: []))
        return machine
    }

    @Test("a snapshot of 0.2.0 gives the state that its commands give now")
    func snapshotReads() throws {
        let state = try PlacementState.decode(try bytes(snapshot))
        #expect(state == expected().state)
        #expect(state.settings.replicasPerShard == 2, "as the genesis record says")
        #expect(state.table.records.allSatisfy { $0.configuredAt == .genesis && $0.replicaSet.isSettled })
        #expect(state.encode()[0] == 3)
        #expect(try PlacementState.decode(state.encode()) == state)
    }

    @Test("a cut or damaged snapshot of 0.2.0 is refused, or bears commands")
    func damaged() throws {
        let whole = try bytes(snapshot)
        for length in whole.indices {
            #expect(throws: DecodingFailure.self) { try PlacementState.decode(Array(whole[..<length])) }
        }
        var dice = Dice(seed: 77)
        for _ in 0..<2_000 {
            var damaged = whole
            damaged[1 + dice.below(whole.count - 1)] ^= UInt8(1 + dice.below(255))
            guard var state = try? PlacementState.decode(damaged), state.appliedIndex < LogIndex(1 << 60) else {
                continue
            }
            for _ in 0..<10 { _ = state.apply(dice.command(for: state), at: state.appliedIndex + 1) }
        }
    }

    @Test("a registration of 0.2.0 keeps its effect: names did not belong to one node")
    func commandReads() throws {
        let command = try Command.decode(try bytes(command))
        #expect(command.encode() == (try bytes(self.command)))
        #expect(command != .register(registration(1, nonce: 11)))
        var machine = Machine()
        var other = registration(2, nonce: 1)
        other.name = "n1"
        machine.apply(.register(other))
        #expect(machine.apply(.register(registration(1, nonce: 11))) == .refused(.nameInUse))
        #expect(machine.apply(command) == .registered(process(1, 2)))
        #expect(machine.state.nodes.allSatisfy { !$0.isReplaced })
    }

    @Test("a snapshot of 0.3.0, which ends where the limits of objects do, gives standard rights and an empty audit")
    func secondFormat() throws {
        var machine = expected()
        machine.apply(.createKey(apiKey("k")))
        machine.apply(.setQuota(project: "demo", Quota(objects: 5)))
        let newer = machine.state.audit.encode().count + 4
        let older = [2] + machine.state.encode().dropFirst().dropLast(newer)
        let state = try PlacementState.decode(older)
        #expect(state == machine.state)
        #expect(state.tenants.key(project: "demo", keyID: "k")?.rights == .standard)
        #expect(Command.createKey(apiKey("k")).encode().prefix(2) == [2, 33], "as 0.3.0 wrote it")
        for length in older.indices {
            #expect(throws: DecodingFailure.self) { try PlacementState.decode(Array(older[..<length])) }
        }
    }

    @Test("other versions are refused by number")
    func unknownVersion() throws {
        var future = try bytes(snapshot)
        future[0] = 4
        let failure = #expect(throws: DecodingFailure.self) { try PlacementState.decode(future) }
        #expect("\(try #require(failure))".contains("version 4"))
    }
}
