import ObjectRuntime
import Placement
import Raft

/// What nodes say to each other. One frame each; many frames share one write.
public enum PeerMessage: Sendable {
    // For the node's core.
    case placement(Raft.Message)
    case join(JoinRequest)
    case welcome(Genesis)
    /// A command on its way to the placement leader, in its envelope.
    case propose([UInt8])
    case leaseRequest(LeaseRequest)
    case leaseGrant(LeaseGrant)
    case obituary(Obituary)
    /// A node that has stopped serving for good asks to be fenced (O6 c).
    case fenceMe(NodeProcess)
    case reportRequest(UInt64)
    case report(UInt64, NodeReport)
    /// For the placement leader: what the shards of a node do.
    case loads(LoadReport)
    /// What projects with quotas take at the sender.
    case usage(UsageReport)

    /// Whether the sender's disk has room.
    case space(SpaceReport)

    // For the loop of a shard.
    case shard(ShardID, Raft.Message)
    case execute(Try)
    /// The placement leader asks the owner to hand a shard over (O8).
    case move(MoveRequest)
    /// The placement leader wishes for other replicas (O9).
    case replicas(ReplicaRequest)

    /// What a replica found, for the owner; what the owner made of it; and somebody's wish for a scrub.
    case scrubbed(ScrubReport)
    case scrubVerdict(ScrubVerdict)
    case scrubWish(ShardID)

    /// A feed is over.
    case feedEnd(FeedEnd)
    /// A feed is for fewer sockets than it has seats.
    case feedSeats(FeedSeats)

    // For the loop where a client waits.
    case outcome(TryOutcome)

    // For the loop that keeps a feed.
    case events(EventPush)
    case broadcast(MessagePush)
}

/// A node that wants to belong to the cluster.
public struct JoinRequest: Sendable, Equatable {
    public var node: NodeID
    public var name: String
    public var peerAddress: String
    public var clientURL: String
    /// 0 while the node belongs to no cluster.
    public var clusterID: UInt64

    public init(node: NodeID, name: String, peerAddress: String, clientURL: String, clusterID: UInt64) {
        self.node = node
        self.name = name
        self.peerAddress = peerAddress
        self.clientURL = clientURL
        self.clusterID = clusterID
    }
}

/// O5: the request carries the time it was sent on the asker's own clocks, and gets it back.
public struct LeaseRequest: Sendable, Equatable {
    public var process: NodeProcess
    public var sentBootNs: UInt64
    public var sentSteadyNs: UInt64
    /// Whether the node could take shards over: caught up and not draining.
    public var isReady: Bool
    /// How many other nodes it has a link to: better candidates come first (O6).
    public var reachable: UInt16
    /// Newest placement entry it has applied.
    public var appliedIndex: LogIndex
    /// Its disk has room for more.
    public var hasRoom = true
}

public struct LeaseGrant: Sendable, Equatable {
    public var process: NodeProcess
    public var sentBootNs: UInt64
    public var sentSteadyNs: UInt64
    /// D (O5).
    public var durationMs: UInt64
}

/// Where an answer goes: the loop of the node where the client waits, and its token there.
public struct Origin: Sendable, Hashable {
    public var node: NodeID
    public var loop: UInt16
    public var token: UInt64

    public init(node: NodeID, loop: UInt16, token: UInt64) {
        self.node = node
        self.loop = loop
        self.token = token
    }
}

/// One try of an operation at the owner that the table named (O11).
public struct Try: Sendable {
    public var origin: Origin
    public var shard: ShardID
    /// The epoch by which it was routed.
    public var epoch: Epoch
    public var minimumIndex: UInt64
    /// Rises with every send of an edge loop, so that a copy or a latecomer is seen for what it is:
    /// each send is executed at most once, and its refusal settles it.
    public var sequence: UInt64
    public var stream: EdgeStream
    public var request: Request

    public init(
        origin: Origin, shard: ShardID, epoch: Epoch, minimumIndex: UInt64, sequence: UInt64,
        stream: EdgeStream, request: Request
    ) {
        self.origin = origin
        self.sequence = sequence
        self.stream = stream
        self.shard = shard
        self.epoch = epoch
        self.minimumIndex = minimumIndex
        self.request = request
    }
}

/// What became of a try.
public struct TryOutcome: Sendable {
    public enum Result: Sendable {
        case answered(Answer)
        /// A write that changed nothing when its turn came. It left no id in the log, so another copy that
        /// is under way would be executed: the edge answers when there is none (O10).
        case unchanged(Answer)
        /// Not executed and never will be at this epoch: the owner leads another one, or gives the
        /// shard away. The edge waits for the table (O11).
        case refused
        /// Not executed: the owner's queue for this shard is full.
        case overloaded
        /// Not executed: the owner's disk is full, and so are those of its heirs.
        case noSpace
    }

    public var loop: UInt16
    public var token: UInt64
    /// Which send of the operation this settles.
    public var sequence: UInt64
    public var shard: ShardID
    /// Epoch of the try that this settles; with it, every lower one (O11).
    public var epoch: Epoch
    /// The shard's commit index at the owner, for `Request.knownIndex` of later operations (O10).
    public var commitIndex: UInt64
    public var result: Result

    public init(
        loop: UInt16, token: UInt64, sequence: UInt64, shard: ShardID, epoch: Epoch, commitIndex: UInt64,
        result: Result
    ) {
        self.sequence = sequence
        self.loop = loop
        self.token = token
        self.shard = shard
        self.epoch = epoch
        self.commitIndex = commitIndex
        self.result = result
    }
}

extension PeerMessage {
    /// Which core of the receiving node it is for.
    public enum Destination: Sendable, Equatable {
        case node
        case shard(ShardID)
        case loop(Int)
    }

    public var destination: Destination {
        switch self {
        case .shard(let shard, _): return .shard(shard)
        case .execute(let attempt): return .shard(attempt.shard)
        case .move(let request): return .shard(request.shard)
        case .replicas(let request): return .shard(request.shard)
        case .scrubbed(let report): return .shard(report.shard)
        case .scrubVerdict(let verdict): return .shard(verdict.shard)
        case .scrubWish(let shard): return .shard(shard)
        case .feedEnd(let end): return .shard(end.shard)
        case .feedSeats(let seats): return .shard(seats.shard)
        case .outcome(let outcome): return .loop(Int(outcome.loop))
        case .events(let push): return .loop(Int(push.feed.loop))
        case .broadcast(let push): return .loop(Int(push.feed.loop))
        case .placement, .join, .welcome, .propose, .leaseRequest, .leaseGrant, .obituary, .fenceMe,
            .reportRequest, .report, .loads, .usage, .space:
            return .node
        }
    }
}

/// The loop on which a shard lives, for good.
public func homeLoop(of shard: ShardID, loops: Int) -> Int {
    Int(shard.homeNumber) % loops
}
