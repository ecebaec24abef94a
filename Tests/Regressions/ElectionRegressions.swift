import Testing

@testable import Raft
@testable import RaftTests

/// Bugs of others in electing a leader and changing the members: numbers 1 to 7 and 30.
@Suite struct ElectionRegressions {
    init() { prepareRegression() }

    /// Single-server changes by two leaders in a row give disjoint majorities (Ongaro, raft-dev, 2015).
    /// Guard: `Replication.mayChangeConfiguration` wants a committed entry of the leader's own term.
    @Test func r01NoNewMembersBeforeAnEntryOfTheLeadersOwnTerm() throws {
        var group = TestGroup.elected()
        let first = try #require(group.leader)
        let begun = group.change(first, voters: [1, 2, 3], learners: [4])
        #expect(begun != nil)
        _ = group.takeMessages()
        group.crash(first)
        // The next leader's barrier reaches nobody yet.
        group.settle(rounds: 60) { !$0.isAppend }
        let second = try #require(group.claimant)
        let early = group.change(second, voters: group.others(than: first))
        #expect(early == nil)
        group.restart(first)
        group.settle(rounds: 80)
        let leader = try #require(group.leader)
        let late = group.change(leader, voters: group.others(than: first))
        #expect(late != nil)
        group.settle(rounds: 80)
        #expect(group.rules.violations == [])
    }

    /// A node at a lower term with the longer log is stuck with pre-vote, and nobody can win (etcd #8243,
    /// canonical/raft #279). Guard: a refusal carries the term, and `stepVoteAnswer` takes it over.
    @Test func r02ALongerLogAtALowerTermStillWins() {
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var group = TestGroup(.newGroup(voters), on: 1...3, isElected: true)
        func entry(_ index: UInt64) -> Entry {
            Entry(term: Term(1), index: LogIndex(index), kind: .command, payload: [UInt8(index)])
        }
        var (longer, higher) = (InitialState.newGroup(voters), InitialState.newGroup(voters))
        (longer.hardState, longer.entries) = (HardState(term: Term(1)), [entry(1), entry(2)])
        (higher.hardState, higher.entries) = (HardState(term: Term(5)), [entry(1)])
        group.add(NodeID(1), longer)
        group.add(NodeID(2), higher)
        group.crash(3)
        group.settle(rounds: 10 * 20)
        #expect(group.leader == 1)
        #expect(group.rules.violations == [])
    }

    /// A granted pre-vote refreshed "last contact", so that two of three could not elect anybody
    /// (hashicorp/raft #605, #609). Guard: `stepPreVote` changes no timer, vote or term.
    @Test func r03APreVoteThatIsGrantedChangesNothing() {
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var replica = ElectedReplica(id: NodeID(1), initial: .newGroup(voters), seed: 7)
        let request = VoteRequest(last: .zero, isPreVote: true, reason: .timeout)
        var granted = 0
        for tick in 1...40 where replica.role == .follower {
            if tick.isMultiple(of: 3) {
                replica.step(
                    Message(from: NodeID(3), to: NodeID(1), term: .zero, body: .voteRequest(request)))
            }
            while replica.hasReady {
                for message in replica.ready().messages {
                    if case .voteAnswer(let answer) = message.body, answer.granted { granted += 1 }
                }
            }
            replica.tick()
        }
        #expect(granted > 2)
        #expect(replica.role == .preCandidate && replica.term == .zero)
    }

    /// Half-broken switch: partial links, and no stable leader for hours (Cloudflare, 2020-11-02): of five, 4
    /// reaches only 2 and 5 only 3; also with links that work one way. Guard: pre-vote and leader stickiness
    /// (`startCampaign`, `isLoyal`).
    @Test(arguments: [false, true])
    func r04APartialMeshKeepsItsLeader(hearsAll: Bool) throws {
        func isLinked(_ message: Message) -> Bool {
            let ends = [message.from.rawValue, message.to.rawValue]
            if ends.allSatisfy({ $0 <= 3 }) || Set(ends) == [2, 4] || Set(ends) == [3, 5] { return true }
            return hearsAll && ends[0] <= 3
        }
        let voters = Configuration(voters: (1...5).map { NodeID($0) })
        var group = TestGroup(.newGroup(voters), on: 1...5, isElected: true)
        group.settle(rounds: 150, where: isLinked)
        let leader = try #require(group.leader)
        let term = group.replica(leader).hardState.term
        for round in 0..<20 as Range<UInt8> {
            let indexOrNil = group.propose([round], at: leader)
            let index = try #require(indexOrNil)
            group.settle(rounds: 20, where: isLinked)
            try #require(group.leader == leader && group.replica(leader).hardState.term == term)
            #expect(group.replica(leader).commit >= index)
        }
        #expect(group.rules.violations == [])
    }

