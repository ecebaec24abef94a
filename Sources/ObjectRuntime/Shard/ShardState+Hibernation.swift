/// Objects that nobody uses leave memory, at owners and replicas alike; whatever needs one wakes it.
extension ShardState {
    /// From now on idle objects may leave memory for this store. One store may serve many shards.
    public mutating func keepCold(in store: any ColdObjects) {
        objects.store = store
    }

    /// Moves objects out of memory that were not used since `idleSinceMs`, and says how many it looked at, at
    /// most `limit`. Times are of a clock that never goes back. To be called regularly: a use counts from the
    /// call before it.
    public mutating func hibernate(nowMs: UInt64, idleSinceMs: UInt64, atMost limit: Int) -> Int {
        objects.hibernate(
            nowMs: nowMs, idleSinceMs: idleSinceMs, committedIndex: committedIndex, atMost: limit)
    }

    /// Objects that are out of memory.
    public var coldCount: Int { objects.coldCount }
    public var hibernatedTotal: UInt64 { objects.statistics.hibernated }
    public var wokenTotal: UInt64 { objects.statistics.woken }
    /// Objects that stayed in memory because the store did not take them.
    public var failedHibernationTotal: UInt64 { objects.statistics.failed }

    /// Takes over another state, from a snapshot, and gives back what this one had stored.
    public mutating func replace(with next: ShardState) {
        let (store, statistics) = (objects.store, objects.statistics)
        objects.releaseAll()
        self = next
        objects.store = store
        objects.statistics = statistics
    }
}
