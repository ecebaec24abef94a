import Placement
import Raft

/// Chooses what goes wrong next. What a fault does is the world's business.
///
/// The schedule depends on the seed alone: which misfortune comes when, and what is drawn for it, stays the same
/// whatever else is left out of a run. So each can be left out by its number.
struct FaultInjector {
    /// By the names that `--without` takes.
    enum Kind: String, CaseIterable {
        case kill
        case killOwner = "kill-owner"
        case killLeader = "kill-leader"
        case killLeaderAndOwner = "kill-leader-and-owner"
        case killWithParent = "kill-with-parent"
        case killOwnerWithParent = "kill-owner-with-parent"
        case restartAll = "restart-all"
        case shutDown = "shut-down"
        case loseLog = "lose-log"
        case pause
        case pauseOwner = "pause-owner"
        case suspend
        case isolate
        case isolateOwner = "isolate-owner"
        case isolateLeader = "isolate-leader"
        case cutPair = "cut-pair"
        case cutOneWay = "cut-one-way"
        case partialMesh = "partial-mesh"
        case cutOwnerFromLeader = "cut-owner-from-leader"
        case lateFence = "late-fence"
        case flapLinks = "flap-links"
        case slowDisk = "slow-disk"
        case stallDisk = "stall-disk"
        case fullDisk = "full-disk"
        case slowTurns = "slow-turns"
        case slowLink = "slow-link"
        case clogLink = "clog-link"
        case jumpWall = "jump-wall"
        case slewClock = "slew-clock"
        case driftClock = "drift-clock"
        case changeLease = "change-lease"
        case damageStore = "damage-store"
        case wipeDisk = "wipe-disk"
        case planSplit = "plan-split"
        case planMerge = "plan-merge"
        case drainNode = "drain-node"
        case orderMove = "order-move"
        case addNode = "add-node"
        case removeNode = "remove-node"
    }

    struct Plan: Equatable {
        /// Kinds that happen in this run, a kind more than once if it is likelier.
        var kinds: [Kind] = []
        var meanIntervalNs: UInt64 = 1_500_000_000
        /// How many machines may be down or standing still at once.
        var downMax = 1
        /// Kinds and single misfortunes, by number, that are drawn and do not happen.
        var omitted: Set<Kind> = []
        var skipped: Set<Int> = []

        /// Drawn with what they need (`Swarm`).
        private static let later: [Kind] = [
            .damageStore, .wipeDisk, .planSplit, .planMerge, .drainNode, .addNode, .removeNode,
        ]

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
    private var drawn = 0

    init(plan: Plan, seed: UInt64) {
        self.plan = plan
        random = SeededGenerator(seed: seed ^ 0x0BAD_10CC)
    }

    mutating func nextDelayNs() -> UInt64 { 20_000_000 + random.exponential(meanNs: plan.meanIntervalNs) }

    /// The next entry of the schedule, whether it happens or not.
    mutating func next() -> Misfortune? {
        guard !plan.kinds.isEmpty else { return nil }
        drawn += 1
        return Misfortune(number: drawn - 1, kind: random.pick(plan.kinds), random: random.split())
    }
}

/// One entry of the schedule, with all the chance that it needs.
struct Misfortune {
    var number: Int
    var kind: FaultInjector.Kind
    var random: SeededGenerator
}

extension FaultInjector.Plan {
    func happens(_ misfortune: Misfortune) -> Bool {
        !omitted.contains(misfortune.kind) && !skipped.contains(misfortune.number)
    }
}

extension Swarm {
    /// What is to happen, and when, counted from the beginning of the phase with faults.
    func schedule() -> [(afterNs: UInt64, misfortune: Misfortune)] {
        var injector = FaultInjector(plan: faults, seed: seed)
        var all: [(afterNs: UInt64, misfortune: Misfortune)] = []
        var timeNs = injector.nextDelayNs()
        while timeNs <= safetyNs, let misfortune = injector.next() {
            if faults.happens(misfortune) { all.append((timeNs, misfortune)) }
            timeNs += injector.nextDelayNs()
        }
        return all
    }
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
    /// The node is wanted again.
    case drain(node: NodeID)
    /// The second half of a late fence: the leader dies about when it proposes.
    case lateFence(owner: Int, leader: Int)
}
