import DequeModule

/// How to take back entries that are executed but not committed.
struct Speculation: Sendable, Equatable {
    enum Step: Sendable, Equatable {
        case item(ItemName, Item?)
        case settings
        /// All settings as they were.
        case encryption([EncryptionSettings])
        case session(ConnectionID, SessionRecord?)
    }

    /// What was before one entry.
    struct Undo: Sendable, Equatable {
        var index: UInt64
        var epoch: UInt64
        var entry: Kind
        var stepCount = 0
        /// What subscribers will hear of it, if its object is watched.
        var record: EventRecord?
        /// It left its object without content.
        var leavesEmpty = false
        var touchedIndex: UInt64 = 0
        var touchedEvents: UInt8 = 0
        var logTimeMs: UInt64
        var windowAgeMs: UInt64
        var versionFloor: UInt64
        var emptiedIndex: UInt64
        var lastIndex: UInt64
    }

    enum Kind: Sendable, Equatable {
        case operation(ObjectID, OperationID?, settledBelow: UInt64, windowAgeMs: UInt64)
        case retirement([UInt64])
        /// What the bounds were.
        case bounds(ShardBounds)
        case nothing
    }

    var undos: Deque<Undo> = []
    /// The steps of all entries, one after the other.
    var steps: Deque<Step> = []
}
