import Binary
import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster

/// Interleavings that a reading of the code against the protocol brought up.
struct ReviewScenarioTests {
    /// A write that changes nothing leaves no id in the log, so a second copy of it is executed. It must
    /// not be answered while such a copy is under way (O10, guarantee 5).
    @Test func aLateCopyOfAWriteThatChangedNothingHasNoEffectAfterTheAnswer() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let edge = cluster.other(than: owner)
        let rival = cluster.other(than: owner, edge)
        #expect(cluster.run(.set("a", "1"), at: rival)?.applied == .yes)
        cluster.keeps = { if case .outcome = $0.message { $0.to == edge } else { false } }
        let creation = cluster.submit(.setIfAbsent("a", "2"), at: edge)
        let firstOutcome = cluster.kept
        #expect(firstOutcome.count == 1)
        cluster.kept = []
        cluster.keeps = { if case .execute = $0.message { $0.from == edge } else { false } }
        cluster.nodes[edge].loop.step(.linkUp(cluster.nodes[owner].nodeID), now: cluster.now)
        cluster.flush(cluster.nodes[edge])
        #expect(cluster.kept.count == 1, "the second try is under way")
        for letter in firstOutcome { cluster.deliver(letter) }
        let wasAnswered = cluster.answer(creation) != nil
        #expect(cluster.run(.removeItem("a"), at: rival)?.applied == .yes)
        cluster.releaseKept()
        let item = cluster.run(.getItem("a"), at: rival)
        #expect(cluster.answer(creation) != nil)
        #expect(
            !wasAnswered || item?.reply == .absent, "it took effect after its answer: \(item?.text ?? "")")
    }

    /// Under load there is always something speculative; a replica that lags needs a snapshot all the same.
    @Test func aLaggingReplicaGetsASnapshotWhileTheOwnerIsBusyO3() throws {
        let cluster = TestCluster.serving { $0.logTailBytes = 1 }
        let owner = try #require(cluster.owner())
        let lagging = cluster.other(than: owner)
        cluster.loses = {
            if case .shard = $0.message { $0.to == lagging || $0.from == lagging } else { false }
        }
        for _ in 0..<20 { #expect(cluster.run(.addOne(), at: owner)?.applied == .yes) }
        let before = try #require(cluster.inspection(lagging)?.appliedThrough)
        cluster.nodes[owner].holdsJournal = true
        _ = cluster.submit(.addOne(), at: owner)
        cluster.loses = { _ in false }
        for number in [owner, lagging] {
            let peer = cluster.nodes[number == owner ? lagging : owner].nodeID
            cluster.nodes[number].loop.step(.linkUp(peer), now: cluster.now)
        }
        let third = cluster.nodes[cluster.other(than: owner, lagging)]
        third.holdsJournal = true
        for _ in 0..<100 {
            _ = cluster.submit(.addOne(), at: owner)
            for node in [cluster.nodes[owner], third] {
                while node.unwrittenCount > 1, node.sync(now: cluster.now) { cluster.flush(node) }
            }
            cluster.deliver()
            cluster.advance(ms: 10)
        }
        let after = try #require(cluster.inspection(lagging)?.appliedThrough)
        #expect(after > before + 20, "applied through \(after) after \(before)")
    }

    /// O6 (c): "after it stopped serving". A loop that hangs has not.
    @Test func aNodeAsksForItsFenceOnlyWhenEveryLoopHasStopped() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let node = cluster.nodes[owner]
        node.isLoopHung = true
        node.core.step(.shutdown, now: cluster.now)
        cluster.advance(upToMs: 4_000) { node.exit != nil }
        #expect(node.exit == .drained, "it goes in the end")
        let witness = cluster.nodes[cluster.other(than: owner)]
        let causes = try #require(witness.view?.state?.table.records.first?.history.map(\.cause))
        #expect(!causes.contains(.requested), "its lease had to run out")
    }

    @Test func aReadOfAnIndexThatNeverComesIsForgottenByTheOwner() throws {
        let cluster = TestCluster.serving()
        let owner = try #require(cluster.owner())
        let read = cluster.submit(.getItem("a"), at: owner, minimumIndex: .max)
        cluster.advance(ms: 11_000)
        #expect(cluster.answer(read)?.refusal?.status == 503)
        cluster.advance(ms: 10_000)
        #expect(cluster.run(.addOne(), at: owner)?.applied == .yes)
        #expect(cluster.nodes[owner].loop.replicas[TestCluster.shard]?.waitingForIndex.isEmpty == true)
    }

    @Test func tooManyReadsOfAFutureIndexAreRefusedAtOnce() throws {
        let cluster = TestCluster.serving { $0.mailboxRequestsMax = 2 }
        let owner = try #require(cluster.owner())
        let reads = (0..<3).map { _ in cluster.submit(.getItem("a"), at: owner, minimumIndex: .max) }
        #expect(reads.map { cluster.answer($0)?.refusal?.status } == [nil, nil, 503])
    }

    /// A named owner that cannot lead yields in time, however often the table changes elsewhere (O2).
    @Test func viewsDoNotPutOffTheYieldOfAnOwnerWithoutItsLogO2() {
        var table = TestTable()
        table.give(to: 1)
        let loop = LoopCore(
            loop: 0, identity: TestNode.identity(0, nonce: 1001), recovered: RecoveredReplicas(),
            settings: NodeSettings(), seed: 1, store: MemoryObjectSource())
        var clock = Clocks(bootNs: 0, rawNs: 0, wallMs: 0)
        var hasYielded = false
        for step in 0..<100 {
            clock.bootNs += 10_000_000
            clock.rawNs += 10_000_000
            clock.steadyNs += 10_000_000
            if step % 5 == 0 {
                table.changeNothing()
                loop.step(.view(table.view(at: 1)), now: clock)
            }
            loop.step(.tick, now: clock)
            for case .propose(.yield) in loop.flush(now: clock).toNode { hasYielded = true }
        }
        #expect(hasYielded)
    }

    /// O5: a fence that never got into the log bars nobody from leases and does not block the next fence.
    @Test func aFenceThatWasNotTakenIntoTheLogIsNotProposed() throws {
        let cluster = TestCluster.serving()
        let leader = try #require(cluster.leader)
        let core = cluster.nodes[leader].core
        let victim = try #require(cluster.nodes[cluster.other(than: leader)].view?.process)
        core.placement?.transferLeadership(to: cluster.nodes[cluster.other(than: leader)].nodeID)
        core.proposeAsLeader(.fence(victim, candidates: [], cause: .requested))
        #expect(core.placement?.role == .leader)
        #expect(core.granter?.isFenceProposed(victim) == false)
    }

    @Test func theLogOfThePlacementGroupIsCompacted() throws {
        let cluster = TestCluster.serving { $0.logTailBytes = 64 }
        let leader = try #require(cluster.leader)
        for _ in 0..<50 {
            cluster.nodes[leader].core.proposeAsLeader(.setReadMode(.lease))
            cluster.flush(cluster.nodes[leader])
            cluster.deliver()
        }
        cluster.advance(ms: 100)
        #expect(try #require(cluster.nodes[leader].core.placement?.firstIndex) > LogIndex(rawValue: 20))
        let late = cluster.other(than: leader)
        cluster.crash(late)
        cluster.bury(late)
        try cluster.restart(late, nonce: 321)
        #expect(cluster.advance(upToMs: 2_000) { cluster.nodes[late].view?.process != nil })
    }
}

