import NIOCore
import Testing

@testable import TLS

/// Data of an open connection: all of it, in order, and no more of it in memory than the network takes.
@Suite struct DataTests {
    static let versions = [Version.tls12, .tls13]

    private func open(_ version: Version = .tls13) throws -> Pair {
        let pair = try Pair(client: .testClient().at(version))
        try pair.connect()
        return pair
    }

    @Test(arguments: versions, [0, 1, 16_383, 16_384, 16_385, 1_000_000])
    func everySizeComesWhole(version: Version, count: Int) throws {
        let pair = try open(version)
        defer { pair.finish() }
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for (sender, receiver) in [(pair.client, pair.server), (pair.server, pair.client)] {
            let written = sender.channel.writeAndFlush(ByteBuffer(bytes: bytes))
            try pair.exchange()
            try written.wait()
            #expect(Array(receiver.witness.data.readableBytesView) == bytes)
        }
    }

    @Test func theWritesOfOneFlushShareARecord() throws {
        let pair = try open()
        defer { pair.finish() }
        let before = pair.client.transport.writes.count
        let written = (0..<10).map { pair.client.channel.write(ByteBuffer(string: "\($0)")) }
        pair.client.channel.flush()
        #expect(pair.client.transport.writes.count == before + 1)
        #expect(pair.client.transport.writes.last ?? 0 < 10 + 2 * TLSConnection.recordOverhead)
        try pair.exchange()
        for promise in written { try promise.wait() }
        #expect(pair.server.received == "0123456789")
    }

    @Test func whatWasNotFlushedStays() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.channel.write(ByteBuffer(string: "later"), promise: nil)
        #expect(try pair.client.takeSent().readableBytes == 0)
        pair.client.channel.flush()
        try pair.exchange()
        #expect(pair.server.received == "later")
    }

    @Test func whatTheNetworkDoesNotTakeIsNotEncrypted() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.channel.isWritable = false
        let written = pair.client.channel.writeAndFlush(ByteBuffer(bytes: [UInt8](repeating: 7, count: 1_000_000)))
        #expect(try pair.client.takeSent().readableBytes == 0)
        pair.client.channel.isWritable = true
        pair.client.channel.pipeline.fireChannelWritabilityChanged()
        try pair.exchange()
        try written.wait()
        #expect(pair.server.witness.data.readableBytes == 1_000_000)
        #expect(pair.client.transport.writes.allSatisfy { $0 < 2 * TLSHandler.pieceByteCountMax })
    }

    @Test func aWriteIsDoneWhenTheNetworkHasItsLastByte() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.transport.isStuck = true
        var isDone = false
        pair.client.send("held").assumeIsolated().whenSuccess { isDone = true }
        #expect(!isDone)
        try pair.client.transport.release(pair.client.channel)
        #expect(isDone)
    }

    /// A channel drops what it cannot send when it is closed. The peer must not take that for the end.
    @Test(arguments: versions)
    func aCloseThatDropsDataIsNoCleanEnd(version: Version) throws {
        let pair = try open(version)
        defer { pair.finish() }
        pair.client.channel.isWritable = false
        let written = pair.client.send("never sent")
        let closed = pair.client.channel.close()
        try pair.exchange()
        try closed.wait()
        #expect(throws: ChannelError.ioOnClosedChannel) { try written.wait() }
        pair.server.channel.pipeline.fireChannelInactive()
        #expect(pair.server.faults == [.truncated])
    }

    @Test func aTransportThatEndsFirstHasClosed() throws {
        let pair = try open()
        defer { pair.finish() }
        pair.client.transport.isStuck = true
        let closed = pair.client.channel.close()
        pair.client.channel.pipeline.fireChannelInactive()
        try closed.wait()
        #expect(pair.client.witness.errors.isEmpty)
    }
}
