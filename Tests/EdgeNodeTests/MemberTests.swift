import Cluster
import NIOCore
import Placement
import Raft
import Testing

@testable import EdgeNode

/// Nodes that are drained, invited and removed, and the settings of the whole cluster.
struct MemberTests {
    private static func node(_ number: UInt64) -> NodeID { NodeID(rawValue: number) }

    private static func registration(_ number: UInt64, nonce: UInt64? = nil, name: String? = nil) -> Command {
        .register(
            Registration(
                node: node(number), nonce: nonce ?? number, name: name ?? "n\(number)",
                peerAddress: "127.0.0.1:710\(number)", clientURL: "http://127.0.0.1:700\(number)", version: "0.3.0"))
    }

    // MARK: - Draining

    @Test func aNodeIsDrainedAndWantedAgain() throws {
        let edge = try TestEdge()
        let standing = { edge.gateway.view.state?.registry.record(of: Self.node(2))?.standing }
        let answer = try edge.admin("POST", "/drain", #"{"node":"n2"}"#)
        #expect(answer.json?["standing"]?.text == "draining")
        #expect(answer.json?["shardsOwned"] == .number(0))
        #expect(answer.json?["replicas"] == .number(4))
        #expect(standing() == .draining)
        #expect(try edge.admin("GET", "/status").json?["nodes"]?.elements?[1]["standing"]?.text == "draining")
        #expect(try edge.admin("POST", "/undrain", #"{"node":"0000000000000002"}"#).status == 200)
        #expect(standing() == .active)
    }

    @Test func theLastNodeIsNotDrained() throws {
        let edge = try TestEdge()
        for name in ["n1", "n2"] { #expect(try edge.admin("POST", "/drain", #"{"node":"\#(name)"}"#).status == 200) }
        let answer = try edge.admin("POST", "/drain", #"{"node":"n3"}"#)
        #expect(answer.status == 409)
        #expect(answer.code == "conflictError.node.lastOne")
    }

    @Test(arguments: [("{}", 400), (#"{"node":1}"#, 400), (#"{"node":"n2","x":1}"#, 400), (#"{"node":"n9"}"#, 404)])
    func wrongDrainsAreRefused(body: String, status: Int) throws {
        for path in ["/drain", "/undrain"] {
            #expect(try TestEdge().admin("POST", path, body).status == status)
        }
        #expect(try TestEdge().admin("GET", "/drain").status == 405)
    }

    @Test func aDrainedNodeSendsItsSocketsElsewhereSomeAtATime() throws {
        let edge = try TestEdge { $0.drainedSocketsPerSecond = 20 }
        let sockets = try (0..<5).map { _ in try TestSocket(edge) }
        _ = edge.told()
        edge.gateway.apply(.setStanding(Self.node(1), .draining))
        edge.edge.sockets.adopt(edge.gateway.view)
        #expect(edge.told() == ["shutdown 1", "shutdown 2"])
        let closing = ServerFrame.close(code: 1012, reason: "this node is being drained; connect to another one")
        #expect(try sockets[0].frames() == [closing])
        #expect(try sockets[2].frames().isEmpty)
        // Another view does not make it faster.
        edge.edge.sockets.adopt(edge.gateway.view)
        #expect(edge.told().isEmpty)
        edge.loop.advanceTime(by: .milliseconds(100))
        #expect(edge.told() == ["shutdown 3", "shutdown 4"])
        let refused = try edge.call("GET", TestSocket.path, headers: TestSocket.handshake)
        #expect(refused.status == 503)
        #expect(refused["Retry-After"] == "1")
        #expect(try edge.call("GET", "/project/demo/cache/c/o").status == 200)
    }

    @Test func aNodeThatIsWantedAgainKeepsTheRest() throws {
        let edge = try TestEdge { $0.drainedSocketsPerSecond = 10 }
        for _ in 0..<3 { _ = try TestSocket(edge) }
        edge.gateway.apply(.setStanding(Self.node(1), .draining))
        edge.edge.sockets.adopt(edge.gateway.view)
        edge.gateway.apply(.setStanding(Self.node(1), .active))
        edge.edge.sockets.adopt(edge.gateway.view)
        _ = edge.told()
        edge.loop.advanceTime(by: .seconds(1))
        #expect(edge.told().isEmpty)
        _ = try TestSocket(edge)
        #expect(edge.told() == ["opened 4 demo/room/r1"])
    }

    // MARK: - Coming

    @Test func aNodeIsInvitedUntilItIsThere() throws {
        let edge = try TestEdge()
        let client = try edge.connect(admin: true)
        client.authorization = "Bearer " + TestEdge.adminToken
        try client.send(client.request("POST", "/admin/v1/members", #"{"peer":"127.0.0.1:7104"}"#))
        edge.loop.advanceTime(by: .milliseconds(500))
        #expect(edge.gateway.invitations == Array(repeating: "127.0.0.1:7104", count: 3))
        #expect(try client.received().isEmpty)
        edge.gateway.apply(Self.registration(4))
        edge.loop.advanceTime(by: .milliseconds(200))
        let answer = try #require(try client.received().first)
        #expect(answer.json?["node"]?.text == "n4")
        #expect(answer.json?["id"]?.text == "0000000000000004")
        #expect(edge.gateway.endedInvitations == ["127.0.0.1:7104"])
        edge.loop.advanceTime(by: .seconds(1))
        #expect(edge.gateway.invitations.count == 3)
    }

    @Test func aNodeThatDoesNotComeIsGivenUp() throws {
        let edge = try TestEdge()
        let client = try edge.connect(admin: true)
        client.authorization = "Bearer " + TestEdge.adminToken
        try client.send(client.request("POST", "/admin/v1/members", #"{"peer":"127.0.0.1:7109"}"#))
        edge.loop.advanceTime(by: .seconds(11))
        let answer = try #require(try client.received().first)
        #expect(answer.status == 503)
        #expect(edge.gateway.endedInvitations == ["127.0.0.1:7109"])
    }

    @Test(arguments: ["{}", #"{"peer":1}"#, #"{"peer":"host"}"#, #"{"peer":":1"}"#, #"{"peer":"h:0"}"#, #"{"peer":"h:70000"}"#])
    func wrongAddressesAreRefused(body: String) throws {
        let edge = try TestEdge()
        #expect(try edge.admin("POST", "/members", body).status == 400)
        #expect(edge.gateway.invitations.isEmpty)
    }

    @Test func membersAreTheNodesOfTheStatus() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("GET", "/members").json?["nodes"]?.elements?.count == 3)
        #expect(try edge.admin("PUT", "/members").status == 405)
    }

    // MARK: - Going

    @Test func onlyANodeThatKeepsNothingIsRemoved() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("DELETE", "/members/n2").code == "conflictError.node.inUse")
        edge.gateway.apply(Self.registration(4))
        #expect(try edge.admin("DELETE", "/members/n4").code == "conflictError.node.isLive")
        #expect(try edge.admin("POST", "/drain", #"{"node":"n4"}"#).status == 200)
        #expect(try edge.admin("DELETE", "/members/n4").json?["removed"]?.text == "n4")
        #expect(try edge.admin("DELETE", "/members/n4").status == 404)
        #expect(try edge.admin("DELETE", "/members/0000000000000004").status == 200)
        #expect(try edge.admin("GET", "/members").json?["nodes"]?.elements?.count == 3)
    }

    /// It would be gone before its answer: another node is asked, by the command line of itself.
    @Test func aNodeDoesNotRemoveItself() throws {
        let edge = try TestEdge()
        let answer = try edge.admin("DELETE", "/members/n1")
        #expect(answer.status == 503)
        #expect(answer.json?["applied"]?.text == "no")
        #expect(edge.gateway.view.state?.nodes.count == 3)
    }

    /// A lost disk leaves its old identity behind, under the same name.
    @Test func ofTwoNodesWithOneNameTheIDTellsWhich() throws {
        let edge = try TestEdge()
        edge.gateway.apply(Self.registration(4))
        edge.gateway.apply(.bury(node: Self.node(4), nonce: 4, candidates: []))
        edge.gateway.apply(Self.registration(5, name: "n4"))
        let rows = try edge.admin("GET", "/members").json?["nodes"]?.elements ?? []
        #expect(rows.filter { $0["name"]?.text == "n4" }.map { $0["standing"]?.text } == ["replaced", "active"])
        #expect(try edge.admin("DELETE", "/members/0000000000000004").status == 200)
        #expect(edge.gateway.view.state?.registry.record(named: "n4")?.node == Self.node(5))
    }

    // MARK: - Settings

    @Test func settingsOfTheClusterAreSetAndShown() throws {
        let edge = try TestEdge()
        #expect(try edge.admin("GET", "/settings").json?["replicasPerShard"] == .number(3))
        let answer = try edge.admin("POST", "/settings", #"{"replaceAfterMs":60000,"replicasPerShard":5}"#)
        #expect(answer.json?["replaceAfterMs"] == .number(60_000))
        #expect(answer.json?["replicasPerShard"] == .number(5))
        #expect(try edge.admin("POST", "/settings", #"{"replaceAfterMs":5000}"#).json?["replicasPerShard"] == .number(5))
        #expect(edge.gateway.view.state?.settings.replaceAfterMs == 5_000)
        #expect(try edge.admin("POST", "/settings", "{}").status == 200)
    }

    @Test(arguments: [
        #"{"replaceAfterMs":999}"#, #"{"replaceAfterMs":"1m"}"#, #"{"replicasPerShard":0}"#,
        #"{"replicasPerShard":8}"#, #"{"leaseMs":500}"#, "[]",
    ])
    func wrongSettingsAreRefused(body: String) throws {
        let edge = try TestEdge()
        #expect(try edge.admin("POST", "/settings", body).status == 400)
        #expect(edge.gateway.view.state?.settings.replaceAfterMs == 600_000)
    }

    @Test func aSettingThatFailsSaysSo() throws {
        let edge = try TestEdge()
        edge.gateway.proposalFailure = .noLeader
        let answer = try edge.admin("POST", "/settings", #"{"replicasPerShard":5}"#)
        #expect(answer.status == 503 && answer.applied == "no")
    }
}