/// Bad input from peers is ignored (never a trap).
struct BadPeerTests {
    private func node(_ membership: Membership) -> NodeCore {
        NodeCore(
            identity: TestNode.identity(0, nonce: 1001), membership: membership, recovered: RecoveredLogs(),
            settings: NodeSettings(), seed: 1, now: .zero)
    }

    private func request(_ node: UInt64, _ name: String, address: String = "peer") -> JoinRequest {
        JoinRequest(
            node: NodeID(rawValue: node), name: name, peerAddress: address, clientURL: "http://c",
            clusterID: 0)
    }

    @Test func membersThatNoGenesisCouldNameAreNotTaken() {
        let core = node(.bootstrap(initialNodes: 2, shards: 1, leaseDurationMs: 2_000))
        for (name, address) in [("", "peer"), ("a b", "peer"), ("ok", "")] {
            core.step(
                .message(from: NodeID(rawValue: 9), .join(request(9, name, address: address))), now: .zero)
            #expect(core.flush(now: .zero).persist == nil)
        }
        core.step(.message(from: NodeID(rawValue: 9), .join(request(9, "ok"))), now: .zero)
        #expect(core.flush(now: .zero).persist != nil, "a good one is")
    }

    @Test func aJoinInThisNodesOwnNameIsIgnored() throws {
        let core = node(.bootstrap(initialNodes: 1, shards: 1, leaseDurationMs: 2_000))
        core.step(.tick, now: .zero)
        let batch = try #require(core.flush(now: .zero).persist)
        core.step(.persisted(batch.id), now: .zero)
        _ = core.flush(now: .zero)
        core.step(.message(from: NodeID(rawValue: 9), .join(request(1, "n1"))), now: .zero)
        #expect(core.flush(now: .zero).messages.isEmpty)
    }

