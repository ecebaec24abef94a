import Cluster
import NIOCore
import ObjectRuntime
import Placement
import Testing

@testable import EdgeNode

/// From a request to a socket: who may, and what is answered.
struct WebSocketUpgradeTests {
    private func refusal(
        _ edge: TestEdge, path: String = TestSocket.path, _ headers: [(String, String)] = TestSocket.handshake,
        authorization: String? = nil
    ) throws -> TestResponse {
        let client = try edge.connect()
        client.authorization = authorization ?? edge.basic
        let answer = try client.call("GET", path, headers: headers)
        #expect(edge.told().isEmpty)
        return answer
    }

    private func token(_ edge: TestEdge) throws -> String {
        try edge.call("GET", "/project/demo/auth/token").body
    }

    @Test func theAcceptKeyIsThatOfTheRFC() throws {
        let client = try TestEdge().connect()
        let answer = try client.call("GET", TestSocket.path, headers: TestSocket.handshake)
        #expect(answer.status == 101)
        #expect(answer["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        #expect(answer["Upgrade"] == "websocket")
        #expect(answer["Connection"] == "Upgrade")
        #expect(answer["Sec-WebSocket-Protocol"] == nil)
    }

    @Test func namesAndTokensAreTakenInAnyCase() throws {
        let headers = [
            ("UPGRADE", "h2c, WebSocket"), ("connection", "UPGRADE"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="), ("SEC-WEBSOCKET-VERSION", "13"),
        ]
        let client = try TestEdge().connect()
        #expect(try client.call("GET", TestSocket.path, headers: headers).status == 101)
    }

    @Test func withoutAnUpgradeItIsSaidHow() throws {
        let edge = try TestEdge()
        var old = TestSocket.handshake
        old[3].1 = "8"
        for headers in [[], Array(TestSocket.handshake.dropFirst()), old, Array(TestSocket.handshake.dropLast())] {
            let answer = try refusal(edge, headers)
            #expect(answer.status == 426)
            #expect(answer["Sec-WebSocket-Version"] == "13")
            #expect(answer["Upgrade"] == "websocket")
            #expect(answer.code == "validationError.upgrade")
        }
    }

    @Test func badKeysAreRefused() throws {
        let edge = try TestEdge()
        for key in ["", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "?GhlIHNhbXBsZSBub25jZQ=="] {
            var headers = TestSocket.handshake
            headers[2].1 = key
            #expect(try refusal(edge, headers).status == 400)
        }
    }

    @Test func aHandshakeWithABodyIsRefused() throws {
        let client = try TestEdge().connect()
        let answer = try client.call("GET", TestSocket.path, "body", headers: TestSocket.handshake)
        #expect(answer.status == 400)
        #expect(!client.isOpen)
    }

    @Test func credentialsAreRefusedAsOverHTTP() throws {
        let edge = try TestEdge()
        edge.gateway.apply(.createProject(id: "other", createdAtMs: 1))
        let restricted = try TestEdge.makeKey(edge.gateway, project: "demo", origins: ["https://a.example"])
        #expect(try refusal(edge, authorization: "Basic eDp5").status == 401)
        let forged = try refusal(edge, path: TestSocket.path + "?auth=Bearer+x.y.z")
        #expect(forged.code == "authenticationError.token.invalid")
        #expect(try refusal(edge, path: TestSocket.path + "?auth=").status == 401)
        let elsewhere = try refusal(edge, path: "/project/other/ws/room/r1")
        #expect(elsewhere.status == 403)
        #expect(elsewhere.code == "authorizationError.project")
        let basic = TestEdge.basic(restricted.key.keyID, restricted.secret)
        let foreign = try refusal(
            edge, TestSocket.handshake + [("Origin", "https://b.example")], authorization: basic)
        #expect(foreign.code == "authorizationError.origin.mismatch")
    }

    @Test func pathsAreThoseOfObjects() throws {
        let edge = try TestEdge()
        #expect(try refusal(edge, path: "/project/demo/ws/room/").status == 400)
        #expect(try refusal(edge, path: "/project/demo/ws/room/a/b").status == 404)
        #expect(try refusal(edge, path: "/project/demo/ws/room/" + String(repeating: "x", count: 257)).status == 400)
        #expect(try edge.call("POST", TestSocket.path, "{}").status == 405)
    }

    @Test func aNodeOutsideOfAClusterOrStoppingRefuses() throws {
        let edge = try TestEdge()
        edge.gateway.leaveCluster()
        #expect(try refusal(edge).status == 503)
        let stopping = try TestEdge()
        let client = try stopping.connect()
        stopping.gateway.holdsAnswers = true
        try client.send(client.request("GET", "/project/demo/cache/c/o/n"))
        try client.send(client.request("GET", TestSocket.path, headers: TestSocket.handshake))
        stopping.edge.drain()
        stopping.gateway.release()
        stopping.loop.run()
        #expect(try client.received().map(\.status) == [404])
    }

    @Test func theQueryIsThatOfAForm() throws {
        let edge = try TestEdge()
        let encoded = edge.basic.dropFirst("Basic ".count)
        let socket = try TestSocket(edge, path: TestSocket.path + "?x=1&auth=Basic+\(encoded)")
        #expect(edge.told() == ["opened 1 demo/room/r1"])
        #expect(socket.isOpen)
        let target = try #require(RequestTarget("/a?auth=a+b%2Bc%20d&idSignature=%2B"))
        #expect(target.formParameter("auth") == "a b+c d")
        #expect(target.formParameter("idSignature") == "+")
        #expect(target.parameter("auth") == "a+b+c d")
    }

    @Test func aTokenMayComeAsSubprotocol() throws {
        let edge = try TestEdge()
        let token = try token(edge)
        let client = try edge.connect()
        client.authorization = ""
        let answer = try client.call(
            "GET", TestSocket.path,
            headers: TestSocket.handshake + [("Sec-WebSocket-Protocol", "holdfast, bearer.\(token)")])
        #expect(answer.status == 101)
        #expect(answer["Sec-WebSocket-Protocol"] == "holdfast")
        #expect(edge.told() == ["opened 1 demo/room/r1"])
        let forged = try refusal(
            edge, TestSocket.handshake + [("Sec-WebSocket-Protocol", "holdfast, bearer.\(token)x")],
            authorization: "")
        #expect(forged.status == 401)
    }

    @Test func bytesSentEarlyAreTheFirstFrames() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        let request = client.request("GET", TestSocket.path, headers: TestSocket.handshake)
        try client.send(Array(request.utf8) + ClientBytes.text(#"{"event":"ping"}"#) + [0x81])
        try client.send(Array(ClientBytes.text(#"{"event":"presence:leave"}"#).dropFirst()))
        #expect(edge.told() == ["opened 1 demo/room/r1", "frame 1 ping", "frame 1 leave"])
    }

    @Test func theHubIsTheHomeLoopOfTheObject() throws {
        let edge = try TestEdge()
        _ = try TestSocket(edge)
        let state = try #require(edge.gateway.view.state)
        let object = ObjectID(project: "demo", objectClass: "room", id: "r1", hashKey: state.genesis.hashKey)
        let shard = state.table.shard(forKey: object.key.rawValue).shard
        #expect(edge.gateway.hubs == [homeLoop(of: shard, loops: 4)])
    }

    @Test func socketsCountAsConnections() throws {
        let edge = try TestEdge { $0.maximumConnectionsPerLoop = 2 }
        let socket = try TestSocket(edge)
        _ = try TestSocket(edge)
        #expect(throws: HTTPEdge.TooManyConnections.self) { try edge.connect() }
        try socket.channel.close().wait()
        _ = try edge.connect()
    }

    @Test func theFirstFrameMayBringTheToken() throws {
        let edge = try TestEdge()
        let token = try token(edge)
        for text in [token, "Bearer \(token)", edge.basic] {
            let client = try edge.connect()
            client.authorization = ""
            let answer = try client.call("GET", TestSocket.path, headers: TestSocket.handshake)
            #expect(answer.status == 101)
            #expect(edge.told().isEmpty)
            try client.send(ClientBytes.text(#"{"event":"auth","token":"\#(text)"}"#))
            #expect(edge.told().count == 1)
            try client.send(ClientBytes.text(#"{"event":"ping"}"#))
            #expect(edge.told().count == 1)
        }
    }

    @Test func withoutTheTokenTheSocketEnds() throws {
        let edge = try TestEdge()
        for frame in [#"{"event":"ping"}"#, "junk", #"{"event":"auth","token":"a.b.c"}"#, #"{"event":"auth"}"#] {
            let client = try edge.connect()
            client.authorization = ""
            _ = try client.call("GET", TestSocket.path, headers: TestSocket.handshake)
            try client.send(ClientBytes.text(frame) + ClientBytes.text(#"{"event":"ping"}"#))
            #expect(try closeCode(client) == 1008)
        }
        #expect(edge.told().isEmpty)
    }

    @Test func theTokenMustComeInTime() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        client.authorization = ""
        _ = try client.call("GET", TestSocket.path, headers: TestSocket.handshake)
        edge.loop.advanceTime(by: .seconds(4))
        try client.send(ClientBytes(opcode: 9).bytes)
        edge.loop.advanceTime(by: .seconds(3))
        #expect(try closeCode(client) == 1008)
        #expect(edge.told().isEmpty)
    }

    private func closeCode(_ client: TestClient) throws -> UInt16? {
        var bytes: [UInt8] = []
        while let part = try client.channel.readOutbound(as: ByteBuffer.self) {
            bytes += Array(part.readableBytesView)
        }
        var last: ServerFrame?
        while !bytes.isEmpty { last = try ServerFrame.take(&bytes) }
        guard case .close(let code, _) = last else { return nil }
        return code
    }
}
