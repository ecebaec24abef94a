import Simulation

/// Plain counts, by rules simple enough to need no trust.
public struct Tally: Sendable {
    public private(set) var operations = 0
    public private(set) var acknowledged = 0
    public private(set) var conflicts = 0
    public private(set) var refused = 0
    public private(set) var unknown = 0
    /// Acknowledged pushes that are not in their list, and what counters lack.
    public private(set) var lost = 0
    /// Pushes that are in their list more than once, and what counters have too much.
    public private(set) var doubled = 0

    private struct Place: Hashable {
        var object: String
        var item: String
    }

    private struct Added {
        var acknowledged = 0
        var open = 0
        var pushed: [UInt64] = []
    }

    /// `final`: what each item held after all operations had ended.
    public init(_ history: History, final: [(object: String, item: String, shows: Observation)]) {
        var added: [Place: Added] = [:]
        for operation in history.operations {
            count(operation.outcome)
            Self.note(operation, in: &added[Place(object: operation.object, item: operation.item), default: Added()])
        }
        for entry in final {
            compare(entry.shows, added[Place(object: entry.object, item: entry.item)] ?? Added())
        }
    }

    private mutating func count(_ outcome: Outcome) {
        operations += 1
        switch outcome {
        case .answered: acknowledged += 1
        case .conflict: conflicts += 1
        case .refused: refused += 1
        case .unknown: unknown += 1
        }
    }

    private static func note(_ operation: RecordedOperation, in added: inout Added) {
        let isAnswered = if case .answered = operation.outcome { true } else { false }
        switch operation.call {
        case .push(let element) where isAnswered: added.pushed.append(element)
        case .increment where isAnswered: added.acknowledged += 1
        case .increment where operation.outcome == .unknown: added.open += 1
        default: break
        }
    }

    private mutating func compare(_ shows: Observation, _ added: Added) {
        switch shows {
        case .number(let number):
            lost += max(0, added.acknowledged - Int(number))
            doubled += max(0, Int(number) - added.acknowledged - added.open)
        case .list(let list):
            let present = Set(list)
            lost += added.pushed.filter { !present.contains($0) }.count
            doubled += list.count - present.count
        case .absent: lost += added.acknowledged + added.pushed.count
        case .value, .nothing: break
        }
    }
}
