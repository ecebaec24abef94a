import Cluster
import NIOCore
import ObjectRuntime
import Placement
import Testing

@testable import EdgeNode

/// Quotas as operators set them and clients meet them.
struct QuotaTests {
    private let refusal = Refusal.quota(.sockets, "The project may have 2 sockets and has 2.")

    // MARK: - Admin API

    @Test func aQuotaIsSetPieceByPieceAndTakenAway() throws {
        let edge = try TestEdge()
        func page(_ body: String? = nil) throws -> String {
            try edge.admin(body == nil ? "GET" : "POST", "/projects/demo/quota", body).body
        }
        let none = #"{"objects":null,"bytes":null,"sockets":null,"operationsPerSecond":null}"#
        #expect(try page() == #"{"project":"demo","quota":\#(none),"usage":null}"#)
        _ = try page(#"{"objects":5,"sockets":0}"#)
        _ = try page(#"{"operationsPerSecond":9007199}"#)
        let some = #"{"objects":5,"bytes":null,"sockets":0,"operationsPerSecond":9007199}"#
        #expect(try page() == #"{"project":"demo","quota":\#(some),"usage":null}"#)
        #expect(try page("{}").contains(some))
        _ = try page(#"{"objects":null,"sockets":null,"operationsPerSecond":null}"#)
        #expect(edge.gateway.view.state?.tenants.limitedProjects.isEmpty == true)
    }

    @Test func usageStandsBesideTheQuota() throws {
        let edge = try TestEdge()
        let quota = Quota(objects: 5)
        edge.gateway.apply(.setQuota(project: "demo", quota))
        var used = ProjectTotals()
        (used.objects, used.bytes, used.sockets, used.operationsPerSecond) = (3, 4_096, 2, 7)
        edge.gateway.quotaStanding.lines["demo"] = .init(quota: quota, used: used)
        let usage = #""usage":{"objects":3,"bytes":4096,"sockets":2,"operationsPerSecond":7}"#
        #expect(try edge.admin("GET", "/projects/demo/quota").body.contains(usage))
        let list = try edge.admin("GET", "/projects").json?["projects"]?.elements
        #expect(list?.first?["usage"]?["bytes"]?.count == 4_096)
        #expect(list?.first?["quota"]?["objects"]?.count == 5)
    }

    @Test(arguments: [
        #"{"objects":-1}"#, #"{"objects":1.5}"#, #"{"objects":"5"}"#, #"{"objekte":5}"#, "[]", "5",
        #"{"operationsPerSecond":1000000001}"#, #"{"bytes":true}"#,
    ])
    func wrongQuotasAre400(_ body: String) throws {
        let edge = try TestEdge()
        let answer = try edge.admin("POST", "/projects/demo/quota", body)
        #expect(answer.status == 400 && answer.applied == "no")
        #expect(edge.gateway.view.state?.tenants.limitedProjects.isEmpty == true)
    }

    @Test func quotasAreOfProjectsThatExistAndOfTwoMethods() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("GET", "/projects/shop/quota").status == 404)
        #expect(try edge.admin("POST", "/projects/shop/quota", #"{"objects":1}"#).status == 404)
        #expect(try edge.admin("DELETE", "/projects/demo/quota").status == 405)
        #expect(try edge.call("GET", "/admin/v1/projects/demo/quota").status == 401)
    }

    @Test func limitsOfObjectsAreSetForTheCluster() throws {
        let edge = try TestEdge()
        let standard = #""valueBytes":null,"itemsPerObject":null,"objectBytes":null,"#
        #expect(
            try edge.admin("GET", "/limits").body == #"{"limits":{\#(standard)"socketsPerObject":null}}"#)
        #expect(
            try edge.admin("POST", "/limits", #"{"socketsPerObject":20}"#).body
                == #"{"limits":{\#(standard)"socketsPerObject":20}}"#)
        #expect(edge.gateway.view.state?.tenants.objectLimits == ObjectLimits(socketsPerObject: 20))
        for body in [#"{"valueBytes":1048577}"#, #"{"itemsPerObject":0}"#, #"{"ttl":1}"#] {
            #expect(try edge.admin("POST", "/limits", body).status == 400, "\(body)")
        }
        #expect(try edge.admin("DELETE", "/limits").status == 405)
    }

    // MARK: - Clients

    @Test func aSocketBeyondTheQuotaIsRefusedAtTheUpgrade() throws {
        let edge = try TestEdge()
        edge.gateway.socketRefusal = refusal
        let client = try edge.connect()
        let answer = try client.call("GET", TestSocket.path, headers: TestSocket.handshake)
        #expect(answer.status == 429 && answer.code == "rateLimitError.quota.sockets")
        #expect(answer.applied == "no")
        #expect(edge.told().isEmpty)
        // Who is nobody is not told how much others use.
        let stranger = try edge.connect()
        stranger.authorization = "Bearer wrong"
        #expect(try stranger.call("GET", TestSocket.path, headers: TestSocket.handshake).status == 401)
    }

    @Test func eachSocketCountsOnceWhenItsCallerIsKnown() throws {
        let edge = try TestEdge()
        _ = try TestSocket(edge)
        #expect(edge.gateway.admittedSockets == ["demo"])
        let client = try edge.connect()
        client.authorization = ""
        #expect(try client.call("GET", TestSocket.path, headers: TestSocket.handshake).status == 101)
        edge.loop.run()
        #expect(edge.gateway.admittedSockets == ["demo"])
        try client.send(ClientBytes.text(#"{"event":"auth","token":"\#(edge.basic)"}"#))
        #expect(edge.gateway.admittedSockets == ["demo", "demo"])
    }

    @Test func aSocketWhoseCredentialsComeLateIsClosedToComeAgain() throws {
        let edge = try TestEdge()
        let client = try edge.connect()
        client.authorization = ""
        #expect(try client.call("GET", TestSocket.path, headers: TestSocket.handshake).status == 101)
        edge.loop.run()
        edge.gateway.socketRefusal = refusal
        try client.send(ClientBytes.text(#"{"event":"auth","token":"\#(edge.basic)"}"#))
        var bytes = Array(try #require(try client.channel.readOutbound(as: ByteBuffer.self)).readableBytesView)
        #expect(try ServerFrame.take(&bytes) == .close(code: 1013, reason: refusal.message))
        #expect(edge.told().isEmpty)
    }

    @Test func aRefusalForAQuotaSaysWhatWhyAndWhen() throws {
        let edge = try TestEdge()
        edge.gateway.room = ProjectRoom(objects: .init(used: 5, limit: 5))
        let full = try edge.call("POST", "/project/demo/cache/c/o/n", #"{"value":1}"#)
        #expect(full.status == 429 && full.code == "rateLimitError.quota.objects" && full.applied == "no")
        #expect(full["Retry-After"] == nil)
        #expect(try edge.call("DELETE", "/project/demo/cache/c/o").status == 204)
        edge.gateway.scriptedAnswer = ClientAnswer(
            reply: .refused(.quota(.operations, "x")), applied: .no, retryAfterMs: 1_200)
        let fast = try edge.call("GET", "/project/demo/cache/c/o")
        #expect(fast.status == 429 && fast["Retry-After"] == "2")
        #expect(fast.json?["retryAfterMs"]?.count == 1_200)
    }

    @Test func refusalsAreCountedByQuotaAndNeverByProject() throws {
        let edge = try TestEdge()
        edge.gateway.report.counters.quotaRefusals = ["objects": 3, "object_sockets": 4]
        let page = try edge.call("GET", "/metrics").body
        for line in [
            #"holdfast_quota_refusals_total{quota="objects"} 3"#,
            #"holdfast_quota_refusals_total{quota="bytes"} 0"#,
            #"holdfast_quota_refusals_total{quota="object_sockets"} 4"#,
        ] {
            #expect(page.contains(line + "\n"))
        }
    }
}
