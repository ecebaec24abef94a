import Testing

@testable import EdgeNode

/// Requests whose end two readers may see at different places (RFC 9112, 11.2). A proxy in front of a node might
/// take the second request in each for a body, so none of them may be served here.
struct SmugglingTests {
    private static let hidden = "DELETE /project/demo/cache/c/o/a HTTP/1.1\r\nHost: edge\r\n"

    @Test(arguments: [
        "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n\r\n0\r\n\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "Content-Length: 0, 5\r\n\r\n",
        "Content-Length: +0\r\n\r\n",
        "Content-Length: 0x0\r\n\r\n",
        "Content-Length: -1\r\n\r\n",
        "Content-Length: \r\n\r\n",
        "Content-Length : 0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\n\n",
        "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n",
        "X: y\r\n folded\r\nContent-Length: 0\r\n\r\n",
        "X\0: y\r\nContent-Length: 0\r\n\r\n",
        "X: a\rContent-Length: 5\r\n\r\n",
    ])
    func nothingBehindAnAmbiguousEndIsServed(_ rest: String) throws {
        let edge = try TestEdge()
        #expect(try edge.call("POST", "/project/demo/cache/c/o/a", #"{"value":1}"#).status == 200)
        let client = try edge.connect()
        try client.send(
            "POST /project/demo/cache/c/o/b HTTP/1.1\r\nHost: edge\r\n" + rest
                + Self.hidden + "Authorization: \(edge.basic)\r\n\r\n")
        let answers = try client.received()
        #expect(answers.count <= 1 && answers.allSatisfy { $0.status == 400 || $0.status == 501 }, "\(answers)")
        #expect(try edge.call("GET", "/project/demo/cache/c/o/a").status == 200, "the hidden request was served")
    }

    @Test func theSameRequestWithAPlainEndIsServed() throws {
        let edge = try TestEdge()
        #expect(try edge.call("POST", "/project/demo/cache/c/o/a", #"{"value":1}"#).status == 200)
        let client = try edge.connect()
        try client.send(
            "POST /project/demo/cache/c/o/b HTTP/1.1\r\nHost: edge\r\nContent-Length: 0\r\n\r\n"
                + Self.hidden + "Authorization: \(edge.basic)\r\n\r\n")
        #expect(try client.received().count == 2)
        #expect(try edge.call("GET", "/project/demo/cache/c/o/a").status == 404)
    }

    @Test func aTargetOverTheLimitIs431() throws {
        let edge = try TestEdge()
        let answer = try edge.call("GET", "/project/demo/cache/c/" + String(repeating: "a", count: 40_000))
        #expect(answer.status == 431 || answer.status == 414, "\(answer.status)")
    }

    @Test func ofMembersWithOneNameTheLastCounts() throws {
        let edge = try TestEdge()
        #expect(try edge.call("POST", "/project/demo/cache/c/o/a", #"{"value":1,"value":2}"#).status == 200)
        #expect(try edge.call("GET", "/project/demo/cache/c/o/a").json?["value"]?.count == 2)
    }
}
