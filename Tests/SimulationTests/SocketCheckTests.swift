import Cluster
import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Simulation

/// The checks of sockets on histories that are wrong.
@Suite struct `The checks of sockets` {
    private let connection = ConnectionID(unique: 7, proof: 8)
    private let attachment = Attachment(incarnation: 1, number: 5)

    /// An object with ten events, one per entry.
    private func ledger() -> EventLedger {
        var ledger = EventLedger(names: ["o"])
        for index in 1...10 as ClosedRange<UInt64> {
            let item = Item(
                value: JSONText(Array("\(index)".utf8)), createdAt: 1, updatedAt: 1, expiresAt: Item.never,
                keyVersion: nil)
            _ = ledger.enter([.put("n", item)], 0, epoch: 1, index: index)
        }
        return ledger
    }

    private func frame(_ index: UInt64, value: UInt64? = nil) -> [UInt8] {
        Array(
            ("{\"event\":\"setItem\",\"payload\":{\"prop\":\"n\",\"value\":\(value ?? index),\"createdAt\":1},"
                + "\"at\":{\"epoch\":1,\"index\":\(index)}}").utf8)
    }

    private func hear(_ indexes: [UInt64], connectedAt count: Int = 3, resumedBehind place: Int? = nil) -> String? {
        let ledger = ledger()
        var check = HearingCheck()
        check.connected(count: count)
        if let place { check.resumed(behind: place, isExact: true) }
        for index in indexes {
            if let complaint = check.hear(EventPoint(epoch: 1, index: index), frame(index), ledger, 0) {
                return complaint
            }
        }
        return check.lacks(of: 10) > 0 ? "lacks some" : nil
    }

    @Test func `take what is right`() {
        #expect(hear([4, 5, 6, 7, 8, 9, 10]) == nil)
        #expect(hear([2, 3, 4, 5, 6, 7, 8, 9, 10]) == nil, "a little of what was before")
        #expect(hear([3, 4, 5, 6, 7, 8, 9, 10], connectedAt: 10, resumedBehind: 2) == nil)
    }

    @Test func `complain of events that are missing, repeated or out of order`() {
        #expect(hear([5, 6, 7, 8, 9, 10])?.contains("missed 1") == true)
        #expect(hear([4, 5, 7])?.contains("missed 1") == true)
        #expect(hear([4, 5, 5])?.contains("had heard") == true)
        #expect(hear([4, 6, 5])?.contains("missed") == true)
        #expect(hear([4, 5, 6, 7, 8, 9])?.contains("lacks") == true)
        #expect(hear([4], connectedAt: 10, resumedBehind: 2)?.contains("missed 1") == true)
        #expect(hear([2, 3], connectedAt: 10, resumedBehind: 2)?.contains("not asked for") == true)
        #expect(hear([11])?.contains("never committed") == true)
    }

    @Test func `complain of another content and of another history`() {
        let ledger = ledger()
        var check = HearingCheck()
        check.connected(count: 3)
        #expect(check.hear(EventPoint(epoch: 1, index: 4), frame(4, value: 40), ledger, 0)?.contains("content") == true)
        let elsewhere = EventPoint(epoch: 2, index: 4)
        #expect(ledger.events(of: 0)[3].point != elsewhere)
        #expect(check.hear(elsewhere, frame(4), ledger, 0)?.contains("never committed") == true)
    }

    @Test func `take a gap for what it covers and no more`() {
        let ledger = ledger()
        for (from, isCovered) in [(4, true), (5, false)] as [(UInt64, Bool)] {
            var check = HearingCheck()
            check.connected(count: 3)
            let complaint = check.gap(
                from: EventPoint(epoch: 1, index: from), to: EventPoint(epoch: 1, index: 8), ledger, 0)
            #expect((complaint == nil) == isCovered)
            guard isCovered else { continue }
            #expect(check.hear(EventPoint(epoch: 1, index: 10), frame(10), ledger, 0)?.contains("missed") == true)
            #expect(check.hear(EventPoint(epoch: 1, index: 9), frame(9), ledger, 0) == nil)
        }
    }

    @Test func `complain of messages that come twice or late`() {
        var check = MessageCheck()
        #expect(check.hear(from: 1, number: 1) == nil)
        #expect(check.hear(from: 2, number: 1) == nil)
        #expect(check.hear(from: 1, number: 3) == nil)
        #expect(check.hear(from: 1, number: 3) != nil)
        #expect(check.hear(from: 1, number: 2) != nil)
    }

    @Test func `complain of joins and leaves without a cause`() {
        let talker = Talker(number: 0, object: 0, keyID: "k")
        let socket = VirtualSocket(
            id: SocketID(loop: 0, number: 1), talker: talker, machine: 0, generation: 1, hub: 0, greeting: .ping,
            nowNs: 0)
        var judge = PresenceJudge(driftMaxPpm: 10_000)
        func judged(_ step: EventLedger.Step) -> String? { judge.judge(step, graceMs: 2_000, nowNs: 0) }
        let join = EventLedger.Step.joined(connection, attachment, before: nil, payload: [])
        #expect(judged(join) != nil, "nobody has this socket")
        judge.note(attachment, of: socket, node: NodeID(rawValue: 1))
        #expect(judged(join) == nil)
        let stale = Attachment(incarnation: 1, number: 6)
        #expect(judged(.joined(connection, attachment, before: stale, payload: [])) != nil)
        #expect(judged(.left(connection, attachment))?.contains("is there") == true)
        socket.leavesAllowed = 1
        #expect(judged(.left(connection, attachment)) == nil)
        #expect(judged(.left(connection, attachment)) != nil, "once for each cause")
        #expect(judged(.leftTwice(connection)) != nil)
    }

    @Test func `read leaves and joins as the log has them`() {
        var ledger = EventLedger(names: ["o"])
        let presence = Presence(joinedAt: 1, payload: SocketPayload(json: Array("{}".utf8)))
        _ = ledger.enter([.joined(connection, attachment, presence)], 0, epoch: 1, index: 1)
        let steps = ledger.enter([.left(connection), .left(connection)], 0, epoch: 1, index: 2)
        guard case .left = steps[0], case .leftTwice = steps[1] else {
            Issue.record("the second leave has no stay to end")
            return
        }
        #expect(ledger.count(of: 0) == 2)
    }
}
