import NIOCore
import Testing

@testable import TLS

/// Which names of certificates are whose, and which name is asked for.
@Suite struct PeerNameTests {
    /// What a client thinks of a server whose certificate has `names`.
    private func isTaken(_ names: [SubjectName], commonName: String = "server", by host: TLSPeerName) throws -> Bool {
        let pair = try Pair(server: .testServer(TestCertificates.issue(commonName, names, .server)), name: host)
        defer { pair.finish() }
        try pair.connect()
        if pair.client.completed == nil { #expect(pair.client.faults.count == 1) }
        return pair.client.completed != nil
    }

    struct Match: Sendable {
        let certificate: [String]
        let host: String
        let isTaken: Bool

        init(_ certificate: [String], _ host: String, _ isTaken: Bool) {
            (self.certificate, self.host, self.isTaken) = (certificate, host, isTaken)
        }
    }

    static let matches = [
        Match(["a.test", "b.test"], "a.test", true),
        Match(["a.test", "b.test"], "b.test", true),
        Match(["a.test", "b.test"], "c.test", false),
        Match(["Mixed.Test"], "mIXED.tEST", true),
        Match(["a.test"], "a.test.", true),
        Match(["a.test"], "x.a.test", false),
        Match(["*.a.test"], "x.a.test", true),
        Match(["*.a.test"], "a.test", false),
        Match(["*.a.test"], "y.x.a.test", false),
        Match(["x*.a.test"], "xy.a.test", false),
        Match(["*y.a.test"], "xy.a.test", false),
        Match(["x*z.a.test"], "xyz.a.test", false),
        Match(["x.*.test"], "x.a.test", false),
        Match(["*.*.test"], "x.a.test", false),
        Match(["*.test"], "a.test", false),
        Match(["xn--strae-oqa.a.test"], "xn--strae-oqa.a.test", true),
        Match(["*.a.test"], "xn--strae-oqa.a.test", true),
        Match(["*.xn--strae-oqa.test"], "x.xn--strae-oqa.test", true),
        Match(["xn--*.a.test"], "xn--strae-oqa.a.test", false),
    ]

    @Test(arguments: matches)
    func aHostIsTakenByTheNamesOfItsCertificate(match: Match) throws {
        #expect(try isTaken(match.certificate.map { .dns($0) }, by: .host(match.host)) == match.isTaken)
    }

    /// Certificates of old have their host's name as the subject's; where there are others, that is no name.
    @Test func theCommonNameCountsOnlyAlone() throws {
        #expect(try isTaken([], commonName: "Old.test", by: .host("old.test")))
        #expect(try !isTaken([.dns("new.test")], commonName: "old.test", by: .host("old.test")))
        #expect(try !isTaken([], commonName: "127.0.0.1", by: .address("127.0.0.1")))
    }

    @Test func anAddressIsNoHostsName() throws {
        #expect(try !isTaken([.dns("127.0.0.1")], by: .address("127.0.0.1")))
        #expect(try !isTaken([.ip("127.0.0.1")], by: .address("127.0.0.2")))
        #expect(try isTaken([.ip("2001:db8::1")], by: .address("2001:db8:0:0::1")))
        #expect(try !isTaken([.ip("2001:db8::1")], by: .address("2001:db8::2")))
        #expect(TLSPeerName("127.0.0.1") == .address("127.0.0.1"))
        #expect(TLSPeerName("2001:db8::1") == .address("2001:db8::1"))
        #expect(TLSPeerName("localhost") == .host("localhost"))
    }

    // MARK: Names that are none

    /// OpenSSL takes an empty name for the wish not to look at names, and a zero for a name's end.
    @Test(arguments: [
        "", ".", "\0", "server.test\0", "server.test\0.evil.test", "127.0.0.1", "::1",
        String(repeating: "x", count: 256),
    ])
    func whatIsNoHostsNameIsRefused(name: String) throws {
        let pair = try Pair(name: .host(name))
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.completed == nil)
        guard case .unavailable = pair.client.faults.first else {
            Issue.record("\(pair.client.faults)")
            return
        }
        #expect(pair.client.faults.count == 1 && !pair.client.channel.isActive)
    }

    @Test func whatIsNoAddressIsRefused() throws {
        for name in [TLSPeerName("127.0.0.1\0.evil.test"), .address("127.0.0.1\0"), .address("server.test")] {
            let pair = try Pair(name: name)
            defer { pair.finish() }
            try pair.connect()
            #expect(pair.client.completed == nil && pair.client.faults.count == 1)
        }
    }

    /// The certificate decides, and the server's resolver did before: letters of all kinds go over the wire.
    @Test(arguments: ["bücher.test", "😎🥶💥", "a_b.test", String(repeating: "x", count: 255)])
    func oddNamesAreAskedForAndNotTaken(name: String) throws {
        let pair = try Pair(name: .host(name))
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.faults == [.certificateRefused(reason: "hostname mismatch", depth: 0)])
    }

    /// RFC 6066, section 3: without the dot.
    @Test func theNameIsAskedForWithoutItsLastDot() throws {
        let pair = try Pair(name: .host("server.test."))
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.server.completed?.serverName == "server.test")
    }
}
