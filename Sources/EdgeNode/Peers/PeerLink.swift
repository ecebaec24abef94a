import Binary
import Cluster
import NIOCore
import NIOPosix
import Raft
import TLS

/// One event loop's way to another node: dials, says hello, writes frames, dials again when it breaks.
///
/// Frames go one way only; the other node dials its own links. What is handed over while the link is
/// down is dropped: the cores repeat what matters, and are told when the link is up again.
/// Everything happens on the loop.
final class PeerLink {
    enum Event {
        case up(NodeID)
        case down(NodeID)
        /// The other side refuses this process for good.
        case refused(PeerHelloAnswer.Verdict)
        /// We refuse the other side; said once, not with every try.
        case rejected(LinkRejection)
    }

    /// What a link needs to know of its node, anew with every try.
    struct Terms {
        /// Nil where links are in the clear.
        var security: PeerSecurity?
        var hello: () -> PeerHello
        /// Whether the other end may call itself so.
        var check: (NodeID, PeerProof) -> PeerHelloAnswer.Verdict
    }

    let address: String
    /// Who is meant; nil: whoever is there.
    private let expected: NodeID?
    private let loop: EventLoop
    private let terms: Terms
    private let onEvent: (PeerLink, Event) -> Void
    private var channel: Channel?
    private var peer: NodeID?
    private var delayMs: Int64 = PeerLink.firstDelayMs
    private var isClosed = false
    private(set) var droppedFrames: UInt64 = 0
    /// Frames handed over before the hello was answered: a joining node's first words.
    private var early: [PeerMessage] = []

    private static let firstDelayMs: Int64 = 10
    private static let longestDelayMs: Int64 = 500
    private static let earlyMax = 16
    /// A peer that reads nothing for long is cut off; the log brings it up to date afterwards.
    static let unsentBytesMax = 2 * PeerMessage.frameBytesMax

    init(
        address: String, to expected: NodeID?, loop: EventLoop, terms: Terms,
        onEvent: @escaping (PeerLink, Event) -> Void
    ) {
        self.address = address
        self.expected = expected
        self.loop = loop
        self.terms = terms
        self.onEvent = onEvent
    }

    var isUp: Bool { peer != nil }

    func open() {
        guard !isClosed, let (host, port) = splitAddress(address) else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        PeerSocket.dialing(on: loop)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try bound.value.prepare(channel) }
            }
            .connect(host: host, port: port)
            .whenFailure { _ in bound.value.retry() }
    }

    func prepare(_ channel: any Channel) throws {
        if let security = terms.security {
            try channel.pipeline.syncOperations.addHandler(security.dialingHandler())
        }
        let bound = NIOLoopBound(self, eventLoop: loop)
        try channel.pipeline.syncOperations.addHandler(PeerLinkHandler(link: bound, own: terms.security?.own))
    }

    func check(_ change: AuthoritiesChanged) {
        channel?.pipeline.fireUserInboundEventTriggered(change)
    }

    func close() {
        isClosed = true
        channel?.close(promise: nil)
    }

    /// Writes all messages as one buffer.
    func send(_ messages: [PeerMessage]) {
        guard let channel, peer != nil else {
            if channel == nil || early.count + messages.count > Self.earlyMax {
                droppedFrames += UInt64(messages.count)
            } else {
                early += messages
            }
            return
        }
        var writer = ByteWriter(reserving: 256 * messages.count)
        for message in messages { writer.writeFrame(message) }
        let buffer = channel.allocator.buffer(bytes: writer.bytes)
        unsentBytes += buffer.readableBytes
        guard unsentBytes <= Self.unsentBytesMax else {
            channel.close(promise: nil)
            return
        }
        let size = buffer.readableBytes
        let bound = NIOLoopBound(self, eventLoop: loop)
        if channel.isWritable {
            unsentBytes = 0
            channel.writeAndFlush(buffer, promise: nil)
        } else {
            let promise = loop.makePromise(of: Void.self)
            promise.futureResult.whenComplete { _ in bound.value.unsentBytes -= min(bound.value.unsentBytes, size) }
            channel.writeAndFlush(buffer, promise: promise)
        }
    }

    private var unsentBytes = 0
    private var lastRejection: LinkRejection?

    // MARK: - From the handler

    fileprivate func connected(_ channel: Channel) {
        self.channel = channel
        unsentBytes = 0
    }

    /// The other end has shown its certificate, where it has to.
    fileprivate func greet() {
        guard let channel else { return }
        channel.writeAndFlush(channel.allocator.buffer(bytes: terms.hello().encode()), promise: nil)
    }

    fileprivate func answered(_ answer: PeerHelloAnswer, _ proof: PeerProof) {
        guard answer.verdict == .welcome else {
            onEvent(self, .refused(answer.verdict))
            channel?.close(promise: nil)
            return
        }
        // O9: a node that has lost its disk comes back to its address as another one, and nothing that is meant
        // for the former may reach it, least of all what it says itself.
        guard expected == nil || answer.nodeID == expected else {
            early = []
            channel?.close(promise: nil)
            return
        }
        let verdict = terms.check(answer.nodeID, proof)
        if let cause = LinkRejection.Cause(verdict) {
            return reject(cause, "\(answer.nodeID)", "it is not who it should be: \(verdict)")
        }
        delayMs = Self.firstDelayMs
        lastRejection = nil
        peer = answer.nodeID
        onEvent(self, .up(answer.nodeID))
        let waiting = early
        early = []
        if !waiting.isEmpty { send(waiting) }
    }

    fileprivate func reject(_ cause: LinkRejection.Cause, _ peer: String, _ reason: String) {
        let rejection = LinkRejection(cause: cause, peer: "\(peer) at \(address)", reason: reason)
        early = []
        channel?.close(promise: nil)
        guard rejection != lastRejection else { return }
        lastRejection = rejection
        onEvent(self, .rejected(rejection))
    }

    fileprivate func broken() {
        channel = nil
        if let peer {
            self.peer = nil
            onEvent(self, .down(peer))
        }
        retry()
    }

    private func retry() {
        guard !isClosed else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        loop.scheduleTask(in: .milliseconds(delayMs)) { bound.value.open() }
        delayMs = min(delayMs * 2, Self.longestDelayMs)
    }
}

