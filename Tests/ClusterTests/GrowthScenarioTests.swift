import ObjectRuntime
import Placement
import Raft
import Testing

@testable import Cluster
@testable import Simulation

/// Shards split and merge, replicas come and go, and nobody who asks notices more than a pause (O9, O13).
struct GrowthScenarioTests {
    private static let objects = (0..<24).map { "o\($0)" }

    private func cluster(nodes: Int = 3, balances: Bool = true) -> TestCluster {
        .serving(nodes: nodes) {
            $0.checkpointIntervalMs = 100
            $0.hibernateAfterMs = 200
            $0.splitsByLoad = false
            $0.balanceIntervalMs = balances ? 200 : 1_000_000
            $0.balanceQuietMs = 200
        }
    }

    private func propose(_ command: Command, in cluster: TestCluster) {
        let node = cluster.nodes[cluster.leader ?? 0]
        node.core.step(.propose(RequestToken(rawValue: UInt64.random(in: 1 << 50..<1 << 51)), command), now: cluster.now)
        cluster.flush(node)
        cluster.advance(ms: 100)
    }

    private func table(_ cluster: TestCluster) throws -> Table {
        try #require(cluster.nodes.first { $0.isUp }?.view?.state?.table)
    }

    /// Each object gets one more; each answer must be the number of rounds.
    private func addRound(_ round: Int, _ cluster: TestCluster) {
        for (number, object) in Self.objects.enumerated() {
            let up = cluster.nodes.filter(\.isUp).map(\.number)
            let answer = cluster.run(.addOne(), at: up[number % up.count], objectID: object)
            #expect(answer?.text.contains("\"value\":\(round),") == true, "\(object) in round \(round)")
        }
    }

    private func areReplicasEqual(_ cluster: TestCluster) throws -> Bool {
        for record in try table(cluster).records {
            let keepers = cluster.nodes.filter { $0.isUp && record.isMember($0.nodeID) }
            let states = keepers.map { $0.loop.snapshotBytes(of: record.shard) }
            if Set(states).count != 1 || states.contains(nil) { return false }
        }
        return true
    }

    private func split(_ cluster: TestCluster) throws {
        let record = try #require(try table(cluster).records.first)
        propose(.planSplit(record.shard, expected: record.epoch, cut: 1 << 63), in: cluster)
        let isDone = cluster.advance(upToMs: 5_000) {
            (try? table(cluster).records.count) == 2 && cluster.servingShards == 2
        }
        #expect(isDone, "a split comes to its end")
    }

    private func merge(_ cluster: TestCluster) throws {
        try gather(cluster)
        let records = try table(cluster).records
        propose(
            .planMerge(
                left: records[0].shard, expectedLeft: records[0].epoch, right: records[1].shard,
                expectedRight: records[1].epoch), in: cluster)
        let isDone = cluster.advance(upToMs: 5_000) {
            (try? table(cluster).records.count) == 1 && cluster.servingShards == 1
        }
        #expect(isDone, "a merge comes to its end")
    }

    /// Both halves to one owner: only then they can be merged.
    private func gather(_ cluster: TestCluster) throws {
        let records = try table(cluster).records
        guard let from = records[1].owner, let to = records[0].owner, from != to else { return }
        let request = MoveRequest(shard: records[1].shard, epoch: records[1].epoch, from: from, to: to)
        let owner = try #require(cluster.nodes.first { $0.nodeID == from.node })
        owner.loop.step(.message(from: from.node, .move(request)), now: cluster.now)
        let isGathered = cluster.advance(upToMs: 3_000) {
            (try? table(cluster).records[1].owner) == to && cluster.servingShards == 2
        }
        #expect(isGathered)
    }

    @Test func aSplitShardServesBothHalvesAndNoIndexFallsO13() throws {
        let cluster = cluster()
        addRound(1, cluster)
        let before = Self.objects.map { cluster.run(.getItem("n"), at: 0, objectID: $0)?.index ?? 0 }
        try split(cluster)
        addRound(2, cluster)
        for (object, index) in zip(Self.objects, before) {
            #expect(cluster.run(.getItem("n"), at: 1, objectID: object)?.index ?? 0 > index)
        }
        #expect(cluster.advance(upToMs: 2_000) { (try? areReplicasEqual(cluster)) == true })
    }

