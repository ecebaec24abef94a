import NIOCore
import NIOHTTP1

/// One client connection: turns parsed parts into requests, hands them on one at a time, and writes
/// the answers in the order of the requests.
///
/// Requests that were sent ahead (pipelining) wait here, bounded: past the bound we stop reading, and
/// the client's TCP window closes. Answers given during a read burst leave with one flush at its end;
/// answers given later share the flush of their loop turn (`HTTPEdge.scheduleFlush`).
final class HTTPConnection: ChannelDuplexHandler, RemovableChannelHandler, DepartedConnection {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        case open
        /// The last answer is written; nothing more is served.
        case ending
        /// Our half is closed; what comes is dropped until the client closes its half, or until then.
        case lingering(until: NIODeadline)
        case closed
        /// Another handler has taken over.
        case upgraded
    }

    let port: HTTPEdge.Port
    /// Found out with the first byte.
    var transport = Transport.plain
    private let edge: HTTPEdge
    private var context: ChannelHandlerContext?
    private var phase = Phase.open

    private var assembly: RequestAssembly?
    /// Nothing after a refused request is looked at.
    private var acceptsRequests = true
    private var inputIsClosed = false
    private var waiting = CircularBuffer<RequestTurn>()
    /// Bodies that wait or are still arriving; the edge bounds the sum over its connections.
    private var bufferedBodyBytes = 0 {
        didSet { edge.bufferedBodyBytes += bufferedBodyBytes - oldValue }
    }

    /// Large answers that the client has not taken; the edge bounds the sum over its connections. Smaller ones
    /// are bounded by what a channel takes before it is not writable.
    private(set) var unreadBytes = 0 {
        didSet { edge.unreadBytes += unreadBytes - oldValue }
    }
    private static let countedAnswerBytes = 32 << 10

    private var rate = TokenBucket()
    /// Refused for overload, or for a rate: its turn comes later.
    private var isPaused = false
    private var isServing = false
    /// Number of the request being served: an answer to another one is ignored.
    private var serial: UInt64 = 0
    private var isPumping = false
    private var isInReadBurst = false
    private var hasUnflushedAnswers = false
    private var holdsBackRead = false
    private(set) var isFlushScheduled = false

    private var lastActivity: NIODeadline
    /// Since when part of a request is there without the rest.
    private var incompleteSince: NIODeadline?
    private var burstHadParts = false
    /// Where the edge keeps this connection in its list.
    var listPosition = 0

    init(edge: HTTPEdge, port: HTTPEdge.Port) {
        self.edge = edge
        self.port = port
        lastActivity = edge.now
        incompleteSince = lastActivity
    }
}

// MARK: - What comes in

