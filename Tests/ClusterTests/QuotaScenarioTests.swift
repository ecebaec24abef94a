import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Quotas and seats over real cores: three nodes, messages between them, and time.
struct QuotaScenarioTests {
    private func cluster(_ quota: Quota? = nil, shards: Int = 1, limits: ObjectLimits? = nil) -> TestCluster {
        let cluster = TestCluster.serving(shards: shards)
        put(.createProject(id: "p", createdAtMs: 1), to: cluster)
        if let quota { put(.setQuota(project: "p", quota), to: cluster) }
        if let limits { put(.setObjectLimits(limits), to: cluster) }
        // Two rounds: what one says, the others pass on to their loops in the next.
        cluster.advance(ms: 2_500)
        return cluster
    }

    private func put(_ command: Command, to cluster: TestCluster) {
        let token = UInt64(cluster.nodes[0].proposals.count) + 9_000
        cluster.nodes[0].core.step(.propose(RequestToken(rawValue: token), command), now: cluster.now)
        let isDone = cluster.advance(upToMs: 5_000) { cluster.nodes[0].proposals[token] != nil }
        #expect(isDone && (try? cluster.nodes[0].proposals[token]?.get()) == .done, "\(command)")
    }

    private func used(_ cluster: TestCluster, at node: Int) -> ProjectTotals? {
        cluster.nodes[node].loop.quotaStanding.lines["p"]?.used
    }

    // MARK: - Quotas

    @Test func everyNodeKnowsWhatAProjectTakesEverywhere() {
        let cluster = cluster(Quota(objects: 100), shards: 4)
        for number in 0..<6 { _ = cluster.run(.set("name", "12345"), at: number % 3, objectID: "o\(number)") }
        let sockets = (0..<3).map { cluster.connect(at: $0) }
        cluster.advance(ms: 2_500)
        for node in 0..<3 {
            #expect(used(cluster, at: node)?.objects == 6)
            #expect(used(cluster, at: node)?.bytes == 54)
            #expect(used(cluster, at: node)?.sockets == 3)
        }
        cluster.close(sockets[1])
        _ = cluster.run(.clear, at: 0, objectID: "o3")
        cluster.advance(ms: 2_500)
        #expect(used(cluster, at: 2)?.sockets == 2 && used(cluster, at: 2)?.objects == 5)
    }

    @Test func theObjectBeyondTheQuotaIsRefusedAtEveryNodeAndRoomComesBack() {
        let cluster = cluster(Quota(objects: 3), shards: 4)
        for number in 0..<3 {
            #expect(cluster.run(.addOne(), at: number, objectID: "o\(number)")?.applied == .yes)
        }
        cluster.advance(ms: 2_500)
        for number in 3..<9 {
            let answer = cluster.run(.addOne(), at: number % 3, objectID: "o\(number)")
            #expect(answer?.refusal?.code == "rateLimitError.quota.objects" && answer?.applied == .no)
        }
        #expect(cluster.run(.addOne(), at: 1, objectID: "o0")?.applied == .yes)
        #expect(cluster.run(.clear, at: 2, objectID: "o0")?.applied == .yes)
        cluster.advance(ms: 2_500)
        #expect(cluster.run(.addOne(), at: 1, objectID: "another")?.applied == .yes)
    }

    @Test func atOneOwnerNotASingleObjectTooManyIsMade() {
        let cluster = cluster(Quota(objects: 4))
        let answers = (0..<8).map { cluster.run(.addOne(), at: $0 % 3, objectID: "o\($0)") }
        #expect(answers.map { $0?.applied == .yes } == [true, true, true, true, false, false, false, false])
    }

    @Test func aDeadNodesPartIsCountedOnceAgainWhenItsHeirServes() throws {
        let cluster = cluster(Quota(objects: 3))
        for number in 0..<3 { _ = cluster.run(.addOne(), at: 0, objectID: "o\(number)") }
        let owner = try #require(cluster.owner())
        cluster.crash(owner)
        cluster.bury(owner)
        #expect(cluster.advance(upToMs: 5_000) { cluster.owner().map { $0 != owner } ?? false })
        cluster.advance(ms: 2_500)
        let other = cluster.other(than: owner)
        #expect(used(cluster, at: other)?.objects == 3)
        let answer = cluster.run(.addOne(), at: other, objectID: "o9")
        #expect(answer?.refusal?.code == "rateLimitError.quota.objects")
    }

