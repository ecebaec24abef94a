import Binary

/// What an edge asks of an object on behalf of one connection. Writes like any other: each has an id, takes
/// effect once (O10), and its events leave when its entry is committed (O3).
public enum SessionOperation: Sendable, Equatable {
    /// Joins, or changes the data that the connection has joined with.
    case join(ConnectionID, Attachment, SocketPayload)
    /// The connection leaves. Does nothing if it has another attachment by now (O15).
    case leave(ConnectionID, Attachment)
    /// The connection has this socket from now on.
    case resume(ConnectionID, Attachment)

    /// Of the refusal when the object remembers as many connections as it may.
    public static let noRoomCode = "rateLimitError.sessions"

    func encode(into writer: inout ByteWriter) {
        let (kind, connection, attachment) = parts
        writer.write(kind)
        connection.encode(into: &writer)
        attachment.encode(into: &writer)
        if case .join(_, _, let payload) = self { payload.encode(into: &writer) }
    }

    private var parts: (UInt8, ConnectionID, Attachment) {
        switch self {
        case .join(let connection, let attachment, _): (1, connection, attachment)
        case .leave(let connection, let attachment): (2, connection, attachment)
        case .resume(let connection, let attachment): (3, connection, attachment)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let kind = try reader.readUInt8()
        let connection = try ConnectionID(from: &reader)
        let attachment = try Attachment(from: &reader)
        switch kind {
        case 1: self = .join(connection, attachment, try SocketPayload(from: &reader))
        case 2: self = .leave(connection, attachment)
        case 3: self = .resume(connection, attachment)
        default: throw DecodingFailure("a session operation is of an unknown kind")
        }
    }
}

/// An edge asks the owner for the events of an object, from a point on.
public struct ListenRequest: Sendable, Equatable {
    /// The last event that is known; nil to begin with what comes next.
    public var after: EventPoint?
    /// Where events are to be sent from now on; nil for a single look back.
    public var feed: FeedAddress?
    /// How many sockets the feed is for.
    public var seats: SeatRequest
    /// Whoever asks has been listening since `after`: nothing happened to the object unwatched.
    public var hasListened: Bool

    public init(
        after: EventPoint?, feed: FeedAddress?, seats: SeatRequest = SeatRequest(), hasListened: Bool
    ) {
        self.after = after
        self.feed = feed
        self.seats = seats
        self.hasListened = hasListened
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeOptional(after) { $1.encode(into: &$0) }
        writer.writeOptional(feed) { $1.encode(into: &$0) }
        seats.encode(into: &writer)
        writer.write(hasListened)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        after = try reader.readOptional { (reader) throws(DecodingFailure) in try EventPoint(from: &reader) }
        feed = try reader.readOptional { (reader) throws(DecodingFailure) in try FeedAddress(from: &reader) }
        seats = try SeatRequest(from: &reader)
        hasListened = try reader.readBool()
    }
}

/// Where an edge process keeps the feed of an object: the loop, and a number that it never uses again.
public struct FeedAddress: Hashable, Sendable {
    public var loop: UInt16
    public var number: UInt64

    public init(loop: UInt16, number: UInt64) {
        self.loop = loop
        self.number = number
    }

    public func encode(into writer: inout ByteWriter) {
        writer.write(loop)
        writer.writeVariable(number)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        loop = try reader.readUInt16()
        number = try reader.readVariable()
    }
}

/// The answer to a `ListenRequest`.
public struct Hearing: Sendable, Equatable {
    /// Everything up to here has been told, or is certainly missing.
    public var through: EventPoint
    /// Events behind the point that was asked for may be missing, and nobody can tell which.
    public var isGap: Bool
    public var events: [FeedEvent]
    /// How many sockets the feed may have connected; zero for a look back.
    public var seats: UInt64

    public init(through: EventPoint, isGap: Bool, events: [FeedEvent], seats: UInt64 = 0) {
        self.through = through
        self.isGap = isGap
        self.events = events
        self.seats = seats
    }

    public func encode(into writer: inout ByteWriter) {
        through.encode(into: &writer)
        writer.write(isGap)
        writer.writeArray(events) { $1.encode(into: &$0) }
        writer.writeVariable(seats)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        through = try EventPoint(from: &reader)
        isGap = try reader.readBool()
        events = try reader.readArray { (reader) throws(DecodingFailure) in try FeedEvent(from: &reader) }
        seats = try reader.readVariable()
    }
}

/// One event on its way from the owner to edges.
public struct FeedEvent: Sendable, Equatable {
    public enum Content: Sendable, Equatable {
        /// The text frame for clients, rendered once.
        case frame([UInt8])
        /// For edges only: earlier sockets of the connection end (O15).
        case moved(ConnectionID, Attachment)
    }

    public var point: EventPoint
    public var content: Content

    public init(point: EventPoint, content: Content) {
        self.point = point
        self.content = content
    }

    public func encode(into writer: inout ByteWriter) {
        point.encode(into: &writer)
        switch content {
        case .frame(let bytes):
            writer.write(UInt8(1))
            writer.writeBytes(bytes)
        case .moved(let connection, let attachment):
            writer.write(UInt8(2))
            connection.encode(into: &writer)
            attachment.encode(into: &writer)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        point = try EventPoint(from: &reader)
        switch try reader.readUInt8() {
        case 1: content = .frame(try reader.readBytes())
        case 2:
            let connection = try ConnectionID(from: &reader)
            content = .moved(connection, try Attachment(from: &reader))
        default: throw DecodingFailure("an event is of an unknown kind")
        }
    }
}
