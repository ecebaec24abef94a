/// Checks whole histories: each item on its own, which is enough, because an order for each part
/// gives an order for the whole (Herlihy and Wing's locality).
public struct LinearizabilityChecker: Sendable {
    /// The search gives up on an item after remembering so many positions (16 bytes each).
    public var memoLimit: Int

    public init(memoLimit: Int = 8 << 20) {
        self.memoLimit = memoLimit
    }

    public func check(_ history: History) -> CheckReport {
        check(history.operations)
    }

    public func check(_ operations: [RecordedOperation]) -> CheckReport {
        struct ItemName: Hashable, Comparable {
            var object: String
            var item: String
            static func < (left: ItemName, right: ItemName) -> Bool {
                (left.object, left.item) < (right.object, right.item)
            }
        }
        var sources: [ItemName: [Int]] = [:]
        for (source, operation) in operations.enumerated() {
            sources[ItemName(object: operation.object, item: operation.item), default: []].append(source)
        }
        var report = CheckReport()
        report.operations = operations.count
        for name in sources.keys.sorted() {
            report.items += 1
            checkItem(operations, sources[name] ?? [], &report)
        }
        return report
    }

    private func checkItem(_ operations: [RecordedOperation], _ sources: [Int], _ report: inout CheckReport) {
        let own = sources.map { operations[$0] }
        let history: ItemHistory
        do {
            history = try ItemHistory(own, sources: sources)
        } catch {
            report.violations.append(
                Violation(object: own[0].object, item: own[0].item, message: error.message))
            return
        }
        var search = LinearizationSearch(history, memoLimit: memoLimit)
        switch search.run() {
        case .linearizable: break
        case .stuck(let source, let state):
            let message = explain(operations, sources, stuckAt: source, state)
            report.violations.append(Violation(object: own[0].object, item: own[0].item, message: message))
        case .undecided:
            report.undecided.append("\(own[0].object)/\(own[0].item)")
        }
    }

    private func explain(
        _ operations: [RecordedOperation], _ sources: [Int], stuckAt stuck: Int, _ state: ItemState
    ) -> String {
        let culprit = operations[stuck]
        let fromNs = culprit.invokedNs
        let untilNs = culprit.returnedNs ?? .max
        let near = sources.filter { source in
            let other = operations[source]
            return source != stuck && other.invokedNs <= untilNs && (other.returnedNs ?? .max) >= fromNs
        }
        var lines = ["no order explains \(culprit.summary); furthest state: \(state)"]
        lines += near.prefix(24).map { "  beside it: " + operations[$0].summary }
        return lines.joined(separator: "\n")
    }
}

/// What the checker found.
public struct CheckReport: Sendable {
    public var items = 0
    public var operations = 0
    public var violations: [Violation] = []
    /// Items whose search was given up: neither right nor wrong.
    public var undecided: [String] = []

    public init() {}

    public var isClean: Bool { violations.isEmpty && undecided.isEmpty }
}

/// One item whose answers no order explains.
public struct Violation: Sendable, Equatable {
    public var object: String
    public var item: String
    public var message: String

    public init(object: String, item: String, message: String) {
        self.object = object
        self.item = item
        self.message = message
    }
}

extension RecordedOperation {
    var summary: String {
        let end = returnedNs.map { "\($0 / 1000)" } ?? "open"
        return "client \(process) \(call) [\(invokedNs / 1000)…\(end) µs] -> \(outcome)"
    }
}