extension HTTPConnection {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        isInReadBurst = true
        burstHadParts = true
        guard acceptsRequests, case .open = phase else { return }
        switch unwrapInboundIn(data) {
        case .head(let head): begin(RequestAssembly(head: head))
        case .body(var part): append(&part)
        case .end: complete()
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        isInReadBurst = false
        let now = edge.now
        // Who sends and does not read, or sends after the last answer, is idle all the same.
        if case .open = phase, context.channel.isWritable { lastActivity = now }
        // A burst without any part is the beginning of a head that is still too short.
        if acceptsRequests, assembly != nil || !burstHadParts { incompleteSince = incompleteSince ?? now }
        burstHadParts = false
        flushAnswers()
        context.fireChannelReadComplete()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let fault = HTTPConnection.fault(of: error) else {
            context.close(promise: nil)
            return
        }
        guard acceptsRequests, case .open = phase else { return }
        refuse(fault)
        if !isInReadBurst { flushAnswers() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event as? ChannelEvent == .inputClosed else {
            context.fireUserInboundEventTriggered(event)
            return
        }
        inputIsClosed = true
        acceptsRequests = false
        dropAssembly()
        if case .open = phase { endIfDone() } else { context.close(promise: nil) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { pump() }
        context.fireChannelWritabilityChanged()
    }

    func channelInactive(context: ChannelHandlerContext) {
        phase = .closed
        assembly = nil
        waiting.removeAll()
        bufferedBodyBytes = 0
        edge.forget(self)
        context.fireChannelInactive()
    }

    /// Reads are asked for by the channel after each burst; held back while too much waits.
    func read(context: ChannelHandlerContext) {
        if hasRoom { context.read() } else { holdsBackRead = true }
    }

    private var hasRoom: Bool {
        !isPaused && waiting.count < edge.settings.maximumPipelinedRequests
            && bufferedBodyBytes <= edge.settings.maximumBodyBytes
    }

    private func begin(_ request: RequestAssembly) {
        if (request.headers.contentLength ?? 0) > edge.settings.maximumBodyBytes {
            refuse(.tooLarge(limitBytes: edge.settings.maximumBodyBytes))
            return
        }
        assembly = request
        offerContinue()
    }

    private func append(_ part: inout ByteBuffer) {
        guard assembly != nil else { return }
        bufferedBodyBytes += part.readableBytes
        assembly?.append(&part)
        if (assembly?.bodyBytes ?? 0) > edge.settings.maximumBodyBytes {
            refuse(.tooLarge(limitBytes: edge.settings.maximumBodyBytes))
        } else if edge.bufferedBodyBytes > edge.settings.maximumBufferedBodyBytesPerLoop {
            refuse(.unavailable("Too many requests are arriving at once"))
        }
    }

    private func dropAssembly() {
        bufferedBodyBytes -= assembly?.bodyBytes ?? 0
        assembly = nil
    }

    private func complete() {
        guard let request = assembly else { return }
        assembly = nil
        incompleteSince = nil
        let turn = request.turn(arrived: edge.now, settings: edge.settings)
        if turn.framing.closes { acceptsRequests = false }
        enqueue(turn)
    }

    /// Answers with `fault` when it is its turn, and closes: what follows cannot be told apart.
    private func refuse(_ fault: HTTPFault) {
        dropAssembly()
        incompleteSince = nil
        acceptsRequests = false
        enqueue(RequestTurn(content: .refusal(fault.response), framing: ResponseFraming(closes: true)))
    }

    private func enqueue(_ turn: RequestTurn) {
        waiting.append(turn)
        pump()
    }

    /// `nil`: nothing that an answer would help against.
    private static func fault(of error: any Error) -> HTTPFault? {
        guard let error = error as? HTTPParserError else { return nil }
        if error == .headerOverflow {
            return HTTPFault(
                status: 431, name: "HeaderTooLargeError", code: "payloadTooLargeError.headers",
                message: "The headers of the request are too large.")
        }
        return .validation("http", "This is not an HTTP/1.1 request: \(error).")
    }
}

// MARK: - What goes out

extension HTTPConnection {
    /// Serves what waits, one request after the other, as long as answers come at once.
    private func pump() {
        guard !isPumping else { return }
        isPumping = true
        while !isServing, !isPaused, case .open = phase, let context, context.channel.isWritable,
            let turn = waiting.popFirst()
        {
            bufferedBodyBytes -= turn.bodyBytes
            serve(turn)
        }
        isPumping = false
        offerContinue()
        if holdsBackRead, hasRoom {
            holdsBackRead = false
            context?.read()
        }
    }

    private func serve(_ turn: RequestTurn) {
        isServing = true
        serial += 1
        switch turn.content {
        case .refusal(let response):
            finish(response, framing: turn.framing, serial: serial)
        case .request(var request):
            if let waitNs = excess() {
                return finish(
                    edge.paced(edge.refusedByConnectionRate(waitNs: waitNs)), framing: turn.framing, serial: serial)
            }
            // A system call: only for what is written into the audit.
            if request.uri.hasPrefix("/admin/") { request.clientAddress = context?.remoteAddress }
            edge.serve(request, port: port, transport: transport) { [serial] response in
                self.finish(response, framing: turn.framing, serial: serial)
            }
        }
    }

    private func excess() -> UInt64? {
        let perSecond = edge.settings.connectionRate
        return perSecond > 0 ? rate.take(perSecond: perSecond, nowNs: edge.now.uptimeNanoseconds) : nil
    }

    private func finish(_ response: HTTPResponse, framing: ResponseFraming, serial: UInt64) {
        if let pauseMs = response.pauseMs { pause(ms: pauseMs) } else { edge.pacing.answered() }
        guard isServing, self.serial == serial, case .open = phase, let context else { return }
        isServing = false
        edge.statistics.countAnswer(status: response.status)
        if let admission = response.socket { return becomeSocket(admission, context) }
        var framing = framing
        if edge.isDraining { framing.closes = true }
        framing.demandsTLS = transport == .encrypted && edge.settings.plaintext(on: port) != .serve
        var buffer = context.channel.allocator.buffer(capacity: 384 + response.body.count)
        buffer.write(response, framing: framing)
        write(answer: buffer, context)
        lastActivity = edge.now
        noteUnflushed()
        if framing.closes { end() } else { pump() }
        endIfDone()
    }

    private func write(answer: ByteBuffer, _ context: ChannelHandlerContext) {
        let bytes = answer.readableBytes
        guard bytes > HTTPConnection.countedAnswerBytes else {
            return context.write(wrapOutboundOut(answer), promise: nil)
        }
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.unreadBytes -= bytes }
        unreadBytes += bytes
        context.write(wrapOutboundOut(answer), promise: written)
    }

    /// Others need the memory: the answer is lost, and the client finds its connection closed amid it.
    func cutOff() {
        context?.close(promise: nil)
    }

    private func pause(ms: UInt64) {
        isPaused = true
        edge.later(afterMs: ms) { [self] in
            edge.pacing.resume()
            isPaused = false
            pump()
        }
    }

    /// `Expect: 100-continue` is answered only when nothing else is due before it.
    private func offerContinue() {
        guard assembly?.wantsContinue == true, !isServing, waiting.isEmpty, case .open = phase, let context
        else { return }
        assembly?.wantsContinue = false
        var line = context.channel.allocator.buffer(capacity: continueLine.utf8CodeUnitCount)
        line.writeStaticString(continueLine)
        context.write(wrapOutboundOut(line), promise: nil)
        noteUnflushed()
    }

    private func noteUnflushed() {
        hasUnflushedAnswers = true
        guard !isInReadBurst, !isFlushScheduled else { return }
        isFlushScheduled = true
        edge.scheduleFlush(self)
    }

    func flushAnswers() {
        isFlushScheduled = false
        guard hasUnflushedAnswers else { return }
        hasUnflushedAnswers = false
        context?.flush()
        if unreadBytes > 0 { edge.boundUnreadAnswers() }
    }
}

// MARK: - Becoming a socket

extension HTTPConnection {
    /// The channel goes on with another handler; nothing of HTTP stays behind it. What the client has sent
    /// early is handed on by the decoder when it goes.
    private func becomeSocket(_ admission: SocketAdmission, _ context: ChannelHandlerContext) {
        if inputIsClosed { return end() }
        phase = .upgraded
        edge.forget(self)
        if holdsBackRead { context.read() }
        context.writeAndFlush(wrapOutboundOut(admission.head), promise: nil)
        let pipeline = context.pipeline.syncOperations
        do {
            let socket = try edge.sockets.makeConnection(admission, channel: context.channel)
            try pipeline.addHandler(socket, position: .after(self))
            pipeline.removeHandler(
                context: try pipeline.context(handlerType: ByteToMessageHandler<HTTPRequestDecoder>.self),
                promise: nil)
            pipeline.removeHandler(context: context, promise: nil)
        } catch {
            context.close(promise: nil)
        }
    }
}

// MARK: - The end

extension HTTPConnection {
    /// The client sends no more: close once it has all answers.
    private func endIfDone() {
        if inputIsClosed, !isServing, waiting.isEmpty, case .open = phase { edge.close(departed: self) }
    }

