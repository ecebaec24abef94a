import NIOCore
import Testing

@testable import TLS

typealias Version = TLSHandshakeCompleted.Version

@Suite struct HandshakeTests {
    private let day = TestCertificates.day
    private let now = TestCertificates.now

    @Test(arguments: [Version.tls12, .tls13])
    func bothSidesAgreeAndTalk(version: Version) throws {
        let pair = try Pair(client: .testClient().at(version))
        defer { pair.finish() }
        try pair.connect()
        for end in [pair.client, pair.server] {
            #expect(end.completed?.version == version)
            #expect(end.completed?.resumed == false)
            #expect(end.completed?.applicationProtocol == nil)
        }
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

    // MARK: Who the server is

    /// A server that its client does not take, and why.
    struct Stranger: Sendable, CustomTestStringConvertible {
        var testDescription: String
        let settings: @Sendable () -> TLSSettings
        var name = TLSPeerName.host("server.test")
        let reason: String
        var depth = 0
    }

    static let strangers = [
        Stranger(
            testDescription: "wrong host", settings: { .testServer() }, name: .host("other.test"),
            reason: "hostname mismatch"),
        Stranger(
            testDescription: "host for address", settings: { .testServer() }, name: .address("127.0.0.2"),
            reason: "IP address mismatch"),
        Stranger(
            testDescription: "another authority",
            settings: {
                .testServer(
                    TestCertificates.issue("s", [.dns("server.test")], .server, by: TestCertificates.otherAuthority))
            },
            reason: "unable to get local issuer certificate"),
        Stranger(
            testDescription: "expired",
            settings: {
                .testServer(
                    TestCertificates.issue(
                        "s", [.dns("server.test")], .server, lifetime: TestCertificates.day,
                        now: TestCertificates.now - 3 * TestCertificates.day))
            },
            reason: "certificate has expired"),
        Stranger(
            testDescription: "not yet valid",
            settings: {
                .testServer(
                    TestCertificates.issue(
                        "s", [.dns("server.test")], .server, now: TestCertificates.now + TestCertificates.day))
            },
            reason: "certificate is not yet valid"),
        Stranger(
            testDescription: "a client's certificate",
            settings: { .testServer(TestCertificates.issue("s", [.dns("server.test")], .client)) },
            reason: "unsuitable certificate purpose"),
        Stranger(
            testDescription: "an authority of a year ago",
            settings: {
                let old = try! CertificateAuthority.make(
                    commonName: "Test CA", lifetime: TestCertificates.day,
                    now: TestCertificates.now - 365 * TestCertificates.day)
                return .testServer(
                    TestCertificates.issue(
                        "s", [.dns("server.test")], .server, by: old, lifetime: TestCertificates.day / 2,
                        now: TestCertificates.now - 365 * TestCertificates.day))
            },
            reason: "unable to get local issuer certificate"),
    ]

    @Test(arguments: strangers, [Version.tls12, .tls13])
    func aStrangerIsRefusedByTheClient(stranger: Stranger, version: Version) throws {
        let pair = try Pair(
            client: .testClient().at(version), server: stranger.settings(), name: stranger.name)
        defer { pair.finish() }
        try pair.connect()
        #expect(
            pair.client.faults == [.certificateRefused(reason: stranger.reason, depth: stranger.depth)])
        #expect(pair.client.completed == nil)
        #expect(!pair.client.channel.isActive)
        // The server hears of it by an alert, before or after it thought that all was well.
        #expect(pair.server.faults.count == 1)
        #expect(!pair.server.channel.isActive)
    }

