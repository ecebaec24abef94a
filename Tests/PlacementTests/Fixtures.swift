import Binary
import Placement
import Raft

/// Seeded, so that a failing run can be had again.
struct Dice {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
    }

    mutating func draw() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func below(_ bound: Int) -> Int { Int(draw() % UInt64(bound)) }

    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }

    mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
        var result = elements
        for last in stride(from: result.count - 1, to: 0, by: -1) { result.swapAt(last, below(last + 1)) }
        return result
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8(truncatingIfNeeded: draw()) }
    }
}

func node(_ number: Int) -> NodeID { NodeID(rawValue: UInt64(number) * 100) }

func process(_ number: Int, _ incarnation: Int) -> NodeProcess {
    NodeProcess(node: node(number), incarnation: Incarnation(UInt64(incarnation)))
}

func shard(_ number: Int) -> ShardID { ShardID(UInt32(number)) }

func genesis(nodes: Int = 3, shards: Int = 12, replicas: Int = 3, leaseMs: UInt64 = 2_000) -> Genesis {
    Genesis(
        clusterID: 7, hashKey: SipHash(key0: 1, key1: 2),
        members: (1...nodes).map {
            .init(
                node: node($0), name: "n\($0)", peerAddress: "10.0.0.\($0):7101",
                clientURL: "http://10.0.0.\($0)")
        },
        shardCount: shards, replicasPerShard: replicas, leaseDurationMs: leaseMs,
        signingKey: Array(repeating: 9, count: 32))
}

func registration(_ number: Int, nonce: Int) -> Registration {
    Registration(
        node: node(number), nonce: UInt64(nonce), name: "n\(number)", peerAddress: "10.0.0.\(number):7101",
        clientURL: "http://10.0.0.\(number)", version: "0.1.0")
}

func apiKey(_ id: String, project: String = "demo", hash: UInt8 = 1) -> APIKey {
    APIKey(
        keyID: id, project: project,
        credential: Credential(
            salt: Array(repeating: 3, count: 16), secretHash: Array(repeating: hash, count: 32)),
        label: "for tests", origins: ["https://example.org"], createdAtMs: 5)
}

/// A state with the log position kept for it.
struct Machine {
    var state: PlacementState

    init(_ genesis: Genesis = genesis()) {
        state = PlacementState(genesis: genesis)
    }

    /// All members registered in order (incarnations 1, 2, 3 …), nonce 10 times their number, and all
    /// shards given out.
    static func running(_ genesis: Genesis = genesis()) -> Machine {
        var machine = Machine(genesis)
        for number in 1...genesis.members.count {
            machine.apply(.register(registration(number, nonce: number * 10)))
        }
        machine.apply(.appoint(candidates: machine.everybody))
        return machine
    }

    /// The first runs of all members.
    var everybody: [NodeProcess] { (1...state.genesis.members.count).map { process($0, $0) } }

    @discardableResult
    mutating func apply(_ command: Command) -> CommandResult {
        state.apply(command, at: state.appliedIndex + 1)
    }

    func record(_ number: Int) -> ShardRecord {
        guard let record = state.table.record(of: shard(number)) else { fatalError("no shard \(number)") }
        return record
    }

    func owned(by process: NodeProcess) -> [ShardID] { state.shards(ownedBy: process) }

    /// Assigns as the present owner would.
    @discardableResult
    mutating func handOver(_ number: Int, to target: NodeProcess) -> CommandResult {
        let record = record(number)
        guard let owner = record.owner else { fatalError("shard \(number) has no owner") }
        return apply(.assign(record.shard, expected: record.epoch, proposer: owner, target: target))
    }

    /// Yields as the present owner would.
    @discardableResult
    mutating func giveUp(_ number: Int, reached: [NodeID] = []) -> CommandResult {
        let record = record(number)
        guard let owner = record.owner else { fatalError("shard \(number) has no owner") }
        return apply(.yield(record.shard, expected: record.epoch, proposer: owner, reached: reached))
    }
}
