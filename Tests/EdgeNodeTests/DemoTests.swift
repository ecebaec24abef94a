import Cluster
import Placement
import Raft
import Testing

@testable import EdgeNode

struct DemoTests {
    private func anonymous(
        _ edge: TestEdge, _ path: String, method: String = "GET", admin: Bool = false
    ) throws -> TestResponse {
        let client = try edge.connect(admin: admin)
        client.authorization = ""
        return try client.call(method, path)
    }

    @Test(arguments: [
        ("/demo", "text/html; charset=utf-8", "<!doctype html>"),
        ("/demo/", "text/html; charset=utf-8", "</html>"),
        ("/demo/demo.css", "text/css; charset=utf-8", "prefers-color-scheme"),
        ("/demo/demo.js", "text/javascript; charset=utf-8", "new WebSocket("),
    ])
    func filesHaveTheirTypes(path: String, type: String, part: String) throws {
        let answer = try anonymous(try TestEdge(), path)
        #expect(answer.status == 200)
        #expect(answer["Content-Type"] == type)
        #expect(answer["X-Content-Type-Options"] == "nosniff")
        #expect(answer["Cache-Control"] == "no-cache")
        #expect(answer.body.contains(part))
    }

    @Test func thePageMayLoadNothingFromElsewhere() throws {
        let policy = try anonymous(try TestEdge(), "/demo")["Content-Security-Policy"] ?? ""
        for rule in [
            "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src http: https: ws: wss:",
            "frame-ancestors 'none'",
        ] { #expect(policy.contains(rule), "\(rule)") }
    }

    /// Inline parts would be refused by the policy.
    @Test func thePageHasNoInlineParts() throws {
        let page = try anonymous(try TestEdge(), "/demo").body
        #expect(!page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick="))
        #expect(page.contains(#"<script type="module" src="/demo/demo.js">"#))
        #expect(page.contains(#"<link rel="stylesheet" href="/demo/demo.css">"#))
    }

    @Test func theRegistryTellsTheNodes() throws {
        let answer = try anonymous(try TestEdge(), "/demo/nodes")
        #expect(answer["Content-Type"] == "application/json")
        #expect(answer["Access-Control-Allow-Origin"] == "*")
        #expect(answer.json?["serving"]?.text == "n1")
        let nodes = try #require(answer.json?["nodes"]?.elements)
        #expect(nodes.map { $0["name"]?.text } == ["n1", "n2", "n3"])
        #expect(nodes.map { $0["url"]?.text } == (1...3).map { "http://127.0.0.1:700\($0)" })
    }

    @Test func deadNodesAreLeftOut() throws {
        let edge = try TestEdge()
        let processes = edge.gateway.view.state?.nodes.compactMap(\.newestLive) ?? []
        edge.gateway.apply(.fence(processes[1], candidates: [processes[0]], cause: .obituary))
        let nodes = try anonymous(edge, "/demo/nodes").json?["nodes"]?.elements
        #expect(nodes?.map { $0["name"]?.text } == ["n1", "n3"])
    }

    @Test func aNodeWithoutAClusterNamesItself() throws {
        let edge = try TestEdge()
        edge.gateway.leaveCluster()
        let answer = try anonymous(edge, "/demo/nodes")
        #expect(answer.json?["serving"]?.text == "n1")
        #expect(answer.json?["nodes"]?.elements?.isEmpty == true)
    }

    @Test func headsHaveNoBody() throws {
        let client = try TestEdge().connect()
        let answer = try client.call("HEAD", "/demo")
        #expect(answer.status == 200)
        #expect(answer.body.isEmpty)
    }

    @Test(arguments: ["/demo/demo.html", "/demo/../demo", "/demo/x", "/demo/demo.js/x", "/demo/nodes/"])
    func otherPathsAreUnknown(path: String) throws {
        #expect(try anonymous(try TestEdge(), path).status == 404)
    }

    @Test func onlyReadingIsAllowed() throws {
        let answer = try anonymous(try TestEdge(), "/demo", method: "POST")
        #expect(answer.status == 405)
        #expect(answer["Allow"] == "GET, HEAD, OPTIONS")
    }

    @Test func theSettingAndTheAdminPortKeepItAway() throws {
        let without = try TestEdge { $0.servesDemo = false }
        for path in ["/demo", "/demo/demo.js", "/demo/demo.css", "/demo/nodes"] {
            #expect(try anonymous(without, path).status == 404)
            #expect(try anonymous(try TestEdge(), path, admin: true).status == 404)
        }
    }
}
