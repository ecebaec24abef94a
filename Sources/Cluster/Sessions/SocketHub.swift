import Binary
import DequeModule
import ObjectRuntime
import Placement
import Raft

/// The edge's half of sockets: keeps one feed per object for all sockets of this node on it, tells them
/// what comes, and carries what they send to the owner, over changes of owner (O14, O15).
///
/// It works through the loop's `EdgeRouter`: listening, joining, leaving, resuming and sending are
/// operations like any other, with the same ids, epochs and patience. What the router answers comes back by
/// the number of the question. Part of one loop, and as pure as everything in it.
struct SocketHub {
    /// What the hub waits to hear of.
    enum Question {
        case listen(Feed)
        /// A look back for one socket alone.
        case lookBack(Session, after: EventPoint)
        case join(Session)
        case leave(Session)
        case resume(Session, ConnectionID, Past)
        /// Of a message nobody waits for the outcome but its sender's next presence operation.
        case message(Session, bytes: Int)
    }

    /// What a socket that resumes is told of the past.
    enum Past {
        case told(from: EventPoint)
        /// It comes later than the greeting and has heard what was new already: the past must not follow that.
        case gone(behind: EventPoint, through: EventPoint)
        case known
    }

    /// An operation for the router.
    struct Request {
        var token: RequestToken
        var feed: Feed
        var operation: Operation
    }

    /// How long a socket that says nothing, and announced nothing, is kept from hearing what is new.
    static let greetingMs: UInt64 = 250
    static let waitingFramesMax = 256
    static let waitingBytesMax = 1 << 20
    static let openMessagesMax = 4_096
    static let openMessageBytesMax = 4 << 20
    /// A leave that could not be said is said again after this long.
    static let retryMs: UInt64 = 1_000
    /// So long a client that was sent elsewhere may take to resume there. Longer than a shutdown takes.
    static let farewellMs: UInt64 = 10_000

    let nodeID: NodeID
    let loop: UInt16
    let entropy: SipHash
    var view: ClusterView?
    /// Incarnation of this process, and what numbers of this hub begin with: never used again.
    var incarnation: UInt64?
    private var nextNumber: UInt64 = 1
    private var nextToken: UInt64 = 1

    var feeds: [UInt64: Feed] = [:]
    private var feedOfObject: [ObjectID: Feed] = [:]
    private(set) var sessions: [SocketID: Session] = [:]
    /// Open sockets, by project.
    private(set) var socketCounts: [String: UInt64] = [:]
    /// Numbers of feeds that may have given seats back.
    var feedsWithSeatsLeft: [UInt64] = []
    private var questions: [RequestToken: Question] = [:]
    private var greetings: Deque<(session: Session, untilMs: UInt64)> = []
    private var retries: Deque<(session: Session, atMs: UInt64)> = []
    private var farewells: Deque<(session: Session, atMs: UInt64)> = []

    /// Taken by the loop after each step.
    var outputs: [SocketOutput] = []
    var requests: [Request] = []
    var messages: [(node: NodeID, message: PeerMessage)] = []
    var counters = NodeCounters()

    init(nodeID: NodeID, loop: Int, entropy: SipHash) {
        self.nodeID = nodeID
        self.loop = UInt16(loop)
        self.entropy = entropy
    }

    /// Nothing waits for the router or for other nodes.
    var isIdle: Bool { requests.isEmpty && messages.isEmpty && feedsWithSeatsLeft.isEmpty }

    mutating func takeQuestions() -> (requests: [Request], messages: [(node: NodeID, message: PeerMessage)]) {
        giveSeatsBack()
        defer {
            requests = []
            messages = []
        }
        return (requests, messages)
    }

    // MARK: - What sockets tell

    mutating func take(_ input: SocketInput, nowMs: UInt64) {
        switch input {
        case .opened(let opening): open(opening, nowMs: nowMs)
        case .frame(let socket, let frame):
            guard let session = sessions[socket] else { return }
            take(frame, from: session)
        case .closed(let socket, let end):
            guard let session = sessions.removeValue(forKey: socket) else { return }
            uncount(session.feed.project)
            close(session, end, nowMs: nowMs)
        }
    }

    private mutating func uncount(_ project: String) {
        let count = socketCounts[project] ?? 0
        socketCounts[project] = count > 1 ? count - 1 : nil
    }

    private mutating func open(_ opening: SocketOpening, nowMs: UInt64) {
        guard let state = view?.state, let incarnation else {
            counters.droppedSockets += 1
            outputs.append(.close(opening.socket, .notReady))
            return
        }
        let object = ObjectID(
            project: opening.project, objectClass: opening.objectClass, id: opening.objectID,
            hashKey: state.genesis.hashKey)
        let feed = feedOfObject[object] ?? makeFeed(object, opening.project, state)
        let number = takeNumber()
        let session = Session(
            opening, feed: feed,
            attachment: Attachment(incarnation: incarnation, number: number),
            connection: ConnectionID(
                unique: unique(number), object: object, keyID: opening.keyID, secret: state.genesis.hashKey))
        sessions[opening.socket] = session
        socketCounts[opening.project, default: 0] += 1
        feed.add(session)
        listen(feed, forSeatsOnly: feed.cursor != nil && !feed.isCutOff)
    }

