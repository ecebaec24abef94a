import NIOCore
import Testing

@testable import EdgeNode

/// No bytes may trap, hang or get an answer that is no HTTP.
struct FuzzTests {
    private let edge: TestEdge

    init() throws {
        edge = try TestEdge()
    }

    @Test(arguments: 0..<8 as Range<UInt64>)
    func randomBytesNeverTrap(_ seed: UInt64) throws {
        var random = TestRandom(seed: seed)
        for _ in 0..<200 {
            let client = try edge.connect()
            for _ in 0..<3 where client.isOpen {
                try client.send(random.bytes(Int(random.next(below: 200))))
            }
            _ = try client.received()
            if client.isOpen { try client.channel.close().wait() }
        }
    }

    @Test(arguments: 0..<16 as Range<UInt64>)
    func damagedRequestsGetHTTPOrNothing(_ seed: UInt64) throws {
        var random = TestRandom(seed: 1000 + seed)
        for _ in 0..<150 {
            let client = try edge.connect()
            var bytes = Array((request(client, &random) + request(client, &random)).utf8)
            for _ in 0..<Int(random.next(below: 6)) {
                let position = Int(random.next(below: UInt64(bytes.count)))
                switch random.next(below: 3) {
                case 0: bytes[position] = UInt8(truncatingIfNeeded: random.next())
                case 1: bytes.remove(at: position)
                default: bytes.insert(UInt8(truncatingIfNeeded: random.next()), at: position)
                }
            }
            let cut = Int(random.next(below: UInt64(bytes.count)))
            try client.send(Array(bytes[..<cut]))
            if client.isOpen { try client.send(Array(bytes[cut...])) }
            for answer in try client.received() { #expect((100..<600).contains(answer.status)) }
            if client.isOpen { try client.channel.close().wait() }
        }
    }

    @Test func requestsMayBeCutAnywhere() throws {
        let whole = try edge.connect()
        let text = Array(whole.request("POST", "/project/demo/cache/c/o/n/push", #"{"value":[1]}"#).utf8)
        for cut in 0...text.count {
            let client = try edge.connect()
            if cut > 0 { try client.send(Array(text[..<cut])) }
            if cut < text.count { try client.send(Array(text[cut...])) }
            #expect(try client.received().map(\.status) == [200])
            try client.channel.close().wait()
        }
    }

    @Test func randomTokensNeverTrap() throws {
        var random = TestRandom(seed: 5)
        let tenants = try #require(edge.gateway.view.state?.tenants)
        let signer = TokenSigner(clusterKeys: { .none })
        for _ in 0..<2_000 {
            let token = (0..<3).map { _ in Base64.encodeURL(random.bytes(Int(random.next(below: 40)))) }
            #expect(throws: (any Error).self) {
                try signer.claims(of: token.joined(separator: ".").utf8, tenants: tenants)
            }
        }
    }

    @Test func randomPathsNeverTrap() throws {
        var random = TestRandom(seed: 6)
        let parts = [
            "project", "demo", "cache", "%", "%4", "%C3", "%A9", "/", "//", "?", "&", "=", "é", "increment",
            "\0",
        ]
        for _ in 0..<5_000 {
            let path = (0..<8).map { _ in parts[Int(random.next(below: UInt64(parts.count)))] }.joined()
            guard let target = RequestTarget("/" + path) else { continue }
            _ = target.parameter("prefix")
            _ = try? Route(method: .POST, segments: target.segments)
        }
    }

    private func request(_ client: TestClient, _ random: inout TestRandom) -> String {
        let item = "/project/demo/cache/c/o/n"
        return switch random.next(below: 6) {
        case 0: client.request("POST", item, #"{"value":{"a":[1,2,3]},"ttl":1000}"#)
        case 1: client.request("POST", item + "/set-in", #"{"path":["a","b"],"value":null}"#)
        case 2: client.request("GET", "/project/demo/cache/c/o?prefix=%C3%A9")
        case 3: client.request("GET", "/admin/v1/explain?project=demo&id=x")
        case 4:
            "POST \(item) HTTP/1.1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
                + "3\r\nabc\r\n0\r\n\r\n"
        default:
            client.request("DELETE", "/project/demo/cache/c/o", "[]", headers: [("Idempotency-Key", "k")])
        }
    }
}
