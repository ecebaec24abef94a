/// Reads the newest committed state, anew with every call. Belongs to one thread, which is what makes the
/// unchecked `Sendable` true.
public final class StoreReader: @unchecked Sendable {
    private let transaction: ReadTransaction

    init(_ environment: StoreEnvironment) throws(StoreError) {
        transaction = try ReadTransaction.begin(environment)
        transaction.rest()
    }

    /// The bytes of an object; nil if there is none. `.damaged` if they are not those that were written.
    public func get(_ key: StoreKey) throws(StoreError) -> [UInt8]? {
        try object(key)?.bytes
    }

    public func object(_ key: StoreKey) throws(StoreError) -> StoredObject? {
        try transaction.readNewest { (records) throws(StoreError) in try records.object(key) }
    }

    /// Up to `limit` keys of objects in a range, rising, above `after`.
    public func keys(
        in range: StoredRange, after: StoreKey? = nil, limit: Int
    ) throws(StoreError) -> [StoreKey] {
        try transaction.readNewest { (records) throws(StoreError) in
            try records.keys(in: range, after: after, limit: limit)
        }
    }

    /// Up to `limit` objects with an item that expires at or before `ms`, oldest first, above `after`.
    public func dueExpiries(
        before ms: UInt64, after: StoreExpiry? = nil, limit: Int
    ) throws(StoreError) -> [StoreExpiry] {
        try transaction.readNewest { (records) throws(StoreError) in
            try records.dueExpiries(before: ms, after: after, limit: limit)
        }
    }

    public func head(_ shard: UInt32) throws(StoreError) -> StoredHead? {
        try transaction.readNewest { (records) throws(StoreError) in try records.head(shard) }
    }
}
