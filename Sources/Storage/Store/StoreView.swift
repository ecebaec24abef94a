/// One committed state, held while it is looked at: for snapshots, backups and the scrub. Used by one thread at
/// a time, which is what makes the unchecked `Sendable` true.
public final class StoreView: @unchecked Sendable {
    private let transaction: ReadTransaction
    /// How many records are looked at before others may pass the gate of the map.
    private static let sliceRecords = 1024
    private static let sliceBytes = 256 << 10

    init(_ environment: StoreEnvironment) throws(StoreError) {
        transaction = try ReadTransaction.begin(environment)
    }

    public func head(_ shard: UInt32) throws(StoreError) -> StoredHead? {
        try transaction.read { (records) throws(StoreError) in try records.head(shard) }
    }

    public func heads() throws(StoreError) -> [StoredHead] {
        try transaction.read { (records) throws(StoreError) in try records.heads().whole }
    }

    public func object(_ key: StoreKey) throws(StoreError) -> StoredObject? {
        try transaction.read { (records) throws(StoreError) in try records.object(key) }
    }

    /// Up to a slice of objects in the order of their keys, above `after`; empty at the end.
    public func objects(
        in range: StoredRange, after: StoreKey? = nil
    ) throws(StoreError) -> [StoredObject] {
        guard let span = RecordKey.objects(in: range).above(after.map { .object($0) }) else { return [] }
        let values = try transaction.read { (records) throws(StoreError) in
            var values: [(key: StoreKey, value: [UInt8])] = []
            var bytes = 0
            try records.scan(span) { key, value in
                values.append((key.storeKey, [UInt8](value)))
                bytes += value.count
                return values.count < Self.sliceRecords && bytes < Self.sliceBytes
            }
            return values
        }
        var objects: [StoredObject] = []
        objects.reserveCapacity(values.count)
        for (key, value) in values { objects.append(try RecordFormat.object(key, value)) }
        return objects
    }

    /// Looks at every object of a shard and compares with its head: what a scrub does. Between slices of about a
    /// thousand records `isStopped` is asked.
    public func verify(
        _ shard: UInt32, isStopped: () -> Bool = { false }
    ) throws(StoreError) -> StoreVerification {
        guard let head = try head(shard) else { throw .refused("the store has no such shard", shard: shard) }
        var tally = StoreTally.none
        var rest: ClosedRange<RecordKey>? = RecordKey.objects(in: head.range)
        while let span = rest {
            if isStopped() { throw StoreError(.cancelled, "stopped", place: "the scrub", remedy: "Nothing") }
            let slice = try examine(span, &tally)
            if let bad = slice.bad {
                return .damaged(.damaged("\(bad) has a wrong checksum", place: "the object store", shard: shard))
            }
            rest = slice.last.flatMap { span.above($0) }
        }
        guard tally == head.tally else {
            return .damaged(
                .damaged(
                    "\(tally.objectCount) objects, and the head counts \(head.objectCount), or others than it has",
                    place: "the object store", shard: shard))
        }
        return .whole(head)
    }

    /// `last` is nil when the end was reached.
    private func examine(
        _ span: ClosedRange<RecordKey>, _ tally: inout StoreTally
    ) throws(StoreError) -> (last: RecordKey?, bad: RecordKey?) {
        var sum = tally
        let result = try transaction.read { (records) throws(StoreError) in
            var seen = 0
            var result: (last: RecordKey?, bad: RecordKey?) = (nil, nil)
            try records.scan(span) { key, value in
                guard let (_, hash) = RecordFormat.examine(key, value) else {
                    result.bad = key
                    return false
                }
                sum.add(hash: hash)
                seen += 1
                if seen == Self.sliceRecords { result.last = key }
                return seen < Self.sliceRecords
            }
            return result
        }
        tally = sum
        return result
    }
}

/// What became of looking at a shard.
public enum StoreVerification: Equatable, Sendable {
    /// Count and digest are those of the head.
    case whole(StoredHead)
    case damaged(StoreError)
}