    @Test func whoSignsForItselfIsAStranger() throws {
        let authority = TestCertificates.make(authority: "server.test")
        let pair = try Pair(
            server: .server(certificates: authority.certificate.pem, privateKey: try authority.key.pem()))
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.faults == [.certificateRefused(reason: "self-signed certificate", depth: 0)])
    }

    @Test(arguments: [
        TLSPeerName.host("server.test"), .host("SERVER.test"), .address("127.0.0.1"), .address("::1"), .anybodyTrusted,
    ])
    func theServerIsTakenByAnyOfItsNames(name: TLSPeerName) throws {
        let pair = try Pair(name: name)
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.completed != nil)
        if case .host(let host) = name {
            #expect(pair.server.completed?.serverName == host)
        } else {
            #expect(pair.server.completed?.serverName == nil)
        }
    }

    // MARK: Who the client is

    @Test(arguments: [Version.tls12, .tls13])
    func aClientShowsItsCertificateWhereItIsAskedFor(version: Version) throws {
        for wish in [TLSSettings.ClientCertificates.none, .optional, .required] {
            let pair = try Pair(
                client: .testClient(TestCertificates.client).at(version), server: .testServer().asking(wish))
            defer { pair.finish() }
            try pair.connect()
            let names = pair.server.completed.map { $0.peerCertificate?.uris }
            #expect(names == .some(wish == .none ? nil : ["holdfast://cluster/node/n1"]))
            #expect(pair.client.faults.isEmpty)
        }
    }

    @Test(arguments: [Version.tls12, .tls13])
    func aClientWithoutCertificateIsRefusedOnlyWhereOneIsRequired(version: Version) throws {
        let optional = try Pair(client: .testClient().at(version), server: .testServer().asking(.optional))
        defer { optional.finish() }
        try optional.connect()
        #expect(optional.server.completed != nil && optional.server.completed?.peerCertificate == nil)

        let required = try Pair(client: .testClient().at(version), server: .testServer().asking(.required))
        defer { required.finish() }
        try required.connect()
        #expect(
            required.server.faults == [.handshakeFailed(reason: "peer did not return a certificate")])
        #expect(required.server.completed == nil)
        // With 1.3 the client is done before the server has looked.
        #expect(required.client.faults.count == 1)
        #expect(!required.client.channel.isActive)
    }

    @Test(arguments: [Version.tls12, .tls13])
    func aClientOfAnotherClusterIsRefused(version: Version) throws {
        let foreign = TestCertificates.issue(
            "client", [.uri("holdfast://cluster/node/n1")], .client, by: TestCertificates.otherAuthority)
        for wish in [TLSSettings.ClientCertificates.optional, .required] {
            let pair = try Pair(client: .testClient(foreign).at(version), server: .testServer().asking(wish))
            defer { pair.finish() }
            try pair.connect()
            #expect(
                pair.server.faults
                    == [.certificateRefused(reason: "unable to get local issuer certificate", depth: 0)])
            #expect(pair.server.completed == nil)
        }
        let expired = TestCertificates.issue("client", [], .client, lifetime: day, now: now - 2 * day)
        let pair = try Pair(client: .testClient(expired).at(version), server: .testServer().asking(.required))
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.server.faults == [.certificateRefused(reason: "certificate has expired", depth: 0)])
    }

    @Test func settingsThatCannotWorkAreRefusedBefore() throws {
        var settings = TLSSettings.testServer()
        settings.privateKey = .init(pem: try TestCertificates.client.key.pem(), file: "client.key")
        #expect(throws: TLSMaterialFault.self) { try TLSContext(settings) }
        #expect(throws: TLSMaterialFault.self) { try TLSContext(TLSSettings(role: .server)) }
        settings = .testServer()
        settings.clientCertificates = .required
        #expect(throws: TLSMaterialFault.self) { try TLSContext(settings) }
    }

    // MARK: Which protocol is inside

    @Test(arguments: [Version.tls12, .tls13])
    func theServersBestCommonProtocolIsChosen(version: Version) throws {
        var client = TLSSettings.testClient().at(version)
        var server = TLSSettings.testServer()
        client.applicationProtocols = ["http/1.1", "h2", "holdfast/1"]
        server.applicationProtocols = ["holdfast/1", "http/1.1"]
        let pair = try Pair(client: client, server: server)
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.completed?.applicationProtocol == "holdfast/1")
        #expect(pair.server.completed?.applicationProtocol == "holdfast/1")

        client.applicationProtocols = ["h2"]
        let strangers = try Pair(client: client, server: server)
        defer { strangers.finish() }
        try strangers.connect()
        #expect(strangers.server.faults.count == 1 && strangers.client.faults.count == 1)
        #expect(strangers.client.faults.first?.description.contains("no application protocol") == true)

        client.applicationProtocols = []
        let silent = try Pair(client: client, server: server)
        defer { silent.finish() }
        try silent.connect()
        #expect(silent.server.completed != nil && silent.server.completed?.applicationProtocol == nil)
    }

    @Test func onlyModernSuites() throws {
        let pair12 = try Pair(client: .testClient().at(.tls12))
        defer { pair12.finish() }
        try pair12.connect()
        #expect(pair12.client.completed?.suite == "ECDHE-ECDSA-AES256-GCM-SHA384")
        let pair13 = try Pair()
        defer { pair13.finish() }
        try pair13.connect()
        #expect(pair13.client.completed?.suite == "TLS_AES_128_GCM_SHA256")
    }
}

extension TLSSettings {
    func at(_ version: Version) -> TLSSettings {
        var settings = self
        settings.highestVersion = version
        return settings
    }

    /// A server that asks for certificates of the test authority.
    func asking(_ wish: ClientCertificates) -> TLSSettings {
        var settings = self
        settings.clientCertificates = wish
        settings.roots = Material(pem: TestCertificates.authority.certificate.pem, file: "roots")
        return settings
    }
}
