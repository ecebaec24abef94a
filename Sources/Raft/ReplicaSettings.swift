/// Figures of a group. All times are counted in ticks of the driver.
public struct ReplicaSettings: Sendable, Equatable {
    /// Elected: how long a follower waits for its leader, drawn anew for each wait. The lower end is also
    /// the time for which a follower is loyal, and in which a leader must hear from a quorum.
    public var electionTimeoutTicks: ClosedRange<Int> = 10...20
    /// Elected: how often a leader says that it leads.
    public var heartbeatTicks = 2
    /// How long an unanswered message is waited for at first; doubles up to `retryTicksMax`.
    public var retryTicks = 3
    public var retryTicksMax = 24
    /// Appointed: how long a silent source of the log to adopt is waited for.
    public var sourceTimeoutTicks = 8
    /// Appointed: how long a follower does not know whether its last entries are committed before it asks.
    public var doubtTicks = 100
    public var messageBytesMax = 1 << 20
    public var messageEntriesMax = 4096
    /// A follower whose state is unknown gets small messages.
    public var probeBytesMax = 64 << 10
    public var inFlightBytesMax = 4 << 20
    public var inFlightMessagesMax = 64
    public var snapshotChunkBytes = 256 << 10
    public var snapshotWindowBytes = 1 << 20
    /// Chunks are made only against what `addSnapshotBudget` has granted.
    public var limitsSnapshotRate = false
    /// How long an unanswered piece of a file is waited for: a driver reads it, another one writes it.
    public var fileRetryTicks = 25
    /// Appointed: how long a source that makes or sends a file may be silent.
    public var fileSourceTimeoutTicks = 100
    /// A snapshot under way holds back compaction, but not beyond this.
    public var snapshotRetentionBytesMax = 256 << 20
    public var snapshotBytesMax: UInt64 = 16 << 30

    public init() {}
}
