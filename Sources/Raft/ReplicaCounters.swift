/// What went wrong at others, or was late. Peers' messages never trap: they are refused and counted.
public struct ReplicaCounters: Sendable, Equatable {
    /// Not addressed to this replica, or of a kind that its group does not use.
    public var misdirected: UInt64 = 0
    public var malformedAppends: UInt64 = 0
    /// A message contradicts an entry that is committed here.
    public var conflictsBelowCommit: UInt64 = 0
    /// Another leader in the current term.
    public var secondLeaders: UInt64 = 0
    /// An acknowledgement of entries that were never sent.
    public var impossibleAnswers: UInt64 = 0
    public var staleMessages: UInt64 = 0
    /// Vote requests left without answer because the leader lives.
    public var stickyRefusals: UInt64 = 0
    /// A second candidate asked for the sealed epoch (O2).
    public var secondCandidates: UInt64 = 0
    public var lowerEpochs: UInt64 = 0
    /// Messages that a replica without its log left unanswered (O9).
    public var unansweredWithoutLog: UInt64 = 0
    /// `persisted` calls that match no outstanding `Ready`.
    public var strayPersisted: UInt64 = 0
    public var retries: UInt64 = 0
    /// Snapshots whose bytes were not those that were sent; they are fetched again.
    public var damagedSnapshots: UInt64 = 0
    /// Files that were provided too late: the log had gone on without waiting, or the driver lost them.
    public var uselessSnapshots: UInt64 = 0
    public var snapshotsSent: UInt64 = 0
    public var snapshotsInstalled: UInt64 = 0

    public init() {}
}
