import COpenSSL
import NIOCore
import Testing

@testable import TLS

/// What somebody who holds the wire can do: end the connection, and nothing else.
@Suite struct WireTests {
    static let versions = [Version.tls12, .tls13]

    private func open(_ version: Version) throws -> Pair {
        let pair = try Pair(client: .testClient().at(version))
        try pair.connect()
        return pair
    }

    // MARK: Records

    @Test(arguments: versions)
    func aRecordThatComesTwiceIsRefused(version: Version) throws {
        let pair = try open(version)
        defer { pair.finish() }
        pair.client.send("once")
        let record = try pair.client.takeSent()
        pair.server.receive(record)
        pair.server.receive(record)
        #expect(pair.server.received == "once")
        #expect(pair.server.faults.count == 1)
        #expect(!pair.server.isOpen)
    }

    @Test(arguments: versions, [[1], [1, 0], [0, 2], [0, 2, 1]])
    func recordsThatAreMissingOrChangePlacesAreRefused(version: Version, order: [Int]) throws {
        let pair = try open(version)
        defer { pair.finish() }
        let records = try ["a", "b", "c"].map { text in
            pair.client.send(text)
            return try pair.client.takeSent()
        }
        for place in order { pair.server.receive(records[place]) }
        #expect(pair.server.received == (order[0] == 0 ? "a" : ""))
        #expect(pair.server.faults.count == 1)
    }

    @Test(arguments: versions)
    func aRecordOfWhichOneBitIsAnotherIsRefused(version: Version) throws {
        for bit in 0..<200 {
            let pair = try open(version)
            pair.client.send("whole")
            var record = try pair.client.takeSent()
            let place = record.readerIndex + bit / 8
            let byte = try #require(record.getInteger(at: place, as: UInt8.self))
            record.setInteger(byte ^ (1 << (bit % 8)), at: place)
            pair.server.receive(record)
            // A longer length waits for the rest of the record.
            if pair.server.channel.isActive { pair.server.channel.pipeline.fireChannelInactive() }
            #expect(pair.server.received.isEmpty)
            #expect(pair.server.faults.count == 1)
            pair.finish()
        }
    }

