import Glibc
import HoldfastClient
import Simulation

/// The history as JSON lines, one operation each.
enum HistoryFile {
    static func write(_ history: History, to path: String) throws {
        guard let file = fopen(path, "w") else {
            throw LocalCluster.Unusable(description: "\(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        for operation in history.operations {
            let line = json(operation).bytes + [UInt8(ascii: "\n")]
            guard fwrite(line, 1, line.count, file) == line.count else {
                throw LocalCluster.Unusable(description: "\(path): \(String(cString: strerror(errno)))")
            }
        }
    }

    static func json(_ operation: RecordedOperation) -> JSON {
        [
            "client": .integer(operation.process), "object": .string(operation.object),
            "item": .string(operation.item), "call": json(operation.call),
            "invokedNs": .integer(operation.invokedNs),
            "returnedNs": operation.returnedNs.map { .integer($0) } ?? .null,
            "outcome": json(operation.outcome),
        ]
    }

    private static func json(_ call: Call) -> JSON {
        switch call {
        case .read: ["read": .null]
        case .set(let value): ["set": .integer(value)]
        case .compareAndSet(let expected, let value):
            ["compareAndSet": .integer(value), "expectedVersion": .integer(expected)]
        case .compareAndSwap(let expected, let value):
            ["compareAndSwap": .integer(value), "expected": expected.map { .integer($0) } ?? .null]
        case .increment(let delta): ["increment": .integer(delta)]
        case .push(let element): ["push": .integer(element)]
        case .remove: ["remove": .null]
        }
    }

    private static func json(_ outcome: Outcome) -> JSON {
        switch outcome {
        case .answered(let shown, let version): ["answered": json(shown), "version": .integer(version)]
        case .conflict: "conflict"
        case .refused: "refused"
        case .unknown: "unknown"
        }
    }

    static func json(_ shown: Observation) -> JSON {
        switch shown {
        case .absent: "absent"
        case .nothing: .null
        case .number(let number): ["count": .integer(number)]
        case .value(let value): ["value": .integer(value)]
        case .list(let list): .array(list.map { .integer($0) })
        }
    }
}
