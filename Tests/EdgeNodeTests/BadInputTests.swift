import Testing

@testable import EdgeNode

/// What bad input gets: a documented status, a body that names the fault, `applied: "no"`, no effect.
struct BadInputTests {
    private let item = "/project/demo/cache/c/o/n"

    private func expectRefusal(
        _ answer: TestResponse, _ status: Int, _ code: String? = nil, _ edge: TestEdge
    ) {
        #expect(answer.status == status)
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer.applied == "no")
        #expect(answer.json?["status"] == .number(Double(status)))
        #expect(answer.json?["name"]?.text?.isEmpty == false)
        #expect(answer.json?["message"]?.text?.isEmpty == false)
        #expect(answer["Access-Control-Allow-Origin"] == "*")
        if let code { #expect(answer.code == code) } else { #expect(answer.code != nil) }
        #expect(edge.gateway.requests.isEmpty)
    }

    @Test(arguments: [
        ("GET", "/"), ("GET", "/nothing"), ("GET", "/project"), ("GET", "/project/demo"),
        ("GET", "/project/demo/cache"), ("GET", "/project/demo/cache/c"),
        ("GET", "/project/demo/other/c/o"),
        ("GET", "/project/demo/cache-keys/c/o/x"), ("POST", "/project/demo/cache-query/c/o/x"),
        ("GET", "/project/demo/ws/c/o/x"), ("POST", "/project/demo/message/c/o/x"),
        ("GET", "/project/demo/presence-list/c/o/x"), ("GET", "/project/demo/auth/other"),
        ("GET", "/livez/more"), ("GET", "/admin"), ("GET", "/admin/v2/status"),
    ])
    func unknownRoutesAre404WithABody(_ method: String, _ path: String) throws {
        let edge = try TestEdge()
        expectRefusal(try edge.call(method, path), 404, "notFoundError.route", edge)
    }

