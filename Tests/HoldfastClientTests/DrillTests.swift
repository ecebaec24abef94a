import Glibc
import HoldfastClient
import Simulation
import Testing

@testable import LiveChecks
@testable import holdfast

/// What `holdfast drill` decides: whether it may begin, and what it has seen.
@Suite struct DrillTests {
    // MARK: May it begin?

    private static func node(
        _ name: String, _ role: String = "voter", ready: Bool = true, standing: String = "active"
    ) -> JSON {
        [
            "name": .string(name), "role": .string(role), "ready": .bool(ready), "standing": .string(standing),
            "url": .string("http://127.0.0.1:1\(name.dropFirst())"),
        ]
    }

    private static func shard(
        _ name: String, owner: JSON = "n1", replicas: [JSON] = ["n1", "n2", "n3"], _ changes: (String, JSON)...
    ) -> JSON {
        var members = [
            JSON.Member("name", .string(name)), JSON.Member("owner", owner), JSON.Member("replicas", .array(replicas)),
            JSON.Member("serving", true),
        ]
        for name in ["outgoing", "learners", "lost"] { members.append(JSON.Member(name, .array([]))) }
        for (name, value) in changes {
            members.removeAll { $0.name == name }
            members.append(JSON.Member(name, value))
        }
        return .object(members)
    }

    private static let three = [node("n1", "leader"), node("n2"), node("n3")]

    private static func health(
        _ nodes: [JSON], _ shards: [JSON], leader: JSON = "n1", replicas: Int = 3
    ) -> ClusterHealth {
        ClusterHealth(
            status: ["leader": leader, "nodes": .array(nodes)], shards: ["shards": .array(shards)],
            settings: ["replicasPerShard": .integer(replicas)])
    }

    @Test func aWholeClusterMayBeDrilled() {
        let health = Self.health(Self.three + [Self.node("n9", ready: false, standing: "replaced")], [Self.shard("1")])
        #expect(health.faults.isEmpty && health.faults(without: "n1").isEmpty)
        #expect(health.owner(of: "1") == "n1" && health.shards(ownedBy: "n1") == ["1"])
        #expect(health.url(of: "n2") == "http://127.0.0.1:12")
    }

    @Test(arguments: [
        ("is down", [node("n1", "leader"), node("n2"), node("n3", ready: false)]),
        ("is draining", [node("n1", "leader"), node("n2"), node("n3", standing: "draining")]),
        ("tells of no node", []),
    ])
    func aNodeThatIsMissingForbidsIt(text: String, nodes: [JSON]) {
        #expect(Self.health(nodes, [Self.shard("1")]).faults.contains { $0.contains(text) })
    }

    @Test(arguments: [
        ("has no owner", shard("1", owner: .null)), ("is not served", shard("1", ("serving", false))),
        ("has 2 replicas of 3", shard("1", replicas: ["n1", "n2"])), ("lost a replica", shard("1", ("lost", ["n2"]))),
        ("changes its replicas", shard("1", ("learners", ["n2"]))),
        ("changes its replicas", shard("1", ("outgoing", ["n2"]))),
        ("is about to split", shard("1", ("plan", "split at 5"))),
    ])
    func aShardThatIsNotWholeForbidsIt(text: String, shard: JSON) {
        let faults = Self.health(Self.three, [Self.shard("0"), shard]).faults
        #expect(faults.count == 1 && faults[0].contains(text), "\(faults)")
    }

    @Test func thereMustBeAMajorityWithoutTheNode() {
        let two = Self.health([Self.node("n1", "leader"), Self.node("n2")], [Self.shard("1", replicas: ["n1", "n2"])])
        #expect(two.faults.isEmpty)
        #expect(two.faults(without: "n1").count == 2)
        let alone = Self.health(Self.three, [Self.shard("1", replicas: ["n1"])], replicas: 1)
        #expect(alone.faults.isEmpty && alone.faults(without: "n1") == ["shard 1 would have no majority without n1"])
        #expect(alone.faults(without: "n2").isEmpty)
        #expect(Self.health(Self.three, [Self.shard("1")], leader: .null).faults.count == 1)
    }

