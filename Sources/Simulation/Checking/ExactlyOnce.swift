/// Counts, without any search, whether every acknowledged operation is in the final state once:
/// cruder than the linearizability checker, but its verdict needs no explanation.
public enum ExactlyOnce {
    /// `final`: what each item held after all operations had ended, by (object, item).
    public static func check(_ history: History, final: [(object: String, item: String, shows: Observation)])
        -> [Violation]
    {
        final.compactMap { entry in
            let own = history.operations.filter { $0.object == entry.object && $0.item == entry.item }
            return complaint(own, entry.shows).map {
                Violation(object: entry.object, item: entry.item, message: $0)
            }
        }
    }

    private static func complaint(_ operations: [RecordedOperation], _ shows: Observation) -> String? {
        switch shows {
        case .number(let number): return counterComplaint(operations, number)
        case .list(let list): return listComplaint(operations, list)
        case .absent:
            let kept = operations.contains { $0.isAcknowledgedAddition }
            return kept ? "an acknowledged operation is gone: the item is absent" : nil
        case .value, .nothing: return nil
        }
    }

    private static func counterComplaint(_ operations: [RecordedOperation], _ number: Int64) -> String? {
        var acknowledged: Int64 = 0
        var open: Int64 = 0
        for operation in operations {
            guard case .increment(let delta) = operation.call, delta > 0 else { continue }
            switch operation.outcome {
            case .answered: acknowledged += delta
            case .unknown: open += delta
            case .refused, .conflict: break
            }
        }
        if number < acknowledged {
            return "acknowledged increments sum to \(acknowledged), the counter shows \(number)"
        }
        if number > acknowledged + open {
            return "at most \(acknowledged + open) was ever added, the counter shows \(number)"
        }
        return nil
    }

    private static func listComplaint(_ operations: [RecordedOperation], _ list: [UInt64]) -> String? {
        var times: [UInt64: Int] = [:]
        for element in list { times[element, default: 0] += 1 }
        for operation in operations {
            guard case .push(let element) = operation.call else { continue }
            let shown = times[element] ?? 0
            if shown > 1 { return "\(element) was pushed once and is there \(shown) times" }
            if shown == 0, operation.isAcknowledgedAddition {
                return "the acknowledged push of \(element) is gone"
            }
            if shown == 1, operation.outcome == .refused { return "the refused push of \(element) is there" }
        }
        return nil
    }
}

extension RecordedOperation {
    fileprivate var isAcknowledgedAddition: Bool {
        guard case .answered = outcome else { return false }
        switch call {
        case .increment, .push: return true
        case .read, .set, .compareAndSet, .compareAndSwap, .remove: return false
        }
    }
}
