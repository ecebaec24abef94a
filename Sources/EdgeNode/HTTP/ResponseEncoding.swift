import NIOCore

/// How the answer ends its turn on the connection.
struct ResponseFraming {
    /// The connection ends after this answer.
    var closes = false
    /// HTTP/1.0 clients keep the connection only if told so.
    var namesKeepAlive = false
    /// HEAD: the same head, no body.
    var omitsBody = false
    var keepAliveSeconds = 75
    /// The client is to come by TLS from now on (RFC 6797).
    var demandsTLS = false
}

extension ByteBuffer {
    /// Head and body in one piece of memory, so that an answer is one write.
    mutating func write(_ response: HTTPResponse, framing: ResponseFraming) {
        writeStatusLine(response.status)
        write(response.crossing)
        if let contentType = response.contentType { write(contentType) }
        if let position = response.position { write(position) }
        if response.isPreflight { writeStaticString(preflightHeaders) }
        if let allow = response.allow { writeHeader("Allow: ", allow) }
        if let location = response.location { writeHeader("Location: ", location) }
        if framing.demandsTLS { writeStaticString("Strict-Transport-Security: max-age=31536000\r\n") }
        // Not Basic, although it is accepted: browsers would ask their user for a password.
        if response.status == 401 { writeStaticString("WWW-Authenticate: Bearer\r\n") }
        if response.status == 426 { writeStaticString("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n") }
        if let milliseconds = response.retryAfterMs {
            writeStaticString("Retry-After: ")
            writeDecimal((milliseconds + 999) / 1_000)
            writeStaticString("\r\n")
        }
        write(framing)
        writeLength(of: response)
        if !framing.omitsBody { writeBytes(response.body) }
    }

    /// Caches must not give one origin's answer to another.
    private mutating func write(_ crossing: OriginGate.Crossing) {
        switch crossing {
        case .everybody: writeStaticString("Access-Control-Allow-Origin: *\r\n")
        case .origin(let origin):
            writeHeader("Access-Control-Allow-Origin: ", origin)
            writeStaticString("Vary: Origin\r\n")
        case .nobody, .refused: writeStaticString("Vary: Origin\r\n")
        }
    }

    private mutating func write(_ contentType: HTTPResponse.ContentType) {
        switch contentType {
        case .json: writeStaticString(jsonHeaders)
        case .text: writeStaticString(textHeaders)
        case .metrics: writeStaticString("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
        case .bytes: writeStaticString("Content-Type: application/octet-stream\r\n")
        case .html: writeStaticString(htmlHeaders)
        case .style: writeStaticString(styleHeaders)
        case .script: writeStaticString(scriptHeaders)
        }
    }

    private mutating func write(_ position: HistoryPosition) {
        writeStaticString(exposedHeaders)
        writeStaticString("Holdfast-Epoch: ")
        writeDecimal(position.epoch)
        writeStaticString("\r\nHoldfast-Index: ")
        writeDecimal(position.index)
        writeStaticString("\r\n")
        if !position.owner.isEmpty { writeHeader("Holdfast-Owner: ", position.owner) }
        if position.isReplay { writeStaticString("Holdfast-Replayed: true\r\n") }
    }

    private mutating func write(_ framing: ResponseFraming) {
        if framing.closes {
            writeStaticString("Connection: close\r\n")
            return
        }
        if framing.namesKeepAlive { writeStaticString("Connection: keep-alive\r\n") }
        writeStaticString("Keep-Alive: timeout=")
        writeDecimal(UInt64(framing.keepAliveSeconds))
        writeStaticString("\r\n")
    }

    /// 204 and 304 have no body and say no length; everything else says one, zero included.
    private mutating func writeLength(of response: HTTPResponse) {
        if response.status == 204 {
            writeStaticString("\r\n")
            return
        }
        writeStaticString("Content-Length: ")
        writeDecimal(UInt64(response.body.count))
        writeStaticString("\r\n\r\n")
    }

    /// `value` comes from configuration or from us; what could end the line early is left out.
    private mutating func writeHeader(_ name: StaticString, _ value: String) {
        writeStaticString(name)
        writeBytes(value.utf8.filter { (0x20...0x7E).contains($0) })
        writeStaticString("\r\n")
    }

    private mutating func writeDecimal(_ value: UInt64) {
        guard value >= 10 else {
            writeInteger(UInt8(ascii: "0") + UInt8(value))
            return
        }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var rest = value
            var first = 20
            while rest > 0 {
                first -= 1
                digits[first] = UInt8(ascii: "0") + UInt8(rest % 10)
                rest /= 10
            }
            _ = writeBytes(
                UnsafeRawBufferPointer(
                    UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(digits)[first...])
                ))
        }
    }

    private mutating func writeStatusLine(_ status: UInt16) {
        switch status {
        case 200: writeStaticString("HTTP/1.1 200 OK\r\n")
        case 204: writeStaticString("HTTP/1.1 204 No Content\r\n")
        case 404: writeStaticString("HTTP/1.1 404 Not Found\r\n")
        default: writeString("HTTP/1.1 \(status) \(reasonPhrase(status))\r\n")
        }
    }
}

/// "Go on and send the body."
let continueLine: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

private let exposedHeaders: StaticString = """
    Access-Control-Expose-Headers: Holdfast-Epoch, Holdfast-Index, Holdfast-Owner, Holdfast-Replayed, \
    Retry-After\r

    """

/// Browsers ask before they send any of these headers to another origin.
private let preflightHeaders: StaticString = """
    Access-Control-Allow-Methods: GET, POST, DELETE, OPTIONS\r
    Access-Control-Allow-Headers: Authorization, Content-Type, X-Enc-KV, X-Id-Sig, X-Id-Sig-KV, \
    x-vaultrice-auth-token, x-vaultrice-auth-signature, Idempotency-Key, Holdfast-Min-Index\r
    Access-Control-Max-Age: 86400\r

    """

/// Values are other people's texts: no browser may take them for anything else.
private let jsonHeaders: StaticString = """
    Content-Type: application/json\r
    X-Content-Type-Options: nosniff\r

    """

private let textHeaders: StaticString = """
    Content-Type: text/plain; charset=utf-8\r
    X-Content-Type-Options: nosniff\r

    """

/// The page loads nothing from elsewhere and is framed by nobody; it talks to all nodes, whatever their names.
private let htmlHeaders: StaticString = """
    Content-Type: text/html; charset=utf-8\r
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    connect-src http: https: ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r
    Referrer-Policy: no-referrer\r
    X-Content-Type-Options: nosniff\r
    Cache-Control: no-cache\r

    """

private let styleHeaders: StaticString = """
    Content-Type: text/css; charset=utf-8\r
    X-Content-Type-Options: nosniff\r
    Cache-Control: no-cache\r

    """

private let scriptHeaders: StaticString = """
    Content-Type: text/javascript; charset=utf-8\r
    X-Content-Type-Options: nosniff\r
    Cache-Control: no-cache\r

    """

private func reasonPhrase(_ status: UInt16) -> String {
    switch status {
    case 201: "Created"
    case 308: "Permanent Redirect"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 405: "Method Not Allowed"
    case 408: "Request Timeout"
    case 409: "Conflict"
    case 413: "Content Too Large"
    case 426: "Upgrade Required"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 500: "Internal Server Error"
    case 501: "Not Implemented"
    case 503: "Service Unavailable"
    case 507: "Insufficient Storage"
    default: "Status"
    }
}
