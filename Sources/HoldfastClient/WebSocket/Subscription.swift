import NIOCore

/// Hears of everything that happens to one object, at whichever node can be reached.
///
/// When its socket is lost it goes on at the next endpoint, under the same connection id and behind the last
/// event that it has seen. It passes on what the server sends, in that order, and drops and repeats nothing.
/// Every member is used on `eventLoop` only, which makes it `Sendable`.
public final class Subscription: @unchecked Sendable {
    public struct Settings: Sendable {
        /// The first retry after a loss comes at once; pauses then double from the first to the second.
        public var firstPause = TimeAmount.milliseconds(100)
        public var longestPause = TimeAmount.seconds(5)
        /// A socket that lived for less did not prove that its node can serve: the pauses go on growing.
        public var provenAfter = TimeAmount.seconds(1)
        /// How long a node may take from the upgrade to its first word.
        public var establishTimeout = TimeAmount.seconds(5)
        public var pingInterval = TimeAmount.seconds(20)
        public var reconnects = true
        /// Joins again when the cluster has forgotten the connection, and after a resume that came too late: when the
        /// subscription hears that it has left, or of a gap that may hide this. After a resume in time there is no
        /// need: the server carries presence over.
        public var joinsAgain = false

        public init() {}
    }

    public let endpoints: [Endpoint]
    public let eventLoop: any EventLoop
    public private(set) var connectionID: String?
    /// Of the last event or gap; where a resume begins.
    public private(set) var position: EventPosition?
    /// The endpoint in use or tried last.
    public private(set) var current: Int
    public private(set) var isEstablished = false

    private let target: String
    private let fetchToken: () -> EventLoopFuture<String>
    private let settings: Settings
    private let report: (SubscriptionReport) -> Void

    private var token: String?
    private var socket: SocketClient?
    private var establishedAt = NIODeadline.distantPast
    private var failures = 0
    private var refusalsOfToken = 0
    private var hadConnection = false
    private var joined: JSON?
    private var timer: Scheduled<Void>?
    private var isRunning = false

    /// `fetchToken` is asked at the start, and again when a node refuses the token it gave. `first` is the
    /// endpoint to begin with.
    public init(
        endpoints: [Endpoint], first: Int = 0, target: String, settings: Settings = Settings(),
        on eventLoop: any EventLoop, fetchToken: @escaping () -> EventLoopFuture<String>,
        report: @escaping (SubscriptionReport) -> Void
    ) {
        precondition(endpoints.indices.contains(first), "a subscription begins at one of its endpoints")
        self.endpoints = endpoints
        self.target = target
        self.settings = settings
        self.eventLoop = eventLoop
        self.fetchToken = fetchToken
        self.report = report
        current = first
    }

    public func start() {
        eventLoop.preconditionInEventLoop()
        precondition(!isRunning, "a subscription is started once")
        isRunning = true
        connect()
    }

    /// Leaves for good.
    public func stop() {
        eventLoop.preconditionInEventLoop()
        let open = socket
        finish(SocketEnd(code: SocketEnd.normal, reason: "stopped", wasOpen: open?.isOpen ?? false))
        open?.close()
    }

    /// Goes on at another endpoint, as if the socket had been lost.
    public func move(to endpoint: Int) {
        eventLoop.preconditionInEventLoop()
        guard isRunning else { return }
        current = endpoint
        detach()?.abandon()
        connect()
    }

    // MARK: Sending. False if there is no connection: nothing was sent then.

    /// Joins, or changes the data that others see.
    @discardableResult
    public func join(_ data: JSON) -> Bool {
        joined = data
        return send(["event": "presence:join", "payload": data])
    }

    @discardableResult
    public func leave() -> Bool {
        joined = nil
        return send(["event": "presence:leave"])
    }

    /// To all other subscribers of the object; neither stored nor acknowledged.
    @discardableResult
    public func message(_ payload: JSON) -> Bool {
        send(["event": "message", "payload": payload])
    }

    private func send(_ frame: JSON) -> Bool {
        isEstablished && (socket?.send(frame.description) ?? false)
    }

    // MARK: Connecting

    private func connect() {
        if let token { return open(token) }
        fetchToken().hop(to: eventLoop).assumeIsolated().whenComplete { result in
            guard self.isRunning, self.socket == nil else { return }
            switch result {
            case .success(let token):
                self.token = token
                self.open(token)
            case .failure(let error):
                self.failed(SocketEnd(code: SocketEnd.abnormal, reason: "no token: \(error)", wasOpen: false))
            }
        }
    }

