import Placement
import Raft

/// Names a batch of records that was handed to the journal. Batches of one core are durable in order.
public struct BatchID: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// What a core wants written: one fdatasync later the shell says `persisted(id)`.
public struct PersistBatch: Sendable {
    public var id: BatchID
    public var records: [LogRecord]

    public init(id: BatchID, records: [LogRecord]) {
        self.id = id
        self.records = records
    }
}

/// A message for another node, in order with the others for that node.
public struct Outgoing: Sendable {
    public var to: NodeID
    public var message: PeerMessage

    public init(to: NodeID, message: PeerMessage) {
        self.to = to
        self.message = message
    }
}

/// Names a client's request at the loop that took it.
public struct RequestToken: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

public struct AnsweredRequest: Sendable {
    public var token: RequestToken
    public var answer: ClientAnswer
}

/// Everything that a loop wants done after one turn.
public struct LoopEffects: Sendable {
    public var persist: PersistBatch?
    public var messages: [Outgoing] = []
    public var answers: [AnsweredRequest] = []
    /// For another loop of this node: `LoopInput.message` with this node as sender.
    public var toLoops: [(loop: Int, message: PeerMessage)] = []
    /// For the node's core: `NodeInput.loop`.
    public var toNode: [LoopRequest] = []
    /// For sockets of this node, on whatever loop they are.
    public var sockets: [SocketOutput] = []
    /// For the node's store, in this order.
    public var store: [StoreRequest] = []
    /// What the disk has lost, for the log (O9).
    public var lost: [LostShard] = []
    /// Wishes for backups that are settled.
    public var backups: [SettledBackup] = []

    /// Scrubs that have ended.
    public var scrubbed: [ScrubOutcome] = []

    public init() {}

    public var isEmpty: Bool {
        persist == nil && messages.isEmpty && answers.isEmpty && toLoops.isEmpty && toNode.isEmpty
            && sockets.isEmpty && store.isEmpty && lost.isEmpty && backups.isEmpty
            && scrubbed.isEmpty
    }
}

/// A shard whose replica at this node cannot be used any more.
public struct LostShard: Sendable, Equatable {
    public var shard: ShardID
    public var what: String

    public init(shard: ShardID, what: String) {
        self.shard = shard
        self.what = what
    }
}

/// What a loop asks of the node's core.
public enum LoopRequest: Sendable {
    /// Hand this command to the placement group until it is applied or refused.
    case propose(Command)
    /// Every shard of this loop has stopped serving and owes nothing (shutdown).
    case drained(loop: Int)
    /// Once a second: what the shards that are owned here have done.
    case loads(loop: Int, [LoadReport.Shard])
    /// Said regularly: a node whose loops hang gets no new lease (O2).
    case alive(loop: Int)
    /// What projects with quotas take here, once a second.
    case usage(loop: Int, [String: LoopLoad])
}

/// What a loop is told.
public enum LoopInput: Sendable {
    /// A client's request, already authenticated.
    case request(RequestToken, ClientRequest)
    /// Something happened to a socket whose object's feed is kept on this loop.
    case socket(SocketInput)
    case message(from: NodeID, PeerMessage)
    case persisted(BatchID)
    /// The cluster has been formed in this process's life: its shards begin with empty logs.
    case formed(Genesis)
    case view(ClusterView)
    case lease(Deadline)
    /// The store has done, or has failed to do, what was asked.
    case store(StoreResult)
    /// The journal is longer than it should be; these shards hold it back. Empty: no longer.
    case journalPressure([ShardID])
    /// Bring the store up to everything that is acknowledged by now, for a backup.
    case backup(RequestToken, ShardID)
    /// Where projects with quotas stand in the whole cluster.
    case quota(QuotaStanding)
    /// Whether this node's disk has room.
    case space(DiskSpace)
    /// The other nodes whose disks have no room, rising.
    case fullNodes([NodeID])
    /// The link to a node has come up or has broken: what was in flight may be lost.
    case linkUp(NodeID)
    case linkDown(NodeID)
    case tick
    /// Stop serving for good; answer what is owed.
    case drain
}

/// Everything that the node's core wants done after one turn.
public struct NodeEffects: Sendable {
    public var persist: PersistBatch?
    public var messages: [Outgoing] = []
    /// For a node whose identity is not known yet: joining.
    public var toAddresses: [(address: String, message: PeerMessage)] = []
    /// Addresses of all known nodes, when they have changed.
    public var addressBook: [(node: NodeID, address: String)]?
    /// For every loop, in this order: `formed`, `view`, `lease`.
    public var formed: Genesis?
    public var view: ClusterView?
    public var lease: Deadline?
    /// For every loop.
    public var quota: QuotaStanding?
    /// For every loop, if it has changed: `LoopInput.fullNodes`.
    public var fullNodes: [NodeID]?
    public var toLoops: [PeerMessage] = []
    public var drainLoops = false
    public var proposals: [(token: RequestToken, result: Result<CommandResult, ProposalFailure>)] = []
    /// Collect every loop's `report()` and answer with `NodeInput.collected`.
    public var collect: [UInt64] = []
    public var reports: [(token: RequestToken, reports: [NodeReport])] = []
    /// The cluster has applied the fence that this obituary asked for: tell the parent.
    public var buried: [Obituary] = []
    public var exit: ExitReason?

    public init() {}
}

/// What the node's core is told.
public enum NodeInput: Sendable {
    case message(from: NodeID, PeerMessage)
    case persisted(BatchID)
    case tick
    case linkUp(NodeID)
    case linkDown(NodeID)
    case loop(LoopRequest)
    case propose(RequestToken, Command)
    /// Reports of this node alone, or of every node that answers in time.
    case report(RequestToken, wholeCluster: Bool)
    case collected(UInt64, shards: [ShardReport], counters: NodeCounters)
    /// A parent says that its child has exited (O7).
    case obituary(Obituary)
    /// An operator wants a shard to change hands: its owner is told, and may decline (O8).
    case order(MoveRequest)
    /// An operator wants the node at this peer address in the cluster: it is told which cluster this is. To be
    /// repeated until the node has registered.
    case invite(address: String)
    /// Whether this node's disk has room.
    case space(DiskSpace)
    /// The journal is long, and entries of the placement group hold its oldest segments.
    case journalPressure
    case shutdown
}

/// The certain death of one process, told by the parent that waited for it (O7).
public struct Obituary: Hashable, Sendable {
    public var node: NodeID
    public var nonce: UInt64

    public init(node: NodeID, nonce: UInt64) {
        self.node = node
        self.nonce = nonce
    }
}

/// Why this process must end. Its parent starts the next one, unless it was asked to stop.
public enum ExitReason: Sendable, Equatable {
    /// The cluster has fenced this incarnation (O6).
    case fenced
    /// A requested shutdown is complete.
    case drained
    /// The cluster does not take this node; the text says why and what to do.
    case refused(String)
}
