import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

/// Who was told of a fault may read it, though it still sends.
@Suite struct LingeringTests {
    private static let garbage = ByteBuffer(bytes: [23, 3, 3, 0, 32] + [UInt8](repeating: 7, count: 32))

    /// A server that has just told its client of a bad record.
    private func lingering(_ options: TLSHandler.Options = .init(), _ prepare: (End) -> Void = { _ in }) throws -> End {
        let pair = try Pair(options: options)
        try pair.connect()
        prepare(pair.server)
        pair.server.receive(Self.garbage)
        return pair.server
    }

    @Test(arguments: [true, false])
    func thePeerIsHeardOutAfterAnAlert(halfClosure: Bool) throws {
        let server = try lingering { $0.channel.allowRemoteHalfClosure = halfClosure }
        defer { server.finish() }
        #expect(try server.takeSent().readableBytes > 0, "the alert")
        #expect(server.transport.outputClosed && server.channel.isActive)
        #expect(server.faults.count == 1)
        server.receive(Self.garbage)
        server.receive(ByteBuffer(string: "whatever"))
        #expect(server.faults.count == 1 && server.received.isEmpty)
        try server.hearTheEnd()
        #expect(!server.channel.isActive)
        #expect(server.witness.events == ["active", "completed", "error", "inactive"])
    }

    @Test func whoRefusesACertificateHearsThePeerOut() throws {
        let pair = try Pair(name: .host("other.test"))
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        pair.server.receive(try pair.client.takeSent())
        pair.client.receive(try pair.server.takeSent())
        #expect(pair.client.transport.outputClosed && pair.client.channel.isActive)
        #expect(pair.client.faults.count == 1)
        try pair.exchange()
        #expect(pair.server.faults.count == 1, "the alert")
        #expect(!pair.client.channel.isActive && !pair.server.channel.isActive)
    }

    @Test func whoSpeaksNoTLSMayReadItsAnswer() throws {
        var options = TLSHandler.Options()
        options.plaintextAnswer = { _ in Array("go away".utf8) }
        let pair = try Pair(options: options)
        defer { pair.finish() }
        try pair.server.activate()
        pair.server.receive(ByteBuffer(string: "POST / HTTP/1.1\r\n"))
        pair.server.receive(ByteBuffer(string: "Content-Length: 100000\r\n\r\n"))
        #expect(String(buffer: try pair.server.takeSent()) == "go away")
        #expect(pair.server.transport.outputClosed && pair.server.channel.isActive)
        #expect(pair.server.faults.count == 1)
    }

    // MARK: Bounds

    @Test func theWaitHasAnEnd() throws {
        let server = try lingering()
        defer { server.finish() }
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1_999))
        // What comes meanwhile does not put it off.
        server.receive(Self.garbage)
        #expect(server.channel.isActive)
        server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!server.channel.isActive)
        #expect(server.witness.events.suffix(2) == ["error", "inactive"])
    }

    @Test func whatIsHeardHasAnEnd() throws {
        let server = try lingering()
        defer { server.finish() }
        for _ in 0..<4 { server.receive(ByteBuffer(repeating: 1, count: 65_536)) }
        #expect(server.channel.isActive)
        server.receive(ByteBuffer(repeating: 1, count: 1))
        #expect(!server.channel.isActive)
    }

    /// The alert itself cannot be written.
    @Test func aPeerThatDoesNotReadKeepsNothing() throws {
        let server = try lingering { $0.transport.isStuck = true }
        defer { server.finish() }
        #expect(server.channel.isActive)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
        #expect(!server.channel.isActive)
    }

    @Test func aTransportWithoutHalvesClosesAtOnce() throws {
        let server = try lingering { $0.transport.hasNoHalves = true }
        defer { server.finish() }
        #expect(try server.takeSent().readableBytes > 0)
        #expect(!server.channel.isActive)
    }

    /// Nobody is told anything by these.
    @Test func otherFaultsCloseAtOnce() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        pair.server.receive(Self.garbage)
        pair.client.receive(try pair.server.takeSent())
        #expect(pair.client.faults.count == 1)
        #expect(!pair.client.channel.isActive, "the peer's alert")
        let silent = try Pair()
        defer { silent.finish() }
        try silent.server.activate()
        silent.server.channel.embeddedEventLoop.advanceTime(by: .seconds(10))
        #expect(silent.server.faults == [.handshakeTimeout] && !silent.server.channel.isActive)
    }

    // MARK: What the next handlers do meanwhile

    /// Most handlers close on an error.
    @Test func aCloseOfTheNextHandlerWaits() throws {
        var done = 0
        let server = try lingering { server in
            server.witness.onError = { $0.close().assumeIsolated().whenSuccess { done += 1 } }
        }
        defer { server.finish() }
        server.channel.close().assumeIsolated().whenSuccess { done += 1 }
        #expect(server.channel.isActive && done == 0)
        try server.hearTheEnd()
        #expect(!server.channel.isActive && done == 2)
    }

    @Test func nothingIsWrittenMeanwhile() throws {
        let server = try lingering()
        defer { server.finish() }
        _ = try server.takeSent()
        #expect(throws: ChannelError.ioOnClosedChannel) { try server.send("late").wait() }
        #expect(throws: ChannelError.ioOnClosedChannel) { try server.channel.close(mode: .output).wait() }
        #expect(try server.takeSent().readableBytes == 0)
    }

    /// The next handlers may have held their reads back.
    @Test func itReadsByItself() throws {
        let server = try lingering()
        defer { server.finish() }
        let before = server.transport.reads
        server.receive(Self.garbage)
        server.receive(Self.garbage)
        #expect(before > 0 && server.transport.reads == before + 2)
    }

    @Test func aRemovedHandlerClosesWhatItHeld() throws {
        let server = try lingering()
        defer { server.finish() }
        try server.channel.pipeline.syncOperations.removeHandler(server.handler).wait()
        #expect(!server.channel.isActive)
        server.channel.embeddedEventLoop.advanceTime(by: .seconds(2))
    }

    @Test func aTransportThatBreaksEndsIt() throws {
        let server = try lingering()
        defer { server.finish() }
        let closed = server.channel.close()
        server.channel.pipeline.fireChannelInactive()
        try closed.wait()
        #expect(server.faults.count == 1)
        #expect(server.witness.events.last == "inactive")
    }
}
