import Cluster
import NIOCore
import ObjectRuntime
import Placement

/// One client's socket: frames in, frames out, bounds and close codes. What frames mean is decided by
/// the loop that keeps the object's feed.
///
/// There may be ten thousand of these on a loop, nearly all idle: no timers, no closures, and no buffer
/// that outlives the message it was for.
final class SocketConnection: ChannelInboundHandler, DepartedConnection {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Upgraded without credentials: the first frame must bring them.
        case awaitingCredentials
        case open
        /// Our close frame is sent; the client's is awaited.
        case closing
        /// The last frame is written; whatever comes is dropped.
        case ending
        case closed
    }

    let number: UInt64
    private let edge: SocketEdge
    private var context: ChannelHandlerContext?
    private var phase = Phase.awaitingCredentials
    private var admission: SocketAdmission?
    /// Of an opened socket, until its end is told.
    private(set) var group: SocketGroup?
    private var hub = 0

    private var parser = SocketParser()
    private var countedArrivingBytes = 0
    private var queue = SocketQueue()
    private var countedStalledBytes = 0
    private var hasUnflushedFrames = false
    private var isFlushScheduled = false
    private var isFlushing = false
    private var rate = TokenBucket()
    private var refusedFrames: UInt64 = 0
    /// Kept only where objects have rates.
    private var objectID = ""
    /// When the client was last heard of; outside of `open`, when the phase began.
    private var since: NIODeadline

    init(edge: SocketEdge, number: UInt64, admission: SocketAdmission) {
        self.edge = edge
        self.number = number
        self.admission = admission
        since = edge.now
    }
}

// MARK: - What comes in

extension SocketConnection {
    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        edge.remember(self)
        guard let admission, let caller = admission.caller else { return }
        open(admission, caller: caller)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = unwrapInboundIn(data)
        if phase == .open { since = edge.now }
        do throws(SocketFault) {
            while takesInput, let message = try next(&input) { take(message) }
        } catch {
            fail(error)
        }
        countArrivingBytes()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { edge.http.close(departed: self) }
    }

    func close() { context?.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if phase == .open || phase == .awaitingCredentials { edge.statistics.count(.lost) }
        tellEnd(.closed)
        phase = .closed
        admission = nil
        parser = SocketParser()
        dropQueue()
        countArrivingBytes()
        edge.forget(self)
        context.fireChannelInactive()
    }

    /// Not on its way out.
    var isTakenIn: Bool { phase == .open || phase == .awaitingCredentials }

    private var takesInput: Bool {
        phase == .open || phase == .awaitingCredentials || phase == .closing
    }

    private func next(_ input: inout ByteBuffer) throws(SocketFault) -> SocketMessage? {
        try parser.next(&input, limitBytes: edge.settings.maximumSocketMessageBytes)
    }

    private func take(_ message: SocketMessage) {
        edge.statistics.framesIn += 1
        switch message {
        case .text(let text):
            if phase == .open { takeText(text) }
            if phase == .awaitingCredentials { authenticate(text) }
        case .ping(let payload):
            if phase != .closing { send(SocketFrames.pong(payload)) }
        case .pong: break
        case .close(let code): takeClose(code)
        }
    }

    private func takeText(_ text: [UInt8]) {
        // Junk is ignored, and so is what nobody knows.
        guard isWithinRates(bytes: text.count), let frame = ClientFrame.parse(text) else { return }
        switch frame.event {
        case .ping: tell(.ping)
        case .resume(let connectionID, let after): tell(.resume(connectionID: connectionID, after: after))
        case .message(let payload):
            if isGranted(.message), isProven(payload, frame) { tell(.message(payload)) }
        case .join(let payload):
            if isGranted(.presence), isProven(payload, frame) { tell(.join(payload)) }
        case .leave:
            if isGranted(.presence) { tell(.leave) }
        case .auth, .unknown: break
        }
    }

    /// Who goes on for a second's worth of frames after being told is closed.
    private func isWithinRates(bytes: Int) -> Bool {
        guard let group else { return true }
        do throws(HTTPFault) {
            let perSecond = edge.settings.connectionRate
            if perSecond > 0, let waitNs = rate.take(perSecond: perSecond, nowNs: edge.now.uptimeNanoseconds) {
                throw edge.http.refusedByConnectionRate(waitNs: waitNs)
            }
            try edge.http.checkRates(
                Payers(group.name.caller, objectClass: group.name.objectClass, objectID: objectID), bytes: bytes)
            refusedFrames = 0
            return true
        } catch {
            refusedFrames += 1
            if refusedFrames > max(1, edge.settings.connectionRate) {
                close(SocketClosing(code: CloseCode.tryAgainLater, reason: "too many frames"), .fault)
            } else {
                send(SocketFrames.text(FrameRendering.error("Not done: " + error.message)))
            }
            return false
        }
    }

    private func tell(_ frame: SocketFrame) {
        edge.tell(.frame(edge.id(self), frame), hub: hub)
    }

    /// Frames have no answers: what is refused is told by an error frame.
    private func isGranted(_ scope: Scopes) -> Bool {
        guard let group else { return false }
        do throws(HTTPFault) {
            try group.name.caller.grant.require(scope)
            return true
        } catch {
            send(SocketFrames.text(FrameRendering.error(error.message)))
            return false
        }
    }

    private func isProven(_ payload: SocketPayload, _ frame: ClientFrame) -> Bool {
        guard let group else { return false }
        do throws(HTTPFault) {
            try edge.http.checkUser(
                payload, identityToken: frame.identityToken, userIDSignature: frame.userIDSignature,
                project: group.name.caller.project, objectClass: group.name.objectClass)
            return true
        } catch {
            send(SocketFrames.text(FrameRendering.error(error.message)))
            return false
        }
    }

    /// The bound is for the loop: each message alone is bounded by the parser.
    private func countArrivingBytes() {
        let bytes = parser.keptBytes
        edge.arrivingBytes += bytes - countedArrivingBytes
        countedArrivingBytes = bytes
        guard bytes > 0, edge.arrivingBytes > edge.settings.maximumArrivingMessageBytesPerLoop else { return }
        fail(SocketFault(code: CloseCode.tryAgainLater, reason: "too many messages are arriving at once"))
    }
}