    /// Closes our half when everything is written. The other half stays open a little, because
    /// closing a socket that has unread bytes resets it, and the client loses the answer.
    func end() {
        guard case .open = phase, let context else { return }
        phase = .ending
        waiting.removeAll()
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.closeOutput() }
        hasUnflushedAnswers = false
        context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
        if unreadBytes > 0 { edge.boundUnreadAnswers() }
    }

    func close() { end() }

    private func closeOutput() {
        guard case .ending = phase, let context else { return }
        if inputIsClosed {
            context.close(promise: nil)
        } else {
            phase = .lingering(until: edge.now + .milliseconds(Int64(edge.settings.lingerMs)))
            context.close(mode: .output, promise: nil)
        }
    }

    /// Closes the connection if it waits for nothing that we owe it. For shutdown.
    func closeIfIdle() {
        if !isServing, waiting.isEmpty, assembly == nil { end() }
    }

    /// Looks at the limits of time; called about once a second.
    func checkDeadlines(now: NIODeadline) {
        switch phase {
        case .closed, .upgraded: return
        case .lingering(let until):
            if now >= until { context?.close(promise: nil) }
        case .ending:
            if now - lastActivity > .milliseconds(Int64(edge.settings.idleTimeoutMs)) {
                context?.close(promise: nil)
            }
        case .open: checkOpen(now: now)
        }
    }

    private func checkOpen(now: NIODeadline) {
        if let since = incompleteSince, now - since > .milliseconds(Int64(edge.settings.requestTimeoutMs)) {
            refuse(
                HTTPFault(
                    status: 408, name: "RequestTimeoutError", code: "validationError.timeout",
                    message: "The request was not complete in time."))
            return
        }
        let isStuck = context?.channel.isWritable == false
        guard isStuck || !isServing && waiting.isEmpty else { return }
        if now - lastActivity > .milliseconds(Int64(edge.settings.idleTimeoutMs)) {
            context?.close(promise: nil)
        }
    }
}
