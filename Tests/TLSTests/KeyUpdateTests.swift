import COpenSSL
import NIOCore
import Testing

@testable import TLS

/// New keys amid a connection (RFC 8446, section 4.6.3).
struct KeyUpdateTests {
    /// The request of one side for new keys of the other, as it goes over the wire.
    private func request(_ end: End) throws -> ByteBuffer {
        let connection = try #require(end.handler.connection)
        #expect(SSL_key_update(connection.ssl, SSL_KEY_UPDATE_REQUESTED) == 1)
        var (nothing, output) = (ByteBuffer(), ByteBuffer())
        _ = connection.handshake(input: &nothing, output: &output)
        return output
    }

    /// Its own data may never come, and then it would keep its old keys for ever.
    @Test(arguments: [true, false]) func whoIsAskedForNewKeysAnswersAtOnce(isAskedByClient: Bool) throws {
        let pair = try Pair()
        try pair.connect()
        let (asker, asked) = isAskedByClient ? (pair.client, pair.server) : (pair.server, pair.client)
        asked.receive(try request(asker))
        let answer = try asked.takeSent()
        #expect(answer.readableBytes > 0)
        asker.receive(answer)
        #expect(try asker.takeSent().readableBytes == 0, "an answer is not answered")
        pair.finish()
    }
}