// MARK: - Credentials

extension SocketConnection {
    /// Credentials of the first frame; nothing is passed on before them.
    private func authenticate(_ text: [UInt8]) {
        guard let admission else { return }
        guard let frame = ClientFrame.parse(text), case .auth(let token) = frame.event else {
            close(SocketClosing(code: CloseCode.policy, reason: "the first frame must be auth"), .unauthenticated)
            return
        }
        do throws(HTTPFault) {
            open(admission, caller: try edge.http.caller(of: admission, token: token))
        } catch {
            let isLasting = error.status != 503 && error.status != 429
            let code = isLasting ? CloseCode.policy : CloseCode.tryAgainLater
            close(SocketClosing(code: code, reason: error.message), .unauthenticated)
        }
    }

    private func open(_ granted: SocketAdmission, caller: Caller) {
        admission = nil
        guard let opened = edge.open(self, granted, caller: caller) else {
            let closing = SocketClosing(code: CloseCode.tryAgainLater, reason: "this node left its cluster")
            close(closing, .unauthenticated)
            return
        }
        (hub, group) = opened
        if edge.settings.objectRate > 0 { objectID = granted.route.objectID }
        phase = .open
        since = edge.now
        edge.statistics.opened += 1
    }
}

extension HTTPEdge {
    /// Who has sent `token`: an access token, or what else an `Authorization` header may hold.
    fileprivate func caller(of admission: SocketAdmission, token: String) throws(HTTPFault) -> Caller {
        let isWhole = token.hasScheme("bearer") || token.hasScheme("basic")
        let caller = try authenticator.caller(
            authorization: isWhole ? token : "Bearer " + token, origin: admission.origin,
            project: admission.route.project, view: gateway.view, nowMs: gateway.wallMs())
        try checkSocketGrant(caller, admission.route)
        try checkSocketIDSignature(
            admission.route, signature: admission.idSignature, keyVersion: admission.idSignatureKeyVersion)
        try checkSocketQuota(admission.route.project)
        return caller
    }
}

// MARK: - What goes out

extension SocketConnection {
    /// A frame of the feed; a socket that is coming to its end is passed over.
    func deliver(_ frame: ByteBuffer) {
        if phase == .open { send(frame) }
    }

    /// To the channel if it takes it, else to the queue. Nothing is flushed here.
    private func send(_ frame: ByteBuffer) {
        guard let context else { return }
        edge.statistics.framesOut += 1
        if queue.isEmpty, !hasUnflushedFrames, context.channel.isWritable {
            context.write(wrapOutboundOut(frame), promise: nil)
            hasUnflushedFrames = true
        } else {
            queue.append(frame)
            if queue.bytes > SocketConnection.eagerBytes, context.channel.isWritable { flush() }
            if countedStalledBytes > 0 { countStalledBytes() }
            if isTooSlow { return closeSlow() }
        }
        guard !isFlushScheduled else { return }
        isFlushScheduled = true
        edge.scheduleFlush(self)
    }