    private func open(_ token: String) {
        // Announced: otherwise a node would not wait for a resume that comes late.
        let target = connectionID == nil ? target : target + "?resume=true"
        let socket = SocketClient(endpoint: endpoints[current], target: target, token: token, on: eventLoop)
        self.socket = socket
        socket.pingInterval = settings.pingInterval
        socket.onOpen = { self.opened() }
        socket.onFrame = { self.received($0) }
        socket.onClose = { self.failed($0) }
        socket.open()
    }

    private func opened() {
        after(settings.establishTimeout) { self.socket?.end("not a word from the node") }
        guard let connectionID else { return }
        var resume = [JSON.Member("event", "resume"), JSON.Member("connectionId", .string(connectionID))]
        if let position { resume.append(JSON.Member("after", position.json)) }
        socket?.send(JSON.object(resume).description)
    }

    private func failed(_ end: SocketEnd) {
        let endpoint = endpoints[current]
        let wasProven = isEstablished && NIODeadline.now() - establishedAt >= settings.provenAfter
        detach()
        guard isRunning else { return }
        if end.code == SocketEnd.policyViolation { connectionID = nil }
        guard settings.reconnects, !isFinal(end) else { return finish(end) }
        failures = wasProven ? 0 : failures + 1
        let pause = self.pause
        report(.interrupted(endpoint, end, retryAfter: pause))
        guard isRunning, socket == nil else { return }
        current = (current + 1) % endpoints.count
        if pause == .zero { connect() } else { after(pause) { self.connect() } }
    }

    private var pause: TimeAmount {
        guard failures > 0 else { return .zero }
        return min(settings.longestPause, settings.firstPause * (1 << min(failures - 1, 16)))
    }

    /// The server sends this client away, or would say the same again.
    private func isFinal(_ end: SocketEnd) -> Bool {
        if end.reason.contains("TierLimitExceeded") { return true }
        switch end.refusedStatus {
        case 401:
            // The token may be too old; a fresh one that is refused as well is another matter.
            token = nil
            refusalsOfToken += 1
            return refusalsOfToken > 1
        case 400, 403, 404: return true
        default: return false
        }
    }

    /// Lets go of the socket, whatever it still has to say.
    @discardableResult
    private func detach() -> SocketClient? {
        timer?.cancel()
        isEstablished = false
        guard let old = socket else { return nil }
        socket = nil
        (old.onOpen, old.onFrame, old.onClose) = (nil, nil, nil)
        return old
    }

    private func finish(_ end: SocketEnd) {
        guard isRunning else { return }
        isRunning = false
        detach()
        report(.ended(end))
    }

    private func after(_ time: TimeAmount, _ body: @escaping () -> Void) {
        timer?.cancel()
        timer = eventLoop.assumeIsolated().scheduleTask(in: time, body)
    }

    // MARK: Frames

    private func received(_ text: ByteBuffer) {
        guard let frame = try? JSON(parsing: Array(text.readableBytesView)), let name = frame["event"]?.text
        else { return }
        switch name {
        case "connected":
            // With a resume under way, only its answer says which id this connection has.
            if connectionID == nil { establish(frame, resuming: false) }
        case "resume:ack": if !isEstablished { establish(frame, resuming: true) }
        case "pong": break
        case "error": report(.refusal(frame["payload"]?.text ?? ""))
        case "gap":
            guard let from = frame["from"].flatMap(EventPosition.init),
                let to = frame["to"].flatMap(EventPosition.init)
            else { return }
            advance(to)
            report(.gap(from: from, to: to))
            joinAgain()
        default:
            let event = SocketEvent(
                name: name, frame: frame, position: frame["at"].flatMap(EventPosition.init))
            if let position = event.position { advance(position) }
            report(.event(event))
            if name == "presence:leave", event.connectionID == connectionID { joinAgain() }
        }
    }

    /// For who has not left of its own will.
    private func joinAgain() {
        if settings.joinsAgain, let joined { join(joined) }
    }

    private func advance(_ position: EventPosition) {
        self.position = max(self.position ?? position, position)
    }

    private func establish(_ frame: JSON, resuming: Bool) {
        guard let id = frame["connectionId"]?.text else { return }
        let isSame = resuming && id == connectionID
        let establishment: Establishment = isSame ? .resumed : hadConnection ? .restarted : .first
        connectionID = id
        hadConnection = true
        isEstablished = true
        establishedAt = .now()
        refusalsOfToken = 0
        timer?.cancel()
        report(.established(endpoints[current], connectionID: id, establishment))
        if establishment == .restarted { joinAgain() }
    }
}
