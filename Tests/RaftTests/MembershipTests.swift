import Testing
@testable import Raft

/// Replica sets change by overlap (O9), whoever dies meanwhile.
@Suite struct MembershipTests {
    private func configuration(_ voters: [UInt64], _ learners: [UInt64] = []) -> Configuration {
        Configuration(voters: voters.map { NodeID($0) }, learners: learners.map { NodeID($0) })
    }

    private func group(
        _ voters: [UInt64], learners: [UInt64] = [], joining: ClosedRange<UInt64>? = nil
    ) -> TestGroup {
        let last = (voters + learners).max()!
        var group = TestGroup(.newGroup(configuration(voters, learners)), on: 1...last, joining: joining)
        group.appoint(1)
        group.settle()
        precondition(group[1].isLeading)
        return group
    }

    // MARK: Who counts

    @Test func aLearnerNeverCountsTowardsACommit() {
        var group = group([1, 2, 3], learners: [4])
        group.deaf = [NodeID(2), NodeID(3)]
        let index = group[1].propose([1])
        group.settle()
        #expect(group[1].matchIndex(of: NodeID(4)) == index)
        #expect(group[1].commit < index)
        group.deaf = [NodeID(3)]
        group.settle(rounds: 40)
        #expect(group[1].commit == index)
    }

    @Test func aLearnerNeverCountsTowardsASeal() {
        var group = group([1, 2, 3], learners: [4])
        group.deaf = [NodeID(1), NodeID(3)]
        group.appoint(2)
        group.settle()
        #expect(group[2].reached == [NodeID(4)] && group[2].stage == .sealing)
        group.deaf = []
        group.settle(rounds: 40)
        #expect(group[2].isLeading)
    }

    @Test func aNewVoterMustHaveAcknowledgedToThisOwner() {
        var group = group([1, 2, 3], joining: 4...4)
        let isRefused = group.change(1, voters: [1, 2, 4]) == nil
        group.change(1, voters: [1, 2, 3], learners: [4])
        group.deaf = [NodeID(4)]
        group.settle()
        let isStillRefused = group.change(1, voters: [1, 2, 4]) == nil
        group.deaf = []
        group.settle(rounds: 40)
        let isTaken = group.change(1, voters: [1, 2, 4]) != nil
        group.settle()
        #expect(isRefused && isStillRefused && isTaken)
        #expect(group[1].configuration == configuration([1, 2, 4]))
    }

    @Test func aRemovedReplicaGoesOnAnsweringSeals() {
        var group = group([1, 2, 3], joining: 4...4)
        group.change(1, voters: [1, 2, 3], learners: [4])
        group.settle()
        // The removed one never hears of the change: in its log it is still a voter.
        group.deaf = [NodeID(3)]
        group.change(1, voters: [1, 2, 4])
        group.settle()
        #expect(group[1].configuration == configuration([1, 2, 4]))
        group.deaf = []
        group.network = []
        group.appoint(3)
        group.settle(rounds: 40)
        // Two of its old configuration answer; the log that it adopts says who counts.
        #expect(group[3].isLeading && group[3].configuration == configuration([1, 2, 4]))
        let index = group[3].propose([7])
        group.settle()
        #expect(group[3].commit == index)
        #expect(group.rules.violations == [])
    }

    @Test func anOwnerOutsideItsConfigurationDoesNotCountItself() {
        var group = group([1, 2, 3])
        group.change(1, voters: [2, 3])
        group.settle()
        group.deaf = [NodeID(3)]
        group.appoint(1)
        group.settle(rounds: 40)
        #expect(group[1].stage == .sealing && group[1].reached == [NodeID(2)])
        group.deaf = []
        group.settle(rounds: 40)
        #expect(group[1].isLeading)
        // After the barrier it hands over.
        group.appoint(2)
        group.settle()
        #expect(group[2].isLeading && group[1].stage == .following)
        #expect(group.rules.violations == [])
    }

    // MARK: Owners that die

    struct Change: Sendable, CustomTestStringConvertible {
        var from: [UInt64]
        var to: [UInt64]
        var testDescription: String { "\(from) to \(to)" }
    }

