import Cluster

/// One run's circumstances, all drawn from its seed: how many nodes and shards, how slow and unreliable
/// what is, which misfortunes happen and how often. Most runs have only some kinds of faults: with all of
/// them at once, few would get far.
struct Swarm: Equatable {
    let seed: UInt64
    /// Another course of chance under the same circumstances and misfortunes.
    var luck: UInt64 = 0
    /// Places for nodes.
    var machines = 3
    /// Nodes that make the cluster, if not all: the others come later.
    var founders: Int?
    var loops: [Int] = [1, 1, 1]
    var shards = 4
    var leaseDurationMs: UInt64 = 900
    var settings = NodeSettings()
    /// How fast each machine's oscillator runs: at most `driftMaxPpm` off.
    var driftPpm: [Int64] = [0, 0, 0]
    /// ρ (O5), or more where reads go by quorum and rest on no clock.
    var driftMaxPpm: Int64 = Swarm.rhoPpm
    var network = VirtualNetwork.Quality()
    /// How often, and for how long, time passes between the steps of a turn and its flush.
    var gapChance = 0.02
    var gapMeanNs: UInt64 = 300_000
    var syncMeanNs: UInt64 = 300_000
    var restartMeanNs: UInt64 = 150_000_000
    /// Whether nodes are told that a cut link is down; otherwise messages just vanish.
    var noticesCuts = true
    /// Every message is encoded and decoded on its way, as over a socket.
    var encodesMessages = false
    var workload = Workload.Plan()
    var sockets = SocketPlan()
    var faults = FaultInjector.Plan()
    /// Of the journal; and how long it is to be at most, before shards are written for its sake.
    var segmentBytes = 64 << 10
    var journalBytes = 512 << 10
    /// So many requests at most share a commit of the store.
    var storeTurnMax = 8
    /// How long a node may be away before its replicas go elsewhere.
    var replaceAfterMs: UInt64 = 600_000
    /// How often an object is made that is to go by itself; 0: never.
    var mortalMeanNs: UInt64 = 0
    /// After the faults one node stays away, and the others must come right without it.
    var healsCoreFirst = false
    /// How long the safety phase lasts.
    var safetyNs: UInt64 = 20_000_000_000

    static let machinesMax = 7
    static let rhoPpm: Int64 = 10_000

    /// A quiet cluster: the ground for scenarios.
    init(calmWithSeed seed: UInt64) {
        self.seed = seed
    }

    init(seed: UInt64, safetyNs: UInt64) {
        self.seed = seed
        self.safetyNs = safetyNs
        var random = SeededGenerator(seed: seed)
        drawCluster(&random)
        drawSurroundings(&random)
        drawWorkload(&random)
        faults = FaultInjector.Plan(drawnFrom: &random)
        settings.hibernateAfterMs = random.pick([0, 20, 20, 200, 10_000])
        drawSockets(&random)
        drawStorage(&random)
        drawMembers(&random)
        healsCoreFirst = random.chance(0.5)
    }

    /// Nodes that come and go.
    private mutating func drawMembers(_ random: inout SeededGenerator) {
        guard random.chance(0.3) else { return }
        founders = random.within(3...machines)
        if machines == 3 { machines = 4 }
        faults.kinds += [.addNode, .addNode, .removeNode]
    }

    /// How eagerly shards are written to the store, and how little memory there is for objects. The eager ones are few:
    /// each write of a head takes as long as many messages.
    private mutating func drawStorage(_ random: inout SeededGenerator) {
        settings.checkpointIntervalMs = random.pick([50, 200, 2_000, 2_000, 30_000, 30_000])
        settings.checkpointLogBytes = random.pick([2 << 10, 32 << 10, 32 << 10, 8 << 20, 8 << 20, 8 << 20])
        settings.loadedBytesMax = random.pick([4 << 10, 64 << 10, 64 << 10, 256 << 20, 256 << 20, 256 << 20])
        settings.expiryIntervalMs = random.pick([50, 1_000])
        settings.raft.limitsSnapshotRate = settings.expiryIntervalMs == 50
        settings.raft.snapshotChunkBytes = random.pick([512, 4 << 10, 256 << 10])
        segmentBytes = random.pick([8 << 10, 32 << 10, 64 << 10])
        if random.chance(0.3) {
            faults.kinds += [.damageStore, .damageStore, .damageStore]
        }
        if random.chance(0.3) { faults.kinds.append(.wipeDisk) }
        if random.chance(0.4) { faults.kinds += [.planSplit, .planSplit, .planMerge] }
        if machines > 3 { faults.kinds.append(.drainNode) }
        replaceAfterMs = random.pick([1_000, 5_000, 600_000])
        mortalMeanNs = random.chance(0.5) ? 400_000_000 : 0
        journalBytes = segmentBytes * random.pick([4, 16])
        settings.placementCheckpointEntries = random.pick([5, 20, 200])
        settings.balanceRestMs = random.pick([0, 500, 60_000])
    }

