/// Text frames for clients (sections 8 to 11 of the wire protocol): one JSON object each.
public enum FrameRendering {
    public static let pong = Array(#"{"event":"pong"}"#.utf8)

    /// `at`: nothing behind this point will be missed. A client that loses its node before it hears of any
    /// event asks for what comes after it.
    public static func connected(_ connection: ConnectionID, at point: EventPoint) -> [UInt8] {
        frame("connected", at: point) { $0.member("connectionId", string: connection.text) }
    }

    public static func resumed(_ connection: ConnectionID) -> [UInt8] {
        frame("resume:ack") { $0.member("connectionId", string: connection.text) }
    }

    /// Something that the client sent was not done.
    public static func error(_ text: String) -> [UInt8] {
        frame("error") { $0.member("payload", string: Array(text.utf8)) }
    }

    public static func message(_ payload: SocketPayload) -> [UInt8] {
        frame("message") { $0.payload(payload) }
    }

    /// Both ends are missing.
    public static func gap(from: EventPoint, to: EventPoint) -> [UInt8] {
        frame("gap") {
            $0.name("from")
            $0.point(from)
            $0.name("to")
            $0.point(to)
        }
    }

    /// Nil for what no client hears of.
    static func event(_ event: ObjectEvent, at point: EventPoint) -> [UInt8]? {
        switch event {
        case .set(let named): frame("setItem", at: point) { $0.item(named) }
        case .removed(let name):
            frame("removeItem", at: point) {
                $0.name("payload")
                $0.raw("{\"prop\":")
                $0.string(name.bytes)
                $0.raw("}")
            }
        case .joined(let connection, let presence):
            frame("presence:join", at: point) {
                $0.member("connectionId", string: connection.text)
                $0.member("joinedAt", number: presence.joinedAt)
                $0.payload(presence.payload)
            }
        case .left(let connection, let presence):
            frame("presence:leave", at: point) {
                $0.member("connectionId", string: connection.text)
                $0.payload(presence.payload)
            }
        case .moved: nil
        }
    }

    /// Who has joined, in the order of joining.
    static func presenceList(_ sessions: [SessionRecord]) -> [UInt8] {
        let joined = sessions.compactMap { record in record.presence.map { (record.connection, $0) } }
        let ordered = joined.sorted { ($0.1.joinedAt, $0.0) < ($1.1.joinedAt, $1.0) }
        var writer = FrameWriter()
        writer.raw("[")
        for (position, (connection, presence)) in ordered.enumerated() {
            writer.raw(position == 0 ? "{\"connectionId\":" : ",{\"connectionId\":")
            writer.string(connection.text)
            writer.member("joinedAt", number: presence.joinedAt)
            writer.payload(presence.payload, named: "data")
            writer.raw("}")
        }
        writer.raw("]")
        return writer.bytes
    }

    private static func frame(
        _ event: StaticString, at point: EventPoint? = nil, _ members: (inout FrameWriter) -> Void
    ) -> [UInt8] {
        var writer = FrameWriter()
        writer.raw("{\"event\":\"")
        writer.raw(event)
        writer.raw("\"")
        members(&writer)
        if let point {
            writer.name("at")
            writer.point(point)
        }
        writer.raw("}")
        return writer.bytes
    }
}

/// Writes the members of a frame behind its first one.
private struct FrameWriter {
    private(set) var bytes: [UInt8] = []

    mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func name(_ name: StaticString) {
        raw(",\"")
        raw(name)
        raw("\":")
    }

    mutating func string(_ text: [UInt8]) { appendJSONString(text, to: &bytes) }

    mutating func member(_ name: StaticString, string: [UInt8]) {
        self.name(name)
        self.string(string)
    }

    mutating func member(_ name: StaticString, number: UInt64) {
        self.name(name)
        appendDecimal(number, to: &bytes)
    }

    /// A version is written only where there is one: null would count as encrypted.
    mutating func payload(_ payload: SocketPayload, named name: StaticString = "payload") {
        self.name(name)
        bytes.append(contentsOf: payload.json)
        if let keyVersion = payload.keyVersion { member("keyVersion", number: UInt64(keyVersion)) }
    }

    mutating func item(_ named: NamedItem) {
        name("payload")
        raw("{\"prop\":")
        string(named.name.bytes)
        raw(",")
        Rendering.appendMembers(named.item, to: &bytes)
        raw("}")
    }

    mutating func point(_ point: EventPoint) {
        raw("{\"epoch\":")
        appendDecimal(point.epoch, to: &bytes)
        member("index", number: point.index)
        if point.ordinal > 0 { member("n", number: UInt64(point.ordinal)) }
        raw("}")
    }
}

extension EventRecord {
    /// What edges get of it.
    public func feedEvents() -> [FeedEvent] {
        events.enumerated().compactMap { ordinal, event in
            if case .moved(let connection, let attachment) = event {
                return FeedEvent(point: point(ordinal), content: .moved(connection, attachment))
            }
            let point = point(ordinal)
            return FrameRendering.event(event, at: point).map { FeedEvent(point: point, content: .frame($0)) }
        }
    }
}
