import HoldfastClient
import Simulation

/// Reads what `HistoryFile` writes. Nothing is guessed: what it does not know is a fault of the file.
extension RecordedOperation {
    /// A line of a history; `nil` if it is none.
    public init?(_ json: JSON) {
        guard let client = json["client"]?.int, let object = json["object"]?.text, let item = json["item"]?.text,
            let call = json["call"].flatMap(Call.init), let outcome = json["outcome"].flatMap(Outcome.init),
            let invokedNs = json["invokedNs"].flatMap(UInt64.init(json:))
        else { return nil }
        self.init(
            process: client, object: object, item: item, call: call, invokedNs: invokedNs,
            returnedNs: json["returnedNs"].flatMap(UInt64.init(json:)), outcome: outcome)
        // What has no answer is open, and only that.
        guard (returnedNs == nil) == (outcome == .unknown) else { return nil }
    }
}

extension UInt64 {
    /// `nil` for anything but a whole number from 0 on.
    public init?(json: JSON) {
        guard let number = json.int, number >= 0 else { return nil }
        self = UInt64(number)
    }
}

extension Call {
    init?(_ json: JSON) {
        guard let kind = json.members?.first else { return nil }
        let number = UInt64(json: kind.value)
        switch kind.name {
        case "read": self = .read
        case "remove": self = .remove
        case "set": guard let number else { return nil }
            self = .set(number)
        case "push": guard let number else { return nil }
            self = .push(number)
        case "increment": guard let delta = kind.value.int else { return nil }
            self = .increment(by: Int64(delta))
        case "compareAndSet":
            guard let number, let expected = json["expectedVersion"].flatMap(UInt64.init(json:)) else { return nil }
            self = .compareAndSet(expectedVersion: expected, value: number)
        case "compareAndSwap": guard let number else { return nil }
            self = .compareAndSwap(expected: json["expected"].flatMap(UInt64.init(json:)), value: number)
        default: return nil
        }
    }
}

extension Outcome {
    init?(_ json: JSON) {
        switch json.text {
        case "conflict": self = .conflict
        case "refused": self = .refused
        case "unknown": self = .unknown
        default:
            guard let shown = json["answered"].flatMap(Observation.init),
                let version = json["version"].flatMap(UInt64.init(json:))
            else { return nil }
            self = .answered(shown, version: version)
        }
    }
}

extension Observation {
    /// `nil` if `json` is not what `HistoryFile.json` writes.
    public init?(_ json: JSON) {
        if json.text == "absent" {
            self = .absent
        } else if json == .null {
            self = .nothing
        } else if let count = json["count"]?.int {
            self = .number(Int64(count))
        } else if let value = json["value"].flatMap(UInt64.init(json:)) {
            self = .value(value)
        } else if let elements = json.elements {
            let numbers = elements.compactMap(UInt64.init(json:))
            guard numbers.count == elements.count else { return nil }
            self = .list(numbers)
        } else {
            return nil
        }
    }
}