    private mutating func makeFeed(_ object: ObjectID, _ project: String, _ state: PlacementState) -> Feed {
        let address = FeedAddress(loop: loop, number: takeNumber())
        let feed = Feed(
            address: address, object: object, project: project,
            shard: state.table.shard(forKey: object.key.rawValue).shard)
        feeds[address.number] = feed
        feedOfObject[object] = feed
        return feed
    }

    /// Unlike the numbers themselves, it says nothing about how many connections there were.
    private func unique(_ number: UInt64) -> UInt64 {
        var writer = ByteWriter(reserving: 16)
        writer.write(number)
        writer.write(incarnation ?? 0)
        return entropy.hash(writer.bytes)
    }

    private mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

    mutating func connect(_ session: Session, nowMs: UInt64) {
        guard session.phase == .opening, !session.isGone, !session.isRefused, let cursor = session.feed.cursor else {
            return
        }
        deliver(FrameRendering.connected(session.connection, at: cursor), to: session)
        session.phase = .greeting(since: cursor)
        session.connectedAt = cursor
        if !session.announcesResume { greetings.append((session, nowMs + SocketHub.greetingMs)) }
        pump(session)
    }

    private mutating func close(_ session: Session, _ end: SocketEnd, nowMs: UInt64) {
        if session.phase != .opening { feedsWithSeatsLeft.append(session.feed.address.number) }
        session.isGone = true
        session.waiting = []
        session.waitingBytes = 0
        session.feed.audienceChanged()
        // The client goes on elsewhere, with another attachment. For those who do not, this node says it if it
        // lives on, and else the owner sees to them (O15).
        if case .shutdown = end, session.isRemembered {
            session.awaitsResume = true
            farewells.append((session, nowMs + SocketHub.farewellMs))
        }
        pump(session)
    }

    // MARK: - Frames

    private mutating func take(_ frame: SocketFrame, from session: Session) {
        if case .ping = frame, session.phase != .opening {
            deliver(FrameRendering.pong, to: session)
            endGreeting(session)
            return
        }
        session.waiting.append(frame)
        session.waitingBytes += frame.byteCount
        if session.waiting.count > SocketHub.waitingFramesMax || session.waitingBytes > SocketHub.waitingBytesMax {
            return end(session, .tooManyFrames)
        }
        pump(session)
    }

    /// Does what waits, in order, up to an operation that has to be waited for.
    mutating func pump(_ session: Session) {
        guard !session.isBusy else { return }
        if session.isGone { return leave(session) }
        guard session.phase != .opening else { return }
        var done = 0
        while done < session.waiting.count, !session.isBusy, !session.isGone, session.mayAsk {
            let frame = session.waiting[done]
            session.waitingBytes -= frame.byteCount
            done += 1
            handle(frame, of: session)
        }
        session.waiting.removeFirst(min(done, session.waiting.count))
    }

    private mutating func handle(_ frame: SocketFrame, of session: Session) {
        switch frame {
        case .ping:
            deliver(FrameRendering.pong, to: session)
            endGreeting(session)
        case .resume(let text, let after):
            resume(session, text, after: after)
        case .message(let payload):
            endGreeting(session)
            session.openMessages += 1
            session.openMessageBytes += frame.byteCount
            ask(
                .message(session, bytes: frame.byteCount), session.feed,
                .message(payload, sender: session.connection))
        case .join(let payload):
            endGreeting(session)
            session.isBusy = true
            session.isRemembered = true
            ask(.join(session), session.feed, .session(.join(session.connection, session.attachment, payload)))
        case .leave:
            endGreeting(session)
            if session.isRemembered { leave(session) }
        }
    }

    private mutating func leave(_ session: Session) {
        guard session.isRemembered else {
            if session.isGone { drop(session) }
            return
        }
        if session.awaitsResume { return }
        session.isBusy = true
        ask(.leave(session), session.feed, .session(.leave(session.connection, session.attachment)))
    }

    private mutating func drop(_ session: Session) {
        let feed = session.feed
        feed.remove(session)
        if feed.isEmpty { drop(feed) }
    }

    private mutating func drop(_ feed: Feed) {
        feeds[feed.address.number] = nil
        feedOfObject[feed.object] = nil
        guard feed.epoch > .zero else { return }
        endFeed(feed.address, of: feed.object)
    }

    /// Tells the owner, whoever it is by now; one that does not hear it is told again when it sends something.
    mutating func endFeed(_ address: FeedAddress, of object: ObjectID) {
        guard let state = view?.state else { return }
        let record = state.table.shard(forKey: object.key.rawValue)
        guard let owner = record.owner else { return }
        messages.append(
            (owner.node, .feedEnd(FeedEnd(shard: record.shard, object: object, feed: address))))
    }

    // MARK: - Ends