    // MARK: What has it seen?

    private static func record(
        _ call: Call, _ outcome: Outcome, at ns: UInt64, item: String = "counter", epoch: UInt64 = 4,
        error: String? = nil, process: Int = 0
    ) -> LiveRecord {
        LiveRecord(
            RecordedOperation(
                process: process, object: "o", item: item, call: call, invokedNs: ns,
                returnedNs: outcome == .unknown ? nil : ns + 1, outcome: outcome),
            place: AnswerPlace(epoch: epoch, index: ns, owner: epoch == 4 ? "n1" : "n2"), error: error)
    }

    @Test func timesCountFromTheKill() {
        var watch = TakeoverWatch(epoch: 4, killedNs: 1_000)
        watch.see(ShardView(name: "1", epoch: 4, owner: "n1"), atNs: 1_100)
        // What the dead owner had answered before does not count, nor does a read.
        watch.see(Self.record(.increment(by: 1), .answered(.number(1), version: 1), at: 1_110))
        watch.see(Self.record(.read, .answered(.number(1), version: 1), at: 1_120, epoch: 5))
        #expect(watch.detectedNs == nil && watch.firstAnswerNs == nil)
        watch.see(ShardView(name: "1", epoch: 5, owner: nil), atNs: 1_200)
        watch.see(ShardView(name: "1", epoch: 6, owner: "n2", cause: "appointed"), atNs: 1_300)
        #expect(!watch.isOver)
        watch.see(Self.record(.increment(by: 1), .answered(.number(2), version: 2), at: 1_399, epoch: 6))
        watch.see(Self.record(.increment(by: 1), .answered(.number(3), version: 3), at: 1_500, epoch: 6))
        #expect(watch.detectedNs == 200 && watch.takenOverNs == 300 && watch.firstAnswerNs == 400 && watch.isOver)
        #expect(watch.successor?.owner == "n2")
    }

    private static func report(_ records: [LiveRecord], isBack: Bool = true) -> DrillReport {
        var report = DrillReport(
            scene: DrillScene(
                node: "n1", shard: ShardView(name: "1", epoch: 4, owner: "n1"), object: "o", shardsOwned: 3, url: nil))
        var watch = TakeoverWatch(epoch: 4, killedNs: 0)
        if isBack {
            watch.see(ShardView(name: "1", epoch: 5, owner: "n2", cause: "obituary"), atNs: 31_000_000)
            watch.see(record(.push(9), .answered(.list([9]), version: 1), at: 45_000_000, item: "list-9", epoch: 5))
        }
        report.take(watch, AnswerGaps())
        report.take(records, object: "o")
        return report
    }

    private static func ended(_ shows: Observation, item: String) -> LiveRecord {
        record(.read, .answered(shows, version: 0), at: 900, item: item, epoch: 5, process: WindowCheck.reader)
    }

    private static let load = [
        record(.increment(by: 1), .answered(.number(1), version: 1), at: 100),
        record(.push(1), .answered(.list([1]), version: 1), at: 110, item: "list-0"),
        record(.increment(by: 1), .unknown, at: 120, error: "lost"),
        record(.push(2), .answered(.list([1, 2]), version: 2), at: 130, item: "list-0", epoch: 5),
        record(.push(3), .refused, at: 140, item: "list-0", error: "no"),
    ]

    @Test func nothingLostAndNothingDoubledIsZero() {
        for count in [1, 2] {
            let report = Self.report(
                Self.load + [
                    Self.ended(.number(Int64(count)), item: "counter"), Self.ended(.list([1, 2]), item: "list-0"),
                ])
            #expect(report.exitStatus == 0 && report.violations.isEmpty, "\(report.violations)")
            #expect(report.operations == 5 && report.acknowledged == 3 && report.unknown == 1 && report.failed == 2)
            let text = DrillText.lines(report)
            #expect(text.contains("detection       31 ms, by obituary"))
            #expect(text.contains("takeover        31 ms, n2 at epoch 5"))
            #expect(text.contains("first answer    45 ms"))
            #expect(text.hasSuffix("drill: nothing lost, nothing doubled"))
        }
    }

