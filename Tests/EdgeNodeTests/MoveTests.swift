import Cluster
import NIOCore
import Placement
import Raft
import Testing

@testable import EdgeNode

/// `POST move`: who may have what, and what the answer tells.
struct MoveTests {
    private static func process(_ number: UInt64) -> NodeProcess {
        NodeProcess(node: NodeID(rawValue: number), incarnation: Incarnation(rawValue: number))
    }

    /// Three nodes; n1 owns all shards.
    private func cluster() throws -> TestEdge {
        let edge = try TestEdge()
        edge.gateway.apply(.appoint(candidates: [Self.process(1)]))
        edge.gateway.report.name = "n1"
        var second = NodeReport()
        second.name = "n2"
        edge.gateway.otherReports = [second]
        return edge
    }

    private func shard(_ edge: TestEdge) throws -> ShardRecord {
        try #require(edge.gateway.view.state?.table.records.first)
    }

    /// The owner obeys; both nodes then report their parts of the pause.
    private func obey(_ request: MoveRequest, _ edge: TestEdge) {
        edge.gateway.apply(.assign(request.shard, expected: request.epoch, proposer: request.from, target: request.to))
        var old = ShardReport(shard: request.shard)
        (old.handOverMs, old.handOverEpoch) = (9, request.epoch.next.rawValue)
        edge.gateway.report.shards = [old]
        edge.gateway.report.counters.eventGaps = 3
        var new = ShardReport(shard: request.shard)
        (new.takeoverPauseMs, new.takeoverEpoch) = (5, request.epoch.next.rawValue)
        edge.gateway.otherReports[0].shards = [new]
        edge.gateway.otherReports[0].counters.droppedSockets = 2
    }

    private func begin(_ edge: TestEdge, _ body: String) throws -> TestClient {
        let client = try edge.connect(admin: true)
        client.authorization = "Bearer " + TestEdge.adminToken
        try client.send(client.request("POST", "/admin/v1/move", body))
        return client
    }

