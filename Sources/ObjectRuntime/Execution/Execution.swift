/// What an execution needs beside the state: the clock, the place in the log, chance and settings.
public struct ExecutionContext: Sendable {
    /// The owner's wall clock.
    public var nowMs: UInt64
    /// The age that the shard's window has reached, by the owner's raw clock; no wall clock moves it (O10).
    public var windowAgeMs: UInt64
    public var epoch: UInt64
    /// The index that the entry gets, if there is one.
    public var nextIndex: UInt64
    /// Fresh random bits of this execution; only the making of salts uses them.
    public var random: (UInt64, UInt64)
    /// The class's default life of items; nil means for ever.
    public var defaultTTLMs: UInt64?
    public var limits: Limits
    /// Somebody listens to the object, or did until just now.
    public var isWatched: Bool
    /// What the object's project may still take; nil without a quota.
    public var room: ProjectRoom?

    public init(
        nowMs: UInt64, windowAgeMs: UInt64, epoch: UInt64, nextIndex: UInt64, random: (UInt64, UInt64),
        defaultTTLMs: UInt64? = nil, limits: Limits = Limits(), isWatched: Bool = false
    ) {
        self.nowMs = nowMs
        self.windowAgeMs = windowAgeMs
        self.epoch = epoch
        self.nextIndex = nextIndex
        self.random = random
        self.defaultTTLMs = defaultTTLMs
        self.limits = limits
        self.isWatched = isWatched
    }
}

/// What came of a request at its owner.
public enum Execution: Sendable, Equatable {
    /// Nothing changed. The answer may leave when the entry it rests on is committed (0: none) and the
    /// checks of a read hold (O4).
    case read(Answer, restsOn: UInt64)
    /// Propose this as the entry of `nextIndex`; the answer leaves when it is committed (O3). A read
    /// that met an expired item comes out this way too.
    case write(payload: [UInt8], Answer)
    /// An earlier try of the same operation was executed: its answer again.
    case replay(Answer, restsOn: UInt64)
    /// Not executed: no answer, and nothing has changed.
    case unavailable(Unavailability)

    /// Nil if the request was not executed.
    public var answer: Answer? {
        switch self {
        case .read(let answer, _), .write(_, let answer), .replay(let answer, _): answer
        case .unavailable: nil
        }
    }
}

/// Why a shard does not execute a request. The first two are for another shard, or a later time (O13).
public enum Unavailability: Sendable, Equatable {
    case outOfRange
    case frozen
    /// A stored object cannot be read: nothing more may leave this state (`ShardState.damage`).
    case damaged
}