    @Test func operationsOverAllNodesStayWithinTheQuotaAndASecondOfIt() {
        let cluster = cluster(Quota(operationsPerSecond: 60))
        var passed = 0
        var refusals: Set<String> = []
        // Ten seconds; node 0 is asked for 100 a second, node 1 for 50, node 2 for nothing.
        for step in 0..<1_000 {
            let askers = step.isMultiple(of: 2) ? [0, 1] : [0]
            for node in askers {
                let token = cluster.submit(.getItem("n"), at: node)
                cluster.advance(ms: 0)
                guard let answer = cluster.answer(token) else { continue }
                if let refusal = answer.refusal {
                    refusals.insert(refusal.code)
                    #expect(answer.applied == .no && answer.retryAfterMs ?? 0 > 0)
                } else {
                    passed += 1
                }
            }
            cluster.advance(ms: 10)
        }
        #expect(refusals == ["rateLimitError.quota.operations"])
        #expect(passed <= 10 * 60 + 60)
        // Node 2, which wants nothing, is guaranteed a twelfth of it.
        #expect(passed >= 9 * 55)
    }

    @Test func whoDemandsMoreGetsMore() {
        let cluster = cluster(Quota(operationsPerSecond: 120))
        for _ in 0..<600 {
            for node in [0, 0, 1] { _ = cluster.submit(.getItem("n"), at: node) }
            cluster.advance(ms: 10)
        }
        let rates = (0..<3).map { cluster.nodes[$0].loop.quotaStanding.lines["p"]?.loopRates.first ?? 0 }
        #expect(rates[0] > rates[1] && rates[1] > rates[2] && rates[2] >= 10_000)
        #expect(rates.reduce(0, +) <= 120_000)
    }

    @Test func withoutQuotasNodesSayNothingAboutUsage() {
        let cluster = TestCluster.serving()
        var reports = 0
        cluster.loses = { letter in
            if case .usage = letter.message { reports += 1 }
            return false
        }
        cluster.advance(ms: 3_000)
        #expect(reports == 0)
        put(.createProject(id: "p", createdAtMs: 1), to: cluster)
        put(.setQuota(project: "p", Quota(objects: 0)), to: cluster)
        cluster.advance(ms: 2_500)
        #expect(reports >= 6)
        #expect(cluster.run(.addOne(), at: 0)?.refusal?.quotaKind == .objects)
        put(.setQuota(project: "p", .unlimited), to: cluster)
        cluster.advance(ms: 1_500)
        #expect(cluster.run(.addOne(), at: 0)?.applied == .yes)
        #expect(cluster.nodes.allSatisfy { $0.loop.quotaStanding.lines.isEmpty })
    }

    // MARK: - Limits of the cluster

    @Test func limitsOfObjectsAreTheSameAtEveryOwner() throws {
        let cluster = cluster(limits: ObjectLimits(valueBytes: 8, itemsPerObject: 2))
        #expect(cluster.run(.set("a", "12345678"), at: 0)?.applied == .yes)
        #expect(cluster.run(.set("b", "123456789"), at: 1)?.refusal?.code == "validationError.value.tooLarge")
        #expect(cluster.run(.set("b", "1"), at: 1)?.applied == .yes)
        let owner = try #require(cluster.owner())
        cluster.crash(owner)
        cluster.bury(owner)
        let answer = cluster.run(.set("c", "1"), at: cluster.other(than: owner))
        #expect(answer?.refusal?.code == "validationError.object.tooManyItems")
    }

    // MARK: - Sockets of one object

    private func isConnected(_ socket: TestCluster.Socket, _ cluster: TestCluster) -> Bool {
        cluster.frames(of: socket).first?.hasPrefix("{\"event\":\"connected\"") == true
    }

    private func refusal(_ socket: TestCluster.Socket, _ cluster: TestCluster) -> SocketClosing? {
        cluster.nodes[socket.node].closings[socket.number]
    }

    @Test func overAllNodesExactlyAsManySocketsAsTheLimitSays() {
        let cluster = cluster(limits: ObjectLimits(socketsPerObject: 5))
        let sockets = (0..<5).map { cluster.connect(at: $0 % 3) }
        #expect(sockets.allSatisfy { isConnected($0, cluster) })
        for node in 0..<3 {
            let surplus = cluster.connect(at: node)
            cluster.advance(ms: 100)
            #expect(!isConnected(surplus, cluster))
            #expect(cluster.frames(of: surplus).first?.hasPrefix("{\"event\":\"error\"") == true)
            #expect(refusal(surplus, cluster)?.code == 1013)
        }
        #expect(isConnected(cluster.connect(at: 0, object: "another"), cluster))
        cluster.close(sockets[4])
        cluster.advance(ms: 100)
        #expect(isConnected(cluster.connect(at: 0), cluster), "the seat that was given back")
        cluster.advance(ms: 100)
        #expect(!isConnected(cluster.connect(at: 1), cluster))
    }

