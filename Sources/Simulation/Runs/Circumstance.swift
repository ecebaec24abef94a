import Cluster

/// What may make a run hard beside the misfortunes of its schedule, and can be switched off by name (`--without`).
enum Circumstance: String, CaseIterable {
    case loss
    case copies
    case overtaking
    case stragglers
    case slowNetwork = "slow-network"
    case silentCuts = "silent-cuts"
    case encoding
    case drift
    case gapsInTurns = "gaps-in-turns"
    case slowSyncs = "slow-syncs"
    case collidingElections = "colliding-elections"
    case shortLogs = "short-logs"
    case hibernation
    case eagerCheckpoints = "eager-checkpoints"
    case smallMemory = "small-memory"
    case smallSegments = "small-segments"
    case smallSnapshotParts = "small-snapshot-parts"
    case shortHistories = "short-histories"
    case mortals
    case replacement
    case growthByLoad = "growth-by-load"
    case keys
    case manyLoops = "many-loops"

    /// As in a quiet world.
    func switchOff(in plan: inout Swarm) {
        let calm = Swarm(calmWithSeed: plan.seed)
        switch self {
        case .loss: plan.network.dropChance = 0
        case .copies: plan.network.duplicateChance = 0
        case .overtaking: plan.network.reorders = false
        case .stragglers: plan.network.stragglerChance = 0
        case .slowNetwork:
            plan.network.minimumDelayNs = calm.network.minimumDelayNs
            plan.network.meanExtraDelayNs = calm.network.meanExtraDelayNs
        case .silentCuts: plan.noticesCuts = true
        case .encoding: plan.encodesMessages = false
        case .drift: plan.driftPpm = plan.driftPpm.map { _ in 0 }
        case .gapsInTurns: plan.gapChance = 0
        case .slowSyncs: plan.syncMeanNs = calm.syncMeanNs
        case .manyLoops: plan.loops = plan.loops.map { _ in 1 }
        case .mortals: plan.mortalMeanNs = 0
        case .replacement: plan.replaceAfterMs = calm.replaceAfterMs
        case .keys: plan.workload.keyedShare = 0
        default: switchOffSetting(in: &plan, calm.settings)
        }
    }

    /// Those that make a difference to the plan.
    static func inForce(_ plan: Swarm) -> [Circumstance] {
        allCases.filter { circumstance in
            var changed = plan
            circumstance.switchOff(in: &changed)
            return changed != plan
        }
    }

    private func switchOffSetting(in plan: inout Swarm, _ calm: NodeSettings) {
        switch self {
        case .collidingElections:
            plan.settings.raft.electionTimeoutTicks = calm.raft.electionTimeoutTicks
            plan.settings.raft.heartbeatTicks = calm.raft.heartbeatTicks
        case .shortLogs: plan.settings.logTailBytes = calm.logTailBytes
        case .hibernation: plan.settings.hibernateAfterMs = 0
        case .eagerCheckpoints:
            plan.settings.checkpointIntervalMs = calm.checkpointIntervalMs
            plan.settings.checkpointLogBytes = calm.checkpointLogBytes
            plan.settings.placementCheckpointEntries = calm.placementCheckpointEntries
        case .smallMemory: plan.settings.loadedBytesMax = calm.loadedBytesMax
        case .smallSegments:
            plan.segmentBytes = 64 << 10
            plan.journalBytes = 512 << 10
        case .smallSnapshotParts: plan.settings.raft.snapshotChunkBytes = calm.raft.snapshotChunkBytes
        case .shortHistories: plan.settings.eventHistoryBytes = SocketPlan.ampleHistoryBytes
        case .growthByLoad: plan.settings.splitsByLoad = false
        default: preconditionFailure("no setting")
        }
    }
}

/// What there can be less of in a run (`--at-most`).
enum Quantity: String, CaseIterable {
    case nodes, shards, clients, talkers
    case hotObjects = "hot-objects"
    case coldObjects = "cold-objects"

    /// Fewer make no run.
    var least: Int {
        switch self {
        case .nodes: 3
        case .shards, .clients, .hotObjects: 1
        case .talkers, .coldObjects: 0
        }
    }

    func value(in plan: Swarm) -> Int {
        switch self {
        case .nodes: plan.machines
        case .shards: plan.shards
        case .clients: plan.workload.clients
        case .talkers: plan.sockets.talkers
        case .hotObjects: plan.workload.hotObjects
        case .coldObjects: plan.workload.coldObjects
        }
    }

    func limit(_ plan: inout Swarm, to most: Int) {
        let value = min(value(in: plan), max(most, least))
        switch self {
        case .nodes: plan.limitMachines(to: value)
        case .shards: plan.shards = value
        case .clients: plan.workload.clients = value
        case .talkers: plan.sockets.talkers = value
        case .hotObjects: plan.workload.hotObjects = value
        case .coldObjects: plan.workload.coldObjects = value
        }
    }
}
