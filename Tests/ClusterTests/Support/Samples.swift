import Binary
import ObjectRuntime
import Placement
import Raft

@testable import Cluster

/// One message of every kind, and every outcome of a try.
enum Samples {
    static let process = NodeProcess(node: NodeID(rawValue: 2), incarnation: Incarnation(rawValue: 7))
    static let shard = ShardID(rawValue: 3)

    static var raft: Raft.Message {
        Raft.Message(
            from: NodeID(rawValue: 1), to: NodeID(rawValue: 2), term: Term(rawValue: 5), incarnation: 9,
            body: .seal)
    }

    static let feed = FeedAddress(loop: 1, number: 77)

    static var attempt: Try {
        let table = TestTable()
        let object = ObjectID(project: "p", objectClass: "c", id: "o", hashKey: table.state.genesis.hashKey)
        let stream = EdgeStream(incarnation: 300, loop: 1)
        return Try(
            origin: Origin(node: NodeID(rawValue: 1), loop: 1, token: 1_000), shard: shard,
            epoch: Epoch(rawValue: 4),
            minimumIndex: 12, sequence: 77, stream: stream,
            request: Request(
                object: object, operation: .set("name", "\"value\""),
                id: .edge(stream: stream, counter: 1_000),
                settledBelow: 990, isRetry: true, knownIndex: 11))
    }

    static func outcome(_ result: TryOutcome.Result) -> TryOutcome {
        TryOutcome(
            loop: 1, token: 1_000, sequence: 77, shard: shard, epoch: Epoch(rawValue: 4), commitIndex: 13,
            result: result)
    }

    static var report: NodeReport {
        var shardReport = ShardReport(shard: shard)
        shardReport.epoch = 4
        shardReport.stage = "leading"
        shardReport.isServing = true
        shardReport.lastIndex = 300
        shardReport.commitIndex = 299
        shardReport.objects = 5
        shardReport.coldObjects = 3
        shardReport.bytes = 6_000
        shardReport.queued = 2
        shardReport.takeoverPauseMs = 41
        (shardReport.takeoverEpoch, shardReport.handOverMs, shardReport.handOverEpoch) = (4, 6, 3)
        (shardReport.storedIndex, shardReport.loadedBytes) = (250, 900)
        shardReport.replicaLag = [(node: NodeID(rawValue: 1), lag: 3)]
        var report = NodeReport()
        report.name = "n2"
        report.role = .leader
        report.term = 8
        report.leaderName = "n2"
        report.incarnation = 7
        report.uptimeMs = 123_456
        report.leaseRemainingMs = 1_500
        report.isReady = true
        report.isDraining = true
        report.notReadyReasons = ["one", "two"]
        report.placementIndex = 99
        report.placementProgress = [(node: NodeID(rawValue: 1), index: 98, leaseRemainingMs: 3)]
        (report.counters.eventGaps, report.counters.droppedSockets) = (2, 5)
        report.shards = [shardReport, ShardReport(shard: ShardID(rawValue: 9))]
        return report
    }

    static var messages: [PeerMessage] {
        let answer = Answer(reply: .json(Array("{}".utf8)), index: 14, replayed: true, applied: .yes)
        return [
            .placement(raft),
            .join(
                JoinRequest(
                    node: NodeID(rawValue: 9), name: "n9", peerAddress: "a:1", clientURL: "http://a",
                    clusterID: 5)),
            .welcome(TestTable().state.genesis), .propose([1, 2, 3]),
            .leaseRequest(
                LeaseRequest(
                    process: process, sentBootNs: 1, sentSteadyNs: 2, isReady: true, reachable: 3,
                    appliedIndex: LogIndex(rawValue: 4))),
            .leaseGrant(LeaseGrant(process: process, sentBootNs: 1, sentSteadyNs: 2, durationMs: 2_000)),
            .obituary(Obituary(node: NodeID(rawValue: 3), nonce: 42)), .fenceMe(process), .reportRequest(6),
            .report(6, report), .shard(shard, raft), .execute(attempt),
            .move(
                MoveRequest(
                    shard: shard, epoch: Epoch(rawValue: 4), from: process, to: TestTable().process(1))),
            .outcome(outcome(.answered(answer))), .outcome(outcome(.unchanged(answer))),
            .outcome(outcome(.refused)),
            .outcome(outcome(.overloaded)), .outcome(outcome(.noSpace)),
            .replicas(
                ReplicaRequest(
                    shard: shard, epoch: Epoch(rawValue: 4), basis: .genesis, target: [NodeID(rawValue: 1)])),
            .scrubbed(
                ScrubReport(shard: shard, id: 9, index: 10, objectCount: 11, digest: 12, isSound: true)),
            .scrubVerdict(ScrubVerdict(shard: shard, epoch: Epoch(rawValue: 4), id: 9)), .scrubWish(shard),
            .loads(
                LoadReport(
                    process: NodeProcess(node: NodeID(rawValue: 7), incarnation: Incarnation(rawValue: 3)),
                    shards: [
                        .init(
                            shard: shard,
                            load: ShardLoad(operationsPerSecond: 900, bytes: 1 << 20, sockets: 3, objects: 40),
                            hottest: [KeyLoad(key: .max, operationsPerSecond: 500)])
                    ])),
            .space(SpaceReport(process: process, hasRoom: false)),
            .events(
                EventPush(
                    shard: shard, feed: feed, epoch: Epoch(rawValue: 4), previous: .end(epoch: 4, index: 8),
                    through: .end(epoch: 4, index: 9),
                    events: [FeedEvent(point: .end(epoch: 4, index: 9), content: .frame([123, 125]))])),
            .broadcast(
                MessagePush(
                    shard: shard, feed: feed, stream: attempt.stream, counter: 6, sender: nil, frame: [123, 125])),
            .feedEnd(FeedEnd(shard: shard, object: attempt.request.object, feed: feed)),
            .usage(
                UsageReport(
                    process: process,
                    lines: [
                        UsageReport.Line(project: "a", objects: 1, bytes: 2_000, sockets: 3, demands: [4, 500]),
                        UsageReport.Line(project: "b", objects: 0, bytes: 0, sockets: 0, demands: []),
                    ])),
            .feedSeats(
                FeedSeats(
                    shard: shard, object: attempt.request.object, feed: feed,
                    seats: SeatRequest(revision: 9, held: 3, wanted: 4))),
        ]
    }

    static func bytes(_ message: PeerMessage) -> [UInt8] {
        var writer = ByteWriter()
        message.encode(into: &writer)
        return writer.bytes
    }

    static func decode(_ bytes: [UInt8]) -> PeerMessage? {
        var reader = ByteReader(bytes)
        return try? PeerMessage(from: &reader)
    }
}
