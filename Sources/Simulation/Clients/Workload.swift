import Cluster
import ObjectRuntime

/// What clients ask for: few hot objects and many cold ones, four kinds of items, every written value
/// unique.
struct Workload {
    struct Plan: Equatable {
        var clients = 12
        var hotObjects = 3
        var coldObjects = 20
        /// How often a hot object is chosen.
        var hotShare = 0.8
        var meanThinkNs: UInt64 = 30_000_000
        /// How often an operation carries an idempotency key.
        var keyedShare = 0.5
        var readShare = 0.35
        /// How long a client waits before it gives up on an edge.
        var patienceNs: UInt64 = 4_000_000_000
        /// Pushes to one list before the next one is begun.
        var listLength = 40
    }

    /// One operation, as it is sent and as it is written down.
    struct Step {
        var object: Int
        var item: String
        var call: Call
    }

    struct ObjectInUse {
        var name: String
        var pushes = 0
        /// Newest `updatedAt` of the register that any answer has shown.
        var registerVersion: UInt64?
    }

    let plan: Plan
    private(set) var objects: [ObjectInUse]
    private var random: SeededGenerator
    private var lastValue: UInt64 = 0

    init(plan: Plan, random: SeededGenerator) {
        self.plan = plan
        self.random = random
        objects = (0..<plan.hotObjects).map { ObjectInUse(name: "hot\($0)") }
        objects += (0..<plan.coldObjects).map { ObjectInUse(name: "cold\($0)") }
    }

    mutating func next() -> Step {
        let isHot = plan.coldObjects == 0 || random.chance(plan.hotShare)
        let object = isHot ? random.below(plan.hotObjects) : plan.hotObjects + random.below(plan.coldObjects)
        return random.chance(plan.readShare) ? read(object) : write(object)
    }

    private mutating func read(_ object: Int) -> Step {
        let items = ["counter", "register", list(object)]
        return Step(object: object, item: random.pick(items), call: .read)
    }

    mutating func write(_ object: Int) -> Step {
        switch random.below(10) {
        case 0..<4: return Step(object: object, item: "counter", call: .increment(by: 1))
        case 4, 5: return Step(object: object, item: "register", call: .set(uniqueValue()))
        case 6, 7:
            guard let version = objects[object].registerVersion else {
                return Step(object: object, item: "register", call: .set(uniqueValue()))
            }
            return Step(
                object: object, item: "register",
                call: .compareAndSet(expectedVersion: version, value: uniqueValue()))
        default:
            let step = Step(object: object, item: list(object), call: .push(uniqueValue()))
            objects[object].pushes += 1
            return step
        }
    }

    private func list(_ object: Int) -> String { "list\(objects[object].pushes / plan.listLength)" }

    private mutating func uniqueValue() -> UInt64 {
        lastValue += 1
        return lastValue
    }

    mutating func learn(version: UInt64, of object: Int) {
        objects[object].registerVersion = version
    }

    /// All items that were ever written to or could have been.
    func allItems(of object: Int) -> [String] {
        ["counter", "register"] + (0...objects[object].pushes / plan.listLength).map { "list\($0)" }
    }
}

extension Workload {
    func request(_ step: Step, key: IdempotencyKey?) -> ClientRequest {
        ClientRequest(
            project: "p", objectClass: "c", objectID: objects[step.object].name,
            operation: Workload.operation(step), idempotency: key)
    }

    private static func operation(_ step: Step) -> Operation {
        let name = ItemName(step.item)
        switch step.call {
        case .read: return .getItem(name)
        case .set(let value): return .setItem(ItemWrite(name: name, value: text(value)))
        case .compareAndSet(let expected, let value):
            return .setItem(
                ItemWrite(name: name, value: text(value), options: WriteOptions(updatedAt: expected)))
        case .compareAndSwap: preconditionFailure("the interface has no compare-and-set by value")
        case .increment(let delta): return .increment(name, by: Double(delta), WriteOptions())
        case .push(let value): return .push(name, value: text(value), WriteOptions())
        case .remove: return .removeItem(name)
        }
    }

    private static func text(_ value: UInt64) -> [UInt8] { Array(String(value).utf8) }
}
