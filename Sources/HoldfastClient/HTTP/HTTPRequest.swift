import NIOCore

/// A request before it has bytes. Callers that send the same one often encode it once and keep the bytes.
public struct HTTPRequest: Sendable {
    public var method: String
    /// Path and query, percent-encoded already.
    public var target: String
    public var headers: [(name: String, value: String)]
    /// `nil` sends neither a body nor a `Content-Type`; an empty one sends `Content-Length: 0`.
    public var body: [UInt8]?

    public init(
        _ method: String, _ target: String, headers: [(name: String, value: String)] = [],
        body: [UInt8]? = nil
    ) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    /// The whole request, ready for `HTTPConnection.send`.
    public func encoded(for endpoint: Endpoint) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(256 + (body?.count ?? 0))
        bytes.writeString("\(method) \(target) HTTP/1.1\r\nHost: \(endpoint.authority)\r\n")
        for header in headers {
            bytes.writeString("\(header.name): \(header.value)\r\n")
        }
        if let body {
            bytes.writeString("Content-Length: \(body.count)\r\n\r\n")
            bytes.writeBytes(body)
        } else {
            bytes.writeString("\r\n")
        }
        return bytes
    }
}
