import Placement
import Raft

/// Why a command for the placement group got no result.
public enum ProposalFailure: Error, Sendable, Equatable {
    /// It was never handed to a leader: certainly not applied.
    case noLeader
    /// It was handed over and no answer came in time: it may be applied.
    case unknownOutcome
}

/// What a node says about itself, for the admin pages, readiness and metrics. Values only. Of the counters
/// another node hears `eventGaps` and `droppedSockets` only.
public struct NodeReport: Sendable {
    public enum Role: String, Sendable {
        case unformed, learner, voter, leader
    }

    public var name = ""
    public var role = Role.unformed
    public var term: UInt64 = 0
    public var leaderName: String?
    public var incarnation: UInt64 = 0
    public var uptimeMs: UInt64 = 0
    /// 0 when no lease is held.
    public var leaseRemainingMs: UInt64 = 0
    /// Joined, caught up, lease held, not draining.
    public var isReady = false
    /// Why not, for `/readyz?verbose`; empty when ready.
    public var notReadyReasons: [String] = []
    public var isDraining = false
    public var placementIndex: UInt64 = 0
    /// Placement leader only: each node's newest placement index that it has confirmed.
    public var placementProgress: [(node: NodeID, index: UInt64, leaseRemainingMs: UInt64)] = []
    public var shards: [ShardReport] = []
    public var counters = NodeCounters()

    public init() {}
}

/// One shard as this node sees it.
public struct ShardReport: Sendable {
    public var shard: ShardID
    public var epoch: UInt64 = 0
    public var stage = ""
    public var isServing = false
    public var lastIndex: UInt64 = 0
    public var commitIndex: UInt64 = 0
    public var objects = 0
    /// Of these, how many have left memory.
    public var coldObjects = 0
    public var bytes = 0
    public var queued = 0
    /// Connections that objects remember, and feeds that the owner tells what comes.
    public var sessions = 0
    public var listeners = 0
    /// How long nobody served this shard before this node did, at its last takeover, and from which epoch on.
    public var takeoverPauseMs: UInt64?
    public var takeoverEpoch: UInt64 = 0
    /// How long this node had admitted nothing when the table gave the shard to another, at its last hand-over
    /// (O8), and the epoch that the other has it at.
    public var handOverMs: UInt64?
    public var handOverEpoch: UInt64 = 0
    /// The store has the state up to here.
    public var storedIndex: UInt64 = 0
    /// What the loaded objects take of memory.
    public var loadedBytes = 0
    /// Owner only: entries that each other replica lacks.
    public var replicaLag: [(node: NodeID, lag: UInt64)] = []

    public init(shard: ShardID) {
        self.shard = shard
    }
}

/// Sums since the process began. Names are those of `/metrics`.
public struct NodeCounters: Sendable {
    public var forwardedOperations: UInt64 = 0
    public var executedOperations: UInt64 = 0
    public var fencedReplies: UInt64 = 0
    public var replayedOperations: UInt64 = 0
    public var heldRequests: UInt64 = 0
    public var refusedRequests: UInt64 = 0
    /// Those of them that came when more waited than was done in time.
    public var shedRequests: UInt64 = 0
    public var unknownOutcomes: UInt64 = 0
    public var leasesGained: UInt64 = 0
    public var leasesLost: UInt64 = 0
    public var barrierReads: UInt64 = 0
    public var rejectedMessages: UInt64 = 0
    /// Events and messages that owners sent to feeds, one for each feed.
    public var pushedEvents: UInt64 = 0
    public var pushedMessages: UInt64 = 0
    /// Events that listeners were told of the past, and how often that reached too far back.
    public var replayedEvents: UInt64 = 0
    public var eventGaps: UInt64 = 0
    /// Sockets that were closed because nobody could serve their object.
    public var droppedSockets: UInt64 = 0
    /// Sockets of clients on this node, and feeds for them: how many there are now.
    public var sockets: UInt64 = 0
    public var feeds: UInt64 = 0
    /// By result: `resumed`, `fresh` (another id), `failed`.
    public var resumes: [String: UInt64] = [:]
    /// Links of peers that were not taken, or closed for what came over them, by cause. Counted by the shell.
    public var rejectedLinks: [String: UInt64] = [:]
    /// Scrubs that ended, by result.
    public var scrubs: [String: UInt64] = [:]
    /// Tries refused because no disk had room.
    public var diskFullRefusals: UInt64 = 0
    /// Shards that were written to the store, and snapshots of shards that were installed.
    public var checkpointsBegun: UInt64 = 0
    public var snapshotsInstalled: UInt64 = 0
    /// Objects that left memory, and those that came back.
    public var hibernatedObjects: UInt64 = 0
    public var wokenObjects: UInt64 = 0
    /// By quota, and `object_sockets` for objects that had as many sockets as they may.
    public var quotaRefusals: [String: UInt64] = [:]
    public var takeovers: [String: UInt64] = [:]
    /// Seconds from the table's entry to serving, of each takeover; bounded buckets.
    public var takeoverDurations = DurationHistogram()

