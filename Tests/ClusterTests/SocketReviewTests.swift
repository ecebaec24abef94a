import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Resumes that chase each other, feeds that could not hear, nodes that are cut off, clients that flood.
struct SocketReviewTests {
    private struct Setting {
        let cluster: TestCluster
        let owner: Int
        let first: Int
        let second: Int

        init(adjust: (inout NodeSettings) -> Void = { _ in }) throws {
            cluster = TestCluster.serving(adjust: adjust)
            owner = try #require(cluster.owner())
            first = cluster.other(than: owner)
            second = cluster.other(than: owner, first)
        }

        func closing(_ socket: TestCluster.Socket) -> UInt16? {
            cluster.nodes[socket.node].closings[socket.number]?.code
        }
    }

    @Test func ofTwoResumesAtOnceTheLaterOneHoldsTheConnectionO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let old = cluster.connect(at: setting.owner)
        cluster.send(.join(SocketPayload("{}")), over: old)
        cluster.advance(ms: 100)
        let id = cluster.connectionID(of: old)
        let sockets = [setting.first, setting.second].map { cluster.connect(at: $0) }
        // The event of the later one overtakes the earlier one's answer.
        cluster.loses = { letter in
            if case .outcome = letter.message { return letter.to == setting.first }
            return false
        }
        for socket in sockets { cluster.send(.resume(connectionID: id, after: nil), over: socket) }
        cluster.advance(ms: 100)
        cluster.loses = { _ in false }
        cluster.advance(ms: 2_000)
        #expect(setting.closing(old) == 1008)
        #expect(setting.closing(sockets[0]) == 1008)
        #expect(setting.closing(sockets[1]) == nil)
        #expect(cluster.connectionID(of: sockets[1]) == id)
        #expect(cluster.presenceList(at: setting.owner)?.contains(id) == true)
    }

    @Test func newsOfAnEarlierResumeDoesNotEndTheLaterOneO15() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let old = cluster.connect(at: setting.owner)
        cluster.send(.join(SocketPayload("{}")), over: old)
        cluster.advance(ms: 100)
        let id = cluster.connectionID(of: old)
        let early = cluster.connect(at: setting.second)
        let observer = cluster.connect(at: setting.first)
        cluster.send(.ping, over: observer)
        cluster.loses = { letter in
            if case .events = letter.message { return letter.to == setting.first }
            return false
        }
        cluster.send(.resume(connectionID: id, after: nil), over: early)
        cluster.advance(ms: 50)
        cluster.loses = { _ in false }
        let late = cluster.connect(at: setting.first)
        cluster.send(.resume(connectionID: id, after: nil), over: late)
        cluster.advance(ms: 300)
        #expect(setting.closing(early) == 1008)
        #expect(setting.closing(late) == nil)
        #expect(cluster.connectionID(of: late) == id)
        #expect(cluster.events("presence:leave", at: observer).isEmpty)
    }

    @Test func aFeedThatCouldNotHearHearsBeforeItConnectsAnybodyO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = [setting.first, setting.second].map { cluster.connect(at: $0) }
        for socket in sockets { cluster.send(.join(SocketPayload("{}")), over: socket) }
        cluster.advance(ms: 100)
        cluster.loses = { letter in
            if case .execute = letter.message { return true }
            return false
        }
        cluster.crash(setting.owner)
        cluster.bury(setting.owner)
        cluster.advance(ms: 12_000)
        let owner = try #require(cluster.owner())
        let cutOff = try #require(sockets.first { $0.node != owner })
        #expect(setting.closing(cutOff) == 1013)
        let fresh = cluster.open(at: cutOff.node)
        cluster.advance(ms: 50)
        cluster.loses = { _ in false }
        cluster.advance(upToMs: 5_000) { !cluster.frames(of: fresh).isEmpty }
        cluster.send(.ping, over: fresh)
        #expect(cluster.run(.addOne(), at: owner)?.applied == .yes)
        cluster.advance(ms: 300)
        #expect(cluster.counts(at: fresh) == [1])
    }

    /// Its feed asks for the seat of another socket when the owner dies: nobody answers that, nor asks again.
    @Test func aSocketWhoseFeedAsksForSeatsWhileTheOwnerChangesIsNotLeftDeafO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = [setting.first, setting.second].map { cluster.connect(at: $0) }
        for socket in sockets { cluster.send(.ping, over: socket) }
        cluster.loses = { letter in
            if case .execute = letter.message { return true }
            return false
        }
        let waiting = [setting.first, setting.second].map { cluster.open(at: $0) }
        cluster.crash(setting.owner)
        cluster.bury(setting.owner)
        cluster.advance(ms: 12_000)
        cluster.loses = { _ in false }
        let owner = try #require(cluster.owner())
        let place = try #require(sockets.firstIndex { $0.node != owner })
        #expect(setting.closing(waiting[place]) == 1013)
        #expect(cluster.run(.addOne(), at: owner)?.applied == .yes)
        cluster.advance(ms: 1_000)
        #expect(setting.closing(sockets[place]) == 1013 || cluster.counts(at: sockets[place]) == [1])
    }

    /// Its shard was emptied of another object meanwhile, unwatched: that is no gap to who has listened all the time.
    @Test func theFirstEventOfAnObjectReachesASocketThatHasJustConnectedO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        // A new owner watches everything for a while.
        cluster.advance(ms: 60_000)
        _ = cluster.run(.addOne(), at: setting.owner, objectID: "other")
        let socket = cluster.connect(at: setting.first)
        #expect(cluster.run(.removeItem("n"), at: setting.owner, objectID: "other")?.applied == .yes)
        #expect(cluster.run(.addOne(), at: setting.owner)?.applied == .yes)
        cluster.advance(ms: 500)
        #expect(cluster.counts(at: socket) == [1])
        #expect(cluster.events("gap", at: socket).isEmpty)
    }

    /// What comes while a socket is greeted is kept at its edge: that the owner keeps hardly anything is no gap.
    @Test func whatComesDuringTheGreetingIsToldWithoutTheOwnerO14() throws {
        let setting = try Setting { $0.eventHistoryBytes = 1 }
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        for _ in 0..<8 { #expect(cluster.run(.addOne(), at: setting.owner)?.applied == .yes) }
        #expect(cluster.counts(at: socket).isEmpty)
        cluster.send(.ping, over: socket)
        cluster.advance(ms: 100)
        #expect(cluster.counts(at: socket) == Array(1...8))
        #expect(cluster.events("gap", at: socket).isEmpty)
    }

    /// Beyond what is kept the owner is asked, which still has all of it.
    @Test func muchThatComesDuringTheGreetingIsAskedForO14() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        let text = Array("\"\(String(repeating: "x", count: 40_000))\"".utf8)
        for _ in 0..<3 {
            let answer = cluster.run(.setItems([ItemWrite(name: "a", value: text)]), at: setting.owner)
            #expect(answer?.applied == .yes)
        }
        #expect(cluster.events("setItem", at: socket).isEmpty)
        cluster.send(.ping, over: socket)
        cluster.advance(ms: 100)
        #expect(cluster.events("setItem", at: socket).count == 3)
        #expect(cluster.events("gap", at: socket).isEmpty)
    }

    @Test func aNodeThatIsCutOffEndsItsSockets() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = [setting.first, setting.second].map { cluster.connect(at: $0) }
        for socket in sockets { cluster.send(.ping, over: socket) }
        cluster.isolate(setting.first)
        cluster.advance(ms: 15_000)
        #expect(setting.closing(sockets[0]) == 1013)
        #expect(setting.closing(sockets[1]) == nil)
    }

    @Test func theDataPlaneOutlivesTheControlPlaneForSocketsTooO5() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let sockets = [setting.first, setting.second].map { cluster.connect(at: $0) }
        for socket in sockets { cluster.send(.ping, over: socket) }
        cluster.loses = { letter in
            if case .node = letter.message.destination { return true }
            return false
        }
        cluster.advance(ms: 30_000)
        #expect(cluster.run(.addOne(), at: setting.first)?.applied == .yes)
        cluster.advance(ms: 300)
        for socket in sockets {
            #expect(setting.closing(socket) == nil)
            #expect(cluster.counts(at: socket) == [1])
        }
    }

    @Test func aSocketThatFloodsIsClosed() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.second)
        cluster.loses = { letter in
            if case .execute = letter.message { return true }
            return false
        }
        let large = SocketPayload("\"" + String(repeating: "x", count: 100_000) + "\"")
        for _ in 0..<100 { cluster.send(.message(large), over: socket) }
        #expect(setting.closing(socket) == 1013)
    }

    @Test func messagesOfSocketsAreHeldWithinTheBoundsOfTheEdgeO11() throws {
        let setting = try Setting { $0.heldRequestsMax = 20 }
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.second)
        cluster.loses = { letter in
            if case .execute = letter.message { return true }
            return false
        }
        for _ in 0..<30 { cluster.send(.message(SocketPayload("1")), over: socket) }
        #expect(cluster.events("error", at: socket).count == 10)
        #expect(setting.closing(socket) == nil)
    }

    @Test func aResumeForWhichThereIsNoRoomKeepsTheFreshId() throws {
        let setting = try Setting { $0.limits.sessionsPerObject = 1 }
        let cluster = setting.cluster
        let member = cluster.connect(at: setting.first)
        cluster.send(.join(SocketPayload("{}")), over: member)
        let listener = cluster.connect(at: setting.second)
        cluster.advance(ms: 300)
        let id = cluster.connectionID(of: listener)
        cluster.close(listener)
        let back = cluster.connect(at: setting.first)
        cluster.send(.resume(connectionID: id, after: nil), over: back)
        cluster.advance(ms: 300)
        #expect(setting.closing(back) == nil)
        #expect(cluster.events("resume:ack", at: back).count == 1)
        #expect(cluster.connectionID(of: back) != id)
        #expect(cluster.run(.addOne(), at: setting.owner)?.applied == .yes)
        cluster.advance(ms: 300)
        #expect(cluster.counts(at: back) == [1])
    }

    @Test func noMessageWaitsForAnIndexAndIsOvertaken() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let socket = cluster.connect(at: setting.first)
        cluster.send(.ping, over: socket)
        let index = try #require(cluster.run(.addOne(), at: setting.second)).index
        let first = cluster.submit(
            .message(SocketPayload("1"), sender: nil), at: setting.second, minimumIndex: index + 1)
        let second = cluster.submit(.message(SocketPayload("2"), sender: nil), at: setting.second)
        _ = cluster.run(.addOne(), at: setting.second)
        cluster.advance(ms: 300)
        for token in [first, second] { #expect(cluster.answer(token)?.reply == .noContent) }
        #expect(cluster.events("message", at: socket) == ["1", "2"].map { "{\"event\":\"message\",\"payload\":\($0)}" })
    }

    @Test func aMessageDoesNotComeBackWhileItsSenderResumes() throws {
        let setting = try Setting()
        let cluster = setting.cluster
        let old = cluster.connect(at: setting.first)
        let id = cluster.connectionID(of: old)
        let neighbour = cluster.connect(at: setting.second)
        let new = cluster.connect(at: setting.second)
        cluster.keeps = { letter in
            if case .execute = letter.message { return letter.from == setting.first }
            return false
        }
        cluster.send(.message(SocketPayload("1")), over: old)
        cluster.loses = { letter in
            if case .outcome = letter.message { return letter.to == setting.second }
            return false
        }
        cluster.send(.resume(connectionID: id, after: nil), over: new)
        cluster.releaseKept()
        cluster.loses = { _ in false }
        cluster.advance(ms: 2_000)
        #expect(cluster.connectionID(of: new) == id)
        #expect(cluster.events("message", at: neighbour).count == 1)
        #expect(cluster.events("message", at: new).isEmpty)
    }

    @Test func manySocketsThatWaitTakeNothingAwayFromRequestsO11() throws {
        let setting = try Setting { $0.heldRequestsPerProjectMax = 3 }
        let cluster = setting.cluster
        cluster.loses = { letter in
            if case .execute = letter.message { return true }
            return false
        }
        for number in 0..<5 { _ = cluster.open(at: setting.second, object: "o\(number)") }
        let token = cluster.submit(.addOne(), at: setting.second)
        cluster.loses = { _ in false }
        #expect(cluster.advance(upToMs: 3_000) { cluster.answer(token) != nil })
        #expect(cluster.answer(token)?.applied == .yes)
    }
}
