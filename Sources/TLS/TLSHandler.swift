import NIOCore

/// TLS in a channel's pipeline: the network's side has ciphertext, the other side plaintext.
///
/// - The handshake begins when the channel is active. When it is done there is a user event,
///   `TLSHandshakeCompleted`, before any data. Writes wait for that, up to `Options.waitingByteCountMax`.
/// - A write's promise succeeds when the channel has written the last of its ciphertext. The writes of one flush
///   share records.
/// - Every fault is a `TLSError` in `errorCaught`, once; then the channel is closed, and nothing but
///   `channelInactive` comes after it. Where the peer is told of the fault, by an alert, this side's half is closed
///   and the other when the peer has ended too, `Options.lingerTimeout` and `lingerByteCountMax` at most.
/// - A peer that says that it is done (close_notify) ends the channel, or, if the channel allows half closure, is
///   `ChannelEvent.inputClosed`. An end without that is `TLSError.truncated`.
/// - `close(mode: .output)` says that this side is done when all that was flushed has been written, and then half
///   closes the transport. `close(mode: .all)` says so, waits until that is written, `Options.closeTimeout` at
///   most, and closes; it does not wait for the peer's answer, which would tell nothing. What was flushed and waits
///   for the network is dropped then, as by any channel: this side does not say that it is done, so that the peer
///   sees a truncation.
/// - It reads from the network when the next handler asks for more, and for its own handshake.
///
/// Removing it leaves the transport as it is, without TLS: only for channels that are about to close.
public final class TLSHandler: ChannelDuplexHandler, RemovableChannelHandler {
    public typealias InboundIn = ByteBuffer
    public typealias InboundOut = ByteBuffer
    public typealias OutboundIn = ByteBuffer
    public typealias OutboundOut = ByteBuffer

    public struct Options: Sendable {
        public var handshakeTimeout = TimeAmount.seconds(10)
        /// How long a close waits for a peer that does not read.
        public var closeTimeout = TimeAmount.seconds(5)
        /// How long a peer that was told of a fault may go on sending, and how much.
        public var lingerTimeout = TimeAmount.seconds(2)
        public var lingerByteCountMax = 262_144
        /// How many bytes may be written before the end of the handshake.
        public var waitingByteCountMax = 1_048_576
        /// What to send, unencrypted, to a client that speaks no TLS, given its first bytes (`TLSError.notTLS`):
        /// a redirect perhaps. Nil closes without an answer.
        public var plaintextAnswer: (@Sendable ([UInt8]) -> [UInt8]?)?

        public init() {}
    }

    enum State {
        case idle
        case handshaking
        case open
        /// This side has said that it is done, and waits for that to be written.
        case closing
        /// The peer was told of a fault; what it still sends is dropped.
        case lingering
        case ended
    }

    let tls: TLSContext
    let peerName: TLSPeerName?
    let resumed: TLSSession?
    let options: Options

    var state = State.idle
    /// OpenSSL's part; a server has none before its client has said hello.
    var connection: TLSConnection?
    /// A client's first message as far as it has come; nil afterwards.
    var hello: ByteBuffer?
    var hasSeenInput = false
    var timer: Scheduled<Void>?

    /// What was written and not encrypted yet.
    var waiting = WaitingWrites()
    var isEncrypting = false
    /// Bytes that the protocol itself made as answers and that the network has not taken.
    var answersInFlight = 0

    /// The next handler has asked for data and has got none since.
    var wantsRead = false
    /// Data went on since the last `channelReadComplete`.
    var hasDelivered = false
    var inputEnded = false
    var output = OutputEnd.open
    var closePromise: EventLoopPromise<Void>?
    /// How much more is dropped before the end.
    var lingerRoom = 0

    enum OutputEnd {
        case open
        /// Asked for; what was flushed before goes first.
        case asked(EventLoopPromise<Void>?)
        case ended
    }

    /// A server's side. A client's has a `peerName`, and perhaps a session to resume.
    public init(
        context: TLSContext, peerName: TLSPeerName? = nil, resuming session: TLSSession? = nil,
        options: Options = Options()
    ) {
        precondition((context.role == .client) == (peerName != nil), "clients, and only clients, name their peer")
        tls = context
        self.peerName = peerName
        resumed = session
        self.options = options
    }

    /// What a client needs to resume this connection's session with a later one. Servers give it after the
    /// handshake: there is none before the first data has come. Only on the channel's event loop.
    public var session: TLSSession? { connection?.session }

    // MARK: Coming and going

    public func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { startHandshake(context) }
    }

    public func handlerRemoved(context: ChannelHandlerContext) {
        if state == .lingering { closeTransport(context) }
        end(failing: TLSError.closed)
    }

    public func channelActive(context: ChannelHandlerContext) {
        // First: the handshake may fail at once, and then channelInactive would come before channelActive.
        context.fireChannelActive()
        if state == .idle, context.channel.isActive { startHandshake(context) }
    }

    public func channelInactive(context: ChannelHandlerContext) {
        switch state {
        case .handshaking: report(.handshakeFailed(reason: "the peer ended the connection"), context)
        case .open where !inputEnded: report(.truncated, context)
        case .closing, .lingering: endClosed()
        case .idle, .open, .ended: end(failing: ChannelError.ioOnClosedChannel)
        }
        context.fireChannelInactive()
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let transport = event as? ChannelEvent
        if state == .lingering, let transport { return lingers(on: transport, context) }
        guard transport == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
        switch state {
        case .handshaking: fail(.handshakeFailed(reason: "the peer ended the connection"), context)
        case .open where !inputEnded: fail(.truncated, context)
        case .idle, .open, .closing, .lingering, .ended: break
        }
    }

    // MARK: Reading

    public func read(context: ChannelHandlerContext) {
        wantsRead = true
        context.read()
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch state {
        case .handshaking: shakeHands(with: bytes, context)
        case .open where !inputEnded: decrypt(bytes, context)
        case .lingering: swallow(bytes, context)
        case .idle, .open, .closing, .ended: break
        }
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        if hasDelivered {
            hasDelivered = false
            context.fireChannelReadComplete()
        } else if state == .handshaking || state == .lingering || (wantsRead && state == .open) {
            context.read()
        }
    }

    // MARK: Writing

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (state, output) {
        case (.idle, .open), (.handshaking, .open):
            waiting.append(unwrapOutboundIn(data), promise)
            if waiting.byteCount > options.waitingByteCountMax { fail(.tooMuchBeforeHandshake, context) }
        case (.open, .open): waiting.append(unwrapOutboundIn(data), promise)
        case (.idle, _), (.handshaking, _), (.open, _): promise?.fail(ChannelError.outputClosed)
        case (.closing, _), (.lingering, _), (.ended, _): promise?.fail(ChannelError.ioOnClosedChannel)
        }
    }

    public func flush(context: ChannelHandlerContext) {
        waiting.flush()
        switch state {
        case .open: encryptFlushed(context)
        case .idle, .handshaking: break
        case .closing, .lingering, .ended: context.flush()
        }
    }

    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        // What waits here comes before what others would write now.
        if state == .open, context.channel.isWritable { encryptFlushed(context) }
        context.fireChannelWritabilityChanged()
    }

    public func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        switch mode {
        case .all: closeAll(context, promise)
        case .output: closeOutput(context, promise)
        case .input: promise?.fail(ChannelError.operationUnsupported)
        }
    }
}
