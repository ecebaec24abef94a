import Cluster
import Placement
import Raft
import Testing

@testable import EdgeNode

struct AdminTests {
    @Test func theTokenIsWantedAndCompared() throws {
        let edge = try TestEdge()
        for authorization in [
            "", "Bearer wrong", "Bearer ", "Basic " + Base64.encodeURL(Array("a:b".utf8)), edge.basic,
        ] {
            let client = try edge.connect(admin: true)
            client.authorization = authorization
            let answer = try client.call("GET", "/admin/v1/status")
            #expect(answer.status == 401)
            #expect(answer.code?.hasPrefix("authenticationError.admin.") == true)
        }
        #expect(try edge.admin("GET", "/status").status == 200)
    }

    @Test func withoutATokenTheAdminAPIIsClosed() throws {
        let edge = try TestEdge { $0.adminToken = nil }
        #expect(try edge.admin("GET", "/status").status == 401)
    }

    @Test func theClusterMayKeepAnAdminSecretOfItsOwn() throws {
        let edge = try TestEdge { $0.adminToken = nil }
        let salt = [UInt8](repeating: 7, count: 16)
        let hash = try secretHash(Array(TestEdge.adminToken.utf8), salt: salt)
        #expect(edge.gateway.apply(.setAdmin(Credential(salt: salt, secretHash: hash))) == .done)
        #expect(try edge.admin("GET", "/status").status == 200)
    }

    @Test func theClientPortAnswersOnlyIfTheSettingSaysSo() throws {
        let token = "Bearer " + TestEdge.adminToken
        let open = try TestEdge { $0.servesAdminOnClientPort = true }
        #expect(try open.call("GET", "/admin/v1/status", authorization: token).status == 200)
        let closed = try TestEdge { $0.servesAdminOnClientPort = false }
        #expect(try closed.call("GET", "/admin/v1/status", authorization: token).status == 404)
        #expect(try closed.admin("GET", "/status").status == 200)
    }

    @Test func aScrubIsAskedForOneShardOrAll() throws {
        let edge = try TestEdge()
        let all = edge.gateway.view.state?.table.records.map(\.shard) ?? []
        #expect(try edge.admin("POST", "/scrub", #"{"shard":"0"}"#).status == 200)
        #expect(edge.gateway.scrubbed == [ShardID(rawValue: 0)])
        #expect(try edge.admin("POST", "/scrub", #"{"shard":"all"}"#).status == 200)
        #expect(edge.gateway.scrubbed.dropFirst() == all[...])
        #expect(try edge.admin("POST", "/scrub", #"{"shard":"no such"}"#).status == 400)
        #expect(try edge.admin("GET", "/scrub").status == 405)
    }

    @Test func theAdminPortServesNoObjects() throws {
        let edge = try TestEdge()
        let client = try edge.connect(admin: true)
        #expect(try client.call("GET", "/project/demo/cache/c/o").status == 404)
        #expect(try client.call("GET", "/project/demo/auth/token").status == 404)
    }

