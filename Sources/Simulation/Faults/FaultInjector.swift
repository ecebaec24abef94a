/// Chooses what goes wrong next. What a fault does is the world's business.
struct FaultInjector {
    enum Kind: Int, CaseIterable {
        case kill, killOwner, killLeader, killLeaderAndOwner
        case killWithParent, killOwnerWithParent
        case restartAll, shutDown, loseLog
        case damageStore, wipeDisk
        case pause, pauseOwner, suspend
        case isolate, isolateOwner, isolateLeader, cutPair, cutOneWay, partialMesh, cutOwnerFromLeader,
            lateFence, flapLinks
        case slowDisk, stallDisk, fullDisk
        case slowTurns, slowLink
        case jumpWall, slewClock, drift
        case changeLease
    }

    struct Plan {
        /// Kinds that happen in this run, a kind more than once if it is likelier.
        var kinds: [Kind] = []
        var meanIntervalNs: UInt64 = 1_500_000_000
        /// How many machines may be down or standing still at once.
        var downMax = 1

        /// Drawn last, so that the draws before are those of earlier versions.
        private static let later: [Kind] = [.damageStore, .wipeDisk]

        init() {}

        init(drawnFrom random: inout SeededGenerator) {
            meanIntervalNs = random.pick([400_000_000, 1_000_000_000, 2_500_000_000])
            downMax = random.chance(0.7) ? 1 : 3
            let richness = random.pick([0.15, 0.3, 0.6])
            for kind in Kind.allCases.filter({ !Self.later.contains($0) }) where random.chance(richness) {
                for _ in 0...random.below(3) { kinds.append(kind) }
            }
            // A log can be lost only once per shard, and matters only when its shard moves afterwards.
            if random.chance(0.2) { kinds += [.loseLog, .killOwner, .killOwnerWithParent] }
            if random.chance(0.25) { kinds += [.isolateLeader, .isolateLeader] }
        }
    }

    let plan: Plan
    var isOn = false
    private var random: SeededGenerator

    init(plan: Plan, random: SeededGenerator) {
        self.plan = plan
        self.random = random
    }

    mutating func nextDelayNs() -> UInt64 { 20_000_000 + random.exponential(meanNs: plan.meanIntervalNs) }

    mutating func nextKind() -> Kind? { plan.kinds.isEmpty ? nil : random.pick(plan.kinds) }
}

enum FaultEvent {
    /// Time for the next fault.
    case next
}

/// What a fault leaves to be put right.
enum FaultEnd {
    case standstill(machine: Int)
    case cuts([(from: Int, to: Int)])
    case slowness(machine: Int)
    case fullDisk(machine: Int)
    case slowLink(from: Int, to: Int)
    case clock(machine: Int)
    /// The second half of a late fence: the leader dies about when it proposes.
    case lateFence(owner: Int, leader: Int)
}