    /// So much does not wait for the end of the turn.
    private static let eagerBytes = 64 << 10

    func flush() {
        isFlushScheduled = false
        guard !isFlushing, let context else { return }
        isFlushing = true
        defer { isFlushing = false }
        hasUnflushedFrames = false
        context.flush()
        while phase != .closed, context.channel.isWritable, let chunk = queue.nextChunk() {
            context.writeAndFlush(wrapOutboundOut(chunk), promise: nil)
        }
        countStalledBytes()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable, !queue.isEmpty { flush() }
        context.fireChannelWritabilityChanged()
    }

    /// What is still in the queue after a flush waits for the client.
    private func countStalledBytes() {
        edge.stalledBytes += queue.bytes - countedStalledBytes
        countedStalledBytes = queue.bytes
    }

    private var isTooSlow: Bool {
        queue.bytes > edge.settings.maximumSocketQueueBytes
            || countedStalledBytes > 0 && edge.stalledBytes > edge.settings.maximumSocketQueueBytesPerLoop
    }

    private func dropQueue() {
        queue.removeAll()
        countStalledBytes()
    }
}

// MARK: - The end

extension SocketConnection {
    /// Sends a close frame behind what was sent before, and waits for the client's.
    func close(_ closing: SocketClosing, _ ending: SocketEnding) {
        guard phase == .open || phase == .awaitingCredentials else { return }
        send(SocketFrames.close(code: closing.code, reason: closing.reason))
        // Sending may have found the client too slow.
        guard phase == .open || phase == .awaitingCredentials else { return }
        begin(.closing, ending)
        flush()
    }

    /// The close frame goes ahead of everything that the client has not taken.
    private func closeSlow() {
        guard phase == .open || phase == .awaitingCredentials else { return }
        dropQueue()
        begin(.closing, .slow)
        let frame = SocketFrames.close(
            code: CloseCode.tryAgainLater, reason: "too slow: what was to be sent has become too much")
        context?.writeAndFlush(wrapOutboundOut(frame), promise: nil)
    }

    private func takeClose(_ code: UInt16?) {
        guard phase != .closing else {
            context?.close(promise: nil)
            return
        }
        finish(SocketFrames.close(code: code, reason: ""), .client, isLast: true)
    }

    /// What the client sends means nothing any more. It may go on sending, and would lose the close frame
    /// if we closed at once: so only our half is closed.
    private func fail(_ fault: SocketFault) {
        guard phase != .closing else {
            context?.close(promise: nil)
            return
        }
        guard takesInput else { return }
        finish(SocketFrames.close(code: fault.code, reason: fault.reason), .fault, isLast: false)
    }

    private func finish(_ frame: ByteBuffer, _ ending: SocketEnding, isLast: Bool) {
        guard let context else { return }
        dropQueue()
        parser = SocketParser()
        countArrivingBytes()
        begin(.ending, ending)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.context?.close(mode: isLast ? .all : .output, promise: nil)
        }
        context.writeAndFlush(wrapOutboundOut(frame), promise: written)
    }

    private func begin(_ phase: Phase, _ ending: SocketEnding) {
        self.phase = phase
        since = edge.now
        admission = nil
        edge.statistics.count(ending)
        tellEnd(ending == .shutdown ? .shutdown : .closed)
    }

    /// Exactly once for each socket that was opened.
    private func tellEnd(_ end: SocketEnd) {
        guard let group else { return }
        self.group = nil
        edge.leave(group)
        edge.tell(.closed(edge.id(self), end), hub: hub)
    }

    func checkDeadlines(now: NIODeadline) {
        let settings = edge.settings
        switch phase {
        case .awaitingCredentials:
            guard now - since > .milliseconds(Int64(settings.socketCredentialsTimeoutMs)) else { return }
            close(SocketClosing(code: CloseCode.policy, reason: "no credentials came in time"), .unauthenticated)
        case .open:
            guard now - since > .milliseconds(Int64(settings.socketIdleTimeoutMs)) else { return }
            close(SocketClosing(code: CloseCode.goingAway, reason: "nothing was heard of this client"), .idle)
        case .closing, .ending:
            guard now - since > .milliseconds(Int64(settings.socketCloseTimeoutMs)) else { return }
            context?.close(promise: nil)
        case .closed: break
        }
    }

    func count(in statistics: inout SocketStatistics) {
        switch phase {
        case .awaitingCredentials: statistics.awaitingCredentials += 1
        case .open: statistics.open += 1
        case .closing, .ending: statistics.closing += 1
        case .closed: break
        }
    }
}
