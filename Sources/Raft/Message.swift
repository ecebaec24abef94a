/// What replicas of one group say to each other.
public struct Message: Sendable, Equatable {
    public var from: NodeID
    public var to: NodeID
    /// The sender's term; in an appointed group the epoch.
    public var term: Term
    /// The incarnation of the term's candidate: the sender's own when it leads, repeated in answers, so
    /// that an answer to an earlier process of the same node is not taken for one's own.
    public var incarnation: UInt64
    public var body: Body

    public init(from: NodeID, to: NodeID, term: Term, incarnation: UInt64 = 0, body: Body) {
        self.from = from
        self.to = to
        self.term = term
        self.incarnation = incarnation
        self.body = body
    }

    public enum Body: Sendable, Equatable {
        case append(Append)
        case appendAccepted(AppendAccepted)
        case appendRejected(AppendRejected)
        case heartbeat(Heartbeat)
        case heartbeatAnswer(HeartbeatAnswer)
        case voteRequest(VoteRequest)
        case voteAnswer(VoteAnswer)
        case timeoutNow
        case snapshotChunk(SnapshotChunk)
        case snapshotProgress(SnapshotProgress)
        case seal
        /// The last entry of the sealed log.
        case sealAnswer(Position)
        /// Whom the replica is sealed for; the message's term says at which epoch.
        case sealRefusal(Candidate?)
        case pull(Pull)
        case pullAnswer(PullAnswer)
        /// The pulled replica has no such entry; look for a common one at or below this.
        case pullConflict(Position)
        /// The pulled replica is alive and makes the snapshot that was asked for.
        case pullPending
    }
}

/// Entries for a follower, to be put after `previous`.
public struct Append: Sendable, Equatable {
    public var previous: Position
    public var commit: LogIndex
    public var entries: [Entry]

    public init(previous: Position, commit: LogIndex, entries: [Entry]) {
        self.previous = previous
        self.commit = commit
        self.entries = entries
    }
}

/// The follower's durable log equals the leader's up to `match`.
public struct AppendAccepted: Sendable, Equatable {
    public var match: LogIndex
    /// The follower's commit index: the leader falls silent when it knows that all have it.
    public var commit: LogIndex

    public init(match: LogIndex, commit: LogIndex) {
        self.match = match
        self.commit = commit
    }
}

/// The follower has no entry `previous`. `hint` is its highest entry that may still be common.
public struct AppendRejected: Sendable, Equatable {
    public var previous: LogIndex
    public var hint: Position
    /// The follower knows no configuration yet: only a snapshot helps.
    public var needsSnapshot: Bool

    public init(previous: LogIndex, hint: Position, needsSnapshot: Bool = false) {
        self.previous = previous
        self.hint = hint
        self.needsSnapshot = needsSnapshot
    }
}

/// "I lead", and what of the follower's log is committed.
public struct Heartbeat: Sendable, Equatable {
    public var commit: LogIndex
    /// A fresh number per attempt to confirm leadership.
    public var round: UInt64

    public init(commit: LogIndex, round: UInt64) {
        self.commit = commit
        self.round = round
    }
}

public struct HeartbeatAnswer: Sendable, Equatable {
    public var round: UInt64

    public init(round: UInt64) {
        self.round = round
    }
}

/// Why somebody campaigns. Two reasons override leader stickiness.
public enum CampaignReason: Sendable, Equatable {
    case timeout
    /// The leader itself asked for it.
    case transfer
    /// The leader of `term` is known to be dead (O7). Holds for receivers that are still in that term.
    case obituary(leader: NodeID, term: Term)
}

/// A request for a vote in the message's term; a pre-vote asks for the term *after* the message's.
public struct VoteRequest: Sendable, Equatable {
    public var last: Position
    public var isPreVote: Bool
    public var reason: CampaignReason

    public init(last: Position, isPreVote: Bool, reason: CampaignReason) {
        self.last = last
        self.isPreVote = isPreVote
        self.reason = reason
    }
}

public struct VoteAnswer: Sendable, Equatable {
    public var isPreVote: Bool
    /// The term that the request carried: an answer counts for that campaign only.
    public var requestTerm: Term
    public var granted: Bool

    public init(isPreVote: Bool, requestTerm: Term, granted: Bool) {
        self.isPreVote = isPreVote
        self.requestTerm = requestTerm
        self.granted = granted
    }
}

/// A piece of a snapshot.
public struct SnapshotChunk: Sendable, Equatable {
    /// Of the whole snapshot's data: chunks of different contents never mix.
    public var contentHash: UInt64
    public var position: Position
    public var configuration: Configuration
    public var offset: UInt64
    public var totalBytes: UInt64
    /// How many bytes this piece has. `data` has as many, except between the core and the driver that is to
    /// fill them in.
    public var byteCount: Int
    public var data: [UInt8]
    /// Sent to an owner that pulls, not by a leader.
    public var isPulled: Bool
    /// Of a file: receivers hand it to their driver and keep nothing of it.
    public var isExternal: Bool

    public init(
        contentHash: UInt64, position: Position, configuration: Configuration, offset: UInt64,
        totalBytes: UInt64, byteCount: Int? = nil, data: [UInt8], isPulled: Bool, isExternal: Bool = false
    ) {
        self.contentHash = contentHash
        self.position = position
        self.configuration = configuration
        self.offset = offset
        self.totalBytes = totalBytes
        self.byteCount = byteCount ?? data.count
        self.data = data
        self.isPulled = isPulled
        self.isExternal = isExternal
    }
}

/// How far a snapshot has come: everything below `offset` is here.
public struct SnapshotProgress: Sendable, Equatable {
    public var contentHash: UInt64
    public var offset: UInt64

    public init(contentHash: UInt64, offset: UInt64) {
        self.contentHash = contentHash
        self.offset = offset
    }
}

/// The owner asks for the entries that follow `previous`, one of its own.
public struct Pull: Sendable, Equatable {
    public var previous: Position
    /// Entries do not help: the owner has no common entry above the source's memory, or no configuration.
    public var needsSnapshot: Bool

    public init(previous: Position, needsSnapshot: Bool = false) {
        self.previous = previous
        self.needsSnapshot = needsSnapshot
    }
}

/// Entries that follow the pulling owner's `previous`.
public struct PullAnswer: Sendable, Equatable {
    public var previous: Position
    public var commit: LogIndex
    /// The last entry of the pulled log: the owner has it all when it has this.
    public var last: Position
    public var entries: [Entry]

    public init(previous: Position, commit: LogIndex, last: Position, entries: [Entry]) {
        self.previous = previous
        self.commit = commit
        self.last = last
        self.entries = entries
    }
}
