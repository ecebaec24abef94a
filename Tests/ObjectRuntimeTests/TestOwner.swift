import Binary
import Testing

@testable import ObjectRuntime

/// A shard with an owner and a replica that follows it entry by entry.
struct TestOwner {
    var state = ShardState()
    var replica = ShardState()
    var nowMs: UInt64 = 1000
    var index: UInt64 = 0
    var limits = Limits()
    var defaultTTLMs: UInt64?
    var payloads: [(index: UInt64, payload: [UInt8])] = []
    var random = SplitMix(seed: 7)

    static let hashKey = SipHash(key0: 1, key1: 2)

    static func object(_ id: String, project: String = "p", objectClass: String = "c") -> ObjectID {
        ObjectID(project: project, objectClass: objectClass, id: id, hashKey: hashKey)
    }

    mutating func context() -> ExecutionContext {
        ExecutionContext(
            nowMs: nowMs, epoch: 1, nextIndex: index + 1, random: (random.next(), random.next()),
            defaultTTLMs: defaultTTLMs, limits: limits)
    }

    /// Executes and, for a write, keeps the payload; nothing is committed.
    mutating func execute(_ request: Request) -> Execution {
        let execution = state.execute(request, context())
        if case .write(let payload, let answer) = execution {
            index += 1
            #expect(answer.index == index)
            payloads.append((index, payload))
        }
        return execution
    }

    /// Executes, commits, and lets the replica apply; both must then be equal.
    @discardableResult
    mutating func run(
        _ operation: Operation, on object: ObjectID = object("o"), id: OperationID? = nil,
        settledBelow: UInt64 = 0, isRetry: Bool = false, knownIndex: UInt64 = 0
    ) throws -> Answer {
        let request = Request(
            object: object, operation: operation, id: id, settledBelow: settledBelow, isRetry: isRetry,
            knownIndex: knownIndex)
        let execution = execute(request)
        try commitAll()
        return execution.answer
    }

    mutating func commitAll() throws {
        state.committed(through: index)
        for (index, payload) in payloads { try replica.apply(payload: payload, index: index, epoch: 1) }
        payloads = []
        #expect(replica.encodeSnapshot() == state.encodeSnapshot())
    }
}

extension Answer {
    /// The JSON body, or what there is instead.
    var text: String {
        switch reply {
        case .json(let body): String(decoding: body, as: UTF8.self)
        case .noContent: "204"
        case .absent: "404"
        case .refused(let refusal): "\(refusal.status) \(refusal.code)"
        }
    }
}

/// The generator of Steele, Lea and Flood (2014): small, and the same everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
