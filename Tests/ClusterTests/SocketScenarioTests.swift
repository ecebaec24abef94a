import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Events, messages, presence and resume over real cores, with deaths in between (O14, O15).
struct SocketScenarioTests {
    private struct Setting {
        let cluster = TestCluster.serving()
        let owner: Int
        let first: Int
        let second: Int

        init() throws {
            owner = try #require(cluster.owner())
            first = cluster.other(than: owner)
            second = cluster.other(than: owner, first)
        }

        func kill(_ number: Int) {
            cluster.crash(number)
            cluster.bury(number)
        }

        /// The member hears the first of three writes; its node is dead at the other two. Answers with what it
        /// resumes.
        func writeThriceAndLoseFirst(before member: TestCluster.Socket) throws -> (id: String, after: EventPoint) {
            _ = cluster.run(.addOne(), at: owner)
            cluster.advance(ms: 300)
            let after = try #require(cluster.lastPoint(at: member))
            kill(first)
            for _ in 2...3 { _ = cluster.run(.addOne(), at: owner) }
            return (cluster.connectionID(of: member), after)
        }
    }

    @Test func everySocketHearsEveryWriteOnceI4() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = [setting.owner, setting.first, setting.second, setting.first].map { cluster.connect(at: $0) }
        for number in 1...4 { #expect(cluster.run(.addOne(), at: number % 3)?.applied == .yes) }
        cluster.advance(ms: 300)
        for socket in sockets {
            #expect(cluster.frames(of: socket).first?.hasPrefix("{\"event\":\"connected\"") == true)
            #expect(cluster.counts(at: socket) == [1, 2, 3, 4])
        }
        #expect(Set(sockets.map(cluster.connectionID)).count == 4)
    }

