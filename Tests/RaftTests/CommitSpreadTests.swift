import Testing

@testable import Raft

/// What a follower knows of the commit index when its shard falls idle.
@Suite struct CommitSpreadTests {
    /// A word of its former process that came late lets the owner believe that it knows. Without knowing it could not
    /// store its last entries, and its journal would keep them for as long as the shard is idle.
    @Test func aFollowerThatDoesNotKnowWhatIsCommittedAsks() throws {
        var group = TestGroup(.newGroup(Configuration(voters: (1...3).map { NodeID($0) })), on: 1...3)
        group.appoint(1)
        group.settle()
        let index = group[1].propose([1])
        group.settle()
        #expect(group[2].commit == index)
        let lateWord = Message(
            from: NodeID(2), to: NodeID(1), term: group.epoch, incarnation: group.nodes[0].incarnation,
            body: .appendAccepted(AppendAccepted(match: index, commit: index)))
        group.nodes[1].crash()
        group.nodes[1].restart()
        group.nodes[0].replica.report(NodeID(2), reachable: true)
        group.collect()
        group.network = []
        group.deliver(lateWord)
        group.settle(rounds: 60)
        #expect(group[2].commit < index && group[2].lastIndex == index)
        group.settle(rounds: 60)
        #expect(group[2].commit == index)
        #expect(!group[1].hasOutstanding && !group[2].hasOutstanding)
        #expect(group.rules.violations == [])
    }
}
