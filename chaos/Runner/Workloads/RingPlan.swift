import Simulation

/// Rings that are read and turned by compare-and-set: a change that rests on another state than the one it replaces
/// breaks the chain of turns.
struct RingPlan: LoadPlan {
    private let names: [String]
    private var known: [String: (version: UInt64, ring: Ring)] = [:]
    private var nextStamp: UInt64 = 1

    init(_ run: String) { names = (0..<2).map { "\(run)-ring-\($0)" } }

    var hottest: String { names[0] }

    mutating func plan(_ generator: inout SeededGenerator) -> PlannedOperation {
        let object = generator.pick(names)
        guard generator.chance(0.6) else { return PlannedOperation(object: object, call: .read) }
        nextStamp += 1
        guard let (version, ring) = known[object] else {
            return PlannedOperation(object: object, call: .set(Ring.first(stamp: nextStamp).value))
        }
        let turned = ring.turned(at: generator.below(Ring.places), stamp: nextStamp)
        return PlannedOperation(object: object, call: .compareAndSet(expectedVersion: version, value: turned.value))
    }

    mutating func note(_ object: String, _ shown: Observation, version: UInt64) {
        guard case .value(let value) = shown, version > 0 else { return }
        known[object] = (version, Ring(value))
    }
}
