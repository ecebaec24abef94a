import Cluster
import ObjectRuntime

/// One socket between a client and a process, with both ends of it: what the client has sent and heard,
/// and whether the node still holds it.
final class VirtualSocket {
    /// What the client says first.
    enum Greeting {
        case ping, silence
        case resume(connectionID: String, after: EventPoint?, Claim)
    }

    /// Whether the client asks for what is its own.
    enum Claim {
        case own, foreign
        /// Its own, and for a point that no history ever had.
        case ownNowhere
    }

    let id: SocketID
    let talker: Int
    let object: Int
    let keyID: String
    let machine: Int
    let generation: UInt64
    /// The loop that keeps the object's feed.
    let hub: Int
    let greeting: Greeting
    let openedNs: UInt64

    /// The node holds it; false once the node was told that it is over, or is gone itself.
    var isHeld = true
    /// The client holds it.
    var isOpen = true
    /// Frames on their way to the client, and whether somebody is about to deliver them.
    var inFlight: [[UInt8]] = []
    var isDelivering = false
    var newestArrivalNs: UInt64 = 0
    /// As the client was told.
    var connection: String?
    /// As the node knows it, from the moment when the socket is connected.
    var attachment: Attachment?
    /// The resume, if it was one, has been answered.
    var isAcknowledged = false
    /// The answer came so late that the resume may have come later than the greeting.
    var mayBeLate = false
    /// Why a leave of this socket may be in the log.
    var leavesAllowed = 0

    var hearing = HearingCheck()
    var messages = MessageCheck()
    var sentMessages: UInt64 = 0

    init(
        id: SocketID, talker: Talker, machine: Int, generation: UInt64, hub: Int, greeting: Greeting, nowNs: UInt64
    ) {
        self.id = id
        self.talker = talker.number
        object = talker.object
        keyID = talker.keyID
        self.machine = machine
        self.generation = generation
        self.hub = hub
        self.greeting = greeting
        openedNs = nowNs
    }

    var isResume: Bool {
        if case .resume = greeting { return true }
        return false
    }

    /// Most clients that resume say so at once; the others stand for SDKs that cannot.
    var announcesResume: Bool { isResume && !id.number.isMultiple(of: 4) }

    /// Greeted and answered: the client may go on.
    var isReady: Bool { isOpen && hearing.isConnected && (!isResume || isAcknowledged) }
}

/// A client that keeps a socket open: what it remembers from one socket to the next.
struct Talker {
    /// Whether the client is in the object's presence, as its events tell it.
    enum Presence: Equatable {
        case absent
        case joined(UInt64)
        /// Something that it sent may have been lost, or it has missed events.
        case unknown
    }

    let number: Int
    let object: Int
    let keyID: String
    var socket: VirtualSocket?
    var connection: String?
    /// The last event that it heard.
    var lastPoint: EventPoint?
    var presence = Presence.absent
    /// The newest join that it has sent and not heard of.
    var awaited: UInt64?
    /// It has joined last, not left.
    var wantsPresence = false
    /// Names the wait for the next socket.
    var reconnect: UInt64 = 0
}

enum TalkerEvent {
    /// Time to do something.
    case act
    case open(reconnect: UInt64, machine: Int?)
    case reach(VirtualSocket)
    case up(VirtualSocket, SocketFrame)
    case down(VirtualSocket)
    case closedByNode(VirtualSocket, code: UInt16)
    /// The client has noticed that its socket is broken.
    case broken(VirtualSocket)
    /// The node has noticed it.
    case noticed(VirtualSocket)
}
