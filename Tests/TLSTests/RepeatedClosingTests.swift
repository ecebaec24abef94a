import NIOCore
import NIOEmbedded
import Testing

@testable import TLS

/// Closes that come again, closes that meet, and what comes after them.
@Suite struct RepeatedClosingTests {
    private func open(halfClosure: Bool = false) throws -> Pair {
        let pair = try Pair()
        for end in [pair.client, pair.server] { end.channel.allowRemoteHalfClosure = halfClosure }
        try pair.connect()
        return pair
    }

    /// The first close waits for the network. With and without a promise: none is lost, all tell the same.
    @Test(arguments: [true, false])
    func closesThatJoinOneShareItsEnd(firstHasPromise: Bool) throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.transport.isStuck = true
        var done = 0
        if !firstHasPromise { pair.client.channel.close(promise: nil) }
        for _ in 0..<20 { pair.client.channel.close().assumeIsolated().whenSuccess { done += 1 } }
        #expect(done == 0)
        try pair.client.transport.release(pair.client.channel)
        #expect(done == 20)
        try pair.exchange()
        #expect(!pair.server.channel.isActive && pair.server.witness.errors.isEmpty)
    }

    @Test func aCloseThatRunsOutOfTimeEndsAllThatJoined() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.transport.isStuck = true
        let closes = [pair.client.channel.close(), pair.client.channel.close()]
        pair.client.channel.embeddedEventLoop.advanceTime(by: .seconds(5))
        for closed in closes { try closed.wait() }
    }

    /// The second has nothing left to close.
    @Test func closingTheOutputAgainIsRefused() throws {
        let pair = try open(halfClosure: true)
        defer { pair.finish() }
        let first = pair.client.channel.close(mode: .output)
        let second = pair.client.channel.close(mode: .output)
        try first.wait()
        #expect(throws: ChannelError.outputClosed) { try second.wait() }
        try pair.exchange()
        #expect(pair.server.witness.events.filter { $0 == "inputClosed" }.count == 1)
    }

    @Test func closingTheOutputSendsWhatWasFlushed() throws {
        let pair = try open(halfClosure: true)
        defer { pair.finish() }
        pair.client.channel.isWritable = false
        let written = pair.client.send("all of it")
        let closed = pair.client.channel.close(mode: .output)
        try pair.exchange()
        #expect(pair.server.received.isEmpty)
        pair.client.channel.isWritable = true
        pair.client.channel.pipeline.fireChannelWritabilityChanged()
        try pair.exchange()
        try written.wait()
        try closed.wait()
        #expect(pair.server.received == "all of it")
        #expect(pair.server.witness.events.last == "inputClosed")
    }

    /// A close overtakes an output close that waits.
    @Test func aCloseEndsAnOutputCloseThatWaits() throws {
        let pair = try open(halfClosure: true)
        defer { pair.finish() }
        pair.client.channel.isWritable = false
        pair.client.send("never")
        let half = pair.client.channel.close(mode: .output)
        try pair.client.channel.close().wait()
        #expect(throws: ChannelError.ioOnClosedChannel) { try half.wait() }
    }

    @Test func aCloseAfterTheOutputsSaysNothingMore() throws {
        let pair = try open(halfClosure: true)
        defer { pair.finish() }
        try pair.client.channel.close(mode: .output).wait()
        try pair.exchange()
        try pair.client.channel.close().wait()
        #expect(try pair.client.takeSent().readableBytes == 0)
        #expect(pair.server.witness.errors.isEmpty)
    }

    @Test func closesThatCrossAreBothClean() throws {
        let pair = try open()
        defer { pair.finish() }
        let closes = [pair.client.channel.close(), pair.server.channel.close()]
        try pair.exchange()
        for closed in closes { try closed.wait() }
        #expect(pair.server.witness.errors.isEmpty && pair.client.witness.errors.isEmpty)
    }

    /// Data, a farewell, garbage: whatever comes to a side that has closed is for nobody.
    @Test func whatComesAfterTheOwnCloseIsDropped() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.server.send("too late")
        let late = try pair.server.takeSent()
        pair.client.transport.isStuck = true
        pair.client.channel.close(promise: nil)
        pair.client.receive(late)
        pair.client.receive(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        #expect(pair.client.received.isEmpty && pair.client.witness.errors.isEmpty)
        try pair.client.transport.release(pair.client.channel)
        #expect(!pair.client.channel.isActive)
        // And from inside of the pipeline, when all is over.
        pair.client.channel.pipeline.fireChannelRead(late)
        #expect(pair.client.received.isEmpty && pair.client.witness.errors.isEmpty)
    }

    @Test func whatComesAfterThePeersFarewellIsDropped() throws {
        let pair = try open(halfClosure: true)
        defer { pair.finish() }
        pair.client.send("all")
        pair.client.channel.close(mode: .output, promise: nil)
        try pair.exchange()
        pair.server.receive(ByteBuffer(string: "GET / HTTP/1.1\r\n\r\n"))
        #expect(pair.server.received == "all" && pair.server.witness.errors.isEmpty)
        #expect(pair.server.channel.isActive)
    }

    /// They do not wait for a flush that can do nothing for them.
    @Test func unflushedWritesFailWithTheClose() throws {
        let pair = try open()
        defer { pair.finish() }
        let written = pair.client.channel.write(ByteBuffer(string: "unflushed"))
        pair.client.transport.isStuck = true
        pair.client.channel.close(promise: nil)
        #expect(throws: ChannelError.ioOnClosedChannel) { try written.wait() }
        #expect(throws: ChannelError.ioOnClosedChannel) { try pair.client.send("later").wait() }
        try pair.client.transport.release(pair.client.channel)
        try pair.exchange()
        #expect(pair.server.received.isEmpty && pair.server.witness.errors.isEmpty)
    }
}
