import NIOCore

/// Bytes that are no HTTP/1.1 response, or one beyond the bounds. The connection is of no further use.
public struct HTTPParseFailure: Error, Equatable, Sendable {
    public let reason: String
}

/// Cuts a stream of bytes into responses. Knows what our nodes and reasonable proxies send:
/// `Content-Length`, chunked, bodies that end with the connection, interim 1xx answers.
public struct HTTPResponseParser {
    public static let headBytesMax = 64 << 10
    public static let bodyBytesMax = 128 << 20
    private static let chunkLineBytesMax = 1024

    private struct Partial {
        var head: ResponseHead
        var headBytes: ByteBuffer
        var body = ByteBuffer()
        /// Data bytes still to come of the chunk that has begun; `nil` before a chunk's size line.
        var chunkRemaining: Int?
        var inTrailers = false
    }

    private var received = ByteBuffer()
    private var partial: Partial?

    public init() {}

    /// No byte of an unfinished answer has arrived.
    public var isAtBoundary: Bool { partial == nil && received.readableBytes == 0 }

    public mutating func receive(_ bytes: ByteBuffer) {
        if received.readableBytes == 0 {
            received = bytes
        } else {
            received.writeImmutableBuffer(bytes)
        }
    }

    /// The next whole response, or `nil` until more bytes arrive.
    public mutating func next() throws(HTTPParseFailure) -> HTTPResponse? {
        while true {
            if partial == nil {
                guard let begun = try readHead() else { return nil }
                partial = begun
            }
            guard let response = try readBody() else { return nil }
            partial = nil
            // Interim answers announce the real one.
            if response.status >= 200 { return response }
        }
    }

    /// The peer closed: the last response, if its body was meant to end so.
    public mutating func finish() throws(HTTPParseFailure) -> HTTPResponse? {
        guard !isAtBoundary else { return nil }
        guard let begun = partial, begun.head.framing == .untilClose else {
            throw HTTPParseFailure(reason: "connection closed inside a response")
        }
        let body = received
        received = ByteBuffer()
        partial = nil
        return response(begun, body)
    }

    private mutating func readHead() throws(HTTPParseFailure) -> Partial? {
        guard received.readableBytes > 0 else { return nil }
        switch received.withUnsafeReadableBytes(ResponseHead.scan) {
        case .incomplete:
            guard received.readableBytes <= Self.headBytesMax else {
                throw HTTPParseFailure(reason: "head longer than \(Self.headBytesMax) bytes")
            }
            return nil
        case .malformed(let reason):
            throw HTTPParseFailure(reason: reason)
        case .complete(let head, let length):
            guard let bytes = received.readSlice(length: length) else { return nil }
            return Partial(head: head, headBytes: bytes)
        }
    }

    private mutating func readBody() throws(HTTPParseFailure) -> HTTPResponse? {
        guard let begun = partial else { return nil }
        switch begun.head.framing {
        case .none:
            return response(begun, ByteBuffer())
        case .length(let length):
            guard length <= Self.bodyBytesMax else {
                throw HTTPParseFailure(reason: "body longer than \(Self.bodyBytesMax) bytes")
            }
            guard let body = received.readSlice(length: length) else { return nil }
            return response(begun, body)
        case .chunked:
            return try readChunks()
        case .untilClose:
            guard received.readableBytes <= Self.bodyBytesMax else {
                throw HTTPParseFailure(reason: "body longer than \(Self.bodyBytesMax) bytes")
            }
            return nil
        }
    }

    private mutating func readChunks() throws(HTTPParseFailure) -> HTTPResponse? {
        guard var begun = partial else { return nil }
        defer { if partial != nil { partial = begun } }
        while true {
            if begun.inTrailers {
                guard let line = try readLine() else { return nil }
                if line.isEmpty { return response(begun, begun.body) }
            } else if let remaining = begun.chunkRemaining {
                guard received.readableBytes >= remaining + 2,
                    var data = received.readSlice(length: remaining)
                else { return nil }
                begun.body.writeBuffer(&data)
                guard received.readInteger(as: UInt16.self) == 0x0D0A else {
                    throw HTTPParseFailure(reason: "chunk without its line end")
                }
                begun.chunkRemaining = nil
            } else {
                guard let line = try readLine() else { return nil }
                let size = try Self.chunkSize(line)
                guard begun.body.readableBytes + size <= Self.bodyBytesMax else {
                    throw HTTPParseFailure(reason: "body longer than \(Self.bodyBytesMax) bytes")
                }
                if size == 0 { begun.inTrailers = true } else { begun.chunkRemaining = size }
            }
        }
    }

    /// A line without its CRLF, or `nil` until it is whole.
    private mutating func readLine() throws(HTTPParseFailure) -> [UInt8]? {
        let view = received.readableBytesView
        guard let end = view.firstIndex(of: UInt8(ascii: "\n")) else {
            guard view.count <= Self.chunkLineBytesMax else {
                throw HTTPParseFailure(
                    reason: "line longer than \(Self.chunkLineBytesMax) bytes in a chunked body")
            }
            return nil
        }
        var line = received.readBytes(length: end - view.startIndex + 1) ?? []
        line.removeLast()
        if line.last == UInt8(ascii: "\r") { line.removeLast() }
        return line
    }

    private static func chunkSize(_ line: [UInt8]) throws(HTTPParseFailure) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard (1...8).contains(digits.count),
            let size = Int(String(decoding: digits, as: UTF8.self), radix: 16),
            size >= 0
        else { throw HTTPParseFailure(reason: "bad chunk size") }
        return size
    }

    private func response(_ begun: Partial, _ body: ByteBuffer) -> HTTPResponse {
        HTTPResponse(
            status: begun.head.status, head: begun.headBytes, body: body, keepsAlive: begun.head.keepsAlive)
    }
}
