import Binary
import Cluster
import NIOCore
import NIOPosix
import Raft

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
    }

    let address: String
    /// Who is meant; nil: whoever is there.
    private let expected: NodeID?
    private let loop: EventLoop
    private let hello: () -> PeerHello
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
        address: String, to expected: NodeID?, loop: EventLoop, hello: @escaping () -> PeerHello,
        onEvent: @escaping (PeerLink, Event) -> Void
    ) {
        self.address = address
        self.expected = expected
        self.loop = loop
        self.hello = hello
        self.onEvent = onEvent
    }

    var isUp: Bool { peer != nil }

    func open() {
        guard !isClosed, let (host, port) = splitAddress(address) else { return }
        let handler = PeerLinkHandler(link: NIOLoopBound(self, eventLoop: loop))
        let bound = NIOLoopBound(self, eventLoop: loop)
        let boundHandler = NIOLoopBound(handler, eventLoop: loop)
        ClientBootstrap(group: loop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.milliseconds(1_000))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(boundHandler.value)
                }
            }
            .connect(host: host, port: port)
            .whenFailure { _ in bound.value.retry() }
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

    // MARK: - From the handler

    fileprivate func connected(_ channel: Channel) {
        self.channel = channel
        unsentBytes = 0
        channel.writeAndFlush(channel.allocator.buffer(bytes: hello().encode()), promise: nil)
    }

    fileprivate func answered(_ answer: PeerHelloAnswer) {
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
        delayMs = Self.firstDelayMs
        peer = answer.nodeID
        onEvent(self, .up(answer.nodeID))
        let waiting = early
        early = []
        if !waiting.isEmpty { send(waiting) }
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
    private var reader = FrameReader()
    private var isAnswered = false

    init(link: NIOLoopBound<PeerLink>) {
        self.link = link
    }

    func channelActive(context: ChannelHandlerContext) {
        link.value.connected(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        reader.append(unwrapInboundIn(data))
        guard !isAnswered, let bytes = reader.take(PeerHelloAnswer.byteCount) else { return }
        guard let answer = try? PeerHelloAnswer(from: bytes) else {
            context.close(promise: nil)
            return
        }
        isAnswered = true
        link.value.answered(answer)
    }

    func channelInactive(context: ChannelHandlerContext) {
        link.value.broken()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
