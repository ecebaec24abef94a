import HoldfastClient
import Simulation

/// What an item holds; its name begins so.
public enum ItemKind: String, Sendable, CaseIterable {
    case counter, register, list

    /// By the item's name: `list-3` is a list.
    public init?(item: String) {
        guard let word = item.split(separator: "-").first else { return nil }
        self.init(rawValue: String(word))
    }
}

/// One call on one item.
public struct LiveCall: Sendable, Equatable {
    public var object: String
    public var item: String
    public var call: Call

    public init(object: String, item: String, call: Call) {
        self.object = object
        self.item = item
        self.call = call
    }

    var isWrite: Bool { call != .read }
}

/// One call as its client saw it.
public struct LiveRecord: Sendable, Equatable {
    public var operation: RecordedOperation
    /// Where the answer stands; nil if it does not say, or if there was none.
    public var place: AnswerPlace?
    /// Why it failed, as far as the client was told.
    public var error: String?
    /// What no node may answer.
    public var fault: String?

    public init(_ operation: RecordedOperation, place: AnswerPlace? = nil, error: String? = nil, fault: String? = nil) {
        self.operation = operation
        self.place = place
        self.error = error
        self.fault = fault
    }

    var isAnswered: Bool {
        if case .answered = operation.outcome { true } else { false }
    }

    /// A line of a history, with where the answer stands.
    var json: JSON {
        var members = HistoryFile.json(operation).members ?? []
        if let place {
            members += [
                JSON.Member("epoch", .integer(place.epoch)), JSON.Member("index", .integer(place.index)),
                JSON.Member("owner", .string(place.owner)), JSON.Member("replay", .bool(place.isReplay)),
            ]
        }
        if let text = fault ?? error { members.append(JSON.Member("error", .string(text))) }
        return .object(members)
    }
}