    @Test func halvesMergeAgainAboveBothIndexesO13() throws {
        let cluster = cluster(balances: false)
        addRound(1, cluster)
        try split(cluster)
        addRound(2, cluster)
        try merge(cluster)
        addRound(3, cluster)
        #expect(cluster.advance(upToMs: 2_000) { (try? areReplicasEqual(cluster)) == true })
    }

    @Test func nodesThatRestartAfterASplitAndAMergeHaveEverything() throws {
        let cluster = cluster(balances: false)
        addRound(1, cluster)
        try split(cluster)
        addRound(2, cluster)
        for node in 0..<3 { cluster.crash(node) }
        for node in 0..<3 { try cluster.restart(node, nonce: UInt64(2_000 + node)) }
        #expect(cluster.advance(upToMs: 10_000) { cluster.servingShards == 2 })
        addRound(3, cluster)
        cluster.advance(ms: 500)
        try merge(cluster)
        for node in 0..<3 { cluster.crash(node) }
        for node in 0..<3 { try cluster.restart(node, nonce: UInt64(3_000 + node)) }
        #expect(cluster.advance(upToMs: 10_000) { cluster.servingShards == 1 })
        addRound(4, cluster)
    }

    @Test func aDrainedNodeKeepsNothingAndAnotherTakesItsPlaceO9() throws {
        let cluster = cluster(nodes: 4)
        addRound(1, cluster)
        let record = try #require(try table(cluster).records.first)
        let owner = try #require(cluster.owner())
        propose(.setStanding(cluster.nodes[owner].nodeID, .draining), in: cluster)
        let isGone = cluster.advance(upToMs: 20_000) {
            guard let now = try? table(cluster).records.first else { return false }
            return !now.isMember(cluster.nodes[owner].nodeID) && now.replicaSet.isSettled && now.replicas.count == 3
        }
        let records = try table(cluster).records
        #expect(isGone, "\(records)")
        #expect(record.replicas.count == 3)
        addRound(2, cluster)
        #expect(cluster.advance(upToMs: 2_000) { (try? areReplicasEqual(cluster)) == true })
        #expect(cluster.nodes[owner].loop.snapshotBytes(of: record.shard) == nil)
    }

    /// A voter that hangs has its links still, and would be handed the leadership again and again; meanwhile nothing is decided.
    @Test func aDrainedPlacementLeaderHandsOverToAVoterThatAnswers() throws {
        let cluster = cluster(nodes: 4)
        let leader = try #require(cluster.leader)
        let voters = try #require(cluster.nodes[leader].core.placement?.configuration.voters)
        let others = cluster.nodes.indices.filter { $0 != leader && voters.contains(cluster.nodes[$0].nodeID) }
        let hanging = try #require(others.min { cluster.nodes[$0].nodeID < cluster.nodes[$1].nodeID })
        cluster.loses = { $0.from == hanging }
        propose(.setStanding(cluster.nodes[leader].nodeID, .draining), in: cluster)
        #expect(cluster.advance(upToMs: 1_000) { cluster.leader != nil && cluster.leader != leader })
        #expect(others.contains(try #require(cluster.leader)) && cluster.leader != hanging)
    }

    /// With the vote of a removed node beside that of a dead one, the placement group would be at its end.
    @Test func aNodeIsNotRemovedWhileItsVoteIsNeeded() throws {
        let cluster = cluster()
        let owner = try #require(cluster.owner())
        let dead = cluster.other(than: owner)
        let drained = cluster.nodes[cluster.other(than: owner, dead)].nodeID
        func remove(_ token: UInt64) -> Result<CommandResult, ProposalFailure>? {
            let node = cluster.nodes[owner]
            node.core.step(.propose(RequestToken(rawValue: token), .removeNode(drained)), now: cluster.now)
            cluster.advance(upToMs: 5_000) { node.proposals[token] != nil }
            return node.proposals[token]
        }
        propose(.setStanding(drained, .draining), in: cluster)
        cluster.advance(ms: 1_000)
        #expect(remove(1) == .success(.refused(.nodeInUse)), "all are there: only what it keeps stands against it")
        cluster.crash(dead)
        let isFenced = cluster.advance(upToMs: 10_000) {
            cluster.nodes[owner].view?.state?.registry.record(of: cluster.nodes[dead].nodeID)?.live.isEmpty == true
        }
        #expect(isFenced && remove(2) == .success(.refused(.voteNeeded)))
    }

