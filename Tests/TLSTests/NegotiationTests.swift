import COpenSSL
import NIOCore
import Testing

@testable import TLS

/// What the two sides have in common, or not.
@Suite struct NegotiationTests {
    private func pair(_ change: (TLSContext) -> Void) throws -> Pair {
        let context = try TLSContext(.testClient())
        change(context)
        return Pair(
            client: try End(TLSHandler(context: context, peerName: .host("server.test"))),
            server: try End(TLSHandler(context: try TLSContext(.testServer()))))
    }

    private func expectNothingInCommon(_ pair: Pair, _ reason: String) throws {
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.server.faults == [.handshakeFailed(reason: reason)])
        #expect(pair.client.faults.count == 1, "the alert")
        #expect(pair.client.completed == nil && pair.server.completed == nil)
        #expect(!pair.client.channel.isActive && !pair.server.channel.isActive)
    }

    @Test func anOldVersionIsRefused() throws {
        let old = try pair { context in
            #expect(SSL_CTX_set_cipher_list(context.pointer, "ECDHE-ECDSA-AES128-SHA@SECLEVEL=0") == 1)
            #expect(holdfast_context_set_versions(context.pointer, TLS1_VERSION, TLS1_1_VERSION) == 1)
        }
        try expectNothingInCommon(old, "unsupported protocol")
    }

    @Test func suitesWithoutForwardSecrecyAreRefused() throws {
        let old = try pair { context in
            #expect(holdfast_context_set_versions(context.pointer, TLS1_2_VERSION, TLS1_2_VERSION) == 1)
            #expect(SSL_CTX_set_cipher_list(context.pointer, "AES128-GCM-SHA256:AES256-SHA256") == 1)
        }
        try expectNothingInCommon(old, "no shared cipher")
    }

    @Test func groupsThatOneSideLacksAreRefused() throws {
        let odd = try pair { #expect(holdfast_context_set_groups($0.pointer, "P-521") == 1) }
        try expectNothingInCommon(odd, "no suitable key share")
    }

    @Test(arguments: ["P-256", "P-384:X25519", "P-521:P-384"])
    func aGroupInCommonIsFound(groups: String) throws {
        let some = try pair { #expect(holdfast_context_set_groups($0.pointer, groups) == 1) }
        defer { some.finish() }
        try some.connect()
        #expect(some.client.completed != nil && some.server.completed != nil)
    }

    // MARK: Protocols inside

    @Test func aServerThatKnowsNoProtocolsChoosesNone() throws {
        var client = TLSSettings.testClient()
        client.applicationProtocols = ["h2", "http/1.1"]
        let pair = try Pair(client: client)
        defer { pair.finish() }
        try pair.connect()
        for end in [pair.client, pair.server] {
            #expect(end.completed != nil && end.completed?.applicationProtocol == nil)
        }
    }

    /// The reason goes over the wire (RFC 7301, section 3.2), and nobody talks past the other.
    @Test func noProtocolInCommonIsNoConnection() throws {
        var (client, server) = (TLSSettings.testClient(), TLSSettings.testServer())
        client.applicationProtocols = ["h2"]
        server.applicationProtocols = ["http/1.1"]
        let pair = try Pair(client: client, server: server)
        try pair.client.activate()
        try pair.server.activate()
        pair.server.receive(try pair.client.takeSent())
        #expect(Array(try pair.server.takeSent().readableBytesView) == [21, 3, 3, 0, 2, 2, 120])
        pair.finish()
    }

    // MARK: Whom a server asks for

    /// A client with many certificates has to know which.
    @Test func aServerNamesTheAuthoritiesItTrusts() throws {
        for (wish, count) in [(TLSSettings.ClientCertificates.none, 0), (.optional, 1), (.required, 1)] {
            let pair = try Pair(
                client: .testClient(TestCertificates.client).at(.tls12), server: .testServer().asking(wish))
            defer { pair.finish() }
            try pair.connect()
            let names = SSL_get0_peer_CA_list(try #require(pair.client.handler.connection).ssl)
            #expect(max(0, OPENSSL_sk_num(names)) == count)
        }
    }
}
