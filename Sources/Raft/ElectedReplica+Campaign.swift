import Binary

/// Who has answered a campaign, and why it was begun.
struct Campaign: Sendable {
    var reason = CampaignReason.timeout
    var granted: [NodeID] = []
    var refused: [NodeID] = []
}

/// Campaigns and votes.
///
/// A campaign begins with a pre-vote, which changes nobody's term, timer or vote: a replica that could not
/// win does not disturb those who have a leader. Requests for real votes leave only when term and own vote
/// are durable: a candidate that forgot them could lead the same term twice, with two logs.
extension ElectedReplica {
    /// An obituary of the leader of this term is a better reason than a timeout.
    var currentReason: CampaignReason {
        guard let obituary, obituary.term == term else { return .timeout }
        return .obituary(leader: obituary.leader, term: obituary.term)
    }

    mutating func startCampaign(_ reason: CampaignReason) {
        guard core.holdsLog, core.mayBeVoter, !isLeader else { return }
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.campaignWithoutPreVote) { return becomeCandidate(reason) }
        #endif
        leader = nil
        role = .preCandidate
        campaign = Campaign(reason: reason, granted: [id])
        requestVotes(isPreVote: true)
        evaluateCampaign()
    }

    mutating func becomeCandidate(_ reason: CampaignReason) {
        precondition(!isLeader, "a leader does not campaign")
        core.setHardState(HardState(term: term.next, vote: Candidate(node: id, incarnation: 0)))
        obituary = nil
        leader = nil
        role = .candidate
        campaign = Campaign(reason: reason)
        resetElectionTimer()
        requestVotes(isPreVote: false)
    }

    private mutating func requestVotes(isPreVote: Bool) {
        let request = VoteRequest(last: core.log.last, isPreVote: isPreVote, reason: campaign.reason)
        for member in core.configuration.members where member != id && core.configuration.isVoter(member) {
            core.send(.voteRequest(request), to: member, afterPersist: !isPreVote)
        }
    }

    /// The own vote counts like any other: when the disk has it.
    mutating func countOwnVoteWhenDurable() {
        guard role == .candidate, core.persistence.isHardStateDurable, !campaign.granted.contains(id) else {
            return
        }
        campaign.granted.append(id)
        evaluateCampaign()
    }

    private mutating func evaluateCampaign() {
        let configuration = core.configuration
        if configuration.hasQuorum(where: { campaign.granted.contains($0) }) {
            if role == .preCandidate { becomeCandidate(campaign.reason) } else { becomeLeader() }
        } else if configuration.isBlocked(where: { campaign.refused.contains($0) }) {
            becomeFollower(term: term, leader: nil)
        }
    }

    private mutating func becomeLeader() {
        precondition(role == .candidate, "I6: only a candidate of the term becomes its leader")
        role = .leader
        leader = id
        electionElapsed = 0
        heartbeatElapsed = 0
        core.lead()
        _ = core.appendOwn(.barrier)
    }

    // MARK: Requests

    mutating func stepVoteRequest(_ request: VoteRequest, _ message: Message) {
        if request.isPreVote { return stepPreVote(request, message) }
        if message.term > term {
            guard !isLoyal(to: request, from: message.from) else { return core.counters.stickyRefusals += 1 }
            becomeFollower(term: message.term, leader: nil)
        }
        let isGranted = message.term == term && mayVote(for: message.from) && request.last >= core.log.last
        if isGranted {
            core.setHardState(HardState(term: term, vote: Candidate(node: message.from, incarnation: 0)))
            electionElapsed = 0
        }
        answerVote(request, message, granted: isGranted)
    }

    /// One vote in a term, and none against a leader that is known.
    private func mayVote(for candidate: NodeID) -> Bool {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.voteTwice) { return true }
        #endif
        guard let vote = core.hardState.vote else { return leader == nil }
        return vote.node == candidate
    }

    /// Changes nothing here: neither term nor vote nor timer. The answer carries our term, so that an asker
    /// with a lower one catches up and can win the next time.
    private mutating func stepPreVote(_ request: VoteRequest, _ message: Message) {
        guard !isLoyal(to: request, from: message.from) else { return core.counters.stickyRefusals += 1 }
        let isGranted = message.term >= term && request.last >= core.log.last && !isLeader
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.preVoteResetsTimer), isGranted { electionElapsed = 0 }
        #endif
        answerVote(request, message, granted: isGranted)
    }

    private mutating func answerVote(_ request: VoteRequest, _ message: Message, granted: Bool) {
        let answer = VoteAnswer(isPreVote: request.isPreVote, requestTerm: message.term, granted: granted)
        core.send(.voteAnswer(answer), to: message.from, afterPersist: !request.isPreVote)
    }

    /// Leader stickiness: whoever heard of a live leader a moment ago does not help to replace it. Three
    /// things end it: the leader asks (it no longer leads), the leader hands over, the leader is dead. An
    /// obituary counts only where the dead leader and its term are the ones believed in here, so an old one
    /// disturbs nobody. The receiver need not have heard of the death itself: a wrong obituary costs an
    /// election, not safety.
    private func isLoyal(to request: VoteRequest, from candidate: NodeID) -> Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.campaignWithoutPreVote) { return false }
        #endif
        if isLeader { return request.reason == .timeout || isAboutSomebodyElse(request.reason) }
        guard let leader, leader != candidate else { return false }
        guard electionElapsed < core.settings.electionTimeoutTicks.lowerBound else { return false }
        switch request.reason {
        case .timeout: return true
        case .transfer: return false
        case .obituary: return isAboutSomebodyElse(request.reason)
        }
    }

    private func isAboutSomebodyElse(_ reason: CampaignReason) -> Bool {
        guard case .obituary(let dead, let deadTerm) = reason else { return false }
        return dead != leader || deadTerm != term || dead == id
    }

    // MARK: Answers

    mutating func stepVoteAnswer(_ answer: VoteAnswer, _ message: Message) {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.ignoreTermOfRefusals), message.term > term { return }
        #endif
        if message.term > term, !answer.granted {
            return becomeFollower(term: message.term, leader: nil)
        }
        let isExpected = answer.isPreVote ? role == .preCandidate : role == .candidate
        guard isExpected, answer.requestTerm == term, core.configuration.isVoter(message.from) else {
            return core.counters.staleMessages += 1
        }
        if answer.granted {
            guard !campaign.granted.contains(message.from) else { return }
            campaign.granted.append(message.from)
        } else {
            guard !campaign.refused.contains(message.from) else { return }
            campaign.refused.append(message.from)
        }
        evaluateCampaign()
    }

    // MARK: Obituaries and transfer

    /// The process that led `term` is known to be dead. Forgets it, and campaigns after so many ticks,
    /// without leader stickiness. Does nothing if another leader or term is in force by now.
    public mutating func leaderDied(_ dead: NodeID, term deadTerm: Term, campaignAfterTicks ticks: Int) {
        guard core.holdsLog, deadTerm == term, !isLeader, dead != id else { return }
        guard leader == dead || leader == nil else { return }
        leader = nil
        obituary = (dead, deadTerm)
        electionElapsed = 0
        electionTimeout = max(0, ticks)
        if ticks <= 0 {
            resetElectionTimer()
            startCampaign(currentReason)
        }
    }

    mutating func stepTimeoutNow(_ sender: NodeID) {
        guard leader == sender, role == .follower, core.mayBeVoter else {
            return core.counters.staleMessages += 1
        }
        becomeCandidate(.transfer)
    }
}
