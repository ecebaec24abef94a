import Placement
import Testing

@testable import Cluster
@testable import Raft
@testable import RaftTests

/// Bugs of others in cutting, joining and replaying logs: numbers 8 to 14 and 29.
@Suite struct LogRegressions {
    init() { prepareRegression() }

    /// Truncating to the high watermark after a restart loses acknowledged records (Kafka KIP-101).
    /// Guard: `Replication.init` keeps the whole log; only a conflict cuts (`merge`).
    @Test func r08ARestartBeforeTheCommitIsKnownLosesNothing() throws {
        var group = TestGroup.owned()
        group.deaf = [NodeID(3)]
        let indexOrNil = group.propose([1], at: 1)
        let index = try #require(indexOrNil)
        group.settle(rounds: 3) { !$0.reveals(index) }
        #expect(group[1].commit == index && group[2].commit < index)
        group.crash(2)
        group.restart(2)
        group.crash(1)
        group.deaf = []
        group.network = []
        group.appoint(2)
        group.settle(rounds: 30)
        #expect(group[2].isLeading && group[2].term(at: index) == Term(1))
        #expect(group.applied(2).contains([1]))
        #expect(group.rules.violations == [])
    }

    /// Two fast failovers skip a truncation (Kafka KIP-279): epoch 2 never reaches one replica.
    /// Guard: logs meet by term *and* index (`RaftLog.matches`).
    @Test func r09AnEpochThatWasMissedIsNoHoleInTheTruncation() {
        var group = TestGroup.owned()
        for number in 1...4 as ClosedRange<UInt8> { _ = group.propose([number], at: 1) }
        _ = group.takeMessages()
        group.crash(1)
        group.appoint(2)
        group.settle(rounds: 30)
        _ = group.propose([20], at: 2)
        group.settle()
        group.appoint(3)
        group.settle(rounds: 30)
        _ = group.propose([30], at: 3)
        group.settle()
        // Nobody is told that it is back: it is asked for the end of the newest log, not from the beginning.
        group.nodes[group.position(1)].restart()
        group.settle(rounds: 80)
        #expect(group[1].commit == group[3].commit)
        #expect(group.applied(1) == group.applied(3) && group.applied(2) == group.applied(3))
        group[1].step(
            Message(
                from: NodeID(2), to: NodeID(1), term: Term(2), incarnation: 1,
                body: .append(Append(previous: .zero, commit: .zero, entries: []))))
        #expect(group[1].counters.lowerEpochs == 1)
        #expect(group.rules.violations == [])
    }

    /// Last replica standing: the only copy loses what its page cache had, comes back as leader and erases the
    /// others (Kafka KIP-966). Guard: `AppointedReplica.appoint` wants a whole log (O9).
    @Test func r10TheLastReplicaDoesNotOwnAgainWithoutItsLog() throws {
        var group = TestGroup.owned()
        group.change(1, voters: [1])
        group.settle()
        let indexOrNil = group.propose([1], at: 1)
        let index = try #require(indexOrNil)
        group.settle()
        #expect(group[1].commit == index)
        let kept = group[2].lastIndex
        group.crash(1)
        group.nodes[group.position(1)].loseDisk()
        group.restart(1)
        let owns = group[1].appoint(term: group.epoch.next, incarnation: 2, asking: [NodeID(2), NodeID(3)])
        group.settle()
        #expect(!owns && group[1].stage == .following)
        #expect(group[2].lastIndex == kept && group[2].sealedTerm == group.epoch)
    }

    /// An uncommitted write stays in the state after the rejoin (ZOOKEEPER-1154). Guard: only what is committed is
    /// handed out (`Replication.handOutCommitted`), and a conflicting suffix is cut.
    @Test func r11WhatWasNeverCommittedIsNeverApplied() throws {
        var group = TestGroup.elected()
        let first = try #require(group.leader)
        _ = group.propose([99], at: first)
        _ = group.takeMessages()
        for number in 1...3 as ClosedRange<UInt64> { group.crash(number) }
        for number in group.others(than: first) { group.restart(number) }
        group.settle(rounds: 80)
        let second = try #require(group.leader)
        _ = group.propose([1], at: second)
        group.settle(rounds: 20)
        group.restart(first)
        group.settle(rounds: 80)
        for number in 1...3 as ClosedRange<UInt64> {
            #expect(group.applied(number) == group.applied(second))
            #expect(!group.applied(number).contains([99]))
        }
        #expect(group.rules.violations == [])
    }

    /// A late disk acknowledgement from an old term for an index that was overwritten (etcd-io/raft,
    /// async_storage_writes_append_aba_race). Guard: `Persistence.persisted` knows which writes are under way.
    @Test func r12AnOldWriteDoesNotProveANewerOneAtItsIndex() {
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var replica = ElectedReplica(id: NodeID(1), initial: .newGroup(voters), seed: 7)
        func write(leader: UInt64, term: UInt64, entryTerm: UInt64) -> Position? {
            let entry = Entry(term: Term(entryTerm), index: LogIndex(1), kind: .command, payload: [1])
            let append = Append(previous: .zero, commit: .zero, entries: [entry])
            replica.step(
                Message(from: NodeID(leader), to: NodeID(1), term: Term(term), body: .append(append)))
            return replica.ready().mark
        }
        let marks = [
            write(leader: 2, term: 1, entryTerm: 1), write(leader: 3, term: 2, entryTerm: 2),
            write(leader: 2, term: 3, entryTerm: 1),
        ].compactMap { $0 }
        #expect(marks.count == 3 && marks[0] == marks[2])
        for (mark, durable) in zip(marks, [0, 0, 1] as [UInt64]) {
            replica.persisted(term: mark.term, index: mark.index)
            #expect(replica.core.persistence.durable == LogIndex(durable))
        }
    }

