import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeNode

/// One edge with its loop and gateway; connections are made as needed.
final class TestEdge {
    let loop = EmbeddedEventLoop()
    let gateway = ExecutingGateway()
    let edge: HTTPEdge
    /// Of a key of the project `demo`.
    let keyID: String
    let secret: String

    static let adminToken = "an-admin-token"

    init(_ change: (inout HTTPSettings) -> Void = { _ in }) throws {
        var settings = HTTPSettings(version: "0.1.0")
        settings.adminToken = TestEdge.adminToken
        settings.servesAdminOnClientPort = true
        change(&settings)
        edge = HTTPEdge(gateway: gateway, settings: settings, eventLoop: loop, board: StatisticsBoard())
        let key = try TestEdge.makeKey(gateway, project: "demo")
        (keyID, secret) = (key.key.keyID, key.secret)
        edge.start()
    }

    static func makeKey(
        _ gateway: ExecutingGateway, project: String, origins: [String] = []
    ) throws -> NewAPIKey {
        let key = try NewAPIKey.make(
            project: project, label: "test", origins: origins, nowMs: gateway.nowMs,
            random: { gateway.randomBytes($0) })
        #expect(gateway.apply(.createKey(key.key)) == .done)
        return key
    }

    var basic: String { TestEdge.basic(keyID, secret) }

    static func basic(_ keyID: String, _ secret: String) -> String {
        "Basic " + Base64.encodeURL(Array("\(keyID):\(secret)".utf8))
    }

    func connect(admin: Bool = false) throws -> TestClient {
        let channel = EmbeddedChannel(loop: loop)
        if admin {
            try edge.configureAdminChannel(channel)
        } else {
            try edge.configureClientChannel(channel)
        }
        try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        return TestClient(channel: channel, authorization: basic)
    }

    /// One request on a connection of its own.
    func call(
        _ method: String, _ path: String, _ body: String? = nil, headers: [(String, String)] = [],
        authorization: String? = nil
    ) throws -> TestResponse {
        let client = try connect()
        client.authorization = authorization ?? basic
        return try client.call(method, path, body, headers: headers)
    }

    func admin(_ method: String, _ path: String, _ body: String? = nil) throws -> TestResponse {
        let client = try connect(admin: true)
        client.authorization = "Bearer " + TestEdge.adminToken
        return try client.call(method, "/admin/v1" + path, body)
    }

    func admin(_ method: String, _ path: String, bytes: [UInt8]) throws -> TestResponse {
        let client = try connect(admin: true)
        client.authorization = "Bearer " + TestEdge.adminToken
        let head = client.request(method, "/admin/v1" + path, headers: [("Content-Length", "\(bytes.count)")])
        try client.send(Array(head.utf8) + bytes)
        return try #require(try client.received().first)
    }
}

/// An HTTP client on an embedded channel.
final class TestClient {
    let channel: EmbeddedChannel
    /// Sent with each `call`; none if empty.
    var authorization: String

    init(channel: EmbeddedChannel, authorization: String) {
        self.channel = channel
        self.authorization = authorization
    }

    var isOpen: Bool { channel.isActive }

    func send(_ text: String) throws { try send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) throws {
        // Faults of the client's bytes are the server's to answer, not the channel's to throw.
        try channel.writeInbound(ByteBuffer(bytes: bytes))
        channel.embeddedEventLoop.run()
    }

    func request(
        _ method: String, _ path: String, _ body: String? = nil, headers: [(String, String)] = []
    ) -> String {
        var text = "\(method) \(path) HTTP/1.1\r\nHost: edge\r\n"
        if !authorization.isEmpty { text += "Authorization: \(authorization)\r\n" }
        for (name, value) in headers { text += "\(name): \(value)\r\n" }
        if let body { text += "Content-Length: \(body.utf8.count)\r\n\r\n" + body } else { text += "\r\n" }
        return text
    }

    func call(
        _ method: String, _ path: String, _ body: String? = nil, headers: [(String, String)] = []
    ) throws -> TestResponse {
        try send(request(method, path, body, headers: headers))
        let responses = try received(bodiless: method == "HEAD")
        return try #require(responses.first, "no answer to \(method) \(path)")
    }

    /// All answers that have been flushed, in order.
    func received(bodiless: Bool = false) throws -> [TestResponse] {
        var bytes: [UInt8] = []
        while let part = try channel.readOutbound(as: ByteBuffer.self) {
            bytes += Array(part.readableBytesView)
        }
        var responses: [TestResponse] = []
        while !bytes.isEmpty { responses.append(try TestResponse(&bytes, bodiless: bodiless)) }
        return responses
    }
}

struct TestResponse {
    var status: Int
    var headers: [(name: String, value: String)] = []
    var body = ""
    var bytes: [UInt8] = []

    /// Takes one response off the front of `bytes`; strict about its framing.
    init(_ bytes: inout [UInt8], bodiless: Bool) throws {
        let text = String(decoding: bytes, as: UTF8.self)
        let head = try #require(text.firstRange(of: "\r\n\r\n"), "a head without end: \(text)")
        let lines = text[..<head.lowerBound].split(separator: "\r\n")
        let statusLine = try #require(lines.first).split(separator: " ")
        #expect(statusLine.first == "HTTP/1.1")
        status = try #require(Int(statusLine[1]))
        for line in lines.dropFirst() {
            let colon = try #require(line.firstRange(of: ": "), "a header without a colon: \(line)")
            headers.append((String(line[..<colon.lowerBound]), String(line[colon.upperBound...])))
        }
        bytes.removeFirst(text[..<head.upperBound].utf8.count)
        guard status != 204, status >= 200, !bodiless else { return }
        let length = try #require(self["Content-Length"].flatMap(Int.init), "no length in \(text)")
        #expect(bytes.count >= length)
        self.bytes = Array(bytes.prefix(length))
        body = String(decoding: self.bytes, as: UTF8.self)
        bytes.removeFirst(min(length, bytes.count))
    }

    subscript(_ header: String) -> String? {
        headers.first { $0.name.lowercased() == header.lowercased() }?.value
    }

    var json: JSONInput? { JSONInput(Array(body.utf8)) }

    /// `cause.code` of an error body.
    var code: String? { json?["cause"]?["code"]?.text }

    var applied: String? { json?["applied"]?.text }
}
