import ObjectRuntime

/// Names a client's socket within its node: the event loop that holds it, and its number there.
/// Numbers are never used again by a process.
public struct SocketID: Hashable, Sendable {
    public var loop: UInt16
    public var number: UInt64

    public init(loop: UInt16, number: UInt64) {
        self.loop = loop
        self.number = number
    }
}

/// A socket whose upgrade has been granted: credentials and the signature of the id have been checked.
public struct SocketOpening: Sendable {
    public var socket: SocketID
    public var project: String
    public var objectClass: String
    public var objectID: String
    /// The API key behind the credentials: a connection id is resumed by the same key only.
    public var keyID: String
    /// The client has said that its first frame will be a `resume`: it hears nothing before, however late that comes.
    public var announcesResume: Bool

    public init(
        socket: SocketID, project: String, objectClass: String, objectID: String, keyID: String,
        announcesResume: Bool = false
    ) {
        self.socket = socket
        self.project = project
        self.objectClass = objectClass
        self.objectID = objectID
        self.keyID = keyID
        self.announcesResume = announcesResume
    }
}

/// What a socket tells the loop that keeps its object's feed (`hubLoop`), in the order in which it happened.
public enum SocketInput: Sendable {
    case opened(SocketOpening)
    /// A frame that has been read and, where the class demands it, whose user has been proven.
    case frame(SocketID, SocketFrame)
    case closed(SocketID, SocketEnd)
}

public enum SocketFrame: Sendable, Equatable {
    case ping
    case resume(connectionID: String, after: EventPoint?)
    case message(SocketPayload)
    case join(SocketPayload)
    case leave
}

/// Why a socket is gone.
public enum SocketEnd: Sendable {
    /// The connection is over, whoever closed it: presence leaves at once.
    case closed
    /// This node stops, or is being drained: the client goes on elsewhere, and its presence waits for it there.
    case shutdown
}

/// What the loop that keeps a feed wants done with sockets, in order.
public enum SocketOutput: Sendable {
    /// One text frame for many sockets of one loop; a socket that is gone is passed over.
    case deliver(frame: [UInt8], loop: UInt16, numbers: [UInt64], except: UInt64?)
    case close(SocketID, SocketClosing)
}

/// A close frame: the code of RFC 6455 section 7.4 and a text for people.
public struct SocketClosing: Sendable, Equatable {
    public var code: UInt16
    public var reason: String

    public init(code: UInt16, reason: String) {
        self.code = code
        self.reason = reason
    }
}