/// Splits `host:port`, `[v6]:port`.
func splitAddress(_ address: String) -> (host: String, port: Int)? {
    guard let colon = address.lastIndex(of: ":"), let port = Int(address[address.index(after: colon)...]) else {
        return nil
    }
    var host = address[..<colon]
    if host.first == "[", host.last == "]" { host = host.dropFirst().dropLast() }
    return (String(host), port)
}

private final class PeerLinkHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let link: NIOLoopBound<PeerLink>
    private let own: PeerIdentity?
    /// Nil until the handshake is over.
    private var proof: PeerProof?
    private var certificate: Certificate?
    private var reader = FrameReader()
    private var isAnswered = false
    private var answerDeadline: Scheduled<Void>?

    init(link: NIOLoopBound<PeerLink>, own: PeerIdentity?) {
        self.link = link
        self.own = own
        proof = own == nil ? .plain : nil
    }

    func handlerAdded(context: ChannelHandlerContext) {
        let link = self.link
        answerDeadline = context.eventLoop.scheduleTask(in: .seconds(PeerSocket.greetingSecondsMax)) {
            link.value.reject(.silent, "somebody", "it does not answer")
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        answerDeadline?.cancel()
    }

    func channelActive(context: ChannelHandlerContext) {
        link.value.connected(context.channel)
        if proof != nil { link.value.greet() }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if let own, let handshake = event as? TLSHandshakeCompleted {
            certificate = handshake.peerCertificate
            proof = PeerProof(own: own, peer: certificate)
            if proof != nil {
                link.value.greet()
            } else {
                link.value.reject(.noIdentity, "somebody", "the certificate names no node")
            }
        }
        if let change = event as? AuthoritiesChanged, let certificate, !change.vouch(for: certificate) {
            context.close(promise: nil)
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let proof else { return }
        reader.append(unwrapInboundIn(data))
        guard !isAnswered, let bytes = reader.take(PeerHelloAnswer.byteCount) else { return }
        isAnswered = true
        answerDeadline?.cancel()
        guard let answer = try? PeerHelloAnswer(from: bytes) else {
            context.close(promise: nil)
            return
        }
        link.value.answered(answer, proof)
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.value.broken()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if proof == nil { link.value.reject(.init(error), "somebody", "\(error)") }
        context.close(promise: nil)
    }
}
