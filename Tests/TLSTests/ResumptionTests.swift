import NIOCore
import Synchronization
import Testing

@testable import TLS

/// Sessions by tickets, and the keys that seal them.
@Suite struct ResumptionTests {
    private final class Clock: Sendable {
        let now = Mutex<Int64>(1_000)
        func advance(_ milliseconds: Int64) { now.withLock { $0 += milliseconds } }
    }

    private let clock = Clock()
    private let tickets: TicketKeys

    init() {
        let clock = clock
        tickets = TicketKeys(periodMilliseconds: 3_600_000) { clock.now.withLock { $0 } }
    }

    private func connect(_ version: Version, _ session: TLSSession?) throws -> (resumed: Bool, session: TLSSession?) {
        let pair = try Pair(client: .testClient().at(version), tickets: tickets, session: session)
        defer { pair.finish() }
        try pair.connect()
        pair.server.send("x")
        try pair.exchange()
        let completed = try #require(pair.client.completed)
        let resumed = completed.resumed
        #expect(pair.server.completed?.resumed == resumed)
        #expect(pair.client.received == "x")
        return (resumed, pair.client.handler.session)
    }

    @Test(arguments: [Version.tls12, .tls13])
    func aTicketIsGoodUnderTheNewestTwoKeys(version: Version) throws {
        let first = try connect(version, nil)
        #expect(!first.resumed)
        let session = try #require(first.session)
        #expect(try connect(version, session).resumed)
        // The key was replaced: it opens, and the client gets a ticket under the new one.
        clock.advance(3_600_000)
        let second = try connect(version, session)
        #expect(second.resumed)
        // Now the key is gone.
        clock.advance(3_599_999)
        #expect(try connect(version, second.session).resumed)
        clock.advance(1)
        #expect(try !connect(version, session).resumed)
        #expect(try connect(version, second.session).resumed)
        clock.advance(10 * 3_600_000)
        #expect(try !connect(version, second.session).resumed)
    }

    /// A ticket of TLS 1.3 is for one connection (RFC 8446, appendix C.4); one of TLS 1.2 is for many.
    @Test(arguments: [Version.tls12, .tls13])
    func whoResumesByTLS13GetsTheNextTicket(version: Version) throws {
        var session = try #require(try connect(version, nil).session)
        for _ in 1...3 {
            let next = try connect(version, session)
            #expect(next.resumed)
            let another = try #require(next.session)
            #expect((another.pointer != session.pointer) == (version == .tls13))
            session = another
        }
    }

    @Test func anotherServersTicketIsNoTicket() throws {
        let session = try connect(.tls13, nil).session
        let clock = clock
        let other = TicketKeys { clock.now.withLock { $0 } }
        let pair = try Pair(tickets: other, session: session)
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.completed?.resumed == false)
        #expect(pair.server.completed?.resumed == false)
    }

    @Test func aRenewedCertificateLeavesTicketsGood() throws {
        let session = try connect(.tls13, nil).session
        let renewed = TestCertificates.issue("renewed", [.dns("server.test")], .server)
        let pair = try Pair(server: .testServer(renewed), tickets: tickets, session: session)
        defer { pair.finish() }
        try pair.connect()
        #expect(pair.client.completed?.resumed == true)
    }

    @Test(arguments: [Version.tls12, .tls13])
    func whoShowsACertificateShowsItEachTime(version: Version) throws {
        let pair = try Pair(
            client: .testClient(TestCertificates.client).at(version), server: .testServer().asking(.required),
            tickets: tickets)
        defer { pair.finish() }
        try pair.connect()
        pair.server.send("x")
        try pair.exchange()
        let again = try Pair(
            client: .testClient(TestCertificates.client).at(version), server: .testServer().asking(.required),
            tickets: tickets, session: pair.client.handler.session)
        defer { again.finish() }
        try again.connect()
        #expect(again.server.completed?.resumed == false)
        #expect(again.server.completed?.peerCertificate != nil)
    }
}
