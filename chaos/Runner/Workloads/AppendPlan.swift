import Simulation

/// Lists to which values are pushed that are never pushed again. A list is left for a fresh one at some length, so
/// that answers stay small.
struct AppendPlan: LoadPlan {
    private static let lists = 4
    private static let lengthMax: UInt64 = 100

    private let run: String
    private var pushes = [UInt64](repeating: 0, count: lists)
    private var nextValue: UInt64 = 1

    init(_ run: String) { self.run = run }

    var hottest: String { name(0) }

    private func name(_ position: Int) -> String { "\(run)-list-\(position)-\(pushes[position] / Self.lengthMax)" }

    mutating func plan(_ generator: inout SeededGenerator) -> PlannedOperation {
        let position = generator.below(Self.lists)
        guard generator.chance(0.6) else { return PlannedOperation(object: name(position), call: .read) }
        nextValue += 1
        let planned = PlannedOperation(object: name(position), call: .push(nextValue))
        pushes[position] += 1
        return planned
    }

    mutating func note(_ object: String, _ shown: Observation, version: UInt64) {}
}
