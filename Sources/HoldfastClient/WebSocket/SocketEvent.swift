import NIOCore

/// Names an event of an object: epoch and index of its entry in the log, and its place among the entry's
/// events. For one object these only rise; the epoch tells histories apart.
public struct EventPosition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public var epoch: UInt64
    public var index: UInt64
    public var ordinal: UInt32

    public init(epoch: UInt64, index: UInt64, ordinal: UInt32 = 0) {
        self.epoch = epoch
        self.index = index
        self.ordinal = ordinal
    }

    /// `nil` if `json` has not the shape of a position.
    public init?(_ json: JSON) {
        guard let epoch = json["epoch"]?.int.flatMap(UInt64.init(exactly:)),
            let index = json["index"]?.int.flatMap(UInt64.init(exactly:)),
            let ordinal = UInt32(exactly: json["n"]?.int ?? 0)
        else { return nil }
        self.init(epoch: epoch, index: index, ordinal: ordinal)
    }

    public var json: JSON {
        ordinal == 0
            ? ["epoch": .integer(epoch), "index": .integer(index)]
            : ["epoch": .integer(epoch), "index": .integer(index), "n": .integer(ordinal)]
    }

    public static func < (left: EventPosition, right: EventPosition) -> Bool {
        (left.index, left.ordinal) < (right.index, right.ordinal)
    }

    public var description: String { ordinal == 0 ? "\(epoch)/\(index)" : "\(epoch)/\(index).\(ordinal)" }
}

/// One frame of the server about the object: `setItem`, `removeItem`, `message`, `presence:join`,
/// `presence:leave`, and what later versions add.
public struct SocketEvent: Sendable {
    public var name: String
    /// The whole frame.
    public var frame: JSON
    /// `nil` for what is not part of the object's history, as messages are.
    public var position: EventPosition?

    public init(name: String, frame: JSON, position: EventPosition?) {
        self.name = name
        self.frame = frame
        self.position = position
    }

    public var payload: JSON? { frame["payload"] }
    /// Of the client that the event is about.
    public var connectionID: String? { frame["connectionId"]?.text }
}

/// What a subscription tells, in the order in which it happened.
public enum SubscriptionReport: Sendable {
    /// In force from here on, under this connection id.
    case established(Endpoint, connectionID: String, Establishment)
    case event(SocketEvent)
    /// Events that are gone for good; both ends are among them.
    case gap(from: EventPosition, to: EventPosition)
    /// The server says that something which was sent was not done.
    case refusal(String)
    /// The socket is gone or did not open; the next endpoint is tried after the pause.
    case interrupted(Endpoint, SocketEnd, retryAfter: TimeAmount)
    /// Over for good: stopped, or sent away by the server.
    case ended(SocketEnd)
}

/// What became of the connection that the client had before.
public enum Establishment: Sendable, Hashable {
    /// There was none.
    case first
    /// It goes on: same id, presence carried over, missed events follow.
    case resumed
    /// The cluster has forgotten it: a new id, not joined, and events may have been missed.
    case restarted
}
