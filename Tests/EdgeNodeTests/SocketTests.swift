import NIOCore
import NIOPosix
import ObjectRuntime
import Testing

@testable import EdgeNode

/// What only real sockets show: halves that close, and answers that must arrive before a reset.
struct SocketTests {
    /// Sends `bytes`, closes the sending half if asked to, and reads until the server closes.
    private func exchange(_ bytes: [UInt8], closesHalf: Bool) throws -> String {
        String(decoding: try exchangeBytes(bytes, closesHalf: closesHalf), as: UTF8.self)
    }

    private func exchangeBytes(_ bytes: [UInt8], closesHalf: Bool) throws -> [UInt8] {
        let server = try LoopbackServer()
        defer { server.stop() }
        let everything = server.group.next().makePromise(of: [UInt8].self)
        let channel = try ClientBootstrap(group: server.group)
            .channelOption(.allowRemoteHalfClosure, value: true)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(UntilEnd(everything))
                }
            }
            .connect(host: "127.0.0.1", port: server.port).wait()
        // The server may close while we write: what it said counts, not what we got rid of.
        try? channel.writeAndFlush(ByteBuffer(bytes: bytes)).wait()
        if closesHalf { try? channel.close(mode: .output).wait() }
        return try everything.futureResult.wait()
    }

    @Test func aClientThatClosedItsSendingHalfGetsEveryAnswer() throws {
        let requests = String(repeating: "GET /livez HTTP/1.1\r\n\r\n", count: 500)
        let answers = try exchange(Array(requests.utf8), closesHalf: true)
        #expect(answers.ranges(of: "HTTP/1.1 200 OK").count == 500)
    }

    @Test func theRefusalOfABodyArrivesThoughItsBytesAreUnread() throws {
        let head = "POST /project/demo/cache/c/o/n HTTP/1.1\r\nContent-Length: 8000000\r\n\r\n"
        let answers = try exchange(
            Array(head.utf8) + [UInt8](repeating: 0x78, count: 8_000_000), closesHalf: true)
        #expect(answers.hasPrefix("HTTP/1.1 413 "))
        #expect(answers.ranges(of: "HTTP/1.1").count == 1)
    }

    @Test func whatFollowsAnAnswerThatClosesIsNotServed() throws {
        let requests = "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\nGET /livez HTTP/1.1\r\n\r\n"
        let answers = try exchange(Array(requests.utf8), closesHalf: true)
        #expect(answers.ranges(of: "HTTP/1.1 200 OK").count == 1)
    }

    private let handshake = """
        GET /project/demo/ws/room/r1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n
        """

    /// What comes behind the answer to the handshake, up to the end of the connection.
    private func frames(_ bytes: [UInt8]) throws -> [ServerFrame] {
        let auth = ClientBytes.text(#"{"event":"auth","token":"\#(LoopbackServer.basic)"}"#)
        var rest = try exchangeBytes(Array(handshake.utf8) + auth + bytes, closesHalf: false)
        #expect(rest.starts(with: "HTTP/1.1 101 ".utf8))
        let end = try #require(rest.firstRange(of: Array("\r\n\r\n".utf8)))
        rest.removeFirst(end.upperBound)
        var frames: [ServerFrame] = []
        while !rest.isEmpty { frames.append(try ServerFrame.take(&rest)) }
        return frames
    }

    @Test func aSocketCarriesFramesAndEnds() throws {
        let frames = try frames(
            ClientBytes.text(#"{"event":"ping"}"#) + ClientBytes(opcode: 9, payload: [0x61]).bytes
                + ClientBytes.close(nil))
        #expect(frames == [.text(#"{"event":"pong"}"#), .pong([0x61]), .close(code: nil, reason: "")])
    }

    @Test func largeMessagesArriveWhole() throws {
        let filler = String(repeating: "x", count: 100_000)
        let ping = ClientBytes.text(#"{"event":"ping","filler":"\#(filler)"}"#)
        let frames = try frames(ping + ping + ClientBytes.close(nil))
        #expect(frames.count == 3)
    }

    @Test func theCloseFrameOfAFaultArrivesThoughBytesAreUnread() throws {
        let junk = [UInt8](repeating: 0x78, count: 4_000_000)
        let frames = try frames(ClientBytes(opcode: 2, payload: [1]).bytes + junk)
        #expect(frames == [.close(code: 1003, reason: "frames must be text")])
    }

    @Test func theEndOfASocketWithoutCredentialsArrives() throws {
        let answer = try exchange(
            Array(handshake.utf8) + ClientBytes.text("{}") + ClientBytes.close(nil), closesHalf: false)
        #expect(answer.hasSuffix("the first frame must be auth"))
    }
}

/// An edge with one loop on a free port of this machine.
private final class LoopbackServer {
    static let key: NewAPIKey = {
        guard
            let key = try? NewAPIKey.make(
                project: "demo", label: "test", origins: [], nowMs: 0, random: { [UInt8](repeating: 7, count: $0) })
        else { preconditionFailure("a key can be made") }
        return key
    }()
    static var basic: String { TestEdge.basic(key.key.keyID, key.secret) }

    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let port: Int

    init() throws {
        let loop = group.next()
        let edge = try loop.submit {
            let gateway = ExecutingGateway()
            gateway.apply(.createKey(LoopbackServer.key.key))
            let edge = HTTPEdge(
                gateway: gateway, settings: HTTPSettings(version: "0.1.0"), eventLoop: loop,
                board: StatisticsBoard())
            edge.start()
            gateway.onTell = { [unowned edge] input in
                guard case .frame(let socket, .ping) = input else { return }
                edge.sockets.carryOut([
                    .deliver(frame: FrameRendering.pong, loop: 2, numbers: [socket.number], except: nil)
                ])
            }
            return NIOLoopBound(edge, eventLoop: loop)
        }.wait()
        let listener = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try edge.value.configureClientChannel(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        port = listener.localAddress?.port ?? 0
    }

    func stop() {
        try? group.syncShutdownGracefully()
    }
}

/// Collects what arrives until the other side closes its half, then closes too.
private final class UntilEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let promise: EventLoopPromise<[UInt8]>
    private var bytes: [UInt8] = []

    init(_ promise: EventLoopPromise<[UInt8]>) {
        self.promise = promise
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += Array(unwrapInboundIn(data).readableBytesView)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(bytes) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