    /// The first members may all have been replaced: what a joining node was told goes on to count.
    @Test func aNodeThatIsNotAMemberYetGoesOnAskingByTheAddressesItWasTold() throws {
        let founder = node(.bootstrap(initialNodes: 1, shards: 1, leaseDurationMs: 2_000))
        founder.step(.tick, now: .zero)
        var logs = RecoveredLogs()
        for record in founder.flush(now: .zero).persist?.records ?? [] { try logs.visit(record) }
        let core = NodeCore(
            identity: TestNode.identity(8, nonce: 1009), membership: .join(["a:1"]), recovered: RecoveredLogs(),
            settings: NodeSettings(), seed: 2, now: .zero)
        core.step(.message(from: NodeID(rawValue: 1), .welcome(try #require(logs.genesis))), now: .zero)
        core.step(.persisted(try #require(core.flush(now: .zero).persist).id), now: .zero)
        _ = core.flush(now: .zero)
        core.step(.tick, now: .zero)
        #expect(core.flush(now: .zero).toAddresses.contains { $0.0 == "a:1" })
    }

    /// It was taken in by a leader whose entry was lost with it: by its own log it belongs to the cluster, and nobody else
    /// knows of it.
    @Test func aNodeThatWasTakenInByALostEntryAsksAgain() throws {
        let founder = node(.bootstrap(initialNodes: 1, shards: 1, leaseDurationMs: 2_000))
        founder.step(.tick, now: .zero)
        let learner = Configuration(voters: [NodeID(rawValue: 1)], learners: [NodeID(rawValue: 9)])
        var logs = RecoveredLogs()
        for record in founder.flush(now: .zero).persist?.records ?? [] {
            let isOwnConfiguration = record.kind == LogRecord.createdKind && record.group == .placement
            try logs.visit(isOwnConfiguration ? .created(learner, group: .placement) : record)
        }
        try logs.finish()
        let core = NodeCore(
            identity: TestNode.identity(8, nonce: 1009), membership: .join(["a:1"]), recovered: logs,
            settings: NodeSettings(), seed: 2, now: .zero)
        #expect(core.placement?.configuration == learner)
        core.step(.tick, now: .zero)
        #expect(core.flush(now: .zero).toAddresses.contains { $0.0 == "a:1" })
    }

    /// The others have formed the cluster, and then left it out, since it had not registered: they do with fewer voters.
    @Test func aFirstMemberThatTheOthersLeftOutAsksAgain() throws {
        let founder = node(.bootstrap(initialNodes: 3, shards: 1, leaseDurationMs: 2_000))
        for id in [5, 8] as [UInt64] {
            founder.step(.message(from: NodeID(rawValue: id), .join(request(id, "n\(id)"))), now: .zero)
        }
        founder.step(.tick, now: .zero)
        var logs = RecoveredLogs()
        for record in founder.flush(now: .zero).persist?.records ?? [] { try logs.visit(record) }
        try logs.finish()
        let core = NodeCore(
            identity: TestNode.identity(7, nonce: 1009), membership: .join([]), recovered: logs,
            settings: NodeSettings(), seed: 2, now: .zero)
        #expect(core.identity.nodeID == NodeID(rawValue: 8))
        #expect(core.placement?.configuration.isMember(NodeID(rawValue: 8)) == true)
        func asks(atMs nowMs: UInt64) -> [NodeID] {
            let now = Clocks(bootNs: nowMs * 1_000_000, rawNs: nowMs * 1_000_000, wallMs: nowMs)
            core.step(.tick, now: now)
            return core.flush(now: now).messages.filter { if case .join = $0.message { true } else { false } }.map(\.to)
        }
        #expect(asks(atMs: NodeCore.firstMemberPatienceMs - 500).isEmpty)
        #expect(asks(atMs: NodeCore.firstMemberPatienceMs).contains(NodeID(rawValue: 5)))
    }

    /// Invited without an address to join by, when no first member is left.
    @Test func anInvitedNodeAsksThoseWhoHaveIntroducedThemselves() throws {
        let founder = node(.bootstrap(initialNodes: 1, shards: 1, leaseDurationMs: 2_000))
        founder.step(.tick, now: .zero)
        let batch = try #require(founder.flush(now: .zero).persist)
        var logs = RecoveredLogs()
        for record in batch.records { try logs.visit(record) }
        founder.step(.persisted(batch.id), now: .zero)
        _ = founder.flush(now: .zero)
        founder.step(.invite(address: "b:1"), now: .zero)
        let invitation = founder.flush(now: .zero).toAddresses.filter { $0.0 == "b:1" }.map(\.1)
        #expect(invitation.contains { if case .welcome = $0 { true } else { false } })
        #expect(invitation.contains { if case .join(let own) = $0 { own.node == NodeID(rawValue: 1) } else { false } })
        let core = NodeCore(
            identity: TestNode.identity(8, nonce: 1009), membership: .join([]), recovered: RecoveredLogs(),
            settings: NodeSettings(), seed: 2, now: .zero)
        core.step(.message(from: NodeID(rawValue: 5), .welcome(try #require(logs.genesis))), now: .zero)
        core.step(.persisted(try #require(core.flush(now: .zero).persist).id), now: .zero)
        core.step(.message(from: NodeID(rawValue: 5), .join(request(5, "n5"))), now: .zero)
        _ = core.flush(now: .zero)
        core.step(.tick, now: .zero)
        let asked = core.flush(now: .zero).messages.contains { outgoing in
            guard case .join(let own) = outgoing.message else { return false }
            return outgoing.to == NodeID(rawValue: 5) && own.node == NodeID(rawValue: 9)
        }
        #expect(asked)
    }

    /// It may know none of the present members, and has to answer the one that leads.
    @Test func aMemberTellsItsAddressToANodeThatWantsToJoin() {
        let cluster = TestCluster.serving()
        let core = cluster.nodes[0].core
        core.step(.message(from: NodeID(rawValue: 9), .join(request(9, "n9"))), now: cluster.now)
        #expect(introduction(of: core, now: cluster.now) == NodeID(rawValue: 1))
        // Whom it knows it tells nothing, and while it is not registered itself nobody: two would never end.
        core.step(.message(from: NodeID(rawValue: 2), .join(request(2, "n2"))), now: cluster.now)
        #expect(introduction(of: core, now: cluster.now) == nil)
        let fresh = node(.bootstrap(initialNodes: 1, shards: 1, leaseDurationMs: 2_000))
        fresh.step(.tick, now: .zero)
        if let batch = fresh.flush(now: .zero).persist { fresh.step(.persisted(batch.id), now: .zero) }
        _ = fresh.flush(now: .zero)
        fresh.step(.message(from: NodeID(rawValue: 9), .join(request(9, "n9"))), now: .zero)
        #expect(introduction(of: fresh, now: .zero) == nil)
    }

    /// As whom the core introduces itself, if it does.
    private func introduction(of core: NodeCore, now: Clocks) -> NodeID? {
        core.flush(now: now).messages.compactMap { outgoing -> NodeID? in
            if case .join(let own) = outgoing.message { own.node } else { nil }
        }.first
    }

    @Test func aMessageInThisNodesOwnNameIsIgnored() throws {
        let core = node(.bootstrap(initialNodes: 1, shards: 1, leaseDurationMs: 2_000))
        core.step(.message(from: NodeID(rawValue: 1), .reportRequest(5)), now: .zero)
        for id in core.flush(now: .zero).collect {
            core.step(.collected(id, shards: [], counters: NodeCounters()), now: .zero)
        }
        #expect(core.flush(now: .zero).messages.isEmpty)
    }

    @Test func aGrantOfAnImpossibleDurationIsNoLease() {
        var holder = LeaseHolder()
        let process = NodeProcess(node: NodeID(rawValue: 1), incarnation: Incarnation(rawValue: 1))
        let settings = TestTable().state.settings.lease
        for duration in [UInt64.max, UInt64.max / 1000, 0] {
            let grant = LeaseGrant(process: process, sentBootNs: 0, sentSteadyNs: 0, durationMs: duration)
            let wasTaken = holder.take(grant, settings: settings, now: .zero)
            #expect(!wasTaken)
        }
    }
}
