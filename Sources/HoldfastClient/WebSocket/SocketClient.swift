import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

/// One WebSocket to one node: text frames out, text frames in, pings, one end.
///
/// It never reconnects and knows nothing of events (`Subscription` does). Made so that thousands fit into a
/// process: small receive buffers, one timer. Every member is used on `eventLoop` only, and checked to be;
/// that confinement is what makes it `Sendable`. Set the callbacks, then `open`.
public final class SocketClient: @unchecked Sendable {
    /// The longest frame that is taken, and the longest text put together from fragments.
    public static let textBytesMax = 4 << 20
    /// Bytes that may wait for a server that does not read.
    public static let unsentBytesMax = 1 << 20
    private static let handshakeTimeout = TimeAmount.seconds(5)
    private static let goodbyeTimeout = TimeAmount.seconds(1)
    private static let ping = #"{"event":"ping"}"#

    public let endpoint: Endpoint
    public let eventLoop: any EventLoop
    /// From ping to ping. A socket that was silent for as long behind a ping counts as lost.
    public var pingInterval = TimeAmount.seconds(20)
    /// The upgrade is granted; what is sent in here is the first frame.
    public var onOpen: (() -> Void)?
    public var onFrame: ((ByteBuffer) -> Void)?
    /// Called exactly once, also when the socket never opened and after `close`.
    public var onClose: ((SocketEnd) -> Void)?

    private let target: String
    private let token: String?
    private var channel: (any Channel)?
    private var phase = Phase.idle
    private var isHeard = false
    private var pinging: RepeatedTask?
    private var watchdog: Scheduled<Void>?

    private enum Phase {
        case idle, opening, open, over
        case closing(SocketEnd)
    }

    /// `target` is path and query, percent-encoded already. The token travels as a subprotocol: what stands
    /// in a URL gets into logs.
    public init(endpoint: Endpoint, target: String, token: String?, on eventLoop: any EventLoop) {
        self.endpoint = endpoint
        self.target = target
        self.token = token
        self.eventLoop = eventLoop
    }

    public var isOpen: Bool {
        if case .open = phase { true } else { false }
    }