    @Test func socketsThatComeTogetherShareTheOwnersWord() throws {
        let cluster = cluster(limits: ObjectLimits(socketsPerObject: 10))
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        let first = cluster.connect(at: edge)
        var questions = 0
        cluster.keeps = { letter in
            guard case .execute(let attempt) = letter.message, case .listen = attempt.request.operation else {
                return false
            }
            questions += 1
            return true
        }
        let crowd = (0..<12).map { _ in
            cluster.advance(ms: 10)
            return cluster.open(at: edge)
        }
        #expect(questions == 1)
        cluster.releaseKept()
        cluster.advance(ms: 200)
        #expect(isConnected(first, cluster))
        #expect(crowd.map { isConnected($0, cluster) } == Array(repeating: true, count: 9) + [false, false, false])
        #expect(crowd[9...].allSatisfy { refusal($0, cluster)?.code == 1013 })
    }

    @Test func aNewOwnerKeepsTheSocketsThatAreThereAndTakesNoMore() throws {
        let cluster = cluster(limits: ObjectLimits(socketsPerObject: 2))
        let owner = try #require(cluster.owner())
        let (first, second) = (cluster.other(than: owner), cluster.other(than: owner, cluster.other(than: owner)))
        let sockets = [cluster.connect(at: first), cluster.connect(at: second)]
        cluster.crash(owner)
        cluster.bury(owner)
        #expect(cluster.advance(upToMs: 5_000) { cluster.owner().map { $0 != owner } ?? false })
        cluster.advance(ms: 500)
        let surplus = cluster.connect(at: first)
        cluster.advance(ms: 500)
        #expect(!isConnected(surplus, cluster) && refusal(surplus, cluster)?.code == 1013)
        _ = cluster.run(.addOne(), at: first)
        cluster.advance(ms: 200)
        #expect(sockets.allSatisfy { refusal($0, cluster) == nil && cluster.counts(at: $0) == [1] })
    }

    @Test func aDeadNodesSeatsAreFree() throws {
        let cluster = cluster(limits: ObjectLimits(socketsPerObject: 1))
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        _ = cluster.connect(at: edge)
        cluster.crash(edge)
        cluster.bury(edge)
        cluster.advance(ms: 3_000)
        #expect(isConnected(cluster.connect(at: owner), cluster))
    }

    @Test func aWordAboutSeatsThatWasLostIsSaidAgainOverTheNextLink() throws {
        let cluster = cluster(limits: ObjectLimits(socketsPerObject: 2))
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        let (staying, leaving) = (cluster.connect(at: edge), cluster.connect(at: edge))
        cluster.loses = { letter in
            if case .feedSeats = letter.message { return true }
            return false
        }
        cluster.close(leaving)
        cluster.advance(ms: 100)
        let early = cluster.connect(at: owner)
        cluster.advance(ms: 100)
        #expect(refusal(early, cluster)?.code == 1013)
        cluster.loses = { _ in false }
        cluster.nodes[edge].loop.step(.linkUp(cluster.nodes[owner].nodeID), now: cluster.now)
        cluster.advance(ms: 100)
        #expect(isConnected(cluster.connect(at: owner), cluster) && isConnected(staying, cluster))
    }

    @Test func aWordThatWasOvertakenDoesNotGiveSeatsBackToTheDead() {
        var listeners = Listeners()
        let object = ObjectID(project: "p", objectClass: "c", id: "o", key: ObjectKey(rawValue: 1))
        func listen(_ node: UInt64, _ seats: SeatRequest) -> UInt64 {
            listeners.add(
                Listeners.Listener(
                    node: NodeID(rawValue: node), incarnation: node, feed: FeedAddress(loop: 0, number: node),
                    told: EventPoint(epoch: 1, index: 1)), to: object, seats, limit: 4)
        }
        func keep(_ node: UInt64, _ seats: SeatRequest) {
            listeners.keepSeats(
                FeedSeats(
                    shard: ShardID(rawValue: 0), object: object, feed: FeedAddress(loop: 0, number: node),
                    seats: seats), of: NodeID(rawValue: node))
        }
        #expect(listen(1, SeatRequest(revision: 1, held: 0, wanted: 3)) == 3)
        keep(1, SeatRequest(revision: 3, held: 1, wanted: 1))
        // A copy of the second word, which was lost and is repeated.
        #expect(listen(1, SeatRequest(revision: 2, held: 3, wanted: 4)) == 1)
        keep(1, SeatRequest(revision: 2, held: 4, wanted: 4))
        #expect(listen(2, SeatRequest(revision: 1, held: 0, wanted: 9)) == 3)
        #expect(listen(2, SeatRequest(revision: 2, held: 9, wanted: 9)) == 9, "what is there stays")
    }
}
