import Testing
@testable import Raft

/// Rules of the Raft paper and thesis, one test each, on a single replica that is told what its peers say.
@Suite struct PaperTests {
    private let one = NodeID(1), two = NodeID(2), three = NodeID(3)

    private func replica(
        log: [UInt64] = [], term: UInt64 = 0, vote: NodeID? = nil, voters: [UInt64] = [1, 2, 3]
    ) -> ElectedReplica {
        var settings = ReplicaSettings()
        settings.electionTimeoutTicks = 10...10
        var initial = InitialState.newGroup(Configuration(voters: voters.map { NodeID($0) }))
        initial.entries = log.enumerated().map { offset, term in
            Entry(
                term: Term(term), index: LogIndex(UInt64(offset + 1)), kind: .command, payload: [UInt8(term)])
        }
        initial.hardState = HardState(
            term: Term(max(term, log.last ?? 0)), vote: vote.map { Candidate(node: $0, incarnation: 0) })
        return ElectedReplica(id: one, initial: initial, settings: settings, seed: 7)
    }

    /// Everything is durable at once; returns what was sent.
    @discardableResult
    private func settle(_ replica: inout ElectedReplica) -> [Message] {
        var sent: [Message] = []
        while replica.hasReady {
            let ready = replica.ready()
            sent += ready.messages + ready.messagesAfterPersist
            if let mark = ready.mark { replica.persisted(term: mark.term, index: mark.index) }
        }
        return sent
    }

    private func elect(_ replica: inout ElectedReplica) {
        while replica.role == .follower { replica.tick() }
        settle(&replica)
        answer(&replica, .voteAnswer(VoteAnswer(isPreVote: true, requestTerm: replica.term, granted: true)))
        settle(&replica)
        answer(&replica, .voteAnswer(VoteAnswer(isPreVote: false, requestTerm: replica.term, granted: true)))
    }

    private func answer(_ replica: inout ElectedReplica, from: NodeID = NodeID(2), _ body: Message.Body) {
        replica.step(Message(from: from, to: one, term: replica.term, body: body))
    }

    private func entry(_ index: UInt64, _ term: UInt64) -> Entry {
        Entry(term: Term(term), index: LogIndex(index), kind: .command, payload: [UInt8(term)])
    }

    private func position(_ index: UInt64, _ term: UInt64) -> Position {
        Position(term: Term(term), index: LogIndex(index))
    }

    // MARK: Terms and votes (5.1, 5.2)

    @Test func aHigherTermMakesALeaderAFollower() {
        var leader = replica()
        elect(&leader)
        #expect(leader.role == .leader)
        leader.step(
            Message(
                from: two, to: one, term: Term(9),
                body: .appendAccepted(AppendAccepted(match: .zero, commit: .zero))))
        #expect(leader.role == .follower)
        #expect(leader.term == Term(9))
    }

    @Test func oneVoteInATerm() {
        var voter = replica(log: [1])
        let request = VoteRequest(last: position(5, 1), isPreVote: false, reason: .timeout)
        voter.step(Message(from: two, to: one, term: Term(2), body: .voteRequest(request)))
        voter.step(Message(from: three, to: one, term: Term(2), body: .voteRequest(request)))
        let answers = settle(&voter).compactMap { message -> Bool? in
            guard case .voteAnswer(let answer) = message.body else { return nil }
            return answer.granted
        }
        #expect(answers == [true, false])
    }

    @Test func aVoteLeavesOnlyWhenItIsDurable() {
        var voter = replica()
        let request = VoteRequest(last: .zero, isPreVote: false, reason: .timeout)
        voter.step(Message(from: two, to: one, term: Term(2), body: .voteRequest(request)))
        let ready = voter.ready()
        #expect(ready.messages.isEmpty)
        #expect(ready.messagesAfterPersist.count == 1)
        #expect(ready.hardState == HardState(term: Term(2), vote: Candidate(node: two, incarnation: 0)))
    }