    /// A snapshot leaves the trailing log, an old configuration is used, split brain (scylladb #9551).
    /// Guard: `Replication.install` restarts log and configurations at the snapshot.
    @Test func r05TheSnapshotsConfigurationWins() {
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        let alone = Configuration(voters: [NodeID(2)], outgoing: voters.voters)
        let wider = Configuration(voters: voters.voters, learners: [NodeID(4)])
        var replica = AppointedReplica(id: NodeID(2), initial: .newGroup(voters))
        let tail = [
            Entry(term: Term(1), index: LogIndex(1), kind: .barrier, payload: []),
            Entry(term: Term(1), index: LogIndex(2), kind: .configuration, payload: alone.encoded),
        ]
        replica.step(
            Message(
                from: NodeID(1), to: NodeID(2), term: Term(1), incarnation: 1,
                body: .append(Append(previous: .zero, commit: .zero, entries: tail))))
        #expect(replica.configuration == alone)
        let chunk = SnapshotChunk(
            contentHash: SnapshotChunk.hash([7]), position: Position(term: Term(2), index: LogIndex(9)),
            configuration: wider, offset: 0, totalBytes: 1, data: [7], isPulled: false)
        replica.step(
            Message(
                from: NodeID(3), to: NodeID(2), term: Term(2), incarnation: 1, body: .snapshotChunk(chunk)))
        #expect(replica.ready().snapshot?.configuration == wider)
        #expect(replica.configuration == wider && replica.configurationIndex == LogIndex(9))
        #expect(replica.lastIndex == LogIndex(9))
    }

    /// A removed replica comes back blank and votes (RethinkDB 2.2.3, Jepsen). Guard: `mayBecomeVoter`, and who
    /// joins answers no seal before it has a log (O9).
    @Test func r06WhoComesBackBlankIsNoVoterBeforeItHasTheLog() {
        var group = TestGroup.owned()
        _ = group.propose([1], at: 1)
        group.change(1, voters: [1, 2])
        group.settle()
        group.add(NodeID(3), .joining(sealedAt: group.epoch))
        group.deaf = [NodeID(3)]
        group.change(1, voters: [1, 2], learners: [3])
        group.settle()
        let early = group.change(1, voters: [1, 2, 3])
        #expect(early == nil)
        var blank = group[3]
        blank.step(
            Message(from: NodeID(2), to: NodeID(3), term: group.epoch.next, incarnation: 1, body: .seal))
        let ready = blank.ready()
        #expect(ready.messages.isEmpty && ready.messagesAfterPersist.isEmpty)
        group.deaf = []
        group.settle(rounds: 60)
        let late = group.change(1, voters: [1, 2, 3])
        group.settle(rounds: 30)
        #expect(late != nil && group[3].commit == group[1].commit)
        #expect(group.rules.violations == [])
    }

    /// A wiped disk under the same name votes and unmakes a quorum (openraft FAQ; Kafka's
    /// canRecoverFromSingleNodeCommittedDataLoss). Guard: `takesPart`, silence of a replica without its log (O9).
    @Test func r07AWipedDiskDoesNotVoteUnderItsOldName() throws {
        var group = TestGroup.elected()
        let leader = try #require(group.leader)
        let (wiped, late) = (group.others(than: leader)[0], group.others(than: leader)[1])
        group.deaf = [NodeID(late)]
        let indexOrNil = group.propose([1], at: leader)
        let index = try #require(indexOrNil)
        group.settle(rounds: 3)
        #expect(group.replica(leader).commit >= index)
        group.crash(leader)
        group.crash(wiped)
        group.nodes[group.position(wiped)].loseDisk()
        group.restart(wiped)
        group.deaf = []
        group.settle(rounds: 120)
        #expect(group.leader == nil && group.replica(late).commit < index)
        group.restart(leader)
        group.settle(rounds: 120)
        let next = try #require(group.leader)
        #expect(group.applied(next).contains([1]))
        #expect(group.rules.violations == [])
    }

    /// A membership change with a partition and kills lost records even with sync always (nats-server #7545): one
    /// of five is cut off, three die, the last one removes the others. Guard: both halves of a joint configuration
    /// are counted (`Configuration.hasQuorum`, `quorumIndex`).
    @Test func r30AMinorityCannotShrinkTheGroupToItself() throws {
        var group = TestGroup.elected(1...5)
        let leader = try #require(group.leader)
        let others = group.others(than: leader)
        _ = group.propose([1], at: leader)
        group.settle(rounds: 3)
        let before = group.replica(leader).commit
        group.deaf = [NodeID(others[0])]
        for node in others.dropFirst() { group.crash(node) }
        let begun = group.change(leader, voters: [leader])
        _ = group.propose([2], at: leader)
        group.settle(rounds: 5)
        #expect(begun != nil && group.replica(leader).commit == before)
        // Those who were cut off and killed are a majority, and go on without it.
        group.crash(leader)
        group.deaf = []
        for node in others.dropFirst() { group.restart(node) }
        group.settle(rounds: 120)
        let next = try #require(group.leader)
        _ = group.propose([3], at: next)
        group.restart(leader)
        group.settle(rounds: 120)
        #expect(group.applied(leader).contains([3]) && !group.applied(leader).contains([2]))
        #expect(group.rules.violations == [])
    }
}
