import NIOCore
import Testing

@testable import TLS

@Suite struct HandshakeTests {
    @Test(arguments: [TLSHandshakeCompleted.Version.tls12, .tls13])
    func bothSidesAgreeAndTalk(version: TLSHandshakeCompleted.Version) throws {
        var settings = TLSSettings.testClient()
        settings.highestVersion = version
        let pair = try Pair(client: settings)
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.completed?.version == version)
        #expect(pair.server.completed?.version == version)
        #expect(pair.server.completed?.serverName == "server.test")
        #expect(pair.client.completed?.peerCertificate?.dnsNames == ["server.test"])
        #expect(pair.server.completed?.peerCertificate == nil)
        pair.client.send("hello")
        try pair.exchange()
        pair.server.send("and to you")
        try pair.exchange()
        #expect(pair.server.received == "hello")
        #expect(pair.client.received == "and to you")
        #expect(pair.client.witness.errors.isEmpty && pair.server.witness.errors.isEmpty)
        #expect(pair.client.witness.events == ["active", "completed", "read", "readComplete"])
        #expect(pair.server.witness.events == ["active", "completed", "read", "readComplete"])
    }
}