    @Test func aVoteIsRememberedAcrossARestart() {
        var voter = replica(log: [1], term: 2, vote: two)
        let request = VoteRequest(last: position(9, 1), isPreVote: false, reason: .timeout)
        voter.step(Message(from: three, to: one, term: Term(2), body: .voteRequest(request)))
        guard case .voteAnswer(let answer)? = settle(&voter).first?.body else { return #expect(Bool(false)) }
        #expect(!answer.granted)
    }

    @Test(
        arguments: [
            (1, 1, true), (2, 2, true), (3, 2, true), (1, 3, true), (1, 2, false), (5, 1, false),
        ] as [(UInt64, UInt64, Bool)])
    func onlyALogThatIsAtLeastAsUpToDateGetsTheVote(index: UInt64, term: UInt64, isGranted: Bool) {
        var voter = index == 1 && term == 1 ? replica(log: [1]) : replica(log: [1, 2])
        let request = VoteRequest(last: position(index, term), isPreVote: false, reason: .timeout)
        voter.step(Message(from: two, to: one, term: Term(7), body: .voteRequest(request)))
        guard case .voteAnswer(let answer)? = settle(&voter).first?.body else { return #expect(Bool(false)) }
        #expect(answer.granted == isGranted)
    }

    @Test func candidatesDrawDifferentTimeouts() {
        var settings = ReplicaSettings()
        settings.electionTimeoutTicks = 10...30
        let initial = InitialState.newGroup(Configuration(voters: [one, two, three]))
        let timeouts = (1...20).map { seed -> Int in
            var replica = ElectedReplica(id: one, initial: initial, settings: settings, seed: UInt64(seed))
            var ticks = 0
            while replica.role == .follower {
                replica.tick()
                ticks += 1
            }
            return ticks
        }
        #expect(timeouts.allSatisfy { (10...30).contains($0) })
        #expect(Set(timeouts).count > 8)
    }

    @Test func aCandidateYieldsToTheLeaderOfItsTerm() {
        var candidate = replica()
        while candidate.role == .follower { candidate.tick() }
        answer(&candidate, .voteAnswer(VoteAnswer(isPreVote: true, requestTerm: .zero, granted: true)))
        #expect(candidate.role == .candidate)
        answer(&candidate, .heartbeat(Heartbeat(commit: .zero, round: 1)))
        #expect(candidate.role == .follower)
        #expect(candidate.leader == two)
    }

    /// Who was taken in by an entry that is lost with its leader is told nothing by the next one.
    @Test func aListenerThatHearsNothingKnowsNoLeader() {
        var listener = replica(voters: [2, 3])
        listener.step(
            Message(from: two, to: one, term: Term(1), body: .heartbeat(Heartbeat(commit: .zero, round: 1))))
        for _ in 0..<9 { listener.tick() }
        #expect(listener.leader == two)
        listener.tick()
        #expect(listener.leader == nil && listener.role == .follower)
    }

    @Test func aSecondLeaderOfTheSameTermIsRefusedAndCounted() {
        var follower = replica()
        follower.step(
            Message(from: two, to: one, term: Term(1), body: .heartbeat(Heartbeat(commit: .zero, round: 1))))
        let append = Append(previous: .zero, commit: .zero, entries: [entry(1, 1)])
        follower.step(Message(from: three, to: one, term: Term(1), body: .append(append)))
        #expect(follower.counters.secondLeaders == 1)
        #expect(follower.lastIndex == .zero)
    }

    // MARK: Log replication (5.3, 5.4)

    @Test func aLeaderCommitsByCountingOnlyEntriesOfItsTerm() {
        var leader = replica(log: [1, 2], term: 3)
        elect(&leader)
        settle(&leader)
        #expect(leader.lastIndex == LogIndex(3))
        // Figure 8: the entry of term 2 is on a majority, and is not committed by that.
        answer(&leader, .appendAccepted(AppendAccepted(match: LogIndex(2), commit: .zero)))
        #expect(leader.commit == .zero)
        answer(&leader, .appendAccepted(AppendAccepted(match: LogIndex(3), commit: .zero)))
        #expect(leader.commit == LogIndex(3))
    }

    @Test func aLeaderNeverChangesItsOwnLog() {
        var leader = replica(log: [1])
        elect(&leader)
        settle(&leader)
        let append = Append(previous: .zero, commit: .zero, entries: [entry(1, 9)])
        answer(&leader, .append(append))
        #expect(leader.term(at: LogIndex(1)) == Term(1))
        #expect(leader.counters.secondLeaders == 1)
    }

    @Test func aFollowerRefusesWhatDoesNotFollowItsLog() {
        var follower = replica(log: [1, 2])
        let append = Append(previous: position(3, 3), commit: .zero, entries: [entry(4, 3)])
        follower.step(Message(from: two, to: one, term: Term(3), body: .append(append)))
        guard case .appendRejected(let answer)? = settle(&follower).first?.body else {
            return #expect(Bool(false))
        }
        #expect(answer.previous == LogIndex(3))
        #expect(answer.hint == position(2, 2))
    }

    /// Figure 7: the six followers of a leader with terms 1 1 1 4 4 5 5 6 6 6.
    @Test(
        arguments: [
            [1, 1, 1, 4, 4, 5, 5, 6, 6], [1, 1, 1, 4], [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6],
            [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], [1, 1, 1, 4, 4, 4, 4], [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3],
        ] as [[UInt64]])
    func figure7FollowersBecomeEqual(log: [UInt64]) {
        var follower = replica(log: log, term: 7)
        let terms: [UInt64] = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 8]
        let all = terms.enumerated().map { entry(UInt64($0 + 1), $1) }
        var previous = 10
        for _ in 0..<12 {
            let before = previous == 0 ? Position.zero : all[previous - 1].position
            let append = Append(previous: before, commit: .zero, entries: Array(all[previous...]))
            follower.step(Message(from: two, to: one, term: Term(8), body: .append(append)))
            guard case .appendRejected(let answer)? = settle(&follower).last?.body else { break }
            previous = min(previous - 1, Int(answer.hint.index.rawValue))
        }
        #expect((1...11).map { follower.term(at: LogIndex($0))?.rawValue } == terms)
        #expect(follower.lastIndex == LogIndex(11))
    }

    @Test func aFollowerCommitsNoFurtherThanWhatMatched() {
        var follower = replica(log: [1, 1, 1])
        let append = Append(previous: position(1, 1), commit: LogIndex(9), entries: [entry(2, 1)])
        follower.step(Message(from: two, to: one, term: Term(1), body: .append(append)))
        #expect(follower.commit == LogIndex(2))
    }

    @Test func entriesAlreadyPresentAreNotWrittenAgain() {
        var follower = replica(log: [1, 1, 1])
        let append = Append(previous: .zero, commit: .zero, entries: [entry(1, 1), entry(2, 1)])
        follower.step(Message(from: two, to: one, term: Term(1), body: .append(append)))
        let ready = follower.ready()
        #expect(ready.entries.isEmpty)
        #expect(follower.lastIndex == LogIndex(3))
        guard case .appendAccepted(let answer)? = ready.messagesAfterPersist.last?.body else {
            return #expect(Bool(false))
        }
        #expect(answer.match == LogIndex(2))
    }

    @Test func whatIsCommittedIsNeverCut() {
        var follower = replica(log: [1, 1])
        let commit = Append(previous: position(2, 1), commit: LogIndex(2), entries: [])
        follower.step(Message(from: two, to: one, term: Term(1), body: .append(commit)))
        let conflicting = Append(previous: position(1, 1), commit: .zero, entries: [entry(2, 2)])
        follower.step(Message(from: three, to: one, term: Term(2), body: .append(conflicting)))
        #expect(follower.term(at: LogIndex(2)) == Term(1))
        #expect(follower.counters.conflictsBelowCommit == 1)
    }

    // MARK: Extensions (thesis 4, 6, 9)

    @Test func aPreVoteChangesNeitherTermNorVoteNorTimer() {
        var voter = replica()
        for _ in 0..<9 { voter.tick() }
        let request = VoteRequest(last: .zero, isPreVote: true, reason: .timeout)
        voter.step(Message(from: two, to: one, term: Term(5), body: .voteRequest(request)))
        #expect(voter.hardState == HardState())
        voter.tick()
        #expect(voter.role == .preCandidate)
    }

    @Test func aFollowerThatHearsItsLeaderIgnoresVoteRequests() {
        var follower = replica()
        follower.step(
            Message(from: two, to: one, term: Term(1), body: .heartbeat(Heartbeat(commit: .zero, round: 1))))
        settle(&follower)
        let request = VoteRequest(last: position(9, 9), isPreVote: false, reason: .timeout)
        follower.step(Message(from: three, to: one, term: Term(50), body: .voteRequest(request)))
        #expect(follower.term == Term(1))
        #expect(settle(&follower).isEmpty)
        #expect(follower.counters.stickyRefusals == 1)
    }

    @Test(arguments: [
        (CampaignReason.obituary(leader: NodeID(2), term: Term(1)), true),
        (.obituary(leader: NodeID(2), term: Term(0)), false),
        (.obituary(leader: NodeID(3), term: Term(1)), false),
        (.transfer, true), (.timeout, false),
    ])
    func whatOverridesLoyalty(reason: CampaignReason, isAnswered: Bool) {
        var follower = replica()
        follower.step(
            Message(from: two, to: one, term: Term(1), body: .heartbeat(Heartbeat(commit: .zero, round: 1))))
        settle(&follower)
        let request = VoteRequest(last: .zero, isPreVote: false, reason: reason)
        follower.step(Message(from: three, to: one, term: Term(2), body: .voteRequest(request)))
        #expect(follower.term == Term(isAnswered ? 2 : 1))
    }

    @Test func aLeaderDoesNotBelieveItsOwnObituary() {
        var leader = replica()
        elect(&leader)
        let request = VoteRequest(
            last: position(9, 9), isPreVote: false, reason: .obituary(leader: one, term: Term(1)))
        leader.step(Message(from: three, to: one, term: Term(2), body: .voteRequest(request)))
        leader.leaderDied(one, term: Term(1), campaignAfterTicks: 0)
        #expect(leader.role == .leader)
    }

    @Test func aReplicaWithoutItsLogIsSilent() {
        var settings = ReplicaSettings()
        settings.electionTimeoutTicks = 10...10
        var initial = InitialState.newGroup(Configuration(voters: [one, two, three]))
        initial.holdsLog = false
        var lost = ElectedReplica(id: one, initial: initial, settings: settings, seed: 1)
        let request = VoteRequest(last: position(9, 9), isPreVote: false, reason: .timeout)
        lost.step(Message(from: two, to: one, term: Term(2), body: .voteRequest(request)))
        lost.step(
            Message(
                from: two, to: one, term: Term(2),
                body: .append(Append(previous: .zero, commit: .zero, entries: [entry(1, 2)]))))
        for _ in 0..<100 { lost.tick() }
        #expect(!lost.hasReady)
        #expect(lost.counters.unansweredWithoutLog == 2)
    }

    @Test func anAcknowledgementOfWhatWasNeverSentCountsForNothing() {
        var leader = replica()
        elect(&leader)
        settle(&leader)
        answer(&leader, .appendAccepted(AppendAccepted(match: LogIndex(99), commit: .zero)))
        #expect(leader.commit == .zero)
        #expect(leader.counters.impossibleAnswers == 1)
    }
}
