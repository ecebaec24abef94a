import HoldfastClient
import Simulation

/// Checks a run window by window: each ends when nothing is under way.
public struct WindowCheck: Sendable {
    /// The history's number for who reads every item at the end of a window.
    public static let reader = -1

    public struct Place: Sendable, Hashable, Comparable {
        public var object: String
        public var item: String

        public init(object: String, item: String) {
            self.object = object
            self.item = item
        }

        public static func < (left: Place, right: Place) -> Bool {
            (left.object, left.item) < (right.object, right.item)
        }
    }

    public struct Report: Sendable {
        public var violations: [Violation] = []
        /// Items whose search was given up.
        public var undecided: [String] = []
        /// Items that cannot be followed into the next window.
        public var retired: [Place] = []
    }

    /// What an item showed when the window before had ended.
    private struct Known: Sendable {
        var shows: Observation
        var version: UInt64
    }

    private let numbers: [String: Int]
    private let checker: LinearizabilityChecker
    private var known: [Place: Known] = [:]
    private var order: AnswerOrder
    private var owners = OwnerBook()

    /// - Parameter memoLimit: the search for an order is given up after so many positions, 16 bytes each.
    public init(objects: [String], memoLimit: Int = 1 << 21) {
        numbers = Dictionary(uniqueKeysWithValues: objects.enumerated().map { ($1, $0) })
        order = AnswerOrder(objectCount: objects.count)
        checker = LinearizabilityChecker(memoLimit: memoLimit)
    }

    /// All calls of a window, with the reads at its end, by `reader`.
    public mutating func close(_ records: [LiveRecord]) -> Report {
        var report = Report()
        report.violations = placeViolations(records)
        let byPlace = Dictionary(grouping: records) { Place(object: $0.operation.object, item: $0.operation.item) }
        for place in byPlace.keys.sorted() {
            let own = byPlace[place] ?? []
            let found = checker.check(before(place) + own.map(\.operation))
            report.violations += found.violations
            report.undecided += found.undecided
            known[place] = found.isClean ? Self.settled(own) : nil
            if known[place] == nil { report.retired.append(place) }
        }
        order.settle()
        return report
    }

    /// Forgets an item that nobody uses any more.
    public mutating func forget(_ place: Place) { known[place] = nil }

    /// What the answers say of themselves, in the order in which they came.
    private mutating func placeViolations(_ records: [LiveRecord]) -> [Violation] {
        var violations: [Violation] = []
        for record in records.sorted(by: { ($0.operation.returnedNs ?? .max) < ($1.operation.returnedNs ?? .max) }) {
            let operation = record.operation
            for message in [record.fault, complaint(record)].compactMap({ $0 }) {
                violations.append(Violation(object: operation.object, item: operation.item, message: message))
            }
        }
        return violations
    }

    private mutating func complaint(_ record: LiveRecord) -> String? {
        let operation = record.operation
        guard record.isAnswered, let place = record.place, let returnedNs = operation.returnedNs,
            let number = numbers[operation.object]
        else { return nil }
        let backwards = order.observe(
            object: number, invokedNs: operation.invokedNs, returnedNs: returnedNs, epoch: place.epoch,
            index: place.index, isWrite: operation.call != .read, isReplay: place.isReplay)
        let owners = owners.note(place, of: operation.object)
        return backwards.map { "an answer goes back: \($0)" } ?? owners
    }

    /// Operations that lead to what the item showed at the end of the window before.
    private func before(_ place: Place) -> [RecordedOperation] {
        guard let known = known[place] else { return [] }
        func operation(_ call: Call, _ shows: Observation, _ version: UInt64, at number: Int) -> RecordedOperation {
            RecordedOperation(
                process: Self.reader, object: place.object, item: place.item, call: call,
                invokedNs: UInt64(2 * number), returnedNs: UInt64(2 * number + 1),
                outcome: .answered(shows, version: version))
        }
        switch known.shows {
        case .number(let number): return [operation(.increment(by: number), known.shows, known.version, at: 0)]
        case .value(let value): return [operation(.set(value), known.shows, known.version, at: 0)]
        case .list(let list):
            return list.indices.map { position in
                let isLast = position == list.count - 1
                return operation(
                    .push(list[position]), isLast ? known.shows : .nothing, isLast ? known.version : 0, at: position)
            }
        case .absent, .nothing: return []
        }
    }

    /// What the item shows for good; nil while a write is open, or if nobody read it.
    private static func settled(_ records: [LiveRecord]) -> Known? {
        guard !records.contains(where: { $0.operation.outcome == .unknown }) else { return nil }
        for record in records.reversed() where record.operation.process == reader {
            if case .answered(let shows, let version) = record.operation.outcome {
                return Known(shows: shows, version: version)
            }
        }
        return nil
    }
}