    private mutating func drawCluster(_ random: inout SeededGenerator) {
        machines = random.pick([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 6, 7])
        loops = (0..<Swarm.machinesMax).map { _ in random.within(1...2) }
        shards = random.pick([1, 2, 3, 4, 6, 8])
        leaseDurationMs = random.pick([400, 600, 900, 1_500])
        settings.requestDeadlineMs = random.pick([1_500, 3_000, 6_000, 10_000])
        settings.balanceIntervalMs = random.pick([300, 1_000])
        settings.balanceQuietMs = random.pick([300, 1_000, 2_000])
        settings.drainTimeoutMs = random.pick([500, 3_000])
        settings.logTailBytes = random.pick([2 << 10, 16 << 10, 512 << 10])
        settings.readsByQuorum = random.chance(0.1)
        // Short and hardly random: elections that collide.
        switch random.below(5) {
        case 0: (settings.raft.electionTimeoutTicks, settings.raft.heartbeatTicks) = (10...20, 2)
        case 1: (settings.raft.electionTimeoutTicks, settings.raft.heartbeatTicks) = (8...9, 2)
        default: break
        }
    }

    private mutating func drawSurroundings(_ random: inout SeededGenerator) {
        drawClocks(&random)
        network.minimumDelayNs = random.pick([20_000, 50_000, 500_000])
        network.meanExtraDelayNs = random.pick([20_000, 100_000, 1_000_000, 5_000_000, 20_000_000])
        if random.chance(0.5) { network.dropChance = random.pick([0.001, 0.01, 0.05]) }
        if random.chance(0.5) { network.duplicateChance = random.pick([0.001, 0.01, 0.1]) }
        network.reorders = random.chance(0.4)
        if random.chance(0.5) {
            network.stragglerChance = random.pick([0.001, 0.01])
            network.stragglerDelayNs = random.pick([20_000_000, 200_000_000, 800_000_000])
        }
        gapChance = random.pick([0.0, 0.01, 0.1])
        gapMeanNs = random.pick([50_000, 1_000_000, 20_000_000])
        syncMeanNs = random.pick([50_000, 300_000, 3_000_000])
        restartMeanNs = random.pick([30_000_000, 150_000_000, 800_000_000])
        noticesCuts = random.chance(0.6)
        encodesMessages = random.chance(0.15)
    }

    /// Beyond ρ no lease is worth anything, so that only runs without them may have such clocks.
    private mutating func drawClocks(_ random: inout SeededGenerator) {
        let isDrifting = random.chance(0.7)
        if settings.readsByQuorum, random.chance(0.7) { driftMaxPpm = random.pick([30_000, 100_000, 200_000]) }
        let most = driftMaxPpm
        driftPpm = (0..<Swarm.machinesMax).map { _ in
            guard isDrifting else { return 0 }
            // Half of them at the limit.
            return random.chance(0.5) ? random.pick([-most, most]) : Int64(random.below(UInt64(2 * most + 1))) - most
        }
    }

    private mutating func drawWorkload(_ random: inout SeededGenerator) {
        workload.clients = random.within(6...20)
        workload.hotObjects = random.within(1...4)
        workload.coldObjects = random.pick([0, 8, 30])
        workload.hotShare = random.pick([0.6, 0.9])
        // The last leaves shards idle for long: what is told late there is told by nothing else.
        workload.meanThinkNs = random.pick([40_000_000, 100_000_000, 300_000_000, 1_000_000_000])
        workload.keyedShare = random.pick([0.1, 0.5, 0.9])
        workload.readShare = random.pick([0.2, 0.4, 0.6])
        workload.patienceNs = random.pick([300_000_000, 2_000_000_000, 12_000_000_000])
    }
}
