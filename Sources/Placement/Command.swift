import Raft

/// A change of the placement state. Commands are proposed by any node, ordered by the placement
/// group's log, and applied by every node alike.
///
/// A command may reach the log twice (its proposer saw no outcome and tried again), so each is either
/// idempotent or names what it expects to find.
public enum Command: Sendable, Equatable {
    /// A node process asks for its incarnation. Idempotent by (node, nonce).
    case register(Registration)
    /// A process is over (O6); `candidates` may take its shards, best first.
    case fence(NodeProcess, candidates: [NodeProcess], cause: FenceCause)
    /// An obituary by the parent (O7): fences the run that the nonce names, or bars it from registering.
    case bury(node: NodeID, nonce: UInt64, candidates: [NodeProcess])
    /// Gives owners to shards that have none.
    case appoint(candidates: [NodeProcess])
    /// The owner hands a shard over, or to itself to settle an earlier proposal (O8).
    case assign(ShardID, expected: Epoch, proposer: NodeProcess, target: NodeProcess)
    /// The owner cannot lead and gives the shard up (O2); it reached these replicas.
    case yield(ShardID, expected: Epoch, proposer: NodeProcess, reached: [NodeID])

    /// The owner tells which configuration its log has committed, at `index` (O9). Idempotent.
    case recordReplicas(
        ShardID, expected: Epoch, proposer: NodeProcess, index: LogIndex, configuration: Configuration)
    /// A node tells that its replica is lost, the one of the membership that began at `since` (O9).
    case reportLost(ShardID, since: LogPoint, proposer: NodeProcess)
    /// Reserves an id for the keys from `cut` on, and asks the owner to split (O13).
    case planSplit(ShardID, expected: Epoch, cut: UInt64)
    /// The owner's log has committed the split, by the entry at `index`.
    case split(
        ShardID, expected: Epoch, proposer: NodeProcess, cut: UInt64, child: ShardID, index: LogIndex)
    /// Reserves an id for two neighbours, and asks their owner to merge them (O13).
    case planMerge(left: ShardID, expectedLeft: Epoch, right: ShardID, expectedRight: Epoch)
    case merge(MergeProposal)
    /// The owner will not carry a plan out: its log holds nothing of it.
    case cancelPlan(ShardID, expected: Epoch, proposer: NodeProcess, plan: ShardPlan)

    case setStanding(NodeID, NodeStanding)
    /// Forgets a node that keeps nothing; it never comes back under its id, and not with a certificate that is older
    /// than this. The time is 0 in journals of 0.3.0, which knew no certificates.
    case removeNode(NodeID, atMs: UInt64 = 0)

    case setLeaseDuration(milliseconds: UInt64)
    /// Leases of earlier durations have run out, as far as the settings of this revision are concerned.
    case settleLeaseDuration(revision: UInt64)
    case setClockDrift(perMille: UInt64)
    case setReadMode(ReadMode)
    /// How long a node may be dead before its replicas are made anew on others.
    case setReplacement(afterMs: UInt64)
    /// Wanted voters per shard; odd numbers are worth their cost.
    case setReplicasPerShard(Int)

    case createProject(id: String, createdAtMs: UInt64)
    case createKey(APIKey)
    case revokeKey(project: String, keyID: String)
    case setClass(project: String, name: String, settings: ClassSettings)
    /// The key signs from now on; the oldest of more than four is forgotten.
    case addSigningKey(SigningKey)
    case setAdmin(Credential)
    case setQuota(project: String, Quota)
    case setObjectLimits(ObjectLimits)
    case createAdministrator(Administrator)
    case revokeAdministrator(name: String)
    case rotateKey(KeyRotation)
    /// The web origins that may reach a project; none for all.
    case setOrigins(project: String, [String])
    case setAuditRetention(entries: Int, ageMs: UInt64)
    /// A command that an administrator has asked for, or the note of an act that passes no command.
    indirect case audited(AuditNote, Command?)

    /// What is to be done, without the note about who asked; nil for a mere note.
    public var unaudited: Command? {
        if case .audited(_, let command) = self { command } else { self }
    }

    /// Whether applying it may end a process.
    var mayFence: Bool {
        switch self {
        case .fence, .bury, .removeNode: true
        case .audited(_, let command): command?.mayFence ?? false
        default: false
        }
    }

    /// Whether applying it may change how the key space is divided, or reserve a shard's id.
    var mayDivide: Bool {
        switch self {
        case .planSplit, .split, .planMerge, .merge: true
        case .audited(_, let command): command?.mayDivide ?? false
        default: false
        }
    }
}

/// Names one proposal, so that its proposer knows the result when it comes out of the log. The state
/// machine remembers none of it.
public struct ProposalID: Hashable, Sendable {
    public let node: UInt64
    public let counter: UInt64

    public init(node: UInt64, counter: UInt64) {
        self.node = node
        self.counter = counter
    }
}

/// What an entry of the placement group's log carries.
public struct ProposalEnvelope: Sendable, Equatable {
    public let id: ProposalID
    public let command: Command

    public init(id: ProposalID, command: Command) {
        self.id = id
        self.command = command
    }

    public init(node: UInt64, counter: UInt64, command: Command) {
        self.init(id: ProposalID(node: node, counter: counter), command: command)
    }
}
