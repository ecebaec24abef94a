/// One text frame of a client's socket (section 8 of the wire protocol).
public struct ClientFrame: Sendable, Equatable {
    public enum Event: Sendable, Equatable {
        case ping
        /// A client that had a connection id asks for it again, and for what it missed behind a point.
        case resume(connectionID: String, after: EventPoint?)
        case message(SocketPayload)
        case join(SocketPayload)
        case leave
        /// Credentials in the first frame, so that none stands in a URL.
        case auth(token: String)
        /// An event that nobody knows: ignored, as junk is.
        case unknown
    }

    public var event: Event
    /// The user's proof of identity, which classes may demand (section 13).
    public var identityToken: String?
    public var userIDSignature: String?

    public init(event: Event, identityToken: String? = nil, userIDSignature: String? = nil) {
        self.event = event
        self.identityToken = identityToken
        self.userIDSignature = userIDSignature
    }
}

/// What a client sends along with a message or a join: JSON text as it was sent, an object or, if
/// encrypted, a string.
public struct SocketPayload: Sendable, Equatable {
    public var json: [UInt8]
    public var keyVersion: UInt32?

    public init(json: [UInt8], keyVersion: UInt32? = nil) {
        self.json = json
        self.keyVersion = keyVersion
    }

    /// Encrypted payloads are strings: nothing in them can be looked at.
    public var isEncrypted: Bool { json.first == JSONByte.quote }
}

extension ClientFrame {
    /// Nil for junk: no JSON object, no `event`, or members of the wrong form. Never traps.
    public static func parse(_ text: [UInt8]) -> ClientFrame? {
        try? RequestBody.read(text) { (body) throws(Refusal) in
            guard let name = body.string("event") else { throw .invalid("event", "A frame needs an event.") }
            var frame = ClientFrame(event: try event(name, body))
            if let auth = body.object("auth") {
                frame.identityToken = auth.string("identityToken")
                frame.userIDSignature = auth.string("userIdSignature")
            }
            return frame
        }
    }

    private static func event(_ name: String, _ body: RequestBody) throws(Refusal) -> Event {
        switch name {
        case "ping": return .ping
        case "message": return .message(try payload(body))
        case "presence:join":
            let payload = try payload(body)
            guard payload.isEncrypted || payload.json.first == JSONByte.openObject else {
                throw .invalid("payload", "What one joins with is an object, or a string if it is encrypted.")
            }
            return .join(payload)
        case "presence:leave": return .leave
        case "resume":
            guard let id = body.string("connectionId") else {
                throw .invalid("connectionId", "resume needs a connectionId.")
            }
            return .resume(connectionID: id, after: try after(body))
        case "auth":
            guard let token = body.string("token") else { throw .invalid("token", "auth needs a token.") }
            return .auth(token: token)
        default: return .unknown
        }
    }

    private static func payload(_ body: RequestBody) throws(Refusal) -> SocketPayload {
        guard let json = try body.text("payload") else {
            throw .invalid("payload.missing", "The frame has no payload.")
        }
        return SocketPayload(json: json, keyVersion: try body.keyVersion())
    }

    private static func after(_ body: RequestBody) throws(Refusal) -> EventPoint? {
        guard let after = body.object("after") else { return nil }
        guard let epoch = try after.number("epoch").flatMap(UInt64.init(exactly:)),
            let index = try after.number("index").flatMap(UInt64.init(exactly:)),
            let ordinal = UInt32(exactly: try after.number("n") ?? 0)
        else { throw .invalid("after", "after needs epoch and index as whole numbers.") }
        return EventPoint(epoch: epoch, index: index, ordinal: ordinal)
    }
}

extension RequestBody {
    /// The version of the key with which a payload is encrypted; absent for plain ones, and for null.
    fileprivate func keyVersion() throws(Refusal) -> UInt32? {
        guard let kind = kind("keyVersion"), kind != .null else { return nil }
        guard let value = try number("keyVersion").flatMap(UInt32.init(exactly:)), value != .max else {
            throw .invalid("keyVersion", "keyVersion must be a whole number.")
        }
        return value
    }
}
