import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket

@testable import HoldfastClient

/// A stand-in for a node: takes upgrades, shows what came in, says what the test wants said.
final class SocketServer: @unchecked Sendable {
    let endpoint: Endpoint
    let arrivals = Mailbox<Arrival>()
    private let channel: any Channel

    /// What the server saw, in order.
    enum Arrival: Sendable {
        case opened(Peer, HTTPRequestHead)
        case text(Peer, String)
        /// A frame that is neither text nor one of the client's own pings.
        case frame(WebSocketOpcode, [UInt8])
        case closed(Peer)
    }

    /// One client's socket.
    struct Peer: Sendable {
        fileprivate let channel: any Channel

        func send(_ text: String) { send(.text, Array(text.utf8)) }

        func send(_ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool = true) {
            let frame = WebSocketFrame(fin: fin, opcode: opcode, data: ByteBuffer(bytes: bytes))
            channel.writeAndFlush(frame, promise: nil)
        }

        func sendRaw(_ bytes: [UInt8]) {
            let channel = channel
            channel.eventLoop.execute {
                let encoder = try? channel.pipeline.syncOperations.context(
                    handlerType: WebSocketFrameEncoder.self)
                encoder?.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: nil)
            }
        }

        func sendClose(_ code: UInt16, _ reason: String) {
            send(.connectionClose, [UInt8(code >> 8), UInt8(code & 255)] + Array(reason.utf8))
        }

        /// Ends the connection as the death of the process would.
        func drop() { channel.close(promise: nil) }
    }

    /// With `status`, every upgrade is refused with it.
    init(refusing status: HTTPResponseStatus? = nil) async throws {
        let arrivals = arrivals
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Self.prepare(channel, status, arrivals) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        endpoint = Endpoint(host: "127.0.0.1", port: channel.localAddress?.port ?? 0)
    }

    func close() async throws {
        try await channel.close()
    }

    private static func prepare(
        _ channel: any Channel, _ status: HTTPResponseStatus?, _ arrivals: Mailbox<Arrival>
    ) throws {
        let refusal = Refusal(status ?? .badRequest)
        let upgrader = NIOWebSocketServerUpgrader(
            maxFrameSize: 1 << 20,
            shouldUpgrade: { channel, _ in
                channel.eventLoop.makeSucceededFuture(status == nil ? HTTPHeaders() : nil)
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(arrivals))
                    arrivals.put(.opened(Peer(channel: channel), head))
                }
            })
        try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withServerUpgrade: (
                upgraders: status == nil ? [upgrader] : [],
                completionHandler: { $0.pipeline.syncOperations.removeHandler(refusal, promise: nil) }
            ))
        try channel.pipeline.syncOperations.addHandler(refusal)
    }

    private final class Refusal: ChannelInboundHandler, RemovableChannelHandler, @unchecked Sendable {
        typealias InboundIn = HTTPServerRequestPart
        typealias OutboundOut = HTTPServerResponsePart
        private let status: HTTPResponseStatus

        init(_ status: HTTPResponseStatus) {
            self.status = status
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            guard case .end = unwrapInboundIn(data) else { return }
            let body = ByteBuffer(string: #"{"message":"not you"}"#)
            let headers = HTTPHeaders([("Content-Length", "\(body.readableBytes)")])
            context.write(
                wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))),
                promise: nil)
            context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = WebSocketFrame
        private let arrivals: Mailbox<Arrival>

        init(_ arrivals: Mailbox<Arrival>) {
            self.arrivals = arrivals
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            let frame = unwrapInboundIn(data)
            let bytes = Array(frame.unmaskedData.readableBytesView)
            let peer = Peer(channel: context.channel)
            let text = String(decoding: bytes, as: UTF8.self)
            switch frame.opcode {
            case .text where text == #"{"event":"ping"}"#: break
            case .text: arrivals.put(.text(peer, text))
            default: arrivals.put(.frame(frame.opcode, bytes))
            }
        }

        func channelInactive(context: ChannelHandlerContext) {
            arrivals.put(.closed(Peer(channel: context.channel)))
        }
    }
}

/// Hands things from an event loop to a test, in order.
final class Mailbox<Element: Sendable>: Sendable {
    private let stream: AsyncStream<Element>
    private let continuation: AsyncStream<Element>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream()
    }

    func put(_ element: Element) {
        continuation.yield(element)
    }

    func next() async throws -> Element {
        for await element in stream { return element }
        throw CancellationError()
    }
}
