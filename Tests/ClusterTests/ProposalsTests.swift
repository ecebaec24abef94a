import Placement
import Raft
import Testing

@testable import Cluster

/// A node's commands until their entries come out of the log.
struct ProposalsTests {
    private var proposals = Proposals(
        nodeID: NodeID(rawValue: 1), firstCounter: 500, settings: NodeSettings())
    private let command = Command.setReadMode(.lease)
    private let token = RequestToken(rawValue: 9)

    @Test mutating func aCommandIsRepeatedUntilItsEntryIsApplied() throws {
        proposals.add(command, token: token, nowMs: 0)
        let first = try #require(proposals.due(nowMs: 0).first)
        #expect(proposals.due(nowMs: 299).isEmpty)
        #expect(proposals.due(nowMs: 300) == [first], "under the same id")
        let other = proposals.applied(ProposalID(node: 2, counter: first.id.counter))
        #expect(other == nil, "another node's counter is not ours")
        let settled = proposals.applied(first.id)
        #expect(settled == token)
        #expect(proposals.due(nowMs: 10_000).isEmpty)
        let again = proposals.applied(first.id)
        #expect(again == nil, "a repetition in the log settles nothing")
    }

    @Test mutating func whatNoLeaderGotIsCertainlyNotApplied() {
        proposals.add(command, token: token, nowMs: 0)
        for envelope in proposals.due(nowMs: 0) { proposals.postpone(envelope.id, nowMs: 0) }
        #expect(proposals.due(nowMs: 10).count == 1, "soon again")
        #expect(proposals.expired(nowMs: 9_999).isEmpty)
        #expect(proposals.expired(nowMs: 10_000).map(\.failure) == [.noLeader])
        #expect(proposals.expired(nowMs: 20_000).isEmpty)
    }

    @Test mutating func whatALeaderMayHaveIsOfUnknownOutcome() {
        proposals.add(command, token: token, nowMs: 0)
        for envelope in proposals.due(nowMs: 0) { proposals.handedOver(envelope.id) }
        #expect(proposals.expired(nowMs: 10_000).map(\.failure) == [.unknownOutcome])
    }

    @Test mutating func ownWishesAreKeptOnceAndWithoutEnd() {
        for _ in 0..<3 { proposals.add(command, token: nil, nowMs: 0) }
        proposals.add(command, token: token, nowMs: 0)
        #expect(proposals.due(nowMs: 0).count == 2, "a client's equal command is its own")
        _ = proposals.expired(nowMs: 1_000_000)
        #expect(proposals.due(nowMs: 1_000_000).count == 1)
        proposals.dropOvertaken { $0 == .setReadMode(.quorum) }
        #expect(proposals.due(nowMs: 2_000_000).count == 1)
        proposals.dropOvertaken { $0 == .setReadMode(.lease) }
        #expect(proposals.due(nowMs: 3_000_000).isEmpty)
    }
}
