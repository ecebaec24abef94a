import Binary
import Testing

@testable import ObjectRuntime

/// A shard with an owner and a replica that follows it entry by entry.
struct TestOwner {
    var state = ShardState()
    var replica = ShardState()
    var nowMs: UInt64 = 1000
    var windowAgeMs: UInt64 = 0
    var index: UInt64 = 0
    var limits = Limits()
    var room: ProjectRoom?
    var defaultTTLMs: UInt64?
    var payloads: [(index: UInt64, payload: [UInt8])] = []
    var random = SplitMix(seed: 7)
    /// Off where large values would make it slow.
    var comparesEachCommit = true

    static let hashKey = SipHash(key0: 1, key1: 2)

    static func object(_ id: String, project: String = "p", objectClass: String = "c") -> ObjectID {
        ObjectID(project: project, objectClass: objectClass, id: id, hashKey: hashKey)
    }

    mutating func context() -> ExecutionContext {
        var context = ExecutionContext(
            nowMs: nowMs, windowAgeMs: windowAgeMs, epoch: 1, nextIndex: index + 1,
            random: (random.next(), random.next()), defaultTTLMs: defaultTTLMs, limits: limits)
        context.room = room
        return context
    }

    /// Executes and, for a write, keeps the payload; nothing is committed.
    mutating func execute(_ request: Request) -> Execution {
        let execution = state.execute(request, context())
        if case .write(let payload, let answer) = execution {
            index += 1
            #expect(answer.index == index && !state.isDamaged)
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
        return try #require(execution.answer)
    }

    mutating func commitAll() throws {
        state.committed(through: index)
        for (index, payload) in payloads { try replica.apply(payload: payload, index: index, epoch: 1) }
        payloads = []
        guard comparesEachCommit else { return }
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
        case .hearing(let hearing): "hearing of \(hearing.events.count)"
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

extension TestOwner {
    /// A call as it arrives over HTTP; the answer in one line: the body, `204`, `404` or status and code.
    @discardableResult
    mutating func set(_ name: String, _ body: String, keyVersion: UInt64? = nil) throws -> String {
        try answer { () throws(Refusal) in
            try OperationParser.setItem(body: Array(body.utf8), name: name, keyVersion: keyVersion)
        }
    }

    mutating func setAll(_ body: String, keyVersion: UInt64? = nil) throws -> String {
        try answer { () throws(Refusal) in
            try OperationParser.setItems(body: Array(body.utf8), keyVersion: keyVersion)
        }
    }

    @discardableResult
    mutating func atomic(_ word: String, _ name: String, _ body: String) throws -> String {
        try answer { () throws(Refusal) in
            guard let operation = try OperationParser.atomic(word: word, body: Array(body.utf8), name: name)
            else {
                preconditionFailure("\(word) is no operation")
            }
            return operation
        }
    }

    mutating func get(_ name: String) throws -> String { try run(.getItem(ItemName(name))).text }

    /// The item's value alone.
    func value(_ name: String) -> String? {
        state.item(ItemName(name), of: TestOwner.object("o")).map(\.value.description)
    }

    mutating func answer(_ parse: () throws(Refusal) -> Operation) throws -> String {
        let operation: Operation
        do throws(Refusal) {
            operation = try parse()
        } catch {
            return "\(error.status) \(error.code)"
        }
        return try run(operation).text
    }
}

/// An item's JSON as the runtime prints it.
func item(_ value: String, at createdAt: UInt64, _ updatedAt: UInt64? = nil, until: UInt64 = Item.never)
    -> String
{
    #"{"value":\#(value),"createdAt":\#(createdAt),"updatedAt":\#(updatedAt ?? createdAt),"expiresAt":\#(until)}"#
}
