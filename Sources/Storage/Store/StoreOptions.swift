public struct StoreOptions: Sendable {
    /// The memory map at first; it doubles when it is full.
    public var initialMapBytes: Int
    /// Beyond this the store is full.
    public var maximumMapBytes: Int
    /// Transactions that wait share a commit up to about so many bytes of values. Small records lie on as many pages
    /// of 4 KiB, all of which a commit holds in memory: 1 MiB of values can be 20 MiB of pages.
    public var commitBytes: Int
    /// How much of mapped files, libraries too, may stay in the process's memory.
    public var residentBytes: Int
    /// Transactions that may wait; a caller with more has a bug.
    public var queuedTransactions: Int
    /// Under which values are encrypted; nil: not at all.
    public var keys: DataKeys?
    /// What erasures and installations do in one commit.
    var slice = StoreJob.Slice()
    /// For tests of crashes: called on the store's thread after each commit with their number; when it answers
    /// false the store stops there, as a killed process would.
    var survivesCommit: (@Sendable (UInt64) -> Bool)?

    public init(
        initialMapBytes: Int = 64 << 20, maximumMapBytes: Int = 1 << 40, commitBytes: Int = 1 << 20,
        residentBytes: Int = 32 << 20, queuedTransactions: Int = 1 << 16
    ) {
        precondition(initialMapBytes > 0 && initialMapBytes % 65536 == 0, "a map is whole pages")
        self.initialMapBytes = initialMapBytes
        self.maximumMapBytes = maximumMapBytes
        self.commitBytes = commitBytes
        self.residentBytes = residentBytes
        self.queuedTransactions = queuedTransactions
    }
}

public struct StoreStatistics: Sendable, Equatable {
    public var transactions: UInt64 = 0
    public var commits: UInt64 = 0
    /// About how much was written, before LMDB makes pages of it.
    public var valueBytes: UInt64 = 0
    /// Commits that failed for want of space.
    public var refusedForSpace: UInt64 = 0
    /// Times that the map was replaced by a larger one.
    public var growths: UInt64 = 0
    /// Records that were written anew for the newest data key, and whether any may be left.
    public var resealed: UInt64 = 0
    public var isResealing = false
}
