import NIOCore
import NIOHTTP1
import NIOPosix
import NIOWebSocket
import Testing

@testable import HoldfastClient

@Suite(.timeLimit(.minutes(1))) struct SocketClientTests {
    private enum Happening: Sendable, Equatable {
        case open
        case frame(String)
        case end(SocketEnd)
    }

    private struct Session {
        let socket: SocketClient
        let happenings = Mailbox<Happening>()

        init(_ endpoint: Endpoint, token: String? = "t.o.k", ping: TimeAmount = .seconds(20)) {
            socket = SocketClient(
                endpoint: endpoint, target: "/project/p/ws/c/o", token: token,
                on: MultiThreadedEventLoopGroup.singleton.next())
            let (socket, happenings) = (socket, happenings)
            socket.eventLoop.execute {
                socket.pingInterval = ping
                socket.onOpen = { happenings.put(.open) }
                socket.onFrame = { happenings.put(.frame(String(buffer: $0))) }
                socket.onClose = { happenings.put(.end($0)) }
                socket.open()
            }
        }

        func onLoop(_ body: @escaping @Sendable (SocketClient) -> Void) {
            socket.eventLoop.execute { [socket] in body(socket) }
        }

        func end() async throws -> SocketEnd {
            while true {
                if case .end(let end) = try await happenings.next() { return end }
            }
        }
    }

    private func open(_ server: SocketServer) async throws -> (Session, SocketServer.Peer, HTTPRequestHead) {
        let session = Session(server.endpoint)
        guard case .opened(let peer, let head) = try await server.arrivals.next() else {
            throw CancellationError()
        }
        #expect(try await session.happenings.next() == .open)
        return (session, peer, head)
    }

    @Test func carriesTheTokenAsASubprotocolAndNowhereElse() async throws {
        let server = try await SocketServer()
        let (_, _, head) = try await open(server)
        #expect(head.uri == "/project/p/ws/c/o")
        #expect(head.headers["Sec-WebSocket-Protocol"] == ["holdfast, bearer.t.o.k"])
        #expect(head.headers["Authorization"].isEmpty)
        #expect(head.headers["Host"] == [server.endpoint.authority])
    }

    @Test func exchangesTexts() async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        session.onLoop { $0.send(#"{"event":"é"}"#) }
        guard case .text(_, let text) = try await server.arrivals.next() else { throw CancellationError() }
        #expect(text == #"{"event":"é"}"#)
        peer.send("hello")
        #expect(try await session.happenings.next() == .frame("hello"))
    }

    @Test func putsFragmentsTogetherAroundAPing() async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        peer.send(.text, Array("one ".utf8), fin: false)
        peer.send(.ping, [7])
        peer.send(.continuation, Array("two ".utf8), fin: false)
        peer.send(.continuation, Array("three".utf8))
        #expect(try await session.happenings.next() == .frame("one two three"))
        guard case .frame(.pong, [7]) = try await server.arrivals.next() else {
            Issue.record("no pong")
            return
        }
    }

    @Test func tellsTheServersCodeAndReasonAndAnswersItsClose() async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        peer.sendClose(1_012, "restart")
        #expect(try await session.end() == SocketEnd(code: 1_012, reason: "restart", wasOpen: true))
        guard case .frame(.connectionClose, let data) = try await server.arrivals.next() else {
            Issue.record("no answer to the close frame")
            return
        }
        #expect(data == [3, 244])
    }

    @Test func saysGoodbyeAndEndsOnce() async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        session.onLoop { $0.close(reason: "done") }
        guard case .frame(.connectionClose, let data) = try await server.arrivals.next() else {
            Issue.record("no close frame")
            return
        }
        #expect(data == [3, 232] + Array("done".utf8))
        peer.sendClose(1_000, "")
        #expect(try await session.end() == SocketEnd(code: 1_000, reason: "done", wasOpen: true))
    }

    @Test func reportsALostConnection() async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        peer.drop()
        let end = try await session.end()
        #expect(end.code == SocketEnd.abnormal)
        #expect(end.wasOpen)
    }

    @Test func reportsARefusedUpgrade() async throws {
        let server = try await SocketServer(refusing: .forbidden)
        let end = try await Session(server.endpoint).end()
        #expect(end == SocketEnd(code: 1_006, reason: "not you", refusedStatus: 403, wasOpen: false))
    }

    @Test func reportsAnEndpointWhereNobodyListens() async throws {
        let server = try await SocketServer()
        try await server.close()
        let end = try await Session(server.endpoint).end()
        #expect(!end.wasOpen)
        #expect(end.refusedStatus == nil)
    }

    @Test func givesUpASilentServer() async throws {
        let server = try await SocketServer()
        let end = try await Session(server.endpoint, ping: .milliseconds(20)).end()
        #expect(end.reason.contains("silent"))
    }

    @Test(arguments: [
        [0x82, 0x01, 0x00],  // a binary frame
        [0x80, 0x01, 0x61],  // a continuation of nothing
        [0xF1, 0x01, 0x61],  // reserved bits
        [0x81, 0x81, 0x00, 0x00, 0x00, 0x00, 0x61],  // a mask
        [0x81, 0x7F, 0x00, 0x00, 0x00, 0x00, 0x7F, 0xFF, 0xFF, 0xFF],  // longer than any bound
        [0x83, 0x00],  // an opcode that does not exist
    ] as [[UInt8]])
    func endsASocketThatTalksNonsense(bytes: [UInt8]) async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        peer.sendRaw(bytes)
        #expect(try await session.end().wasOpen)
    }

    @Test func sendsNothingBeforeAndAfter() async throws {
        let server = try await SocketServer()
        let (session, peer, _) = try await open(server)
        peer.drop()
        _ = try await session.end()
        let socket = session.socket
        #expect(try await socket.eventLoop.submit { socket.send("x") }.get() == false)
    }
}
