import NIOCore
import NIOHTTP1

/// One request, complete: what the rest of the edge works on.
struct HTTPRequest {
    var method: HTTPMethod
    var uri: String
    var headers: RequestHeaders
    /// What came as body; `nil` if nothing did.
    var body: ByteBuffer?
    /// When the last byte was there.
    var arrived: NIODeadline
    var clientAddress: SocketAddress?

    var bodyBytes: [UInt8] { body.map { Array($0.readableBytesView) } ?? [] }

    var hasBody: Bool { (body?.readableBytes ?? 0) > 0 }
}

/// A request's place in the order of its connection: answers leave in the order of these.
struct RequestTurn {
    enum Content {
        case request(HTTPRequest)
        /// Refused before it was complete; the connection ends with this answer.
        case refusal(HTTPResponse)
    }

    var content: Content
    var framing: ResponseFraming

    var bodyBytes: Int {
        if case .request(let request) = content { request.body?.readableBytes ?? 0 } else { 0 }
    }
}

/// A request whose body is still arriving.
struct RequestAssembly {
    var head: HTTPRequestHead
    var headers: RequestHeaders
    var body: ByteBuffer?
    var wantsContinue: Bool

    init(head: HTTPRequestHead) {
        self.head = head
        headers = RequestHeaders(head.headers)
        wantsContinue = headers.expectsContinue && head.version.minor >= 1
    }

    var bodyBytes: Int { body?.readableBytes ?? 0 }

    mutating func append(_ part: inout ByteBuffer) {
        wantsContinue = false
        if body == nil { body = part } else { body?.writeBuffer(&part) }
    }

    func turn(arrived: NIODeadline, settings: HTTPSettings) -> RequestTurn {
        let request = HTTPRequest(
            method: head.method, uri: head.uri, headers: headers, body: body, arrived: arrived)
        return RequestTurn(content: .request(request), framing: framing(settings))
    }

    private func framing(_ settings: HTTPSettings) -> ResponseFraming {
        ResponseFraming(
            // Behind a request to upgrade, the parser takes nothing for HTTP any more.
            closes: !head.isKeepAlive || headers.asksForUpgrade || head.method == .CONNECT,
            namesKeepAlive: head.version.minor < 1,
            omitsBody: head.method == .HEAD,
            keepAliveSeconds: settings.announcedKeepAliveSeconds)
    }
}