    @Test func aMoveAnswersWithWhatItCost() throws {
        let edge = try cluster()
        edge.gateway.report.counters.eventGaps = 2
        let record = try shard(edge)
        edge.gateway.onOrder = { self.obey($0, edge) }
        let client = try begin(edge, #"{"shard":\#(record.shard.rawValue),"to":"n2"}"#)
        edge.loop.advanceTime(by: .milliseconds(50))
        let answer = try #require(try client.received().first)
        #expect(answer.status == 200)
        #expect(edge.gateway.orders == [
            MoveRequest(shard: record.shard, epoch: record.epoch, from: Self.process(1), to: Self.process(2))
        ])
        #expect(answer.json?["from"]?.text == "n1")
        #expect(answer.json?["to"]?.text == "n2")
        #expect(answer.json?["epoch"] == .number(Double(record.epoch.next.rawValue)))
        #expect(answer.json?["pauseMs"] == .number(14))
        #expect(answer.json?["socketsDropped"] == .number(2))
        #expect(answer.json?["eventsLost"] == .number(1))
    }

    @Test func anOwnerThatDeclinesIsAskedAgain() throws {
        let edge = try cluster()
        let record = try shard(edge)
        let client = try begin(edge, #"{"shard":"\#(record.shard)","to":"n2"}"#)
        edge.loop.advanceTime(by: .milliseconds(700))
        #expect(edge.gateway.orders.count == 3)
        #expect(try client.received().isEmpty)
        edge.gateway.onOrder = { self.obey($0, edge) }
        edge.loop.advanceTime(by: .milliseconds(700))
        #expect(try client.received().first?.status == 200)
        #expect(edge.gateway.orders.count == 4)
    }

    @Test func aMoveThatIsNotDoneInTimeIsUnknown() throws {
        let edge = try cluster()
        let client = try begin(edge, #"{"shard":"\#(try shard(edge).shard)","to":"n2"}"#)
        edge.loop.advanceTime(by: .seconds(11))
        let answer = try #require(try client.received().first)
        #expect(answer.status == 409)
        #expect(answer.code == "outcomeUnknown")
        #expect(answer.applied == "unknown")
        let asked = edge.gateway.orders.count
        edge.loop.advanceTime(by: .seconds(11))
        #expect(edge.gateway.orders.count == asked)
    }

    @Test func aReportThatNeverComesLeavesThePauseOpen() throws {
        let edge = try cluster()
        edge.gateway.onOrder = { request in
            edge.gateway.apply(
                .assign(request.shard, expected: request.epoch, proposer: request.from, target: request.to))
        }
        let client = try begin(edge, #"{"shard":"\#(try shard(edge).shard)","to":"n2"}"#)
        edge.loop.advanceTime(by: .seconds(11))
        let answer = try #require(try client.received().first)
        #expect(answer.status == 200)
        #expect(answer.json?["pauseMs"] == .null)
    }

    @Test func whoHasItAlreadyKeepsIt() throws {
        let edge = try cluster()
        let answer = try edge.admin("POST", "/move", #"{"shard":"\#(try shard(edge).shard)","to":"n1"}"#)
        #expect(answer.status == 200)
        #expect(answer.json?["pauseMs"] == .number(0))
        #expect(edge.gateway.orders.isEmpty)
    }

    @Test func anObjectNamesItsShard() throws {
        let edge = try cluster()
        let answer = try edge.admin("POST", "/move", #"{"project":"demo","class":"c","id":"o","to":"n1"}"#)
        let explained = try edge.admin("GET", "/explain?project=demo&class=c&id=o")
        #expect(answer.json?["shard"] != nil && answer.json?["shard"] == explained.json?["shard"])
    }

    @Test(arguments: [
        (#"{"shard":0,"to":"nobody"}"#, 404, "notFoundError.node"),
        (#"{"shard":77,"to":"n2"}"#, 404, "notFoundError.shard"),
        (#"{"shard":"x","to":"n2"}"#, 400, "validationError.shard"),
        (#"{"shard":-1,"to":"n2"}"#, 400, "validationError.shard"),
        (#"{"to":"n2"}"#, 400, "validationError.shard"),
        (#"{"shard":0}"#, 400, "validationError.to"),
        (#"{"shard":0,"to":"n2","force":true}"#, 400, "validationError.body.member"),
        (#"{"shard":0,"to":"n4"}"#, 409, "conflictError.move.notVoter"),
        (#"{"shard":0,"to":"n3"}"#, 409, "conflictError.move.draining"),
    ])
    func whatCannotBeIsRefused(body: String, status: Int, code: String) throws {
        let edge = try cluster()
        edge.gateway.apply(
            .register(
                Registration(
                    node: NodeID(rawValue: 4), nonce: 4, name: "n4", peerAddress: "127.0.0.1:7104",
                    clientURL: "http://127.0.0.1:7004", version: "0.3.0")))
        edge.gateway.apply(.setStanding(NodeID(rawValue: 3), .draining))
        let answer = try edge.admin("POST", "/move", body)
        #expect(answer.status == status)
        #expect(answer.code == code)
        #expect(answer.applied == "no")
        #expect(edge.gateway.orders.isEmpty)
    }

    @Test func aDeadTargetAndAnOwnerlessShardAreRefused() throws {
        let edge = try cluster()
        edge.gateway.apply(.fence(Self.process(2), candidates: [], cause: .obituary))
        let dead = try edge.admin("POST", "/move", #"{"shard":0,"to":"n2"}"#)
        #expect(dead.code == "conflictError.move.notLive")
        edge.gateway.apply(.fence(Self.process(1), candidates: [], cause: .obituary))
        #expect(try edge.admin("POST", "/move", #"{"shard":0,"to":"n3"}"#).status == 503)
    }

    @Test func costsLeaveOutNodesThatBeganAnew() {
        var (old, new) = (NodeReport(), NodeReport())
        (old.name, new.name) = ("n1", "n1")
        (old.counters.eventGaps, new.counters.eventGaps) = (5, 7)
        #expect(MoveCosts(before: [old], after: [new]).eventGaps == 2)
        #expect(MoveCosts(before: [new], after: [old]).eventGaps == 0)
        new.incarnation = 2
        #expect(MoveCosts(before: [old], after: [new]).eventGaps == 0)
        #expect(MoveCosts(before: [], after: [new]).eventGaps == 0)
    }
}
