import Binary

/// What an entry means to the replication core.
public enum EntryKind: UInt8, Sendable {
    /// Empty; the first entry of each leadership. What it commits, it commits for all entries before it.
    case barrier = 0
    /// A command of the state machine. The core never looks inside.
    case command = 1
    /// A `Configuration`, in force from the moment it is appended.
    case configuration = 2
}

/// One entry of a log.
public struct Entry: Sendable, Equatable {
    public var term: Term
    public var index: LogIndex
    public var kind: EntryKind
    public var payload: [UInt8]

    @inlinable
    public init(term: Term, index: LogIndex, kind: EntryKind, payload: [UInt8]) {
        self.term = term
        self.index = index
        self.kind = kind
        self.payload = payload
    }

    @inlinable
    public var position: Position { Position(term: term, index: index) }

    /// What the entry costs in memory and on the wire, about.
    @inlinable
    var footprintBytes: Int { payload.count + 32 }
}

/// Who may lead a term: a node and, in appointed groups, the process of that node.
public struct Candidate: Sendable, Hashable, CustomStringConvertible {
    public var node: NodeID
    /// Elected groups use 0.
    public var incarnation: UInt64

    @inlinable
    public init(node: NodeID, incarnation: UInt64) {
        self.node = node
        self.incarnation = incarnation
    }

    public var description: String { incarnation == 0 ? "\(node)" : "\(node)#\(incarnation)" }
}

/// What a replica must never forget. Elected: current term and vote. Appointed: sealed epoch and its owner.
public struct HardState: Sendable, Equatable {
    public var term: Term
    public var vote: Candidate?

    @inlinable
    public init(term: Term = .zero, vote: Candidate? = nil) {
        self.term = term
        self.vote = vote
    }
}

/// What storage knows when a replica starts.
public struct InitialState: Sendable {
    public var hardState: HardState
    /// The base of the log. A new group has index 0 and the first configuration. A replica that joins a
    /// running group has index 0 and an *empty* configuration: it waits for a snapshot before it takes part.
    public var snapshot: Snapshot
    /// The entries that follow, without a gap.
    public var entries: [Entry]
    /// False when any part of the log or of the sealed term was lost or damaged: the replica then
    /// answers nothing and acknowledges nothing in this name (O9).
    public var holdsLog: Bool

    public init(
        hardState: HardState = HardState(), snapshot: Snapshot, entries: [Entry] = [], holdsLog: Bool = true
    ) {
        self.hardState = hardState
        self.snapshot = snapshot
        self.entries = entries
        self.holdsLog = holdsLog
    }

    /// The first state of every replica of a new group.
    public static func newGroup(_ configuration: Configuration) -> InitialState {
        InitialState(snapshot: Snapshot(index: .zero, term: .zero, configuration: configuration))
    }

    /// The first state of a replica that joins a running group: it knows nothing, and says nothing
    /// before a leader has sent it a snapshot.
    public static let joining = newGroup(Configuration(voters: []))

    /// The same for a replica that comes back under its name after it has lost its log: `term` is the epoch in
    /// which the configuration that takes it back was committed. What its former life had sealed is
    /// forgotten; a leader below that epoch may not know that the replica was ever removed, and would count
    /// it (O9).
    public static func joining(sealedAt term: Term) -> InitialState {
        InitialState(
            hardState: HardState(term: term),
            snapshot: Snapshot(index: .zero, term: .zero, configuration: Configuration(voters: [])))
    }

    /// Whether the snapshot and the entries meet. The driver checks this before it starts a replica, and
    /// refuses loudly when they do not; the replica's own precondition is the second line.
    public var isJoined: Bool {
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.startWithHole) { return true }
        #endif
        guard let first = entries.first else { return true }
        guard first.index <= snapshot.index.next, first.index > .zero else { return false }
        for (offset, entry) in entries.enumerated() {
            guard entry.index == first.index + offset else { return false }
            if offset > 0, entry.term < entries[offset - 1].term { return false }
            if entry.index == snapshot.index, entry.term != snapshot.term { return false }
            if entry.index > snapshot.index, entry.term < snapshot.term { return false }
            if entry.kind == .configuration, Configuration(decoding: entry.payload) == nil { return false }
        }
        return true
    }
}