    /// The owner dies after any number of messages of any change, and any member becomes the next one. The dead
    /// node is back with its disk. Whoever is appointed leads, leaves the joint configuration, and goes on.
    @Test(arguments: [
        Change(from: [1], to: [1, 2, 3]), Change(from: [1, 2, 3], to: [1]), Change(from: [1, 2, 3], to: [2]),
        Change(from: [1, 2, 3], to: [1, 2, 3, 4, 5]), Change(from: [1, 2, 3], to: [1, 2, 4]),
        Change(from: [1, 2, 3], to: [2, 3, 4]), Change(from: [1, 2, 3], to: [1, 4, 5]),
        Change(from: [1, 2, 3], to: [3, 4, 5]),
    ])
    func everyOwnerFinishesEveryChange(change: Change) {
        let added = change.to.filter { !change.from.contains($0) }
        let members = (change.from + added).sorted()
        for next in members {
            var deaths = 0, isOver = false
            while !isOver, deaths < 400 {
                var group = prepared(change, added: added)
                isOver = !dies(&group, after: deaths, change: change)
                group.appoint(next, asking: members)
                group.settle(rounds: 60)
                expectHealthy(&group, owner: next, change: change, deaths: deaths)
                deaths += 1
            }
            #expect(isOver && deaths > 10, "the owner died at each step of the change")
        }
    }

    /// The new members are there, as bare names.
    private func prepared(_ change: Change, added: [UInt64]) -> TestGroup {
        var group = TestGroup(.newGroup(configuration(change.from)), on: 1...UInt64(change.from.count))
        for number in added { group.add(NodeID(number), .joining) }
        group.appoint(1)
        group.settle()
        return group
    }

    /// Learners first, then the voters; the owner dies after so many messages. False if all was over before.
    private func dies(_ group: inout TestGroup, after messages: Int, change: Change) -> Bool {
        let added = change.to.filter { !change.from.contains($0) }
        var rest = messages
        group.change(1, voters: change.from, learners: added)
        rest -= group.deliver(atMost: rest)
        if rest > 0 {
            group[1].tick()
            rest -= group.deliver(atMost: rest)
        }
        let isBegun = group.change(1, voters: change.to) != nil
        rest -= group.deliver(atMost: rest)
        let owner = group.position(1)
        group.nodes[owner].crash()
        group.nodes[owner].restart()
        return !(isBegun && rest > 0)
    }

    private func expectHealthy(_ group: inout TestGroup, owner: UInt64, change: Change, deaths: Int) {
        let words: Comment = "\(change.testDescription), owner \(owner), after \(deaths) messages"
        guard group[owner].isLeading else {
            // One that has no log, and whom nobody knows, cannot lead: it hears of no configuration.
            Issue.record("does not lead: \(words)")
            return
        }
        let index = group[owner].propose([9])
        group.settle(rounds: 20)
        let final = group[owner].configuration
        #expect(group[owner].commit >= index && !final.isJoint, words)
        #expect(final.voters.map(\.rawValue) == change.from || final.voters.map(\.rawValue) == change.to, words)
        #expect(group.rules.violations == [], words)
    }

    // MARK: Lost logs

    /// Node 3 loses its log, is removed, and comes back under its name as a replica that joins.
    private func groupWithLoss() -> TestGroup {
        var group = group([1, 2, 3])
        for number in 0..<10 as Range<UInt8> { _ = group[1].propose([number]) }
        group.settle()
        let lost = group.position(3)
        group.nodes[lost].crash()
        group.nodes[lost].loseDisk()
        group.nodes[lost].restart()
        group.change(1, voters: [1, 2])
        group.settle()
        return group
    }

    @Test func anAcknowledgementOfAFormerLifeDoesNotCount() {
        var group = groupWithLoss()
        let late = Message(
            from: NodeID(3), to: NodeID(1), term: group.epoch, incarnation: 1,
            body: .appendAccepted(AppendAccepted(match: group[1].lastIndex, commit: group[1].lastIndex)))
        group.deaf = [NodeID(2), NodeID(3)]
        group.change(1, voters: [1, 2], learners: [3])
        group.deaf = [NodeID(3)]
        group.settle()
        group.deliver(late)
        #expect(group[1].matchIndex(of: NodeID(3)) == .zero)
        let isRefused = group.change(1, voters: [1, 2, 3]) == nil
        #expect(isRefused, "a voter that holds nothing")
        // It is not taken for caught up either: once it is there, it gets everything.
        group.add(NodeID(3), .joining(sealedAt: group.epoch))
        group.deaf = []
        group.settle(rounds: 60)
        group.deliver(late)
        group.settle(rounds: 60)
        #expect(group[3].commit == group[1].commit && group[1].matchIndex(of: NodeID(3)) == group[1].lastIndex)
        let isTaken = group.change(1, voters: [1, 2, 3]) != nil
        group.settle()
        #expect(isTaken && group[1].configuration == configuration([1, 2, 3]))
        #expect(group.rules.violations == [])
    }

