/// What the driver has to do, in this order: persist; send `messages` (they need not wait); when all that
/// is to persist in this and every earlier `Ready` is durable, send `messagesAfterPersist` and call
/// `persisted`; apply `committed`. Several may be outstanding; they become durable in order.
public struct Ready: Sendable, Equatable {
    /// To persist.
    public var hardState: HardState?
    /// To persist and to install in the state machine, before `entries` and `committed`.
    public var snapshot: Snapshot?
    /// To append. A first index at or below the last one persisted means: cut from there, in the same write.
    public var entries: [Entry] = []
    public var messages: [Message] = []
    public var messagesAfterPersist: [Message] = []
    /// To apply, in order, after `snapshot`.
    public var committed: [Entry] = []
    public var commit: LogIndex = .zero
    public var readStates: [ReadState] = []
    /// Reads that will not be answered: this replica no longer leads.
    public var abandonedReads: [UInt64] = []
    /// Somebody is to be fed a snapshot: make one of what is applied, now or later, and call
    /// `provideSnapshot`, or `snapshotFailed`. Not asked again before one of the two.
    public var snapshotWanted = false
    /// Files that were begun and will not be installed: throw them away, before `snapshotParts` is written.
    public var snapshotDropped: [UInt64] = []
    /// What has arrived of a file; not kept by the core.
    public var snapshotParts: [SnapshotPart] = []
    /// What to pass to `persisted` when this is durable; nil if there is nothing to persist.
    public var mark: Position?

    public init() {}

    /// Whether `persisted` is to be called for it.
    public var needsPersistence: Bool { mark != nil }

    public var isEmpty: Bool {
        mark == nil && messages.isEmpty && messagesAfterPersist.isEmpty && committed.isEmpty
            && readStates.isEmpty && abandonedReads.isEmpty && !snapshotWanted
            && snapshotParts.isEmpty && snapshotDropped.isEmpty
    }
}

/// Leadership was confirmed after the request was made: a read of the state at `index` or above is current.
public struct ReadState: Sendable, Equatable {
    public var id: UInt64
    public var index: LogIndex

    public init(id: UInt64, index: LogIndex) {
        self.id = id
        self.index = index
    }
}