    /// Closes the socket; its `closed` follows.
    mutating func end(_ session: Session, _ closing: SocketClosing) {
        guard !session.isGone else { return }
        session.isRefused = session.phase == .opening
        if closing == .noOwner { counters.droppedSockets += 1 }
        outputs.append(.close(session.socket, closing))
    }

    mutating func deliver(_ frame: [UInt8], to session: Session) {
        guard !session.isGone else { return }
        outputs.append(
            .deliver(frame: frame, loop: session.socket.loop, numbers: [session.socket.number], except: nil))
    }

    // MARK: - Questions

    mutating func ask(_ question: Question, _ feed: Feed, _ operation: Operation) {
        let token = RequestToken(rawValue: nextToken | SocketHub.tokenBit)
        nextToken += 1
        questions[token] = question
        requests.append(Request(token: token, feed: feed, operation: operation))
    }

    /// Tells questions of the hub from requests of HTTP clients.
    static let tokenBit: UInt64 = 1 << 63

    mutating func answered(_ token: RequestToken, _ answer: ClientAnswer, nowMs: UInt64) {
        guard let question = questions.removeValue(forKey: token) else { return }
        switch question {
        case .listen(let feed): heard(feed, answer, nowMs: nowMs)
        case .lookBack(let session, let after): lookedBack(session, after: after, answer)
        case .join(let session): joined(session, answer)
        case .leave(let session): left(session, answer, nowMs: nowMs)
        case .resume(let session, let connection, let past):
            resumed(session, connection, past, answer)
        case .message(let session, let bytes):
            session.openMessages -= 1
            session.openMessageBytes -= bytes
            if case .refused(let refusal) = answer.reply { refuse(session, "The message", refusal) }
            if !session.isGone { pump(session) }
        }
    }

    private mutating func joined(_ session: Session, _ answer: ClientAnswer) {
        session.isBusy = false
        if case .refused(let refusal) = answer.reply { refuse(session, "presence:join", refusal) }
        pump(session)
    }

    private mutating func left(_ session: Session, _ answer: ClientAnswer, nowMs: UInt64) {
        // Nobody else would say it: this process lives. Said twice it does no harm (O15).
        if case .refused = answer.reply {
            retries.append((session, nowMs + SocketHub.retryMs))
            return
        }
        session.isBusy = false
        session.isRemembered = false
        pump(session)
    }

    private mutating func refuse(_ session: Session, _ what: String, _ refusal: Refusal) {
        deliver(FrameRendering.error("\(what) was not done: \(refusal.message)"), to: session)
    }

    // MARK: - Time

    mutating func tick(nowMs: UInt64) {
        while let first = greetings.first, first.untilMs <= nowMs {
            greetings.removeFirst()
            endGreeting(first.session)
        }
        while let first = retries.first, first.atMs <= nowMs {
            retries.removeFirst()
            first.session.isBusy = false
            leave(first.session)
        }
        while let first = farewells.first, first.atMs <= nowMs {
            farewells.removeFirst()
            first.session.awaitsResume = false
            pump(first.session)
        }
    }

    // MARK: - The table

    mutating func observe(_ newView: ClusterView) {
        view = newView
        if incarnation == nil, let process = newView.process {
            incarnation = process.incarnation.rawValue
            // As the router's counters: a range for each process, so that nothing is taken for what an
            // earlier one of this node has asked.
            nextNumber = (process.incarnation.rawValue << 40 | UInt64(loop) << 32) + 1
        }
        guard let state = newView.state else { return }
        for number in feeds.keys.sorted() {
            guard let feed = feeds[number] else { continue }
            let record = state.table.shard(forKey: feed.object.key.rawValue)
            // Also one that asks for seats: without an answer it must not take itself for one that hears.
            if record.epoch > feed.epoch, record.owner != nil { listen(feed) }
        }
    }

    /// Called at intervals that are longer than anything stays on its way.
    func forgetMessages() {
        guard let registry = view?.state?.registry else { return }
        for feed in feeds.values { feed.forgetMessages { registry.isOver(incarnation: $0) } }
    }

    func report(into counters: inout NodeCounters) {
        counters.add(self.counters)
        counters.sockets += UInt64(sessions.count)
        counters.feeds += UInt64(feeds.count)
    }
}

extension Session {
    /// Few enough of its messages are under way.
    fileprivate var mayAsk: Bool {
        openMessages < SocketHub.openMessagesMax && openMessageBytes < SocketHub.openMessageBytesMax
    }
}

extension SocketClosing {
    static let notReady = SocketClosing(code: 1013, reason: "this node has not joined its cluster; try another one")
    static let fullObject = SocketClosing(code: 1013, reason: "the object has as many sockets as it may have")
    static let tooManyFrames = SocketClosing(code: 1013, reason: "too many frames wait to be done")
    static let noOwner = SocketClosing(code: 1013, reason: "no node could serve this object in time")
    /// 1008 makes the SDK forget its id: else two clients with one id would chase each other for ever.
    static let takenOver = SocketClosing(code: 1008, reason: "the connection was resumed on another socket")
}
