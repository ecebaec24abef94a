import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

/// The handler reads from the network when somebody wants data, and for itself only until there is a connection.
@Suite struct ReadingTests {
    private func open() throws -> Pair {
        let pair = try Pair()
        try pair.connect()
        return pair
    }

    @Test func aHandshakeReadsByItself() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        #expect(pair.client.transport.reads == 1 && pair.server.transport.reads == 1)
        var hello = try pair.client.takeSent()
        pair.server.receive(hello.cut(100))
        #expect(pair.server.transport.reads == 2)
        pair.server.receive(hello)
        #expect(pair.server.transport.reads == 3)
        #expect(pair.server.witness.events == ["active"], "none of it is for the next handler")
    }

    /// Whoever asks for nothing gets nothing, and the peer finds the window closed.
    @Test func nobodyReadsWhatNobodyWants() throws {
        let pair = try open()
        defer { pair.finish() }
        let before = pair.server.transport.reads
        pair.client.send("unasked")
        try pair.exchange()
        #expect(pair.server.transport.reads == before)
        pair.server.channel.read()
        #expect(pair.server.transport.reads == before + 1)
    }

    /// A part of a record is no data: the wish stands until there is some.
    @Test func aWishStandsUntilThereIsData() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.send("asked for")
        var record = try pair.client.takeSent()
        pair.server.channel.read()
        let before = pair.server.transport.reads
        pair.server.receive(record.cut(5))
        #expect(pair.server.transport.reads == before + 1)
        pair.server.receive(record.cut(5))
        #expect(pair.server.transport.reads == before + 2)
        #expect(!pair.server.witness.events.contains("read"))
        pair.server.receive(record)
        #expect(pair.server.received == "asked for")
        #expect(pair.server.transport.reads == before + 2, "and not longer")
        #expect(pair.server.witness.events.suffix(2) == ["read", "readComplete"])
    }

    /// Tickets come without data behind them.
    @Test func messagesOfTheProtocolAreNoData() throws {
        let pair = try Pair(tickets: TicketKeys { 1_000 })
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        _ = try pair.carry(from: pair.client, to: pair.server)
        _ = try pair.carry(from: pair.server, to: pair.client)
        _ = try pair.carry(from: pair.client, to: pair.server)
        pair.server.send("x")
        var both = try pair.server.takeSent()
        pair.client.channel.read()
        let before = pair.client.transport.reads
        // Less the record of one byte.
        pair.client.receive(both.cut(both.readableBytes - 23))
        #expect(pair.client.transport.reads == before + 1)
        pair.client.receive(both)
        #expect(pair.client.received == "x")
        #expect(pair.client.transport.reads == before + 1)
    }

    /// Many records in one packet are one read and one `channelReadComplete`.
    @Test func whatComesTogetherIsOneRead() throws {
        let pair = try open()
        defer { pair.finish() }
        for text in ["one", "two", "three"] { pair.client.send(text) }
        try pair.exchange()
        #expect(pair.server.received == "onetwothree")
        #expect(pair.server.witness.events == ["active", "completed", "read", "readComplete"])
    }
}

extension ByteBuffer {
    /// Takes the first `count` bytes away.
    fileprivate mutating func cut(_ count: Int) -> ByteBuffer { readSlice(length: count) ?? ByteBuffer() }
}
