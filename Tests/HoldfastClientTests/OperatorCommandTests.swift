import EdgeNode
import HoldfastClient
import Testing

@testable import holdfast

/// What the commands for operators make of their arguments and of the answers.
@Suite struct OperatorCommandTests {
    private func parse<Command>(_ arguments: [String], as type: Command.Type) throws -> Command {
        try #require(try Holdfast.parseAsRoot(arguments) as? Command)
    }

    @Test func moveTakesAShardOrAnObject() throws {
        let shard = try parse(["move", "3.1", "--to", "n2"], as: MoveCommand.self)
        #expect(shard.what == .shard("3.1") && shard.to == "n2")
        #expect(JSON.object(shard.what.members).description == #"{"shard":"3.1"}"#)
        let object = try parse(["move", "demo/room/a/b", "--to", "n2"], as: MoveCommand.self)
        #expect(object.what == .object(project: "demo", objectClass: "room", id: "a/b"))
        #expect(object.what.query == "project=demo&class=room&id=a%2Fb")
    }

    @Test(arguments: ["x", "demo/room", "demo//x", "/a/b", "3.1.1", ""])
    func moveRefusesWhatNamesNothing(text: String) {
        #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(["move", text, "--to", "n2"]) }
    }

    @Test func moveWantsATarget() {
        #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(["move", "3"]) }
    }

    @Test func explainTakesAnIDAnObjectOrAShard() throws {
        let query = { (arguments: [String]) in
            try self.parse(["explain"] + arguments, as: ExplainCommand.self).query(defaultProject: "shop")
        }
        #expect(try query(["x"]) == "project=shop&class=_undefined_&id=x")
        #expect(try query(["x", "--class", "c"]) == "project=shop&class=c&id=x")
        #expect(try query(["demo/room/x"]) == "project=demo&class=room&id=x")
        #expect(try query(["a/b/c", "--project", "p"]) == "project=p&class=_undefined_&id=a%2Fb%2Fc")
        #expect(try query(["--shard", "3.1"]) == "shard=3.1")
        #expect(throws: (any Error).self) {
            try self.parse(["explain", "x"], as: ExplainCommand.self).query(defaultProject: nil)
        }
    }

    @Test(arguments: [[], ["x", "--shard", "3"], ["--shard", "3", "--class", "c"], ["--shard", "3", "--project", "p"]])
    func explainWantsOneThing(arguments: [String]) {
        #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(["explain"] + arguments) }
    }

    @Test func settingsLeaveOutWhatIsNotGiven() throws {
        let changes = { (arguments: [String]) in
            JSON.object(try self.parse(["cluster", "settings"] + arguments, as: ClusterSettingsCommand.self).changes)
                .description
        }
        #expect(try changes([]) == "{}")
        #expect(try changes(["--replace-after", "60"]) == #"{"replaceAfterMs":60000}"#)
        #expect(
            try changes(["--replicas", "5", "--replace-after", "1"]) == #"{"replaceAfterMs":1000,"replicasPerShard":5}"#)
    }

    @Test(arguments: [["--replace-after", "0"], ["--replace-after", "2592001"], ["--replicas", "0"], ["--replicas", "8"]])
    func settingsHaveBounds(arguments: [String]) {
        #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(["cluster", "settings"] + arguments) }
    }

    @Test func membersComeAndGo() throws {
        let add = try parse(["member", "add", "--peer", "h:1", "--wait"], as: MemberAddCommand.self)
        #expect(add.peer == "h:1" && add.wait)
        #expect(try parse(["member", "remove", "n4"], as: MemberRemoveCommand.self).node == "n4")
        #expect(try parse(["drain", "n1", "--wait"], as: DrainCommand.self).wait)
        #expect(try parse(["undrain", "n1"], as: UndrainCommand.self).node == "n1")
        _ = try parse(["member", "list"], as: ClusterMembersCommand.self)
        _ = try parse(["cluster", "shards"], as: ClusterShardsCommand.self)
    }

    @Test func aNodesLineIsFoundByNameOrID() throws {
        let status = try JSON(
            parsing: """
                {"nodes":[{"name":"a","id":"01","standing":"replaced"},{"name":"a","id":"02","standing":"active"},
                 {"name":"b","id":"03","standing":"replaced"}]}
                """)
        #expect(row(of: "a", in: status)?["id"] == "02")
        #expect(row(of: "01", in: status)?["id"] == "01")
        #expect(row(of: "b", in: status)?["id"] == "03")
        #expect(row(of: "c", in: status) == nil)
    }

    @Test func whatChangesInAShardIsSaidInFewWords() throws {
        let quiet = try JSON(parsing: #"{"outgoing":[],"learners":[],"lost":[],"plan":null}"#)
        #expect(ClusterShardsCommand.changes(quiet) == "-")
        let busy = try JSON(parsing: #"{"outgoing":["n1"],"learners":["n4","n5"],"lost":[],"plan":"merge with 2"}"#)
        #expect(ClusterShardsCommand.changes(busy) == "outgoing: n1; learners: n4 n5; merge with 2")
    }

    @Test func doctorShowsFindingsAndWhatToDo() throws {
        let command = try parse(["doctor", "--data", "/nowhere/at/all"], as: DoctorCommand.self)
        let report = NodeDoctor.examine(dataDirectory: command.data)
        #expect(report.isDamaged)
        #expect(report.text.hasSuffix("damaged"))
        #expect(report.text.contains("directory: Give the data directory of a node"))
        #expect(report.json["damaged"] == true)
        #expect(report.json["process"] == .null)
        #expect(report.json["findings"]?.elements?.first?["state"] == "damaged")
        #expect(throws: (any Error).self) { try Holdfast.parseAsRoot(["doctor"]) }
    }
}