    @Test(arguments: [
        ("PUT", "/project/demo/cache/c/o/n", "GET, POST, DELETE, OPTIONS"),
        ("PATCH", "/project/demo/cache/c/o", "GET, POST, DELETE, OPTIONS"),
        ("HEAD", "/project/demo/cache/c/o/n", "GET, POST, DELETE, OPTIONS"),
        ("GET", "/project/demo/cache-query/c/o", "POST, OPTIONS"),
        ("POST", "/project/demo/cache-keys/c/o", "GET, OPTIONS"),
        ("POST", "/project/demo/auth/token", "GET, OPTIONS"), ("POST", "/livez", "GET, HEAD, OPTIONS"),
    ])
    func aKnownPathWithAnotherMethodIs405(_ method: String, _ path: String, _ allow: String) throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        try client.send(client.request(method, path))
        let answer = try #require(try client.received(bodiless: method == "HEAD").first)
        #expect(answer.status == 405)
        #expect(answer["Allow"] == allow)
        if method != "HEAD" { expectRefusal(answer, 405, "methodNotAllowedError.route", edge) }
    }

    @Test(arguments: [
        "", "{", "null", "[]", "\"x\"", "{}", "{\"value\":}", "{\"value\":1} x", "{\"value\":01}",
        "\u{FEFF}{}",
        "{\"value\":1,\"ttl\":0}", "{\"value\":1,\"ttl\":-5}", "{\"value\":1,\"ttl\":\"5\"}",
        "{\"value\":1,\"ttl\":null}", "{\"value\":1,\"updatedAt\":\"x\"}",
        "{\"value\":1,\"ifAbsent\":\"yes\"}",
    ])
    func wrongBodiesOfSetItemAre400(_ body: String) throws {
        let edge = try TestEdge()
        expectRefusal(try edge.call("POST", item, body), 400, nil, edge)
    }

    @Test(arguments: [
        ("increment", "{}"), ("increment", #"{"value":"1"}"#), ("decrement", #"{"value":null}"#),
        ("splice", #"{"startIndex":"0"}"#), ("splice", #"{"items":{}}"#), ("merge", #"{"value":[1]}"#),
        ("merge", "{}"), ("set-in", #"{"path":"","value":1}"#), ("set-in", #"{"path":[1],"value":1}"#),
        ("set-in", #"{"value":1}"#), ("push", ""),
    ])
    func wrongOperandsAre400(_ word: String, _ body: String) throws {
        let edge = try TestEdge()
        expectRefusal(try edge.call("POST", item + "/" + word, body), 400, nil, edge)
    }

    @Test(arguments: [
        ("POST", "/project/demo/cache/c/o", "[]"), ("POST", "/project/demo/cache/c/o", #"{"n":1}"#),
        ("POST", "/project/demo/cache/c/o", #"{"n":{}}"#), ("POST", "/project/demo/cache-query/c/o", "{}"),
        ("POST", "/project/demo/cache-query/c/o", "[1]"), ("POST", "/project/demo/cache-query/c/o", ""),
        ("DELETE", "/project/demo/cache/c/o", "{}"), ("DELETE", "/project/demo/cache/c/o", "[null]"),
        ("POST", "/project/demo/cache-encryption/c/o", ""),
        ("POST", "/project/demo/cache-encryption/c/o", #"{"saltLength":-1}"#),
        ("POST", "/project/demo/cache-encryption-rotate/c/o", "[]"),
    ])
    func wrongBodiesOfOtherCallsAre400(_ method: String, _ path: String, _ body: String) throws {
        let edge = try TestEdge()
        expectRefusal(try edge.call(method, path, body), 400, nil, edge)
    }

    @Test(arguments: [
        "/project/demo/cache//o/n", "/project/demo/cache/c//n", "/project/demo/cache//o",
        "/project/demo/cache/c/",
        "/project/demo/cache/c/o/",
    ])
    func emptyNamesAre400(_ path: String) throws {
        let edge = try TestEdge()
        expectRefusal(try edge.call("GET", path), 400, nil, edge)
    }

    @Test func idsOverTheLimitAreRefusedByTheOwner() throws {
        let edge = try TestEdge()
        let long = String(repeating: "x", count: 257)
        for path in ["/project/demo/cache/\(long)/o/n", "/project/demo/cache/c/\(long)/n"] {
            let answer = try edge.call("POST", path, #"{"value":1}"#)
            #expect(answer.status == 400)
            #expect(answer.applied == "no")
        }
        let name = String(repeating: "n", count: 1025)
        #expect(try edge.call("POST", "/project/demo/cache/c/o/" + name, #"{"value":1}"#).status == 400)
        #expect(try edge.call("GET", "/project/demo/cache/c/o").body == "{}")
    }

    @Test func brokenEscapesAreNamesNotFaults() throws {
        let edge = try TestEdge()
        #expect(try edge.call("POST", "/project/demo/cache/c/o/100%", #"{"value":1}"#).status == 200)
        #expect(try edge.call("GET", "/project/demo/cache-keys/c/o").body == #"["100%"]"#)
    }

    @Test func aBodyOverTheLimitIs413AndEndsTheConnection() throws {
        let edge = try TestEdge { $0.maximumBodyBytes = 100 }
        let client = try edge.connect()
        let fits = #"{"value":"\#(String(repeating: "x", count: 88))"}"#
        #expect(fits.utf8.count == 100)
        #expect(try client.call("POST", item, fits).status == 200)
        // Refused by its announced length, before any byte of it came.
        try client.send(
            "POST \(item) HTTP/1.1\r\nAuthorization: \(edge.basic)\r\nContent-Length: 101\r\n\r\n")
        let answer = try #require(try client.received().first)
        #expect(answer.status == 413)
        #expect(answer.code == "payloadTooLargeError.body")
        #expect(answer.applied == "no")
        #expect(answer["Connection"] == "close")
        #expect(!client.isOpen)
    }

    @Test func aChunkedBodyOverTheLimitIs413() throws {
        let edge = try TestEdge { $0.maximumBodyBytes = 10 }
        let client = try edge.connect()
        try client.send("POST \(item) HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        try client.send("8\r\n12345678\r\n")
        #expect(try client.received().isEmpty)
        try client.send("8\r\n12345678\r\n")
        #expect(try client.received().first?.status == 413)
        #expect(!client.isOpen)
    }

    @Test func bodiesOfAllConnectionsTogetherAreBounded() throws {
        let edge = try TestEdge { $0.maximumBufferedBodyBytesPerLoop = 1_000 }
        let head = "POST \(item) HTTP/1.1\r\nAuthorization: \(edge.basic)\r\nContent-Length: 900\r\n\r\n"
        let first = try edge.connect()
        try first.send(head + String(repeating: " ", count: 600))
        let second = try edge.connect()
        try second.send(head + String(repeating: " ", count: 600))
        let refused = try #require(try second.received().first)
        #expect(refused.status == 503)
        #expect(refused.applied == "no")
        #expect(edge.edge.bufferedBodyBytes == 600)
        try first.send(String(repeating: " ", count: 289) + #"{"value":1}"#)
        #expect(try first.received().map(\.status) == [200])
        #expect(edge.edge.bufferedBodyBytes == 0)
        let third = try edge.connect()
        try third.send(head + "123")
        try third.channel.close().wait()
        #expect(edge.edge.bufferedBodyBytes == 0)
    }

    @Test(arguments: [
        "nonsense\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "GET / HTTP/1.1\r\nNo colon\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
        "\u{16}\u{03}\u{01}\u{02}\0\u{01}",
    ])
    func whatIsNoHTTPIs400AndEndsTheConnection(_ bytes: String) throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        try client.send(bytes)
        let answer = try #require(try client.received().first)
        #expect(answer.status == 400)
        #expect(answer.code == "validationError.http")
        #expect(answer.applied == "no")
        #expect(answer["Connection"] == "close")
        #expect(!client.isOpen)
        #expect(edge.gateway.requests.isEmpty)
    }

    @Test func headersOverTheLimitAre431() throws {
        for header in [
            "X: \(String(repeating: "x", count: 40_000))\r\n",
            String(repeating: "X: x\r\n", count: 101),
        ] {
            let client = try TestEdge().connect()
            try client.send("GET /livez HTTP/1.1\r\n" + header + "\r\n")
            #expect(try client.received().first?.status == 431)
            #expect(!client.isOpen)
        }
    }

    @Test func aRawPathThatIsNoUTF8Is400() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        try client.send(Array("GET /project/demo/cache/c/".utf8) + [0xFF] + Array(" HTTP/1.1\r\n\r\n".utf8))
        #expect(try client.received().first?.status == 400)
        #expect(edge.gateway.requests.isEmpty)
    }

    @Test func aNodeOutsideOfAnyClusterAsksToTryAgain() throws {
        let edge = try TestEdge()
        edge.gateway.leaveCluster()
        let answer = try edge.call("GET", item)
        #expect(answer.status == 503)
        #expect(answer.applied == "no")
        #expect(answer.body.contains("please retry"))
    }
}
