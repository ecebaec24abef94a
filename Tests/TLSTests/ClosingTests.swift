import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

@Suite struct ClosingTests {
    static let versions = [Version.tls12, .tls13]

    @Test(arguments: versions)
    func aCloseIsSaidAndAnswered(version: Version) throws {
        let pair = try Pair(client: .testClient().at(version))
        defer { pair.finish() }
        try pair.connect()
        pair.client.send("last words")
        let closed = pair.client.channel.close()
        try closed.wait()
        try pair.exchange()
        #expect(pair.server.received == "last words")
        #expect(pair.server.witness.events.suffix(3) == ["read", "readComplete", "inactive"])
        #expect(pair.server.witness.errors.isEmpty && pair.client.witness.errors.isEmpty)
        #expect(!pair.server.channel.isActive)
    }

    @Test(arguments: versions)
    func withHalfClosureTheOtherSideGoesOn(version: Version) throws {
        let pair = try Pair(client: .testClient().at(version))
        defer { pair.finish() }
        for end in [pair.client, pair.server] { end.channel.allowRemoteHalfClosure = true }
        try pair.connect()
        pair.client.send("question")
        pair.client.channel.close(mode: .output, promise: nil)
        #expect(throws: ChannelError.outputClosed) { try pair.client.send("more").wait() }
        try pair.exchange()
        #expect(pair.server.received == "question")
        #expect(pair.server.witness.events.last == "inputClosed")
        #expect(pair.server.channel.isActive)
        // The transport's own end adds nothing.
        pair.server.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(pair.server.witness.events.filter { $0 == "inputClosed" }.count == 1)
        pair.server.send("answer")
        try pair.exchange()
        #expect(pair.client.received == "answer")
        #expect(pair.client.transport.outputClosed)
        let closed = pair.server.channel.close(mode: .output)
        try pair.exchange()
        try closed.wait()
        #expect(!pair.server.channel.isActive && !pair.client.channel.isActive)
        #expect(pair.server.witness.errors.isEmpty && pair.client.witness.errors.isEmpty)
    }

    @Test(arguments: versions)
    func anEndWithoutAWordIsATruncation(version: Version) throws {
        let pair = try Pair(client: .testClient().at(version))
        defer { pair.finish() }
        try pair.connect()
        pair.client.send("half of it")
        try pair.exchange()
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.received == "half of it")
        #expect(pair.server.faults == [.truncated])
        #expect(pair.server.witness.events.suffix(2) == ["error", "inactive"])
        pair.client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(pair.client.faults == [.truncated])
        #expect(!pair.client.channel.isActive)
    }

    @Test func closingTwiceIsClosingOnce() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        let first = pair.client.channel.close()
        let second = pair.client.channel.close()
        try first.wait()
        #expect(throws: ChannelError.alreadyClosed) { try second.wait() }
        try pair.exchange()
        #expect(pair.server.witness.errors.isEmpty)
    }

    @Test func onlyTheInputCannotBeClosed() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        let closed = pair.client.channel.close(mode: .input)
        #expect(throws: ChannelError.operationUnsupported) { try closed.wait() }
    }

    @Test func aCloseDuringTheHandshakeEndsIt() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        let written = pair.client.send("never")
        try pair.client.channel.close().wait()
        #expect(throws: ChannelError.ioOnClosedChannel) { try written.wait() }
        #expect(pair.client.witness.errors.isEmpty)
        #expect(pair.client.witness.events == ["active", "inactive"])
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.faults == [.handshakeFailed(reason: "the peer ended the connection")])
    }

    @Test func anOutputCloseDuringTheHandshakeWaitsForIt() throws {
        let pair = try Pair()
        defer { pair.finish() }
        pair.server.channel.allowRemoteHalfClosure = true
        try pair.client.activate()
        try pair.server.activate()
        let written = pair.client.send("early")
        let unflushed = pair.client.channel.write(ByteBuffer(string: "unflushed"))
        let closed = pair.client.channel.close(mode: .output)
        try pair.exchange()
        try written.wait()
        #expect(throws: ChannelError.outputClosed) { try unflushed.wait() }
        try closed.wait()
        #expect(pair.server.received == "early")
        #expect(pair.server.witness.events.last == "inputClosed")
    }

    @Test func nothingIsWrittenAfterTheEnd() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        try pair.client.channel.close().wait()
        #expect(throws: ChannelError.ioOnClosedChannel) { try pair.client.send("late").wait() }
    }

    @Test func aHandshakeThatTakesTooLongEnds() throws {
        var options = TLSHandler.Options()
        options.handshakeTimeout = .seconds(3)
        let pair = try Pair(options: options)
        defer { pair.finish() }
        try pair.server.activate()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(2_999))
        #expect(pair.server.channel.isActive)
        pair.server.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(pair.server.faults == [.handshakeTimeout])
        #expect(!pair.server.channel.isActive)
    }

    @Test func aFinishedHandshakeHasNoTimeout() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        pair.server.channel.embeddedEventLoop.advanceTime(by: .hours(1))
        #expect(pair.server.channel.isActive)
        #expect(pair.server.faults.isEmpty)
    }

    @Test func aPeerThatDoesNotReadDoesNotKeepAClose() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        pair.client.transport.isStuck = true
        let closed = pair.client.channel.close()
        pair.client.channel.embeddedEventLoop.run()
        #expect(pair.client.channel.isActive)
        pair.client.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        #expect(!pair.client.channel.isActive)
        try closed.wait()
    }

    @Test func aRemovedHandlerLetsGo() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        let written = pair.client.send("early")
        try pair.client.channel.pipeline.syncOperations.removeHandler(pair.client.handler).wait()
        #expect(throws: TLSError.closed) { try written.wait() }
        #expect(pair.client.channel.isActive)
    }
}
