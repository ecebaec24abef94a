/// Reads the newest committed state, anew with every call. Belongs to one thread, which is what makes the
/// unchecked `Sendable` true.
public final class StoreReader: @unchecked Sendable {
    private let environment: StoreEnvironment
    private let transaction: ReadTransaction
    private var readCount = 0
    /// One read maps up to 64 KiB of the file: the kernel maps what lies around the page, too. Not left to another
    /// thread, which may not get to run while this one reads on.
    private static let manyReads = 128

    init(_ environment: StoreEnvironment) throws(StoreError) {
        self.environment = environment
        transaction = try ReadTransaction.begin(environment)
        transaction.rest()
    }

    /// The bytes of an object; nil if there is none. `.damaged` if they are not those that were written.
    public func get(_ key: StoreKey) throws(StoreError) -> [UInt8]? {
        try object(key)?.bytes
    }

    public func object(_ key: StoreKey) throws(StoreError) -> StoredObject? {
        noteReads(1)
        return try transaction.readNewest { (records) throws(StoreError) in try records.object(key) }
    }

    /// Up to `limit` keys of objects in a range, rising, above `after`.
    public func keys(
        in range: StoredRange, after: StoreKey? = nil, limit: Int
    ) throws(StoreError) -> [StoreKey] {
        noteReads(limit)
        return try transaction.readNewest { (records) throws(StoreError) in
            try records.keys(in: range, after: after, limit: limit)
        }
    }

    /// Up to `limit` objects with an item that expires at or before `ms`, oldest first, above `after`.
    public func dueExpiries(
        before ms: UInt64, after: StoreExpiry? = nil, limit: Int
    ) throws(StoreError) -> [StoreExpiry] {
        noteReads(limit)
        return try transaction.readNewest { (records) throws(StoreError) in
            try records.dueExpiries(before: ms, after: after, limit: limit)
        }
    }

    public func head(_ shard: UInt32) throws(StoreError) -> StoredHead? {
        try transaction.readNewest { (records) throws(StoreError) in try records.head(shard) }
    }
    private func noteReads(_ count: Int) {
        readCount += count
        guard readCount >= Self.manyReads else { return }
        readCount = 0
        environment.trimResident()
    }
}