    @Test(arguments: versions)
    func anEndAtAnyByteIsATruncation(version: Version) throws {
        let texts = ["one", "two", "three"]
        var end = 0
        var count = Int.max
        while end < count {
            let pair = try open(version)
            for text in texts { pair.client.send(text) }
            let stream = try pair.client.takeSent()
            count = stream.readableBytes
            pair.server.receive(try #require(stream.getSlice(at: stream.readerIndex, length: end)))
            pair.server.channel.pipeline.fireChannelInactive()
            #expect(["", "one", "onetwo"].contains(pair.server.received))
            #expect(pair.server.faults == [.truncated])
            pair.finish()
            end += 1
        }
    }

    @Test(arguments: versions)
    func textAmidAConnectionEndsIt(version: Version) throws {
        let pair = try open(version)
        defer { pair.finish() }
        pair.server.receive(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        #expect(pair.server.received.isEmpty)
        #expect(pair.server.faults.count == 1)
    }

    @Test(arguments: versions)
    func aRecordThatIsTooLongIsRefusedByItsHeader(version: Version) throws {
        let pair = try open(version)
        defer { pair.finish() }
        pair.server.receive(ByteBuffer(bytes: [0x17, 0x03, 0x03, 0xFF, 0xFF]))
        #expect(pair.server.faults.count == 1)
    }

    // MARK: Handshakes

    /// The server's part of the keys is another each time.
    @Test(arguments: versions, [false, true])
    func aReplayedConnectionGetsNowhere(version: Version, isResumed: Bool) throws {
        let tickets = TicketKeys { 1_000 }
        var session: TLSSession?
        if isResumed {
            let first = try Pair(client: .testClient().at(version), tickets: tickets)
            try first.connect()
            first.server.send("x")
            try first.exchange()
            session = first.client.handler.session
            first.finish()
        }
        let pair = try Pair(client: .testClient().at(version), tickets: tickets, session: session)
        try pair.client.activate()
        try pair.server.activate()
        pair.client.send("pay")
        var heard: [ByteBuffer] = []
        repeat {
            heard.append(try pair.client.takeSent())
            pair.server.receive(heard[heard.count - 1])
        } while try pair.carry(from: pair.server, to: pair.client)
        #expect(pair.server.received == "pay")
        #expect(pair.server.completed?.resumed == isResumed)

        let again = try End(TLSHandler(context: try TLSContext(.testServer(), ticketKeys: tickets)))
        try again.activate()
        for bytes in heard { again.receive(bytes) }
        #expect(again.received.isEmpty)
        #expect(again.completed == nil)
        #expect(again.faults.count == 1)
        again.finish()
        pair.finish()
    }

    /// Data before the handshake's end could be replayed (RFC 8446, section 8): no ticket allows any.
    @Test func noTicketAllowsEarlyData() throws {
        let pair = try Pair(tickets: TicketKeys { 1_000 })
        defer { pair.finish() }
        try pair.connect()
        pair.server.send("x")
        try pair.exchange()
        let session = try #require(pair.client.handler.session)
        #expect(SSL_SESSION_get_max_early_data(session.pointer) == 0)
    }

    @Test(arguments: versions)
    func aHandshakeMayComeByteByByte(version: Version) throws {
        let pair = try Pair(client: .testClient().at(version))
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        pair.client.send("slow")
        while try carryByBytes(pair.client, pair.server) || carryByBytes(pair.server, pair.client) {}
        #expect(pair.server.received == "slow")
        #expect(pair.server.witness.errors.isEmpty && pair.client.witness.errors.isEmpty)
    }

    private func carryByBytes(_ sender: End, _ receiver: End) throws -> Bool {
        let bytes = try sender.takeSent()
        for byte in bytes.readableBytesView { receiver.receive(ByteBuffer(bytes: [byte])) }
        return bytes.readableBytes > 0
    }

    @Test func whoSpeaksNoTLSGetsItsAnswerAndTheEnd() throws {
        var options = TLSHandler.Options()
        options.plaintextAnswer = { $0.starts(with: "GET".utf8) ? Array("go away".utf8) : nil }
        for (greeting, answer) in [("GET / HTTP/1.1\r\n", "go away"), ("SSH-2.0-x\r\n", "")] {
            let server = try End(TLSHandler(context: try TLSContext(.testServer()), options: options))
            try server.activate()
            server.receive(ByteBuffer(string: greeting))
            #expect(String(buffer: try server.takeSent()) == answer)
            #expect(server.faults == [.notTLS(firstBytes: Array(greeting.utf8))])
            #expect(!server.isOpen)
            server.finish()
        }
    }

    // MARK: Renegotiation

    /// A client's request for another handshake, as it goes over the wire.
    private func renegotiation(_ client: End) throws -> ByteBuffer {
        let connection = try #require(client.handler.connection)
        SSL_clear_options(connection.ssl, 1 << 30)  // SSL_OP_NO_RENEGOTIATION: ours refuses on both sides
        #expect(SSL_renegotiate(connection.ssl) == 1)
        var (nothing, output) = (ByteBuffer(), ByteBuffer())
        _ = connection.handshake(input: &nothing, output: &output)
        return output
    }

    @Test func aRenegotiationIsRefusedAndTheConnectionStays() throws {
        let pair = try open(.tls12)
        defer { pair.finish() }
        pair.server.receive(try renegotiation(pair.client))
        #expect(pair.server.channel.isActive)
        #expect(try pair.server.takeSent().readableBytes > 0, "a warning: no renegotiation")
        #expect(pair.server.witness.completed.count == 1)
        pair.server.send("it goes on")
        #expect(try pair.server.takeSent().readableBytes > 0)
    }

    /// With 1.3 there is none; a second hello is no message at its place.
    @Test func aSecondHelloEndsAConnection() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        let hello = try pair.client.takeSent()
        pair.server.receive(hello)
        pair.client.receive(try pair.server.takeSent())
        pair.server.receive(try pair.client.takeSent())
        #expect(pair.server.completed != nil)
        pair.server.receive(hello)
        #expect(pair.server.faults.count == 1)
    }

    /// Each costs an answer: who does not read them is cut off.
    @Test func answersThatAreNotReadAreBounded() throws {
        let pair = try open(.tls13)
        defer { pair.finish() }
        pair.server.transport.isStuck = true
        let connection = try #require(pair.client.handler.connection)
        var sent = 0
        while pair.server.channel.isActive, sent < 20_000 {
            #expect(SSL_key_update(connection.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
            var (nothing, output) = (ByteBuffer(), ByteBuffer())
            _ = connection.handshake(input: &nothing, output: &output)
            pair.server.receive(output)
            sent += 1
        }
        #expect(pair.server.faults == [.answersUnread])
        #expect(pair.server.transport.writes.reduce(0, +) < 2 * TLSHandler.answersInFlightMax)
    }
}