    @Test(arguments: [
        (0, [1, 2], 1, 0), (3, [1, 2], 0, 1), (1, [1], 1, 0), (1, [1, 2, 2], 0, 1), (1, [1, 2, 3], 0, 0),
    ] as [(Int64, [UInt64], Int, Int)])
    func whatIsLostOrDoubledIsFour(count: Int64, list: [UInt64], lost: Int, doubled: Int) {
        let report = Self.report(
            Self.load + [Self.ended(.number(count), item: "counter"), Self.ended(.list(list), item: "list-0")])
        #expect(report.exitStatus == 4 && !report.violations.isEmpty)
        #expect(report.lost == lost && report.doubled == doubled)
        #expect(DrillText.lines(report).hasSuffix("drill: BROKEN PROMISES"))
        #expect(DrillText.json(report)["lost"]?.int == lost)
    }

    @Test func anOwnerWhoDoesNotComeIsThree() {
        let records = Self.load + [Self.ended(.number(1), item: "counter"), Self.ended(.list([1, 2]), item: "list-0")]
        #expect(Self.report(records, isBack: false).exitStatus == 3)
    }

    @Test func aDrillPushesEachValueOnce() {
        var plan = DrillPlan(object: "o")
        let calls = (0..<1_000).map { _ in plan.next() }
        let pushed = calls.compactMap { if case .push(let value) = $0.call { value } else { nil } }
        #expect(Set(pushed).count == pushed.count && pushed.count == 400)
        #expect(Set(calls.map(\.item)).isSubset(of: plan.items))
        let lists = Dictionary(grouping: calls.filter { $0.item != "counter" }, by: \.item)
        #expect(lists.values.allSatisfy { $0.count <= 100 })
    }

    // MARK: The command

    @Test func theCommandKnowsNodesShardsAndObjects() throws {
        #expect(try DrillCommand.target(nil) == .anybody)
        #expect(try DrillCommand.target("n1") == .node("n1"))
        #expect(try DrillCommand.target("3.1") == .shard("3.1"))
        #expect(try DrillCommand.target("p/c/i/d") == .object(project: "p", objectClass: "c", id: "i/d"))
        let wrong = [
            ["a/b"], [""], ["--kill-command", "ssh n1 kill"], ["--rate", "0"], ["--within", "0"], ["--settle", "0"],
        ]
        for words in wrong {
            #expect(throws: (any Error).self, "\(words)") { try Holdfast.parseAsRoot(["drill"] + words) }
        }
        let command = try #require(
            try Holdfast.parseAsRoot(["drill", "n2", "--kill-command", "ssh {node} x", "--yes"]) as? DrillCommand)
        #expect(command.kill == .command("ssh {node} x") && command.yes)
        #expect(try DrillCommand.parse([]).kill == .process(clusterFile: ".holdfast/cluster.json"))
    }

    @Test func onlyTheRightNameConfirms() {
        let scene = DrillScene(
            node: "n2", shard: ShardView(name: "7", epoch: 1, owner: "n2"), object: "o", shardsOwned: 1, url: nil)
        #expect(DrillCommand.confirms(" n2\n", scene, nil) && DrillCommand.confirms("7", scene, "7"))
        for line in ["", "y", "yes", "n1", "7", "N2"] { #expect(!DrillCommand.confirms(line, scene, nil)) }
    }

    @Test func noForeignProcessIsKilled() throws {
        // A pid that lives and serves nothing from that directory: that of this test.
        let path = "/tmp/drill-test-\(randomIdempotencyKey()).json"
        let node: JSON = [
            "name": "n1", "url": "http://127.0.0.1:1", "pid": .integer(getpid()), "data": "/nowhere",
        ]
        try HistoryFile.write([["nodes": [node]]], to: path)
        defer { unlink(path) }
        let kill = DrillKill.process(clusterFile: path)
        for node in ["n1", "n2"] { #expect(throws: DrillRefusal.self) { _ = try kill.carryOut(node) } }
        #expect(throws: DrillRefusal.self) { try DrillKill.process(clusterFile: "/nowhere.json").check("n1") }
    }
}