    @Test func aLostReplicaIsSilentAndComesBackAsANewOneO9() throws {
        let cluster = cluster()
        addRound(1, cluster)
        cluster.advance(ms: 1_000)
        let owner = try #require(cluster.owner())
        let victim = cluster.other(than: owner)
        var random = SeededGenerator(seed: 7)
        #expect(cluster.nodes[victim].store.damage(TestCluster.shard, using: &random))
        addRound(2, cluster)
        let id = cluster.nodes[victim].nodeID
        let isBack = cluster.advance(upToMs: 20_000) {
            guard let record = try? table(cluster).records.first else { return false }
            return record.lost.isEmpty && record.replicaSet.since(of: id) ?? .genesis > .genesis
                && record.replicaSet.isSettled
        }
        let records = try table(cluster).records
        #expect(isBack, "\(records)")
        addRound(3, cluster)
        #expect(cluster.advance(upToMs: 2_000) { (try? areReplicasEqual(cluster)) == true })
    }

    /// The log has replaced it, and the table does not know yet: by the table the new replica may not own the shard.
    @Test func anOwnerThatItsLogHasReplacedHandsOverToOneWhomTheTableKnowsO2() throws {
        let cluster = TestCluster.serving(shards: 4, nodes: 4) {
            $0.balanceIntervalMs = 1_000_000
            $0.splitsByLoad = false
        }
        // One whose turn to hand over falls on the new replica.
        var chosen: (record: ShardRecord, heir: NodeID, target: [NodeID])?
        for record in try table(cluster).records {
            let outsider = try #require(cluster.nodes.map(\.nodeID).first { !record.isMember($0) })
            for heir in record.replicas where heir != record.owner?.node {
                let target = (record.replicas.filter { $0 != heir } + [outsider]).sorted()
                let turns = target.filter { $0 != record.owner?.node }
                if turns[Int(record.shard.rawValue) % turns.count] == outsider { chosen = (record, heir, target) }
            }
        }
        let (record, heir, target) = try #require(chosen)
        let owner = try #require(cluster.owner(of: record.shard))
        let place = try #require(try table(cluster).records.firstIndex { $0.shard == record.shard })
        let leader = cluster.other(than: owner)
        let former = cluster.nodes[try #require(cluster.leader)].core
        former.placement?.transferLeadership(to: cluster.nodes[leader].nodeID)
        #expect(cluster.advance(upToMs: 3_000) { cluster.leader == leader })
        cluster.nodes[owner].loop.step(
            .message(
                from: record.replicas[0],
                .replicas(
                    ReplicaRequest(
                        shard: record.shard, epoch: record.epoch, basis: record.configuredAt, target: target))),
            now: cluster.now)
        var isLearnerKnown: Bool { (try? table(cluster).records[place].replicaSet.learners.isEmpty) == false }
        #expect(cluster.advance(upToMs: 2_000) { isLearnerKnown })
        cluster.loses = { letter in
            guard letter.from == owner, case .propose = letter.message else { return false }
            return true
        }
        let isReplaced = cluster.advance(upToMs: 2_000) {
            let raft = cluster.nodes[owner].loop.replicas[record.shard]?.raft
            return raft?.configuration.voters.sorted() == target && raft?.configuration.isJoint == false
                && raft?.commit == raft?.lastIndex
        }
        let process = try #require(record.owner)
        #expect(isReplaced && isLearnerKnown)
        cluster.crash(owner)
        cluster.loses = { _ in false }
        let candidate = try #require(cluster.nodes.first { $0.nodeID == heir }?.view?.process)
        propose(.fence(process, candidates: [candidate], cause: .obituary), in: cluster)
        let isHandedOver = cluster.advance(upToMs: 3_000) {
            guard let owner = cluster.owner(of: record.shard) else { return false }
            return target.contains(cluster.nodes[owner].nodeID)
        }
        let now = try table(cluster).records[place]
        #expect(isHandedOver && now.replicas.sorted() == target && now.replicaSet.isSettled, "\(now)")
    }

    /// A split that is planned while the replicas change waits until they have changed: a child that was born with the joint
    /// configuration would ask nodes that are members no more.
    @Test func aSplitWaitsForAChangeOfReplicasO9O13() throws {
        let cluster = cluster(nodes: 5, balances: false)
        addRound(1, cluster)
        let record = try #require(try table(cluster).records.first)
        let owner = cluster.nodes[try #require(cluster.owner(of: record.shard))]
        let outsiders = cluster.nodes.filter { !record.isMember($0.nodeID) }
        let target = ([owner] + outsiders).map(\.nodeID).sorted()
        let request = ReplicaRequest(
            shard: record.shard, epoch: record.epoch, basis: record.configuredAt, target: target)
        owner.loop.step(.message(from: record.replicas[0], .replicas(request)), now: cluster.now)
        var log: AppointedReplica? { owner.loop.replicas[record.shard]?.raft }
        // From then on the new ones are not heard, and the change stays under way.
        cluster.loses = { letter in
            guard case .shard = letter.message, log?.configuration.isJoint == true else { return false }
            return outsiders.contains { $0.number == letter.from }
        }
        #expect(cluster.advance(upToMs: 3_000) { log?.configuration.isJoint == true })
        propose(.planSplit(record.shard, expected: record.epoch, cut: 1 << 63), in: cluster)
        cluster.advance(ms: 200)
        #expect(log?.configuration.isJoint == true, "nobody of the new ones has answered")
        cluster.loses = { _ in false }
        var born: Configuration?
        let isDone = cluster.advance(upToMs: 5_000) {
            let child = owner.loop.replicas.keys.first { $0 != record.shard }
            if born == nil { born = child.flatMap { owner.loop.replicas[$0]?.raft.configuration } }
            return cluster.servingShards == 2
        }
        #expect(isDone && born?.voters.sorted() == target && born?.isJoint == false, "\(String(describing: born))")
        addRound(2, cluster)
        #expect(try table(cluster).records.allSatisfy { $0.replicas.sorted() == target && $0.replicaSet.isSettled })
    }

    /// Until a majority has the child, it may be at its owner only: who left the parent would take with it the entry that
    /// makes the child.
    @Test func aChangeOfReplicasWaitsUntilTheChildIsServedO9O13() throws {
        let cluster = cluster(nodes: 5, balances: false)
        addRound(1, cluster)
        let record = try #require(try table(cluster).records.first)
        let owner = cluster.nodes[try #require(cluster.owner(of: record.shard))]
        // Nobody else hears of the child.
        cluster.loses = { letter in
            if case .shard(let shard, _) = letter.message { shard != record.shard } else { false }
        }
        propose(.planSplit(record.shard, expected: record.epoch, cut: 1 << 63), in: cluster)
        #expect(cluster.advance(upToMs: 2_000) { (try? table(cluster).records.count) == 2 })
        let present = try #require(try table(cluster).records.first)
        let before = owner.loop.replicas[record.shard]?.raft.configuration
        let outsiders = cluster.nodes.map(\.nodeID).filter { !record.isMember($0) }
        let request = ReplicaRequest(
            shard: record.shard, epoch: present.epoch, basis: present.configuredAt,
            target: ([owner.nodeID] + outsiders).sorted())
        owner.loop.step(.message(from: record.replicas[0], .replicas(request)), now: cluster.now)
        cluster.advance(ms: 1_000)
        #expect(owner.loop.replicas[record.shard]?.raft.configuration == before)
        cluster.loses = { _ in false }
        let isDone = cluster.advance(upToMs: 5_000) {
            let after = owner.loop.replicas[record.shard]?.raft.configuration
            return after != before && after?.isJoint == false && after?.learners == [] && cluster.servingShards == 2
        }
        #expect(isDone)
        addRound(2, cluster)
    }

    /// What the store has of the parent is the child's too until it has the split. A new replica of the child has to wait
    /// until that is erased, or it is erased with it.
    @Test(arguments: [false, true]) func aParentIsLostBeforeItsSplitIsStoredO9O13(isReplaced: Bool) throws {
        let cluster = cluster(balances: isReplaced)
        addRound(1, cluster)
        // All of it is in the stores.
        cluster.advance(ms: 500)
        let follower = cluster.nodes[cluster.other(than: try #require(cluster.owner()))]
        follower.isDamagedAtSplit = true
        try split(cluster)
        #expect(follower.lost.count == 1)
        guard isReplaced else {
            cluster.advance(ms: 1_000)
            #expect(follower.loop.replicas.count == 1, "nobody has taken the lost parent out")
            return
        }
        let isWhole = cluster.advance(upToMs: 20_000) {
            follower.loop.replicas.count == 2 && (try? areReplicasEqual(cluster)) == true
        }
        #expect(isWhole)
        addRound(2, cluster)
        #expect(cluster.advance(upToMs: 2_000) { (try? areReplicasEqual(cluster)) == true })
    }

    /// The table gives a child the replicas that it knows of its parent: they stay what they were at the split until then.
    @Test func aChangeOfReplicasWaitsForASplitO9O13() throws {
        let cluster = cluster(nodes: 5, balances: false)
        addRound(1, cluster)
        let record = try #require(try table(cluster).records.first)
        let owner = cluster.nodes[try #require(cluster.owner(of: record.shard))]
        let leader = cluster.other(than: owner.number)
        cluster.nodes[try #require(cluster.leader)].core.placement?.transferLeadership(to: cluster.nodes[leader].nodeID)
        #expect(cluster.advance(upToMs: 3_000) { cluster.leader == leader })
        cluster.loses = { letter in
            guard letter.from == owner.number, case .propose = letter.message else { return false }
            return true
        }
        propose(.planSplit(record.shard, expected: record.epoch, cut: 1 << 63), in: cluster)
        let log = { owner.loop.replicas[record.shard]?.raft }
        #expect(cluster.advance(upToMs: 2_000) { owner.loop.replicas.count == 2 }, "the child is born")
        let before = log()?.configuration
        let target = (record.replicas.filter { $0 != record.replicas.last { $0 != owner.nodeID } }
            + cluster.nodes.map(\.nodeID).filter { !record.isMember($0) }.prefix(1)).sorted()
        let request = ReplicaRequest(
            shard: record.shard, epoch: record.epoch, basis: record.configuredAt, target: target)
        owner.loop.step(.message(from: record.replicas[0], .replicas(request)), now: cluster.now)
        cluster.advance(ms: 1_000)
        #expect(log()?.configuration == before)
        cluster.loses = { _ in false }
        let isDone = cluster.advance(upToMs: 5_000) {
            log()?.configuration == Configuration(voters: target) && cluster.servingShards == 2
        }
        #expect(isDone)
        let child = try #require(try table(cluster).records.first { $0.shard != record.shard })
        #expect(child.replicas.sorted() == record.replicas.sorted())
        addRound(2, cluster)
    }

    @Test func aReplicaThatWasAwayForLongGetsASnapshot() throws { try catchUpBySnapshot(losing: 0) }

    /// The next snapshot takes the place of the one before, also if somebody is still fed from that.
    @Test func whoWasFedFromASnapshotThatIsGoneGetsAnother() throws { try catchUpBySnapshot(losing: 3) }

    /// A piece that was not acknowledged is sent again: not read again while its first reading is under way, or a slow
    /// disk would have more to read with each retry.
    @Test func aSlowDiskIsAskedForAPieceOnce() throws {
        try catchUpBySnapshot(losing: 0) { cluster, away in
            for node in cluster.nodes { node.holdsSnapshotReads = true }
            cluster.advance(ms: 20_000)
            let owner = cluster.nodes[try #require(cluster.owner())]
            let shards = try #require(owner.view?.state).table.records.count
            #expect((1...shards).contains(owner.heldSnapshotReads.count))
            for node in cluster.nodes { node.serveHeldSnapshotReads(now: cluster.now) }
        }
    }

    private func catchUpBySnapshot(
        losing snapshots: Int, first: (TestCluster, Int) throws -> Void = { _, _ in }
    ) throws {
        let cluster = TestCluster.serving {
            $0.checkpointIntervalMs = 100
            $0.logTailBytes = 1 << 10
        }
        addRound(1, cluster)
        let away = cluster.other(than: try #require(cluster.owner()))
        cluster.crash(away)
        for round in 2...6 { addRound(round, cluster) }
        for node in cluster.nodes { node.snapshotsToLose = snapshots }
        try cluster.restart(away, nonce: 4_001)
        try first(cluster, away)
        let isEqual = cluster.advance(upToMs: 10_000) {
            cluster.nodes[away].lease != nil && (try? areReplicasEqual(cluster)) == true
        }
        #expect(isEqual)
        addRound(7, cluster)
    }
}
