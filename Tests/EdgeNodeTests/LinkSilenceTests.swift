import Glibc
import NIOCore
import NIOEmbedded
import NIOPosix
import Raft
import Testing

@testable import Cluster
@testable import EdgeNode

/// A link to a machine that has lost its power, or its network, and one that somebody opens and says nothing on.
struct LinkSilenceTests {
    private final class Receptionist: PeerReceiverOwner {
        var rejections: [LinkRejection.Cause] = []

        func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
            PeerHelloAnswer(verdict: .welcome, clusterID: 7, nodeID: NodeID(rawValue: 2))
        }
        func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {}
        func closed(_ hello: PeerHello, _ channel: any Channel) {}
        func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {}
        func rejected(_ rejection: LinkRejection) { rejections.append(rejection.cause) }
    }

    /// On the loop, at once: an end on which nothing is said is closed, and the test may have to wait for its turn.
    private static func isAsIntended(_ channel: any Channel) throws -> Bool {
        let options = try #require(channel.syncOptions)
        return try options.getOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT))) == 5_000
            && options.getOption(.socketOption(.so_keepalive)) == 1
            && options.getOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE))) == 10
            && options.getOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL))) == 5
            && options.getOption(.tcpOption(.tcp_nodelay)) == 1
    }

    /// The rest is the system's: nothing that is sent is acknowledged, no question answered, and it gives up.
    @Test func theSystemGivesUpAPeerThatVanishedAtBothEnds() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let accepted = loop.makePromise(of: Bool.self)
        let server = try await ServerBootstrap(group: loop)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try PeerSocket.configure(channel, owner: Receptionist(), security: nil)
                    accepted.succeed(try Self.isAsIntended(channel))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let dialed = PeerSocket.dialing(on: loop).connect(to: try #require(server.localAddress))
            .flatMapThrowing { channel in
                defer { channel.close(promise: nil) }
                return try Self.isAsIntended(channel)
            }
        #expect(try await dialed.get())
        #expect(try await accepted.futureResult.get())
        try await server.close()
    }

    @Test func whoeverSaysNoHelloIsClosed() throws {
        let receptionist = Receptionist()
        let channel = EmbeddedChannel()
        try PeerSocket.configure(channel, owner: receptionist, security: nil)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        channel.embeddedEventLoop.advanceTime(by: .seconds(PeerSocket.greetingSecondsMax - 1))
        #expect(channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive)
        #expect(receptionist.rejections == [.silent])
    }

    @Test func whoHasSaidHelloMayBeSilent() throws {
        let receptionist = Receptionist()
        let channel = EmbeddedChannel()
        try PeerSocket.configure(channel, owner: receptionist, security: nil)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let hello = PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9)
        try channel.writeInbound(channel.allocator.buffer(bytes: hello.encode()))
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive)
        #expect(receptionist.rejections.isEmpty)
        try channel.close().wait()
    }

    private func dialed(onEvent: @escaping (PeerLink.Event) -> Void) throws -> (PeerLink, EmbeddedChannel) {
        let channel = EmbeddedChannel()
        let link = PeerLink(
            address: "127.0.0.1:1", to: nil, loop: channel.embeddedEventLoop,
            terms: PeerLink.Terms(
                hello: { PeerHello(role: .node, clusterID: 7, nodeID: NodeID(rawValue: 1), nonce: 9) },
                check: { _, _ in .welcome }),
            onEvent: { _, event in onEvent(event) })
        try link.prepare(channel)
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return (link, channel)
    }

    /// A process that hangs, say: its system takes the hello and acknowledges it.
    @Test func whoeverAnswersNoHelloIsClosed() throws {
        var rejections: [LinkRejection.Cause] = []
        let (_, channel) = try dialed { if case .rejected(let rejection) = $0 { rejections.append(rejection.cause) } }
        channel.embeddedEventLoop.advanceTime(by: .seconds(PeerSocket.greetingSecondsMax - 1))
        #expect(channel.isActive && rejections.isEmpty)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
        #expect(!channel.isActive && rejections == [.silent])
    }

    @Test func whoHasAnsweredTheHelloMayBeSilent() throws {
        var ups = 0
        let (link, channel) = try dialed { if case .up = $0 { ups += 1 } }
        let answer = PeerHelloAnswer(verdict: .welcome, clusterID: 7, nodeID: NodeID(rawValue: 2))
        try channel.writeInbound(channel.allocator.buffer(bytes: answer.encode()))
        channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(channel.isActive && ups == 1)
        link.close()
    }
}
