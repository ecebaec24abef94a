import Simulation

/// Counters that are counted up and read.
struct CounterPlan: LoadPlan {
    private let names: [String]

    init(_ run: String) { names = (0..<4).map { "\(run)-counter-\($0)" } }

    var hottest: String { names[0] }

    mutating func plan(_ generator: inout SeededGenerator) -> PlannedOperation {
        let object = generator.pick(names)
        return PlannedOperation(object: object, call: generator.chance(0.3) ? .read : .increment(by: 1))
    }

    mutating func note(_ object: String, _ shown: Observation, version: UInt64) {}
}
