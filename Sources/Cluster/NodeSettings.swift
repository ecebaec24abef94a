import ObjectRuntime
import Placement
import Raft

/// Figures that bound what a node does. All of them stand in `docs/limits.md`.
public struct NodeSettings: Sendable, Equatable {
    /// How often `tick` is fed, in milliseconds. Every timer of the core is a multiple of it.
    public var tickMs: UInt64 = 10
    public var loops = 1
    /// How long the edge waits for an outcome before it says that it has none (O11).
    public var requestDeadlineMs: UInt64 = 10_000
    /// Requests and bytes that one loop holds for shards without a ready owner (O11).
    public var heldRequestsMax = 20_000
    public var heldBytesMax = 64 << 20
    /// The same, for one project.
    public var heldRequestsPerProjectMax = 10_000
    /// While even the quickest answer takes longer, the newest requests are refused; 0 never.
    public var overloadTargetMs: UInt64 = 100
    /// Requests that wait at the owner, per shard.
    public var mailboxRequestsMax = 20_000
    public var mailboxBytesMax = 64 << 20
    /// An owner that has not committed its barrier by then yields (O2).
    public var establishTimeoutMs: UInt64 = 250
    /// Log entries kept in memory per shard, for replicas that lag a little.
    public var logTailBytes = 512 << 10
    /// What listeners can be told of the past, per shard.
    public var eventHistoryBytes = 512 << 10
    /// How long the connections of a dead node stay present, for being resumed elsewhere (O15).
    public var presenceGraceMs: UInt64 = 2_000
    /// Objects that were not used for so long leave memory; 0 keeps all in memory.
    public var hibernateAfterMs: UInt64 = 10_000
    /// Objects that one loop looks at in a tick, to send them out of memory.
    public var hibernatePerTick = 128
    /// What the node's loaded objects may take of memory, all loops together.
    public var loadedBytesMax = 256 << 20
    /// Objects that one loop lets go in a tick when memory is short.
    public var evictPerTick = 2_048
    /// A shard is written to the store when so much of its log is not there, or after so long.
    public var checkpointLogBytes = 8 << 20
    public var checkpointIntervalMs: UInt64 = 30_000
    /// Shards of one loop that are being written at once.
    public var checkpointsUnderWayMax = 4
    /// What all snapshots that a node sends may take of its links and disks, with `raft.limitsSnapshotRate`.
    public var snapshotBytesPerSecond = 64 << 20
    /// After the store had no space.
    public var storeRetryMs: UInt64 = 1_000
    /// A new voter may lack so many entries.
    public var caughtUpEntries = 1_000
    /// How often the store is asked for items whose time is over, and for how many objects at once.
    public var expiryIntervalMs: UInt64 = 1_000
    public var expiryPerRound = 1_000
    /// A merge that is not done by then is called off: until it is done nobody serves the two shards.
    public var mergePatienceMs: UInt64 = 2_000
    /// Each shard's replicas are compared with each other so often; 0 never. An owner waits so long for reports.
    public var scrubIntervalMs: UInt64 = 86_400_000
    public var scrubPatienceMs: UInt64 = 600_000
    /// The placement group's own log is replaced by its state after so many entries.
    public var placementCheckpointEntries = 1_000
    /// A command for the placement group is handed over again after this long without a result.
    public var proposalRetryMs: UInt64 = 300
    /// A node whose name is still taken by a live process asks again after this long.
    public var registerRetryMs: UInt64 = 500
    public var proposalDeadlineMs: UInt64 = 10_000
    /// How often the placement leader looks for moves that even out the load.
    public var balanceIntervalMs: UInt64 = 1_000
    /// Whether the leader plans splits and merges by itself.
    public var splitsByLoad = true
    public var splitting = SplitSettings()
    /// No balancing this long after a fence or a registration.
    public var balanceQuietMs: UInt64 = 2_000
    /// A shard that has moved is not moved again for so long, but from a node that is to be emptied.
    public var balanceRestMs = BalanceSettings().restMs
    /// A shutdown goes on without what has not drained by then.
    public var drainTimeoutMs: UInt64 = 3_000
    /// Never answer reads under the lease, whatever the cluster's setting is (O5).
    public var readsByQuorum = false
    public var limits = Limits()
    /// Elections of the placement group and replication of all groups, in ticks.
    public var raft: ReplicaSettings = {
        var settings = ReplicaSettings()
        settings.electionTimeoutTicks = 30...60
        settings.heartbeatTicks = 5
        return settings
    }()

    public init() {}
}

/// Who this node is. Its identity is that of its disk (O9); its nonce that of its process (O7).
public struct NodeIdentity: Sendable {
    public var nodeID: NodeID
    public var name: String
    public var peerAddress: String
    public var clientURL: String
    /// Random, made by the parent before it started this process.
    public var nonce: UInt64
    public var version: String

    public init(
        nodeID: NodeID, name: String, peerAddress: String, clientURL: String, nonce: UInt64, version: String
    ) {
        self.nodeID = nodeID
        self.name = name
        self.peerAddress = peerAddress
        self.clientURL = clientURL
        self.nonce = nonce
        self.version = version
    }
}