    /// Snapshot and log do not meet after a restart (redisraft #43, #44, #14). Guard: `RecoveredLogs.finish` and
    /// `InitialState.isJoined` refuse to start (O12).
    @Test func r13ALogThatDoesNotMeetItsSnapshotIsRefused() throws {
        let group = GroupID.shard(ShardID(rawValue: 0))
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        for first in 1...8 as ClosedRange<UInt64> {
            let snapshot = Snapshot(index: LogIndex(5), term: Term(1), configuration: voters)
            let entries = (first...9).map {
                Entry(term: Term(1), index: LogIndex($0), kind: .command, payload: [])
            }
            #expect(InitialState(snapshot: snapshot, entries: entries).isJoined == (first <= 6))
            var logs = RecoveredLogs()
            try logs.visit(.created(voters, group: group))
            for entry in entries { try logs.visit(.entry(entry, group: group)) }
            #expect((try? logs.finish()) != nil || first > 1)
            if first > 1 { #expect(throws: (any Error).self) { try logs.finish() } }
        }
    }

    /// The same, from the other side: a follower dies after each message of an installation, with each number of
    /// writes on its disk, and comes right.
    @Test func r13DyingAtEachStepOfAnInstallationLeavesAJoinedLog() {
        var group = TestGroup.owned()
        group.deaf = [NodeID(3)]
        for number in 0..<30 as Range<UInt8> { _ = group.propose([number], at: 1) }
        group.settle()
        group.compact(1)
        group.deaf = []
        for (step, kept) in (0..<16).flatMap({ step in (0..<2).map { (step, $0) } }) {
            var crashed = group
            crashed.nodes[crashed.position(3)].syncsAtOnce = false
            crashed.nodes[0].replica.tick()
            crashed.deliver(atMost: step)
            crashed.nodes[crashed.position(3)].crash(keeping: kept)
            #expect(crashed.nodes[crashed.position(3)].disk.initialState.isJoined)
            crashed.nodes[crashed.position(3)].syncsAtOnce = true
            crashed.restart(3)
            crashed.settle(rounds: 60)
            #expect(crashed[3].commit == crashed[1].commit)
            #expect(crashed.rules.violations == [])
        }
    }

    /// A restart serves empty or old values before its replay ends (redisraft #18, etcd #3879). Guard: an owner
    /// leads only when its barrier is committed (`AppointedReplica.afterProgress`, O2).
    @Test func r14NobodyServesBeforeItsBarrierIsCommitted() throws {
        var group = TestGroup.owned()
        let indexOrNil = group.propose([1], at: 1)
        let index = try #require(indexOrNil)
        group.settle()
        for number in 1...3 as ClosedRange<UInt64> {
            group.crash(number)
            group.restart(number)
        }
        group.network = []
        group.appoint(2)
        var hasServed = false
        for step in 0..<40 {
            var now = group
            now.deliver(atMost: step)
            guard now[2].isLeading else { continue }
            hasServed = true
            #expect(now[2].commit > index && now.applied(2).contains([1]))
        }
        #expect(hasServed)
    }

    /// A follower so far behind that installing snapshots loops for ever (hashicorp/raft #212): the leader appends
    /// and compacts at every turn. Guard: `Replication.compact` keeps what a follower needs behind its snapshot.
    @Test func r29OneSnapshotIsEnoughUnderLoad() {
        var settings = ReplicaSettings()
        settings.messageBytesMax = 200
        settings.inFlightMessagesMax = 2
        settings.snapshotChunkBytes = 64
        settings.snapshotWindowBytes = 64
        let voters = Configuration(voters: [NodeID(1), NodeID(2), NodeID(3)])
        var rules = Invariants()
        var nodes = (1...3 as ClosedRange<UInt64>).map { number in
            TestNode(id: NodeID(number), initial: .newGroup(voters)) { id, state in
                .appointed(AppointedReplica(id: id, initial: state, settings: settings))
            }
        }
        nodes[0].replica.change({ _ in }, { _ = $0.appoint(term: Term(1), incarnation: 1) })
        for turn in 0..<500 {
            if turn < 100 { nodes[0].replica.report(NodeID(3), reachable: false) }
            if turn == 100 { nodes[0].replica.report(NodeID(3), reachable: true) }
            for place in nodes.indices { nodes[place].pump(&rules) }
            for message in nodes.indices.flatMap({ nodes[$0].takeOutbox() })
            where turn >= 100 || message.to != NodeID(3) {
                nodes[Int(message.to.rawValue) - 1].replica.step(message)
            }
            nodes[0].replica.tick()
            if nodes[0].replica.serves { _ = nodes[0].replica.propose([UInt8(turn % 251)]) }
            nodes[0].compact(keepingBytes: 0, through: nodes[0].replica.applied)
        }
        #expect(nodes[2].replica.commit + 10 > nodes[0].replica.commit, "it keeps pace under load")
        #expect(nodes[2].replica.counters.snapshotsInstalled == 1)
        #expect(rules.violations == [])
    }
}
