import Testing
@testable import Raft

/// Voters of the placement group are replaced while it runs.
@Suite struct ElectedMembershipTests {
    private func group(joining: ClosedRange<UInt64>? = nil) -> TestGroup {
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var group = TestGroup(.newGroup(voters), on: 1...3, joining: joining, isElected: true)
        group.settle(rounds: 60)
        return group
    }

    private func leader(_ group: TestGroup) -> UInt64? {
        group.nodes.first { $0.isUp && $0.replica.serves }?.id.rawValue
    }

    private func voters(_ group: TestGroup) -> [UInt64] {
        let node = leader(group).map { group.position($0) }
        return node.map { group.nodes[$0].replica.configuration.voters.map(\.rawValue) } ?? []
    }

    @Test func everyVoterIsReplacedInTurnAlsoTheLeader() throws {
        var group = group(joining: 4...6)
        for (removed, added) in [(1, 4), (2, 5), (3, 6)] as [(UInt64, UInt64)] {
            let before = voters(group)
            var lead = try #require(leader(group))
            group.change(lead, voters: before, learners: [added])
            group.settle(rounds: 30)
            lead = try #require(leader(group))
            let index = group.change(lead, voters: before.filter { $0 != removed } + [added])
            #expect(index != nil)
            group.settle(rounds: 80)
            #expect(voters(group) == (before.filter { $0 != removed } + [added]).sorted())
        }
        #expect(voters(group) == [4, 5, 6])
        #expect(group.rules.violations == [])
    }

    /// It may not have learnt that it is out. Whatever time passes, it asks for pre-votes at most.
    @Test func whoIsNoMemberAnyMoreDisturbsNobody() throws {
        var group = group()
        let lead = try #require(leader(group))
        let removed: UInt64 = lead == 3 ? 2 : 3
        group.change(lead, voters: [1, 2, 3].filter { $0 != removed }, learners: [removed])
        group.settle(rounds: 20)
        group.change(lead, voters: [1, 2, 3].filter { $0 != removed })
        group.settle(rounds: 5)
        let node = group.position(removed)
        _ = group.nodes[node].takeOutbox()
        for _ in 0..<300 {
            group.nodes[node].replica.tick()
            group.nodes[node].pump(&group.rules)
        }
        let said = group.nodes[node].takeOutbox()
        #expect(said == [] || said.allSatisfy { $0.isPreVote })
        group.settle(rounds: 60)
        #expect(leader(group) == lead, "it disturbs nobody")
    }

    @Test func nothingChangesWhileLeadershipIsHandedOver() throws {
        var group = group()
        let lead = try #require(leader(group))
        let target: UInt64 = lead == 1 ? 2 : 1
        group.deaf = [NodeID(target)]
        group.nodes[group.position(lead)].replica.change(
            { _ = $0.transferLeadership(to: NodeID(target)) }, { _ in })
        let isRefused = group.change(lead, voters: [lead, target]) == nil
        group.deaf = []
        group.settle(rounds: 60)
        let next = try #require(leader(group))
        let isTaken = group.change(next, voters: [1, 2, 3].filter { $0 != lead }) != nil
        #expect(isRefused && isTaken)
    }
}

extension Message {
    fileprivate var isPreVote: Bool {
        if case .voteRequest(let request) = body { request.isPreVote } else { false }
    }
}
