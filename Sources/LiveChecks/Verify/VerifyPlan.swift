import Simulation

/// What the clients of a verification do: on each object a register, a counter and a list. Half of the calls meet
/// the first object.
public struct VerifyPlan: Sendable {
    /// A list is left for a fresh one at this length, so that answers stay small.
    private static let listLengthMax = 60
    /// In one window a list gets no more than this.
    private static let pushesMax = 200

    public let objects: [String]
    private var generator: SeededGenerator
    private var generations: [WindowCheck.Place: Int] = [:]
    private var versions: [WindowCheck.Place: UInt64] = [:]
    private var pushes: [WindowCheck.Place: Int] = [:]
    private var nextValue: UInt64 = 0

    /// - Parameter name: unlike that of any other run.
    public init(name: String, objects count: Int, seed: UInt64) {
        objects = (0..<count).map { "\(name)-\($0)" }
        generator = SeededGenerator(seed: seed)
    }

    /// The items in use, in a fixed order.
    public var places: [WindowCheck.Place] {
        objects.flatMap { object in ItemKind.allCases.map { place($0, of: object) } }
    }

    private func place(_ kind: ItemKind, of object: String) -> WindowCheck.Place {
        let generation = generations[WindowCheck.Place(object: object, item: kind.rawValue)] ?? 0
        return WindowCheck.Place(object: object, item: "\(kind.rawValue)-\(generation)")
    }

    public mutating func next() -> LiveCall {
        let object = generator.chance(0.5) ? objects[0] : generator.pick(objects)
        let kind = generator.pick(ItemKind.allCases)
        let place = place(kind, of: object)
        let call: Call = generator.chance(0.4) ? .read : write(kind, place)
        return LiveCall(object: object, item: place.item, call: call)
    }

    private mutating func write(_ kind: ItemKind, _ place: WindowCheck.Place) -> Call {
        nextValue += 1
        switch kind {
        case .counter: return .increment(by: 1)
        case .register:
            guard let version = versions[place], generator.chance(0.6) else { return .set(nextValue) }
            return .compareAndSet(expectedVersion: version, value: nextValue)
        case .list:
            guard pushes[place, default: 0] < Self.pushesMax else { return .read }
            pushes[place, default: 0] += 1
            return .push(nextValue)
        }
    }

    /// What an answer showed: compare-and-set builds on it.
    public mutating func note(_ record: LiveRecord) {
        guard case .answered(.value, let version) = record.operation.outcome, version > 0 else { return }
        versions[WindowCheck.Place(object: record.operation.object, item: record.operation.item)] = version
    }

    /// Between two windows: `retired` and lists that have grown long are left for fresh items, and are named.
    public mutating func renew(_ retired: [WindowCheck.Place]) -> [WindowCheck.Place] {
        let long = places.filter { pushes[$0, default: 0] >= Self.listLengthMax }
        let left = Set(retired).union(long).sorted()
        for place in left {
            guard let kind = ItemKind(item: place.item) else { continue }
            generations[WindowCheck.Place(object: place.object, item: kind.rawValue), default: 0] += 1
            versions[place] = nil
            pushes[place] = nil
        }
        return left
    }
}