    @Test func projectsAreMadeAndListed() throws {
        let edge = try TestEdge()
        #expect(
            try edge.admin("POST", "/projects", #"{"project":"shop"}"#).json?["project"]?.text == "shop")
        #expect(try edge.admin("POST", "/projects", #"{"project":"shop"}"#).status == 200)
        let names = try edge.admin("GET", "/projects").json?["projects"]?.elements?.map {
            $0["project"]?.text
        }
        #expect(names == ["demo", "shop"])
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"project":1}"#, #"{"project":""}"#, #"{"project":"a/b"}"#, #"{"projekt":"x"}"#,
    ])
    func wrongProjectsAre400(_ body: String) throws {
        let answer = try TestEdge().admin("POST", "/projects", body)
        #expect(answer.status == 400)
        #expect(answer.applied == "no")
    }

    @Test func aNewKeyWorksAtOnceAndIsShownOnce() throws {
        let edge = try TestEdge()
        let new = try edge.admin(
            "POST", "/projects/demo/keys", #"{"label":"ci","origins":["https://a.example"]}"#)
        let keyID = try #require(new.json?["apiKey"]?.text)
        let secret = try #require(new.json?["apiSecret"]?.text)
        let origin = [("Origin", "https://a.example")]
        let answer = try edge.call(
            "GET", "/project/demo/auth/token", headers: origin, authorization: TestEdge.basic(keyID, secret)
        )
        #expect(answer.status == 200)
        let list = try edge.admin("GET", "/projects/demo/keys")
        #expect(!list.body.contains(secret))
        let row = list.json?["keys"]?.elements?.first { $0["apiKey"]?.text == keyID }
        #expect(row?["label"]?.text == "ci")
        #expect(row?["origins"] == .array([.string("https://a.example")]))
        #expect(row?["revoked"] == .boolean(false))
    }

    @Test func aKeyIsRevoked() throws {
        let edge = try TestEdge()
        #expect(try edge.call("GET", "/project/demo/cache/c/o").status == 200)
        #expect(try edge.admin("DELETE", "/projects/demo/keys/" + edge.keyID).status == 200)
        #expect(try edge.call("GET", "/project/demo/cache/c/o").status == 401)
        #expect(try edge.admin("DELETE", "/projects/demo/keys/nobody").status == 404)
        #expect(try edge.admin("DELETE", "/projects/nothing/keys/nobody").status == 404)
    }

    @Test(arguments: [#"{"label":1}"#, #"{"origins":"x"}"#, #"{"origins":[1]}"#, "[]", #"{"x":1}"#])
    func wrongKeysAre400(_ body: String) throws {
        #expect(try TestEdge().admin("POST", "/projects/demo/keys", body).status == 400)
    }

    @Test func keysOfAnUnknownProjectAre404() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("POST", "/projects/nothing/keys", "{}").status == 404)
        #expect(try edge.admin("GET", "/projects/nothing/keys").status == 404)
    }

    @Test func classSettingsAreSetAndCleared() throws {
        let edge = try TestEdge()
        let path = "/projects/demo/classes/my%20class"
        #expect(try edge.admin("POST", path, #"{"defaultTTL":3600000}"#).json?["class"]?.text == "my class")
        let settings = { edge.gateway.view.state?.classSettings(project: "demo", class: "my class") }
        #expect(settings()?.defaultTTLMs == 3_600_000)
        #expect(try edge.admin("POST", path, "{}").status == 200)
        #expect(settings()?.defaultTTLMs == 3_600_000)
        #expect(try edge.admin("POST", path, #"{"defaultTTL":0}"#).status == 200)
        #expect(settings()?.defaultTTLMs == nil)
        for wrong in [#"{"defaultTTL":-1}"#, #"{"defaultTTL":1.5}"#, #"{"defaultTTL":"x"}"#, #"{"ttl":1}"#]
        {
            #expect(try edge.admin("POST", path, wrong).status == 400)
        }
        #expect(try edge.admin("POST", "/projects/nothing/classes/c", "{}").status == 404)
    }

    @Test func proposalsThatFailSayWhetherTheyMayApply() throws {
        let edge = try TestEdge()
        edge.gateway.proposalFailure = .noLeader
        let refused = try edge.admin("POST", "/projects", #"{"project":"x"}"#)
        #expect(refused.status == 503)
        #expect(refused.applied == "no")
        edge.gateway.proposalFailure = .unknownOutcome
        let unknown = try edge.admin("POST", "/projects", #"{"project":"x"}"#)
        #expect(unknown.status == 409)
        #expect(unknown.applied == "unknown")
    }

    @Test func wrongMethodsAre405() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("POST", "/status")["Allow"] == "GET, OPTIONS")
        #expect(try edge.admin("DELETE", "/projects").status == 405)
        #expect(try edge.admin("GET", "/projects/demo/keys/x").status == 405)
        #expect(try edge.admin("GET", "/nothing").status == 404)
    }
}

struct ClusterPageTests {
    /// Shard 0 went from n1 to n2; n2 reports, n3 cannot be reached.
    private func cluster() throws -> TestEdge {
        let edge = try TestEdge()
        let processes = (1...3).map {
            NodeProcess(node: NodeID(rawValue: $0), incarnation: Incarnation(rawValue: $0))
        }
        edge.gateway.apply(.appoint(candidates: [processes[0]]))
        edge.gateway.apply(.fence(processes[0], candidates: [processes[1]], cause: .obituary))
        edge.gateway.report.term = 5
        edge.gateway.report.placementIndex = 20
        edge.gateway.report.placementProgress = [(NodeID(rawValue: 3), 12, 0)]
        var second = NodeReport()
        second.name = "n2"
        second.role = .voter
        second.isReady = true
        second.term = 5
        second.placementIndex = 19
        second.uptimeMs = 61_500
        second.leaseRemainingMs = 812
        second.shards = (0..<4).map { number in
            var shard = ShardReport(shard: ShardID(rawValue: UInt32(number)))
            shard.isServing = true
            shard.stage = "leading"
            shard.lastIndex = 31
            shard.commitIndex = 30
            shard.takeoverPauseMs = 14
            shard.takeoverEpoch = 2
            shard.storedIndex = 25
            shard.replicaLag = [(NodeID(rawValue: 1), 0), (NodeID(rawValue: 3), 6)]
            return shard
        }
        edge.gateway.otherReports = [second]
        return edge
    }

    @Test func statusJoinsTheRegistryWithTheReports() throws {
        let status = try cluster().admin("GET", "/status").json
        #expect(status?["leader"]?.text == "n1")
        #expect(status?["term"] == .number(5))
        let nodes = try #require(status?["nodes"]?.elements)
        #expect(nodes.map { $0["name"]?.text } == ["n1", "n2", "n3"])
        let second = nodes[1]
        #expect(second["incarnation"] == .number(2))
        #expect(second["id"]?.text == "0000000000000002")
        #expect(second["standing"]?.text == "active")
        #expect(second["replicas"] == .number(4))
        #expect(second["role"]?.text == "voter")
        #expect(second["version"]?.text == "0.1.0")
        #expect(second["uptimeSeconds"] == .number(61))
        #expect(second["leaseRemainingMs"] == .number(812))
        #expect((second["shardsOwned"]?.count ?? 0) > 0)
        #expect(second["lag"] == .number(0))
        #expect(second["placementLag"] == .number(1))
        #expect(second["ready"] == .boolean(true))
        #expect(second["url"]?.text == "http://127.0.0.1:7002")
        let third = nodes[2]
        #expect(third["role"]?.text == "unreachable")
        #expect(third["ready"] == .boolean(false))
        #expect(third["uptimeSeconds"] == nil)
        #expect(third["lag"] == .number(6))
        #expect(third["placementLag"] == .number(8))
    }

    @Test func shardsCoverTheKeySpaceInOrder() throws {
        let page = try cluster().admin("GET", "/shards").json
        let shards = try #require(page?["shards"]?.elements)
        #expect(shards.count == 4)
        #expect(shards.first?["range"]?.elements?.first?.text == "0000000000000000")
        #expect(shards.last?["range"]?.elements?.last?.text == "ffffffffffffffff")
        let owned = try #require(shards.first { $0["owner"]?.text == "n2" })
        #expect(owned["serving"] == .boolean(true))
        #expect(owned["commitIndex"] == .number(30))
        #expect(owned["storedIndex"] == .number(25))
        #expect(owned["lag"] == .number(6))
        #expect(owned["plan"] == .null)
        for list in ["learners", "outgoing", "lost"] { #expect(owned[list]?.elements?.isEmpty == true) }
        #expect(owned["replicas"]?.elements?.count == 3)
    }

    @Test func explainSaysWhereAnObjectIsAndWhy() throws {
        let edge = try cluster()
        // Ids until one falls into a shard that n2 has taken over from n1.
        let explained = try (0..<64).lazy.compactMap { number in
            try edge.admin("GET", "/explain?project=demo&class=c&id=o\(number)").json
        }.first { $0["owner"]?.text == "n2" }
        let answer = try #require(explained)
        #expect(answer["key"]?.text?.utf8.count == 16)
        #expect(answer["epoch"] == .number(2))
        #expect(answer["incarnation"] == .number(2))
        #expect(answer["leaseRemainingMs"] == .number(812))
        let range = (answer["range"]?.elements ?? []).compactMap(\.text)
        let key = try #require(answer["key"]?.text)
        #expect(range.count == 2 && range[0] <= key && key <= range[1])
        let replicas = try #require(answer["replicas"]?.elements)
        #expect(Set(replicas.compactMap { $0["node"]?.text }) == ["n1", "n2", "n3"])
        #expect(replicas.first { $0["node"]?.text == "n3" }?["lag"] == .number(6))
        #expect(replicas.first { $0["node"]?.text == "n2" }?["role"]?.text == "owner")
        let history = try #require(answer["history"]?.elements)
        #expect(history.count == 1)
        #expect(history[0]["epoch"] == .number(1))
        #expect(history[0]["owner"]?.text == "n1")
        #expect(history[0]["cause"]?.text == "obituary")
        #expect(history[0]["pauseMs"] == .number(14))
        // The table alone, for who asks often.
        let shard = try #require(answer["name"]?.text)
        let bare = try #require(try edge.admin("GET", "/explain?shard=\(shard)&reports=none").json)
        #expect(bare["owner"]?.text == "n2" && bare["epoch"] == .number(2) && bare["cause"]?.text == "obituary")
        #expect(bare["leaseRemainingMs"] == nil && bare["history"]?.elements?.first?["pauseMs"] == nil)
    }

    @Test func explainWantsAnObject() throws {
        let edge = try cluster()
        #expect(try edge.admin("GET", "/explain").status == 400)
        #expect(try edge.admin("GET", "/explain?project=demo").status == 400)
        #expect(try edge.admin("GET", "/explain?project=demo&id=x").status == 200)
        #expect(try edge.admin("GET", "/explain?shard=x").status == 400)
        #expect(try edge.admin("GET", "/explain?shard=4").status == 404)
    }

    @Test func aShardIsExplainedInSentences() throws {
        let edge = try cluster()
        let shards = try edge.admin("GET", "/shards").json?["shards"]?.elements ?? []
        let number = try #require(shards.first { $0["owner"]?.text == "n2" }?["shard"]?.count)
        let answer = try #require(try edge.admin("GET", "/explain?shard=\(number)").json)
        #expect(answer["key"] == nil)
        #expect(answer["cause"]?.text == "obituary")
        let sentences = (answer["because"]?.elements ?? []).compactMap(\.text)
        #expect(sentences.first?.hasPrefix("process n2#2 owns shard \(number) at epoch 2") == true)
        #expect(sentences.contains { $0.hasPrefix("node n3 is voter since") })
    }

    @Test(arguments: [
        ("3", UInt32(3)), ("0", 0), ("3.1", 65_539), ("65535.65535", .max), ("65539", 65_539), ("4294967295", .max),
    ])
    func shardsAreNamed(text: String, number: UInt32) {
        #expect(ShardID(text: text)?.rawValue == number)
    }

    @Test(arguments: ["", "x", "3.", ".1", "3.0", "3.1.1", "-1", "70000.1", "4294967296", "3 .1"])
    func whatIsNoShard(text: String) {
        #expect(ShardID(text: text) == nil)
    }
}