    public init() {}

    public mutating func add(_ other: NodeCounters) {
        forwardedOperations += other.forwardedOperations
        executedOperations += other.executedOperations
        fencedReplies += other.fencedReplies
        replayedOperations += other.replayedOperations
        heldRequests += other.heldRequests
        refusedRequests += other.refusedRequests
        shedRequests += other.shedRequests
        unknownOutcomes += other.unknownOutcomes
        leasesGained += other.leasesGained
        leasesLost += other.leasesLost
        barrierReads += other.barrierReads
        rejectedMessages += other.rejectedMessages
        rejectedLinks.merge(other.rejectedLinks, uniquingKeysWith: +)
        scrubs.merge(other.scrubs, uniquingKeysWith: +)
        diskFullRefusals += other.diskFullRefusals
        pushedEvents += other.pushedEvents
        pushedMessages += other.pushedMessages
        replayedEvents += other.replayedEvents
        eventGaps += other.eventGaps
        droppedSockets += other.droppedSockets
        sockets += other.sockets
        feeds += other.feeds
        resumes.merge(other.resumes, uniquingKeysWith: +)
        checkpointsBegun += other.checkpointsBegun
        snapshotsInstalled += other.snapshotsInstalled
        hibernatedObjects += other.hibernatedObjects
        wokenObjects += other.wokenObjects
        quotaRefusals.merge(other.quotaRefusals, uniquingKeysWith: +)
        takeovers.merge(other.takeovers, uniquingKeysWith: +)
        takeoverDurations.add(other.takeoverDurations)
    }
}

/// Counts per power of two of microseconds: cheap to record, enough for a Prometheus histogram.
public struct DurationHistogram: Sendable {
    /// `counts[k]` holds durations below 2^k microseconds that no earlier bucket holds.
    public private(set) var counts = [UInt64](repeating: 0, count: 32)
    public private(set) var sumNs: UInt64 = 0

    public init() {}

    /// From counts that were taken elsewhere in other buckets: each goes where its bound belongs.
    public init(buckets: [(upperBoundNs: UInt64, count: UInt64)], sumNs: UInt64) {
        for bucket in buckets { counts[Self.bucket(ns: bucket.upperBoundNs - min(1, bucket.upperBoundNs))] += bucket.count }
        self.sumNs = sumNs
    }

    private static func bucket(ns: UInt64) -> Int {
        min(31, 64 - (ns / 1000).leadingZeroBitCount)
    }

    public mutating func record(ns: UInt64) {
        counts[Self.bucket(ns: ns)] += 1
        sumNs &+= ns
    }

    public mutating func add(_ other: DurationHistogram) {
        for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
        sumNs &+= other.sumNs
    }
}
