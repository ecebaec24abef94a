import Simulation

/// Registers that are written, read, and changed by compare-and-set.
struct RegisterPlan: LoadPlan {
    private let names: [String]
    private var versions: [String: UInt64] = [:]
    private var nextValue: UInt64 = 1

    init(_ run: String) { names = (0..<4).map { "\(run)-register-\($0)" } }

    var hottest: String { names[0] }

    mutating func plan(_ generator: inout SeededGenerator) -> PlannedOperation {
        let object = generator.pick(names)
        let dice = generator.below(100)
        guard dice >= 40 else { return PlannedOperation(object: object, call: .read) }
        nextValue += 1
        guard dice >= 60, let version = versions[object] else {
            return PlannedOperation(object: object, call: .set(nextValue))
        }
        return PlannedOperation(object: object, call: .compareAndSet(expectedVersion: version, value: nextValue))
    }

    mutating func note(_ object: String, _ shown: Observation, version: UInt64) {
        if version > 0 { versions[object] = version }
    }
}
