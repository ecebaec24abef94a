import ObjectRuntime
import Placement
import Raft

/// The events of one object as they come to this node, for all its sockets on that object.
///
/// One feed per object and node. It knows how far it has been told (`cursor`), at which epoch it listens,
/// and which sockets are to hear what comes; a change of owner is its own business, and sockets notice at
/// most a pause.
final class Feed {
    let address: FeedAddress
    let object: ObjectID
    let project: String
    let shard: ShardID
    /// Everything up to here has been told to the sockets that are live. Nil before anything was heard.
    var cursor: EventPoint?
    /// Of the owner that tells this feed what comes; zero while none does.
    var epoch = Epoch.zero
    /// A request to listen is under way.
    var isListening = false
    /// The point from which it was asked.
    var askedAfter: EventPoint?
    /// The last request to listen had no answer: nobody is connected before one has.
    var isCutOff = false
    /// The request under way is for seats only: the sockets that are connected do not depend on it.
    var isForSeatsOnly = false
    /// Of the request under way, or of the last one.
    var seatRequest = SeatRequest()
    /// How many sockets may be connected.
    var seats: UInt64 = 0
    private(set) var sessions: [Session] = []
    /// Newest message of each edge that was handed to the sockets: copies are dropped.
    private var newestMessage: [EdgeStream: UInt64] = [:]
    /// Edges that were over when `forgetMessages` was called last.
    private var overStreams: Set<EdgeStream> = []
    /// Sockets that hear everything as it comes, by the loop that holds them. Made when needed.
    private var audience: [(loop: UInt16, numbers: [UInt64])]?

    init(address: FeedAddress, object: ObjectID, project: String, shard: ShardID) {
        self.address = address
        self.object = object
        self.project = project
        self.shard = shard
    }

    var isEmpty: Bool { sessions.isEmpty }

    /// What to ask the owner for.
    func nextSeatRequest() -> SeatRequest {
        var held: UInt64 = 0
        var opening: UInt64 = 0
        for session in sessions where !session.isGone && !session.isRefused {
            if session.phase == .opening { opening += 1 } else { held += 1 }
        }
        seatRequest = SeatRequest(revision: seatRequest.revision + 1, held: held, wanted: held + opening)
        return seatRequest
    }

    func add(_ session: Session) {
        sessions.append(session)
    }

    func remove(_ session: Session) {
        sessions.removeAll { $0 === session }
        audience = nil
    }

    /// The session hears what comes from now on, or does not any more.
    func audienceChanged() { audience = nil }

    /// The sockets that are live, each loop's in the order in which they came.
    func liveAudience() -> [(loop: UInt16, numbers: [UInt64])] {
        if let audience { return audience }
        var made: [(loop: UInt16, numbers: [UInt64])] = []
        for session in sessions where session.phase == .live && !session.isGone {
            if let place = made.firstIndex(where: { $0.loop == session.socket.loop }) {
                made[place].numbers.append(session.socket.number)
            } else {
                made.append((session.socket.loop, [session.socket.number]))
            }
        }
        audience = made
        return made
    }

    /// Whether the message is new here: each edge's messages come in the order of their counters.
    func takeMessage(_ stream: EdgeStream, counter: UInt64) -> Bool {
        guard counter > newestMessage[stream] ?? 0 else { return false }
        newestMessage[stream] = counter
        return true
    }

    /// Edge processes that are over send nothing any more, but copies of what they sent may come late: they
    /// are forgotten at the call after the one that finds them over.
    func forgetMessages(where isOver: (UInt64) -> Bool) {
        guard !newestMessage.isEmpty else { return }
        newestMessage = newestMessage.filter { !overStreams.contains($0.key) }
        overStreams = Set(newestMessage.keys.filter { isOver($0.incarnation) })
    }
}

/// One socket of a client, as the feed's loop knows it.
final class Session {
    enum Phase: Equatable {
        /// Waits until the feed has heard from the owner: `connected` promises that nothing after it is missed.
        case opening
        /// Connected. Its first frame may ask for the past, which must come before anything new; so it hears
        /// nothing before that frame, or for `SocketHub.greetingMs` if it has not announced a resume.
        case greeting(since: EventPoint)
        /// Has asked for what it missed.
        case catchingUp
        /// Has been told up to a point that the feed has not reached yet.
        case ahead(of: EventPoint)
        case live
    }

    let socket: SocketID
    let feed: Feed
    let keyID: String
    let attachment: Attachment
    let announcesResume: Bool
    var connection: ConnectionID
    /// The entry that gave the connection this socket; zero for the id with which the socket began (O15).
    var attachedAt: UInt64 = 0
    /// The connection for which it has asked, and the newest entry meanwhile that gave it to another socket.
    var claim: (connection: ConnectionID, takenAt: UInt64)?
    var phase = Phase.opening
    /// Where the feed was when the socket was connected: it is told what is behind that.
    var connectedAt: EventPoint?
    /// The object remembers this connection, or may do so soon: somebody has to say that it left.
    var isRemembered = false
    /// An operation is under way; what follows waits for it, so that one sender's order is kept.
    var isBusy = false
    /// The socket is gone. The session ends when the object has forgotten it.
    var isGone = false
    /// Its client was sent elsewhere and may resume there: the leave is not said yet.
    var awaitsResume = false
    /// It is told to close, and was never connected: it gets no seat any more.
    var isRefused = false
    /// Messages under way: a client that floods waits, and then is closed.
    var openMessages = 0
    var openMessageBytes = 0
    /// Events that came while it was greeted, to be told after; nil: too many, and the owner is asked for them.
    var missed: [[UInt8]]? = []
    var missedBytes = 0
    static let missedBytesMax = 64 << 10
    /// Frames that wait.
    var waiting: [SocketFrame] = []
    var waitingBytes = 0

    init(_ opening: SocketOpening, feed: Feed, attachment: Attachment, connection: ConnectionID) {
        socket = opening.socket
        keyID = opening.keyID
        announcesResume = opening.announcesResume
        self.feed = feed
        self.attachment = attachment
        self.connection = connection
    }
}

extension Session {
    func keep(_ frame: [UInt8]) {
        missedBytes += frame.count + 64
        if missedBytes > Session.missedBytesMax { missed = nil } else { missed?.append(frame) }
    }
}

extension SocketFrame {
    /// What keeping it costs, about.
    var byteCount: Int {
        switch self {
        case .message(let payload), .join(let payload): 64 + payload.json.count
        default: 64
        }
    }
}