    public func open() {
        eventLoop.preconditionInEventLoop()
        guard case .idle = phase else { preconditionFailure("a socket is opened once") }
        phase = .opening
        watch(Self.handshakeTimeout) { $0.end("no answer to the upgrade") }
        let bootstrap = ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(
                .recvAllocator, value: AdaptiveRecvByteBufferAllocator(minimum: 64, initial: 512, maximum: 16_384)
            )
            .channelOption(
                .writeBufferWaterMark,
                value: .init(low: Self.unsentBytesMax / 2, high: Self.unsentBytesMax)
            )
            .connectTimeout(Self.handshakeTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try self.prepare(channel) }
            }
        endpoint.connect(bootstrap).assumeIsolated().whenFailure { error in
            self.end(plainText(of: error))
        }
    }

    /// False if nothing was sent: the socket is not open, or the server does not read.
    @discardableResult
    public func send(_ text: String) -> Bool {
        eventLoop.preconditionInEventLoop()
        guard isOpen, let channel, channel.isWritable else { return false }
        write(.text, ByteBuffer(string: text), to: channel)
        return true
    }

    /// Says goodbye and waits a moment for the answer.
    public func close(code: UInt16 = SocketEnd.normal, reason: String = "") {
        eventLoop.preconditionInEventLoop()
        let own = SocketEnd(code: code, reason: reason, wasOpen: isOpen)
        guard isOpen, let channel else { return end(own) }
        phase = .closing(own)
        pinging?.cancel()
        sendClose(code, reason, to: channel)
        watch(Self.goodbyeTimeout) { $0.end(own) }
    }

    /// Ends the connection without a word, as a crash of this process would.
    public func abandon() {
        eventLoop.preconditionInEventLoop()
        end("abandoned")
    }

    // MARK: Opening

    private func prepare(_ channel: any Channel) throws {
        try endpoint.addTLS(to: channel)
        let handshake = SocketHandshake(self)
        let upgrader = NIOWebSocketClientUpgrader(maxFrameSize: Self.textBytesMax) { channel, _ in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(SocketFrames(self))
            }
        }
        try channel.pipeline.syncOperations.addHTTPClientHandlers(
            leftOverBytesStrategy: .forwardBytes,
            withClientUpgrade: (
                upgraders: [upgrader],
                completionHandler: { $0.pipeline.syncOperations.removeHandler(handshake, promise: nil) }
            ))
        try channel.pipeline.syncOperations.addHandler(handshake)
    }

    var requestHead: HTTPRequestHead {
        var headers = HTTPHeaders([("Host", endpoint.authority)])
        if let token { headers.add(name: "Sec-WebSocket-Protocol", value: "holdfast, bearer.\(token)") }
        return HTTPRequestHead(version: .http1_1, method: .GET, uri: target, headers: headers)
    }

    func upgraded(_ channel: any Channel) {
        guard case .opening = phase else { return channel.close(promise: nil) }
        self.channel = channel
        watchdog?.cancel()
        phase = .open
        onOpen?()
        sendPing()
        pinging = eventLoop.scheduleRepeatedTask(initialDelay: pingInterval, delay: pingInterval) { _ in
            self.pingIsDue()
        }
    }

    private func pingIsDue() {
        guard isHeard else { return end("silent for \(pingInterval.nanoseconds / 1_000_000_000) s") }
        sendPing()
    }

    private func sendPing() {
        send(Self.ping)
        isHeard = false
    }

    private func watch(_ time: TimeAmount, _ body: @escaping (SocketClient) -> Void) {
        watchdog?.cancel()
        watchdog = eventLoop.assumeIsolated().scheduleTask(in: time) { body(self) }
    }

    // MARK: Frames

    func received(_ text: ByteBuffer) {
        isHeard = true
        if isOpen { onFrame?(text) }
    }

    func heard() { isHeard = true }

    func answerPing(_ data: ByteBuffer) {
        isHeard = true
        guard isOpen, let channel, channel.isWritable else { return }
        write(.pong, data, to: channel)
    }

    /// The peer's close frame: an answer to ours, or the first one, which gets its answer.
    func peerClosed(code: UInt16?, reason: String) {
        if case .closing(let own) = phase { return end(own) }
        if let channel { sendClose(code ?? SocketEnd.normal, "", to: channel) }
        end(SocketEnd(code: code ?? 1_005, reason: reason, wasOpen: isOpen))
    }

    /// The peer broke the protocol.
    func fail(_ code: UInt16, _ reason: String) {
        if let channel, isOpen { sendClose(code, reason, to: channel) }
        end(SocketEnd(code: code, reason: reason, wasOpen: isOpen))
    }

    private func sendClose(_ code: UInt16, _ reason: String, to channel: any Channel) {
        var data = ByteBuffer(integer: code)
        // A control frame holds 125 bytes, two of them for the code.
        data.writeBytes(reason.utf8.prefix(123))
        write(.connectionClose, data, to: channel)
    }

    private func write(_ opcode: WebSocketOpcode, _ data: ByteBuffer, to channel: any Channel) {
        let frame = WebSocketFrame(fin: true, opcode: opcode, maskKey: .random(), data: data)
        channel.writeAndFlush(frame, promise: nil)
    }

    // MARK: The end

    func refused(_ status: Int, _ reason: String) {
        end(SocketEnd(code: SocketEnd.abnormal, reason: reason, refusedStatus: status, wasOpen: false))
    }

    func end(_ reason: String) {
        if case .closing(let own) = phase { return end(own) }
        end(SocketEnd(code: SocketEnd.abnormal, reason: reason, wasOpen: isOpen))
    }

    private func end(_ end: SocketEnd) {
        if case .over = phase { return }
        phase = .over
        watchdog?.cancel()
        pinging?.cancel()
        channel?.close(promise: nil)
        channel = nil
        let notify = onClose
        (onOpen, onFrame, onClose) = (nil, nil, nil)
        notify?(end)
    }

    /// The connection before the upgrade, so that an end in between closes it too.
    func connected(_ channel: any Channel) {
        guard case .opening = phase else { return channel.close(promise: nil) }
        self.channel = channel
    }
}
