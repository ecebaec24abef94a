/// The twin in memory, for tests and the simulator: it takes checkpoints too. Belongs to one loop.
public final class MemoryObjectSource: ObjectSource, @unchecked Sendable {
    public private(set) var records: [StoreKey: [UInt8]] = [:]
    private var expiries: [StoreKey: UInt64] = [:]
    /// Of the newest checkpoint.
    public private(set) var head: [UInt8]?
    public private(set) var loadCount = 0

    public init() {}

    public func load(_ key: StoreKey) throws(SourceFailure) -> [UInt8]? {
        loadCount += 1
        return records[key]
    }

    public func keys(
        in range: ClosedRange<UInt64>, after: StoreKey?, limit: Int
    ) throws(SourceFailure) -> [StoreKey] {
        let found = records.keys.filter { key in range.contains(key.object) && after.map { $0 < key } ?? true }
        return Array(found.sorted().prefix(limit))
    }

    /// Makes the checkpoint durable, all at once.
    public func take(_ checkpoint: ShardCheckpoint) {
        take(checkpoint.changes())
        head = checkpoint.head()
    }

    public func take(_ changes: [StoredChange]) {
        for change in changes {
            switch change {
            case .put(let key, let expiresAtMs, let bytes):
                records[key] = bytes
                expiries[key] = expiresAtMs == .max ? nil : expiresAtMs
            case .remove(let key):
                records[key] = nil
                expiries[key] = nil
            }
        }
    }

    /// Objects with an item whose time is over, the longest first.
    public func due(atMs nowMs: UInt64, limit: Int) -> [StoreKey] {
        let found = expiries.filter { $0.value <= nowMs }.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
        return found.prefix(limit).map(\.key)
    }

    /// Changes one byte of a record, as a failing disk would.
    public func damage(_ key: StoreKey, at offset: Int) {
        records[key]?[offset] ^= 0xFF
    }
}
