import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

/// Promises of writes: all of them, once, in the order of the writes.
@Suite struct WritingTests {
    private func open() throws -> Pair {
        let pair = try Pair()
        try pair.connect()
        return pair
    }

    /// Writes each text, and writes down which promises are done.
    private func write(_ texts: [String], to end: End, flushingEach: Bool = false) -> Notes {
        let notes = Notes()
        for (place, text) in texts.enumerated() {
            end.channel.write(ByteBuffer(string: text)).assumeIsolated().whenSuccess { notes.done.append(place) }
            if flushingEach { end.channel.flush() }
        }
        if !flushingEach { end.channel.flush() }
        return notes
    }

    private final class Notes {
        var done: [Int] = []
    }

    @Test func thePromisesOfOneRecordFireInOrder() throws {
        let pair = try open()
        defer { pair.finish() }
        #expect(write(["a", "b", "", "c", ""], to: pair.client).done == [0, 1, 2, 3, 4])
        try pair.exchange()
        #expect(pair.server.received == "abc")
    }

    @Test func anEmptyWriteDoesNotOvertakeTheOneBeforeIt() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.transport.isStuck = true
        let notes = write(["a", "", "b"], to: pair.client, flushingEach: true)
        #expect(notes.done.isEmpty)
        try pair.client.transport.release(pair.client.channel)
        #expect(notes.done == [0, 1, 2])
    }

    @Test func emptyWritesMakeNoRecord() throws {
        let pair = try open()
        defer { pair.finish() }
        #expect(write(["", "", ""], to: pair.client).done == [0, 1, 2])
        #expect(try pair.client.takeSent().readableBytes == 0)
        #expect(pair.server.witness.errors.isEmpty)
    }

    /// A record takes 16 KiB: the first that are full, then the rest.
    @Test func aLargeWriteIsSplitIntoFullRecords() throws {
        let pair = try open()
        defer { pair.finish() }
        _ = try pair.client.takeSent()
        let count = 4 * TLSConnection.recordByteCountMax + 1
        pair.client.channel.writeAndFlush(ByteBuffer(repeating: 1, count: count), promise: nil)
        let sent = try pair.client.takeSent()
        let lengths = recordLengths(sent)
        #expect(lengths.count == 5 && Set(lengths.prefix(4)).count == 1 && (lengths.last ?? 0) < 64)
        pair.server.receive(sent)
        #expect(pair.server.witness.data.readableBytes == count)
    }

    private func recordLengths(_ bytes: ByteBuffer) -> [Int] {
        var (bytes, lengths) = (bytes, [Int]())
        while bytes.readSlice(length: 3) != nil, let length = bytes.readInteger(as: UInt16.self) {
            lengths.append(Int(length))
            bytes.moveReaderIndex(forwardBy: Int(length))
        }
        return lengths
    }

    /// The promise of a write calls back from inside of the handler.
    @Test func aWriteOutOfAnothersSuccessFollowsIt() throws {
        let pair = try open()
        defer { pair.finish() }
        let channel = pair.client.channel
        channel.write(ByteBuffer(string: "first ")).assumeIsolated().whenSuccess {
            channel.writeAndFlush(ByteBuffer(string: "third"), promise: nil)
        }
        channel.write(ByteBuffer(string: "second "), promise: nil)
        channel.flush()
        try pair.exchange()
        #expect(pair.server.received == "first second third")
    }

    @Test func aWriteOutOfAnothersFailureFailsToo() throws {
        let pair = try open()
        defer { pair.finish() }
        let channel = pair.client.channel
        var second: EventLoopFuture<Void>?
        channel.write(ByteBuffer(string: "lost")).assumeIsolated().whenFailure { _ in
            second = channel.writeAndFlush(ByteBuffer(string: "late"))
        }
        channel.pipeline.fireChannelInactive()
        let late = try #require(second)
        #expect(throws: ChannelError.ioOnClosedChannel) { try late.wait() }
    }

    // MARK: Before the handshake

    @Test func whatIsFlushedBeforeTheHandshakeFollowsIt() throws {
        let pair = try Pair()
        defer { pair.finish() }
        // Even before there is a connection.
        let notes = write(["a", "b"], to: pair.client)
        pair.client.channel.write(ByteBuffer(string: "unflushed"), promise: nil)
        try pair.client.activate()
        try pair.server.activate()
        #expect(notes.done.isEmpty)
        try pair.exchange()
        #expect(notes.done == [0, 1])
        #expect(pair.server.received == "ab")
        pair.client.channel.flush()
        try pair.exchange()
        #expect(pair.server.received == "abunflushed")
    }

    @Test func whatIsWrittenOnTheHandshakesEventComesAfterWhatWaits() throws {
        let pair = try Pair()
        defer { pair.finish() }
        pair.client.witness.onCompleted = { $0.writeAndFlush(ByteBuffer(string: "second"), promise: nil) }
        pair.client.send("first ")
        try pair.connect()
        #expect(pair.server.received == "first second")
    }

    @Test func whoWritesTooMuchBeforeTheHandshakeIsStopped() throws {
        var options = TLSHandler.Options()
        options.waitingByteCountMax = 10
        let pair = try Pair(options: options)
        defer { pair.finish() }
        try pair.client.activate()
        pair.client.send("0123456789")
        #expect(pair.client.channel.isActive)
        let beyond = pair.client.send("x")
        #expect(pair.client.faults == [.tooMuchBeforeHandshake])
        #expect(throws: TLSError.tooMuchBeforeHandshake) { try beyond.wait() }
        #expect(!pair.client.channel.isActive)
    }

    /// The write has the same error as the pipeline.
    @Test func aHandshakeThatFailsFailsWhatWaitsForIt() throws {
        let pair = try Pair(name: .host("other.test"))
        defer { pair.finish() }
        let written = pair.client.send("never")
        try pair.connect()
        let fault = TLSError.certificateRefused(reason: "hostname mismatch", depth: 0)
        #expect(pair.client.faults == [fault])
        #expect(throws: fault) { try written.wait() }
        #expect(pair.server.received.isEmpty)
    }
}