    @Test func anEventLeavesTheOwnerOncePerNodeO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = (0..<5).map { _ in cluster.connect(at: setting.first) }
        for socket in sockets { cluster.send(.ping, over: socket) }
        var pushes = 0
        cluster.loses = { letter in
            if case .events(let push) = letter.message, !push.events.isEmpty { pushes += 1 }
            return false
        }
        _ = cluster.run(.addOne(), at: setting.owner)
        cluster.advance(ms: 50)
        #expect(pushes == 1)
        #expect(sockets.allSatisfy { cluster.counts(at: $0) == [1] })
    }

    @Test func anOwnersDeathIsAPauseAndNothingElseI4() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = [setting.first, setting.second].map { cluster.connect(at: $0) }
        for number in 1...3 { _ = cluster.run(.addOne(), at: number % 3) }
        let token = cluster.submit(.addOne(), at: setting.first)
        setting.kill(setting.owner)
        #expect(cluster.advance(upToMs: 5_000) { cluster.answer(token) != nil })
        for _ in 5...6 { _ = cluster.run(.addOne(), at: setting.second) }
        cluster.advance(ms: 300)
        for socket in sockets {
            #expect(cluster.counts(at: socket) == [1, 2, 3, 4, 5, 6])
            #expect(cluster.events("gap", at: socket).isEmpty)
        }
    }

    @Test func eventsLostWithTheirOwnerAreToldByTheNextI4() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.advance(ms: 300)
        cluster.loseEvents()
        for _ in 2...4 { #expect(cluster.run(.addOne(), at: setting.second)?.applied == .yes) }
        setting.kill(setting.owner)
        cluster.loses = { _ in false }
        #expect(cluster.advance(upToMs: 5_000) { cluster.counts(at: socket).count == 4 })
        #expect(cluster.counts(at: socket) == [1, 2, 3, 4])
    }

    @Test func anEventLostOnTheWayIsAskedForAgainO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        cluster.send(.ping, over: socket)
        cluster.loseEvents()
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.loses = { _ in false }
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.advance(ms: 100)
        #expect(cluster.counts(at: socket) == [1, 2])
    }

    @Test func aNewLinkTellsWhatTheOldOneLostO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        cluster.send(.ping, over: socket)
        cluster.loseEvents()
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.loses = { _ in false }
        let owner = cluster.nodes[setting.owner]
        owner.loop.step(.linkUp(cluster.nodes[setting.first].nodeID), now: cluster.now)
        cluster.flush(owner)
        cluster.deliver()
        cluster.advance(ms: 50)
        #expect(cluster.counts(at: socket) == [1])
    }

    @Test func messagesGoToTheOthersAndKeepTheirOrder() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sender = cluster.connect(at: setting.first)
        let neighbour = cluster.connect(at: setting.first)
        let far = cluster.connect(at: setting.second)
        for number in 0..<5 { cluster.send(.message(SocketPayload("{\"n\":\(number)}")), over: sender) }
        cluster.advance(ms: 50)
        let expected = (0..<5).map { "{\"event\":\"message\",\"payload\":{\"n\":\($0)}}" }
        #expect(cluster.events("message", at: neighbour) == expected)
        #expect(cluster.events("message", at: far) == expected)
        #expect(cluster.events("message", at: sender).isEmpty)
        let token = cluster.submit(.message(SocketPayload("7"), sender: nil), at: setting.second)
        cluster.advance(ms: 50)
        #expect(cluster.answer(token)?.reply == .noContent)
        #expect(cluster.events("message", at: sender) == ["{\"event\":\"message\",\"payload\":7}"])
    }

    @Test func presenceIsExactAndTheListAgrees() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.second)
        let member = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{\"name\":\"ada\"}")), over: member)
        cluster.advance(ms: 300)
        let id = cluster.connectionID(of: member)
        #expect(cluster.events("presence:join", at: observer).count == 1)
        #expect(cluster.events("presence:join", at: member).count == 1)
        #expect(cluster.presenceList(at: setting.owner)?.contains("\"connectionId\":\"\(id)\"") == true)
        cluster.send(.leave, over: member)
        cluster.close(member)
        cluster.advance(ms: 300)
        let leaves = cluster.events("presence:leave", at: observer)
        #expect(leaves.count == 1)
        #expect(leaves.first?.contains("{\"name\":\"ada\"}") == true)
        #expect(cluster.presenceList(at: setting.first) == "[]")
    }

    @Test func anOwnersDeathCausesNeitherLeavesNorJoinsO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.second)
        let member = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{}")), over: member)
        cluster.advance(ms: 300)
        setting.kill(setting.owner)
        #expect(cluster.advance(upToMs: 5_000) { cluster.owner() != nil })
        cluster.advance(ms: 4_000)
        #expect(cluster.events("presence:join", at: observer).count == 1)
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
        #expect(cluster.presenceList(at: setting.second)?.contains(cluster.connectionID(of: member)) == true)
    }

    @Test func aClientThatLostItsNodeGoesOnElsewhereO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.second)
        let member = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{}")), over: member)
        let (id, after) = try setting.writeThriceAndLoseFirst(before: member)
        let back = cluster.connect(at: setting.second)
        cluster.send(.resume(connectionID: id, after: after), over: back)
        _ = cluster.run(.addOne(), at: setting.owner)
        cluster.advance(ms: 4_000)
        #expect(cluster.connectionID(of: back) == id)
        #expect(cluster.counts(at: back) == [2, 3, 4])
        #expect(cluster.counts(at: observer) == [1, 2, 3, 4])
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
        #expect(cluster.events("presence:join", at: observer).count == 1)
        cluster.close(back)
        cluster.advance(ms: 100)
        #expect(cluster.events("presence:leave", at: observer).count == 1)
    }

    /// A feed asks just before its object becomes another shard's: what it misses is told there, and not by nobody.
    @Test func whatIsAskedBeforeASplitIsAnsweredBehindItO13() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        cluster.send(.ping, over: socket)
        #expect(cluster.run(.addOne(), at: setting.second)?.applied == .yes)
        cluster.advance(ms: 100)
        let owner = cluster.nodes[setting.owner]
        let state = try #require(owner.view?.state)
        let object = ObjectID(project: "p", objectClass: "c", id: "o", hashKey: state.genesis.hashKey)
        let record = try #require(state.table.record(of: TestCluster.shard))
        // One event is lost, the next is not committed: the feed asks, and its answer waits for that.
        cluster.loseEvents()
        #expect(cluster.run(.addOne(), at: setting.second)?.applied == .yes)
        cluster.loses = { letter in
            if case .shard = letter.message { return true }
            return false
        }
        _ = cluster.submit(.addOne(), at: setting.second)
        owner.loop.step(.linkUp(cluster.nodes[setting.first].nodeID), now: cluster.now)
        cluster.flush(owner)
        cluster.advance(ms: 20)
        // The plan gets through, and the split is an entry behind the question: both are committed at once.
        let leader = cluster.nodes[try #require(cluster.leader)]
        let plan = Command.planSplit(record.shard, expected: record.epoch, cut: object.key.rawValue)
        leader.core.step(.propose(RequestToken(rawValue: 1 << 50), plan), now: cluster.now)
        cluster.flush(leader)
        cluster.advance(ms: 200)
        cluster.loses = { _ in false }
        #expect(cluster.advance(upToMs: 5_000) { cluster.nodes[0].view?.state?.table.records.count == 2 })
        #expect(cluster.run(.addOne(), at: setting.second)?.applied == .yes)
        cluster.advance(ms: 1_000)
        #expect(cluster.counts(at: socket) == [1, 2, 3, 4])
    }

    /// A busy client takes longer than a node waits for what may never come.
    @Test(arguments: [true, false]) func aLateResumeMissesNothingIfItWasAnnouncedO14(_ isAnnounced: Bool) throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let member = cluster.connect(at: setting.first)
        let (id, after) = try setting.writeThriceAndLoseFirst(before: member)
        let back = cluster.connect(at: setting.second, announcesResume: isAnnounced)
        for _ in 4...5 {
            _ = cluster.run(.addOne(), at: setting.owner)
            cluster.advance(ms: 500)
        }
        #expect(cluster.counts(at: back) == (isAnnounced ? [] : [4, 5]))
        cluster.send(.resume(connectionID: id, after: after), over: back)
        cluster.advance(ms: 300)
        _ = cluster.run(.addOne(), at: setting.owner)
        cluster.advance(ms: 300)
        #expect(cluster.connectionID(of: back) == id)
        #expect(cluster.counts(at: back) == (isAnnounced ? [2, 3, 4, 5, 6] : [4, 5, 6]))
        #expect(cluster.events("gap", at: back).count == (isAnnounced ? 0 : 1))
    }

    @Test func aDeadNodesConnectionsLeaveOnceAfterTheGraceO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.second)
        let member = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{}")), over: member)
        cluster.advance(ms: 300)
        setting.kill(setting.first)
        cluster.advance(ms: 1_500)
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
        cluster.advance(ms: 4_000)
        #expect(cluster.events("presence:leave", at: observer).count == 1)
        #expect(cluster.presenceList(at: setting.second) == "[]")
    }

    /// A node that is being drained sends its clients away and lives on.
    @Test(arguments: [true, false])
    func aClientThatIsSentElsewhereIsPresentWhileItMayComeO15(comesBack: Bool) throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.owner)
        let member = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{}")), over: member)
        cluster.advance(ms: 300)
        cluster.close(member, .shutdown)
        cluster.advance(ms: 1_000)
        if comesBack {
            let back = cluster.connect(at: setting.second)
            cluster.send(.resume(connectionID: cluster.connectionID(of: member), after: nil), over: back)
        }
        cluster.advance(ms: Int(SocketHub.farewellMs) - 2_000)
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
        cluster.advance(ms: 3_000)
        #expect(cluster.events("presence:leave", at: observer).count == (comesBack ? 0 : 1))
        #expect((cluster.presenceList(at: setting.second) == "[]") == !comesBack)
    }

    @Test func ownerAndEdgeInOneNodeMayDieTogetherO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.second)
        let member = cluster.connect(at: setting.owner)
        cluster.send(.join(SocketPayload("{}")), over: member)
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.advance(ms: 300)
        let id = cluster.connectionID(of: member)
        let after = try #require(cluster.lastPoint(at: member))
        _ = cluster.run(.addOne(), at: setting.second)
        setting.kill(setting.owner)
        let back = cluster.connect(at: setting.first)
        cluster.send(.resume(connectionID: id, after: after), over: back)
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.advance(ms: 4_000)
        #expect(cluster.connectionID(of: back) == id)
        #expect(cluster.counts(at: back) == [2, 3])
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
        #expect(cluster.counts(at: observer) == [1, 2, 3])
    }

    @Test func aResumeEndsTheEarlierSocketWithoutALeaveO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let observer = cluster.connect(at: setting.second)
        let old = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{}")), over: old)
        cluster.advance(ms: 300)
        let id = cluster.connectionID(of: old)
        for node in [setting.first, setting.owner] {
            let new = cluster.connect(at: node)
            cluster.send(.resume(connectionID: id, after: nil), over: new)
            cluster.advance(ms: 100)
            #expect(cluster.connectionID(of: new) == id)
        }
        #expect(cluster.nodes[old.node].closings[old.number]?.code == 1008)
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
        #expect(cluster.presenceList(at: setting.second)?.contains(id) == true)
    }

    @Test func onlyTheSameKeyAndObjectTakeAConnectionOver() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let old = cluster.connect(at: setting.first)
        let id = cluster.connectionID(of: old)
        let thief = cluster.connect(at: setting.second, key: "other")
        let stranger = cluster.connect(at: setting.second, object: "another")
        let guesser = cluster.connect(at: setting.second)
        for socket in [thief, stranger] { cluster.send(.resume(connectionID: id, after: nil), over: socket) }
        cluster.send(.resume(connectionID: "nonsense", after: nil), over: guesser)
        cluster.advance(ms: 100)
        for socket in [thief, stranger, guesser] {
            let acks = cluster.events("resume:ack", at: socket)
            #expect(acks.count == 1)
            #expect(acks.first?.contains(id) == false)
        }
        #expect(cluster.nodes[old.node].closings[old.number] == nil)
    }

    @Test func aPointThatLiesTooFarBackGetsOneGapO14() throws {
        let cluster = TestCluster.serving { $0.eventHistoryBytes = 1 }
        let socket = cluster.connect(at: 0)
        cluster.send(.ping, over: socket)
        for number in 1...10 { _ = cluster.run(.addOne(), at: number % 3) }
        cluster.advance(ms: 100)
        #expect(cluster.counts(at: socket) == Array(1...10))
        let id = cluster.connectionID(of: socket)
        let first = try #require(cluster.frames(of: socket).first { $0.hasPrefix("{\"event\":\"setItem\"") })
        let numbers = first[first.range(of: "\"at\":{\"epoch\":")].split { !$0.isNumber }.compactMap { UInt64($0) }
        let back = cluster.connect(at: 1)
        cluster.send(
            .resume(connectionID: id, after: EventPoint(epoch: numbers[0], index: numbers[1])), over: back)
        cluster.advance(ms: 100)
        _ = cluster.run(.addOne(), at: 2)
        cluster.advance(ms: 100)
        #expect(cluster.events("gap", at: back).count == 1)
        #expect(cluster.counts(at: back) == [11])
    }

    @Test func aPointOfAnotherHistoryGetsAGapO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        _ = cluster.run(.addOne(), at: setting.owner)
        cluster.advance(ms: 300)
        let point = try #require(cluster.lastPoint(at: socket))
        for wrong in [
            EventPoint(epoch: point.epoch + 7, index: point.index),
            EventPoint(epoch: point.epoch, index: point.index + 1_000),
        ] {
            let back = cluster.connect(at: setting.second)
            cluster.send(.resume(connectionID: "x", after: wrong), over: back)
            cluster.advance(ms: 100)
            #expect(cluster.events("gap", at: back).count == 1)
        }
    }

    @Test func lateCopiesOfADeadEdgesMessagesAreKnown() {
        let object = ObjectID(project: "p", objectClass: "c", id: "o", key: ObjectKey(rawValue: 1))
        let feed = Feed(
            address: FeedAddress(loop: 0, number: 1), object: object, project: "p", shard: TestCluster.shard)
        let edge = EdgeStream(incarnation: 3, loop: 0)
        #expect(feed.takeMessage(edge, counter: 5))
        feed.forgetMessages { $0 == 3 }
        #expect(!feed.takeMessage(edge, counter: 4))
        #expect(feed.takeMessage(edge, counter: 6))
        feed.forgetMessages { $0 == 3 }
        // Forgotten now: nothing is on its way for so long.
        #expect(feed.takeMessage(edge, counter: 1))
    }

    @Test func aGapBehindAPointThatIsLeftBehindIsNoneO14() throws {
        let cluster = TestCluster.serving { $0.eventHistoryBytes = 1 }
        let owner = try #require(cluster.owner())
        let node = cluster.other(than: owner)
        let socket = cluster.connect(at: node)
        cluster.send(.ping, over: socket)
        cluster.keeps = { letter in
            guard case .execute(let attempt) = letter.message, case .listen = attempt.request.operation else {
                return false
            }
            return true
        }
        cluster.nodes[node].loop.step(.lease(.passed), now: cluster.now)
        cluster.advance(upToMs: 500) { !cluster.kept.isEmpty }
        #expect(!cluster.kept.isEmpty)
        for _ in 1...8 { _ = cluster.run(.addOne(), at: owner) }
        cluster.releaseKept()
        _ = cluster.run(.addOne(), at: owner)
        cluster.advance(ms: 50)
        #expect(cluster.events("gap", at: socket).isEmpty)
        #expect(cluster.counts(at: socket) == Array(1...9))
    }

    @Test func aSocketThatNobodyCanServeIsClosed() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        cluster.crash(setting.owner)
        cluster.crash(setting.first)
        let socket = cluster.open(at: setting.second, object: "fresh")
        cluster.advance(ms: 11_000)
        #expect(cluster.frames(of: socket).isEmpty)
        #expect(cluster.nodes[setting.second].closings[socket.number]?.code == 1013)
    }

    @Test func noSocketOfItsConnectionHearsAMessage() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let neighbour = cluster.connect(at: setting.first)
        let old = cluster.connect(at: setting.first)
        let back = cluster.connect(at: setting.first)
        // The earlier socket is not ended: its node does not hear that the connection has moved.
        cluster.loses = { letter in
            if case .events = letter.message { return true }
            return false
        }
        cluster.send(.resume(connectionID: cluster.connectionID(of: old), after: nil), over: back)
        cluster.advance(ms: 50)
        cluster.send(.message(SocketPayload("1")), over: back)
        cluster.advance(ms: 50)
        #expect(cluster.events("message", at: neighbour).count == 1)
        #expect(cluster.events("message", at: back).isEmpty)
        #expect(cluster.events("message", at: old).isEmpty)
    }

    @Test func aResumeThatComesTooLateIsToldOfAGapO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let first = cluster.connect(at: setting.first)
        _ = cluster.run(.addOne(), at: setting.owner)
        cluster.advance(ms: 300)
        let after = try #require(cluster.lastPoint(at: first))
        for _ in 2...3 { _ = cluster.run(.addOne(), at: setting.owner) }
        let back = cluster.connect(at: setting.second)
        cluster.send(.ping, over: back)
        _ = cluster.run(.addOne(), at: setting.owner)
        cluster.send(.resume(connectionID: cluster.connectionID(of: first), after: after), over: back)
        cluster.advance(ms: 100)
        #expect(cluster.events("gap", at: back).count == 1)
        #expect(cluster.counts(at: back) == [4])
        #expect(cluster.connectionID(of: back) == cluster.connectionID(of: first))
        _ = cluster.run(.addOne(), at: setting.owner)
        #expect(cluster.counts(at: back) == [4, 5])
    }

    @Test func aLateListenDoesNotTakeThePlaceOfANewerFeedO14() {
        var listeners = Listeners()
        let object = ObjectID(project: "p", objectClass: "c", id: "o", key: ObjectKey(rawValue: 1))
        for number in [5, 3, 5] as [UInt64] {
            _ = listeners.add(
                Listeners.Listener(
                    node: NodeID(rawValue: 1), incarnation: 1, feed: FeedAddress(loop: 0, number: number),
                    told: EventPoint(epoch: 1, index: 1)), to: object, SeatRequest(), limit: 10)
            #expect(listeners[object].map(\.feed.number) == [5])
        }
    }
}
