import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

/// Events that come late, twice, in the wrong order, or from inside of each other.
@Suite struct PipelineTests {
    @Test func aHandlerThatIsAddedToAnActiveChannelShakesHands() throws {
        let pair = try Pair()
        defer { pair.finish() }
        let late = EmbeddedChannel()
        try late.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        let handler = TLSHandler(context: try TLSContext(.testClient()), peerName: .host("server.test"))
        let (transport, witness) = (Transport(), Witness())
        try late.pipeline.syncOperations.addHandlers([transport, witness])
        #expect(try late.readOutbound(as: ByteBuffer.self) == nil)
        try late.pipeline.syncOperations.addHandler(handler, position: .after(transport))
        let client = End(late, handler, witness, transport)
        try pair.server.activate()
        client.send("late")
        while try pair.carry(from: client, to: pair.server) || pair.carry(from: pair.server, to: client) {}
        #expect(pair.server.received == "late")
        #expect(witness.completed.count == 1 && witness.errors.isEmpty)
        client.finish()
    }

    /// A second `channelActive`, of a channel that was active when the handler came.
    @Test func thereIsOneHandshake() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        let hello = try pair.client.takeSent()
        pair.client.channel.pipeline.fireChannelActive()
        #expect(hello.readableBytes > 0)
        #expect(try pair.client.takeSent().readableBytes == 0)
    }

    /// Channels that are closed on connecting do that.
    @Test func inactiveBeforeActiveIsTheEnd() throws {
        let pair = try Pair()
        defer { pair.finish() }
        pair.client.channel.pipeline.fireChannelInactive()
        pair.client.channel.pipeline.fireChannelActive()
        #expect(try pair.client.takeSent().readableBytes == 0)
        #expect(throws: ChannelError.ioOnClosedChannel) { try pair.client.send("late").wait() }
        #expect(pair.client.witness.events == ["inactive", "active"])
    }

    @Test func anEndDuringTheHandshakeIsAFault() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        let written = pair.client.send("never")
        pair.client.channel.pipeline.fireChannelInactive()
        let fault = TLSError.handshakeFailed(reason: "the peer ended the connection")
        #expect(throws: fault) { try written.wait() }
        #expect(pair.client.faults == [fault])
        #expect(pair.client.witness.events == ["active", "error", "inactive"])
    }

    /// The peer's last handshake message, data and close_notify in one packet, and the channel ends on the event.
    @Test func anEndOnTheHandshakesEventEndsEverything() throws {
        let pair = try Pair()
        defer { pair.finish() }
        pair.server.witness.onCompleted = { $0.pipeline.fireChannelInactive() }
        try pair.client.activate()
        try pair.server.activate()
        #expect(try pair.carry(from: pair.client, to: pair.server))
        pair.client.send("data")
        #expect(try pair.carry(from: pair.server, to: pair.client))
        pair.client.channel.close(promise: nil)
        #expect(try pair.carry(from: pair.client, to: pair.server))
        #expect(pair.server.received.isEmpty)
        #expect(pair.server.faults == [.truncated])
        #expect(pair.server.witness.events == ["active", "completed", "error", "inactive"])
    }

    @Test(arguments: [CloseMode.all, .output])
    func aCloseOnTheHandshakesEventIsACleanOne(mode: CloseMode) throws {
        let pair = try Pair()
        defer { pair.finish() }
        pair.client.witness.onCompleted = { $0.close(mode: mode, promise: nil) }
        try pair.connect()
        #expect(pair.client.completed != nil && pair.server.completed != nil)
        #expect(pair.server.witness.errors.isEmpty && pair.client.witness.errors.isEmpty)
        #expect(!pair.server.channel.isActive)
    }

    /// Data and close_notify have come; the next handler ends the channel on the data.
    @Test func anEndOnDataBeforeTheFarewellIsSeen() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        pair.server.witness.onRead = { $0.pipeline.fireChannelInactive() }
        pair.client.send("last words")
        pair.client.channel.close(promise: nil)
        try pair.exchange()
        #expect(pair.server.received == "last words")
        #expect(pair.server.faults == [.truncated])
        #expect(pair.server.witness.events.filter { $0 == "inactive" }.count <= 2, "the test's own, and the channel's")
    }

    @Test func aCloseOnDataHearsNoMore() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        pair.server.witness.onRead = { $0.close(promise: nil) }
        for text in ["one", "two"] {
            pair.client.send(text)
            _ = try pair.carry(from: pair.client, to: pair.server)
        }
        #expect(pair.server.received == "one")
        #expect(pair.server.witness.errors.isEmpty)
    }

    /// Events of others go through.
    @Test func anotherHandlersEventPasses() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.connect()
        pair.client.channel.pipeline.fireUserInboundEventTriggered("something else")
        #expect(pair.client.witness.events.last == "something else")
    }

    /// The transport may say that it ended while nothing has begun.
    @Test func anEndOfInputBeforeTheHandshakeIsIgnored() throws {
        let pair = try Pair()
        defer { pair.finish() }
        pair.client.channel.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
        #expect(pair.client.witness.errors.isEmpty)
        try pair.connect()
        #expect(pair.client.completed != nil)
    }
}
