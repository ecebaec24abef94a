import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import EdgeNode

/// A link to a machine that has lost its power, or its network.
struct LinkSilenceTests {
    /// The rest is the system's: nothing that is sent is acknowledged, and it gives up.
    @Test func theSystemGivesUpAPeerThatVanished() async throws {
        let group = MultiThreadedEventLoopGroup.singleton
        let server = try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
        let address = try #require(server.localAddress)
        let link = try await PeerLink.bootstrap(on: group.next()).connect(to: address).get()
        let patience = try await link.getOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT))).get()
        #expect(patience == 5_000)
        try await link.close()
        try await server.close()
    }
}
