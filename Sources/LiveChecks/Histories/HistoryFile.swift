import Glibc
import HoldfastClient
import Simulation

/// The history as JSON lines, one operation each.
public enum HistoryFile {
    public struct Unwritable: Error, CustomStringConvertible {
        public let description: String
    }

    /// Each operation is a line; a file that is there is replaced.
    public static func write(_ history: History, to path: String) throws(Unwritable) {
        try write(history.operations.map(json), to: path)
    }

    /// Any lines. A file that is there is replaced.
    public static func write(_ lines: [JSON], to path: String) throws(Unwritable) {
        guard let file = fopen(path, "w") else { throw failure(path) }
        defer { fclose(file) }
        for line in lines {
            let bytes = line.bytes + [UInt8(ascii: "\n")]
            guard fwrite(bytes, 1, bytes.count, file) == bytes.count else { throw failure(path) }
        }
        guard fflush(file) == 0 else { throw failure(path) }
    }

    private static func failure(_ path: String) -> Unwritable {
        Unwritable(description: "\(path): \(String(cString: strerror(errno)))")
    }

    /// One operation as its line has it.
    public static func json(_ operation: RecordedOperation) -> JSON {
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

    /// What an answer showed, as a line has it.
    public static func json(_ shown: Observation) -> JSON {
        switch shown {
        case .absent: "absent"
        case .nothing: .null
        case .number(let number): ["count": .integer(number)]
        case .value(let value): ["value": .integer(value)]
        case .list(let list): .array(list.map { .integer($0) })
        }
    }
}
