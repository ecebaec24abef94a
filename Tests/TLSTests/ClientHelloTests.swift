import NIOCore
import Testing

@testable import TLS

/// What a server does with a client's first message before OpenSSL sees any of it.
@Suite struct ClientHelloTests {
    /// The first `count` bytes of a message that announces `announced`, in records of `fragment`.
    private func records(announcing announced: Int, count: Int, fragment: Int) -> ByteBuffer {
        let message = [1, UInt8(announced >> 16), UInt8(announced >> 8 & 0xFF), UInt8(announced & 0xFF)]
        let body = (message + [UInt8](repeating: 0, count: announced)).prefix(count)
        var buffer = ByteBuffer()
        for start in stride(from: 0, to: body.count, by: fragment) {
            let piece = body[start..<min(start + fragment, body.count)]
            buffer.writeBytes([22, 3, 1, UInt8(piece.count >> 8), UInt8(piece.count & 0xFF)])
            buffer.writeBytes(piece)
        }
        return buffer
    }

    private func server(hears bytes: ByteBuffer) throws -> (said: [UInt8], faults: [TLSError], isOpen: Bool) {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.server.activate()
        pair.server.receive(bytes)
        let said = Array(try pair.server.takeSent().readableBytesView)
        return (said, pair.server.faults, pair.server.isOpen)
    }

    /// Whoever announces too much hears why it is not served (RFC 8446, section 6.2).
    @Test(arguments: [4, 100, 16_384])
    func whoAnnouncesTooMuchIsTold(count: Int) throws {
        let answer = try server(hears: records(announcing: 16_385, count: count, fragment: 16_384))
        #expect(answer.said == [21, 3, 3, 0, 2, 2, 47])
        #expect(answer.faults == [.handshakeFailed(reason: "the client's first message is too long")])
        #expect(!answer.isOpen)
    }

    @Test func whoMakesTooManyRecordsIsTold() throws {
        let answer = try server(hears: records(announcing: 16_384, count: 16_380, fragment: 3))
        #expect(answer.said == [21, 3, 3, 0, 2, 2, 47])
        #expect(!answer.isOpen)
    }

    @Test(arguments: [1, 4, 100, 16_387])
    func whatIsNotAllThereIsWaitedFor(count: Int) throws {
        let answer = try server(hears: records(announcing: 16_384, count: count, fragment: 16_384))
        #expect(answer.said.isEmpty && answer.faults.isEmpty && answer.isOpen)
    }

    /// A whole message goes to OpenSSL, in however many records it came.
    @Test func aHelloByteByByteIsTaken() throws {
        let pair = try Pair()
        defer { pair.finish() }
        try pair.client.activate()
        try pair.server.activate()
        let hello = try pair.client.takeSent()
        for byte in hello.readableBytesView.dropFirst(5) {
            #expect(try pair.server.takeSent().readableBytes == 0)
            pair.server.receive(ByteBuffer(bytes: [22, 3, 1, 0, 1, byte]))
        }
        try pair.exchange()
        #expect(pair.client.completed != nil && pair.server.completed != nil)
    }
}