    /// A replica that is taken out and in again with its log intact is brought up to date by entries, in small
    /// steps, although its first answers lie below the entry that added it.
    @Test func aReplicaThatIsAddedAgainWithItsLogCatchesUp() {
        var group = group([1, 2, 3])
        group.change(1, voters: [1, 2])
        group.settle()
        for number in 0..<40 as Range<UInt8> { _ = group[1].propose([UInt8](repeating: number, count: 4000)) }
        group.settle()
        group.change(1, voters: [1, 2], learners: [3])
        group.settle(rounds: 60)
        #expect(group[3].commit == group[1].commit)
        #expect(group[1].matchIndex(of: NodeID(3)) == group[1].lastIndex)
        #expect(group[1].counters.snapshotsSent == 0)
    }

    /// The former life had sealed an epoch. The next one serves no leader below the epoch that took it back.
    @Test func aReplicaThatJoinsAgainServesNoLowerEpoch() {
        var replica = AppointedReplica(id: NodeID(3), initial: .joining(sealedAt: Term(7)))
        replica.step(Message(from: NodeID(1), to: NodeID(3), term: Term(6), incarnation: 1, body: .seal))
        let refusals = replica.ready().messages.map(\.body)
        #expect(refusals == [.sealRefusal(nil)] && replica.counters.lowerEpochs == 1)
        replica.step(
            Message(
                from: NodeID(1), to: NodeID(3), term: Term(7), incarnation: 1,
                body: .append(Append(previous: .zero, commit: .zero, entries: []))))
        #expect(replica.sealedOwner == Candidate(node: NodeID(1), incarnation: 1))
    }

    @Test func aReplicaWithoutItsLogSaysNothing() {
        var group = group([1, 2, 3])
        let lost = group.position(3)
        group.nodes[lost].crash()
        group.nodes[lost].loseDisk()
        group.nodes[lost].restart()
        group.appoint(2)
        group.settle(rounds: 30)
        #expect(group[2].isLeading && !group[2].reached.contains(NodeID(3)))
        #expect(group[3].counters.unansweredWithoutLog > 0)
    }

    // MARK: A base above zero

    /// The child of a split: a group that begins at a base, with nothing else.
    private func child(joining: ClosedRange<UInt64>? = nil) -> TestGroup {
        let base = Snapshot(index: LogIndex(100), term: Term(5), configuration: configuration([1, 2, 3]))
        var group = TestGroup(
            InitialState(hardState: HardState(term: Term(5)), snapshot: base), on: 1...3, joining: joining)
        group.epoch = Term(5)
        group.rules.begin(after: base.position)
        for node in group.nodes.indices { group.nodes[node].machine.begin(at: base.index) }
        return group
    }

    @Test func aGroupBeginsAtABaseAboveZero() {
        var group = child()
        group.deaf = [NodeID(3)]
        group.appoint(2)
        group.settle()
        #expect(group[2].isLeading && group[2].barrierIndex == LogIndex(101))
        let index = group[2].propose([1])
        group.settle()
        #expect(group[2].commit == index)
        // The third comes late and needs no snapshot: it has the base.
        group.deaf = []
        group.settle(rounds: 40)
        #expect(group[3].commit == index && group[2].counters.snapshotsSent == 0)
        group.appoint(3)
        group.settle()
        #expect(group[3].isLeading && group[3].term(at: LogIndex(100)) == Term(5))
        #expect(group.rules.violations == [])
    }

    @Test func aMemberThatHasNoGroupYetDoesNotAnswer() {
        var group = child()
        group.nodes.removeAll { $0.id != NodeID(2) }
        group.appoint(2)
        group.settle(rounds: 30)
        #expect(group[2].stage == .sealing && group[2].reached == [])
    }

    @Test func anOwnerWithOnlyTheBaseAdoptsWhatOthersHave() {
        var group = child()
        group.appoint(1)
        group.deaf = [NodeID(3)]
        group.settle()
        let index = group[1].propose([1])
        group.settle()
        group.deaf = []
        group.network = []
        group.appoint(3)
        group.settle()
        #expect(group[3].isLeading && group[3].term(at: index) == Term(6))
        #expect(group.rules.violations == [])
    }

    /// A voter of the base that lost the base joins: entries alone cannot help it.
    @Test func aVoterWithoutTheBaseNeedsASnapshotAndSealsNothingBefore() {
        var group = child()
        group.add(NodeID(3), .joining(sealedAt: Term(5)))
        group.deaf = [NodeID(2)]
        group.appoint(1)
        group.settle(rounds: 30)
        #expect(group[1].stage == .sealing)
        group.deaf = []
        group.nodes[group.position(1)].providesSnapshots = false
        group.settle(rounds: 60)
        #expect(group[1].isLeading && group[3].commit == .zero)
        #expect(group[1].matchIndex(of: NodeID(3)) == .zero)
    }
}
