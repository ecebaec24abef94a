import NIOCore
import NIOPosix
import Testing

@testable import HoldfastClient

@Suite struct ClientTests {
    private static let item = #"{"value":[1,2.50],"createdAt":1,"updatedAt":2,"expiresAt":3}"#
    private static let object = ObjectName("o/1")

    private func client(_ endpoints: [Endpoint], timeout: TimeAmount = .seconds(5)) -> HoldfastClient {
        HoldfastClient(
            endpoints: endpoints, project: "p q", credentials: .key("k", secret: "s"),
            on: MultiThreadedEventLoopGroup.singleton.next(), timeout: timeout)
    }

    /// An endpoint where nobody listens.
    private func deadEndpoint() async throws -> Endpoint {
        let server = try await ScriptedServer([])
        try await server.close()
        return server.endpoint
    }

    private func key(_ request: String) -> Substring? {
        request.split(separator: "\r\n").first { $0.hasPrefix("Idempotency-Key: ") }
    }

    /// Its answer got lost, and the next try is refused before anybody looks whether it was made before.
    @Test(arguments: [401, 403, 429])
    func aRefusalAfterALostAnswerSaysNothingOfTheFirstTry(status: Int) async throws {
        let refusal = ScriptedServer.json(status, #"{"message":"no","applied":"no"}"#)
        let server = try await ScriptedServer([.hangUp, refusal, .hangUp, refusal])
        let client = client([server.endpoint])
        let error = await #expect(throws: HoldfastError.self) { try await client.increment("i", of: Self.object) }
        #expect(error?.applied == .unknown && error?.kind == .outcomeUnknown)
        // A read has no effect: it is told why.
        let readError = await #expect(throws: HoldfastError.self) { try await client.getItem("i", of: Self.object) }
        #expect(readError?.applied == .no && readError?.status == status)
        try await server.close()
    }

    @Test func encodesPathsAndSendsCredentials() async throws {
        let server = try await ScriptedServer([ScriptedServer.json(200, Self.item)])
        let item = try await client([server.endpoint]).getItem("a/é", of: Self.object)
        #expect(item?.value.description == "[1,2.50]")
        #expect(item?.updatedAt == 2)
        let request = try #require(try await server.requests.first)
        #expect(request.hasPrefix("GET /project/p%20q/cache/_undefined_/o%2F1/a%2F%C3%A9 HTTP/1.1\r\n"))
        #expect(request.contains("\r\nAuthorization: Basic azpz\r\n"))
    }

    @Test func takesAnEmpty404AsNoValue() async throws {
        let server = try await ScriptedServer([.answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")]
        )
        #expect(try await client([server.endpoint]).getItem("a", of: Self.object) == nil)
    }

    @Test func goesOnToTheNextEndpointAndStaysThere() async throws {
        let server = try await ScriptedServer([
            ScriptedServer.json(200, Self.item), ScriptedServer.json(200, Self.item),
        ])
        let client = client([try await deadEndpoint(), server.endpoint])
        _ = try await client.increment("n", of: Self.object)
        _ = try await client.increment("n", of: Self.object)
        #expect(try await server.requests.count == 2)
    }

    @Test func repeatsALostWriteElsewhereUnderTheSameKey() async throws {
        let first = try await ScriptedServer([.hangUp])
        let second = try await ScriptedServer([ScriptedServer.json(200, Self.item)])
        _ = try await client([first.endpoint, second.endpoint]).push("l", 1, of: Self.object)
        let lost = try #require(try await first.requests.first)
        let repeated = try #require(try await second.requests.first)
        #expect(key(lost) != nil)
        #expect(key(lost) == key(repeated))
    }

    @Test func givesEveryWriteAKeyOfItsOwn() async throws {
        let server = try await ScriptedServer([
            ScriptedServer.json(200, Self.item), ScriptedServer.json(200, Self.item),
        ])
        let client = client([server.endpoint])
        _ = try await client.push("l", 1, of: Self.object)
        _ = try await client.push("l", 1, of: Self.object)
        let requests = try await server.requests
        #expect(Set(requests.compactMap(key)).count == 2)
    }

    @Test func triesAgainWhatWasCertainlyNotDone() async throws {
        let server = try await ScriptedServer([
            ScriptedServer.json(503, #"{"message":"later","applied":"no","retryAfterMs":1}"#),
            ScriptedServer.json(200, Self.item),
        ])
        _ = try await client([server.endpoint]).increment("n", of: Self.object)
        #expect(try await server.requests.count == 2)
    }

    @Test func aQuotaIsTemporaryIfItSaysWhen() async throws {
        let cases = [("operations", #","retryAfterMs":1200"#, true), ("objects", "", false), ("sockets", "", false)]
        for (quota, more, isTemporary) in cases {
            let body =
                #"{"message":"no","cause":{"code":"rateLimitError.quota.\#(quota)"},"applied":"no"\#(more)}"#
            let server = try await ScriptedServer([ScriptedServer.json(429, body)])
            let error = await #expect(throws: HoldfastError.self) {
                try await client([server.endpoint]).increment("n", of: Self.object)
            }
            #expect(error?.isTemporary == isTemporary, "\(quota)")
            #expect(error?.applied == .no && error?.status == 429)
            #expect(error?.retryAfterMs == (isTemporary ? 1_200 : nil))
        }
    }

    @Test func reportsAConflictAsOne() async throws {
        let body =
            #"{"message":"no","status":409,"cause":{"code":"conflictError.updatedAt.mismatch"},"applied":"no"}"#
        let server = try await ScriptedServer([ScriptedServer.json(409, body)])
        let error = await #expect(throws: HoldfastError.self) {
            try await client([server.endpoint]).setItem("a", 1, of: Self.object, WriteOptions(updatedAt: 9))
        }
        #expect(error?.kind == .conflict)
        #expect(error?.applied == .no)
        #expect(error?.code == "conflictError.updatedAt.mismatch")
    }

    @Test func saysUnknownWhenNobodyCanKnow() async throws {
        let server = try await ScriptedServer([
            ScriptedServer.json(
                409, #"{"message":"?","cause":{"code":"conflictError.outcome.unknown"},"applied":"unknown"}"#)
        ])
        let error = await #expect(throws: HoldfastError.self) {
            try await client([server.endpoint]).increment("n", of: Self.object)
        }
        #expect(error?.kind == .outcomeUnknown)
        #expect(error?.applied == .unknown)
    }

    @Test func saysNoWhenNothingWasSent() async throws {
        let error = await #expect(throws: HoldfastError.self) {
            try await client([try await deadEndpoint()], timeout: .milliseconds(100)).increment(
                "n", of: Self.object)
        }
        #expect(error?.kind == .unreachable)
        #expect(error?.applied == .no)
        #expect(error?.isTemporary == true)
    }

    @Test func givesUpOnSilence() async throws {
        let server = try await ScriptedServer([.silence])
        let error = await #expect(throws: HoldfastError.self) {
            try await client([server.endpoint], timeout: .milliseconds(100)).increment("n", of: Self.object)
        }
        #expect(error?.kind == .timedOut)
        #expect(error?.applied == .unknown)
    }

    @Test(arguments: ["{", "[]", #"{"value":1}"#])
    func refusesAnswersThatAreNoItem(body: String) async throws {
        let server = try await ScriptedServer([ScriptedServer.json(200, body)])
        let error = await #expect(throws: HoldfastError.self) {
            try await client([server.endpoint]).getItem("a", of: Self.object)
        }
        #expect(error?.kind == .malformedAnswer)
    }

    @Test func readsAClusterFile() throws {
        let text = """
            {"nodes":[{"name":"n1","url":"http://127.0.0.1:7001","peer":"127.0.0.1:7101","pid":42,"parentPid":41,
            "data":"/nowhere/n1","log":"x"}],"project":"demo","apiKey":"k","apiSecret":"s","adminToken":"t"}
            """
        let file = try #require(ClusterFile(try JSON(parsing: text)))
        #expect(file.nodes.first?.pid == 42)
        #expect(file.nodes.first?.endpoint.port == 7_001)
        #expect(file.adminToken == "t")
        #expect(file.refreshed() == file)
        #expect(ClusterFile(["nodes": [["name": "n1"]]]) == nil)
    }
}
