import Binary

/// The placement table: shard records in the order of their ranges.
///
/// The ranges cover the whole key space with no gap and no overlap (I5), so every key has exactly one
/// record. This holds by construction: a range ends where the next one starts, the first starts at 0.
public struct Table: Sendable, Equatable {
    public private(set) var records: [ShardRecord]
    /// Counts changes, so that readers can tell whether their copy is old.
    public private(set) var revision: UInt64

    /// Nil if the records do not cover the key space once, in order.
    public init?(records: [ShardRecord], revision: UInt64 = 0) {
        self.records = records
        self.revision = revision
        guard coversKeySpace, Set(records.map(\.shard)).count == records.count else { return nil }
    }

    var coversKeySpace: Bool {
        records.first?.start == 0 && isStrictlyRising(records) { $0.start < $1.start }
    }

    /// The record whose range holds `key`.
    public func shard(forKey key: UInt64) -> ShardRecord {
        records[position(forKey: key)]
    }

    /// Where in `records` the range of `key` is: the last record that starts at or before it.
    public func position(forKey key: UInt64) -> Int {
        var low = 0
        var high = records.count
        while high - low > 1 {
            let middle = low + (high - low) / 2
            if records[middle].start <= key { low = middle } else { high = middle }
        }
        return low
    }

    public func record(of shard: ShardID) -> ShardRecord? {
        position(of: shard).map { records[$0] }
    }

    /// First and last key of a shard.
    public func range(of shard: ShardID) -> ClosedRange<UInt64>? {
        guard let position = position(of: shard) else { return nil }
        let next = position + 1
        return records[position].start...(next < records.count ? records[next].start - 1 : .max)
    }

    /// Where in `records` a shard is. Shards are numbered in the order of their ranges until the first
    /// split, so the guess is nearly always right.
    public func position(of shard: ShardID) -> Int? {
        let guess = Int(shard.rawValue)
        if guess < records.count, records[guess].shard == shard { return guess }
        return records.firstIndex { $0.shard == shard }
    }

    public func shards(ownedBy process: NodeProcess) -> [ShardID] {
        records.lazy.filter { $0.owner == process }.map(\.shard)
    }

    mutating func give(at position: Int, to owner: NodeProcess?, cause: ChangeCause) {
        records[position].giveTo(owner, cause: cause)
        revision += 1
    }
}

extension Table: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(revision)
        writer.writeAll(records)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let revision = try reader.readVariable()
        let records: [ShardRecord] = try reader.readAll(limit: PlacementLimits.shards)
        guard revision <= UInt64.max / 2 else { throw DecodingFailure("the table's revision is too high") }
        guard let table = Table(records: records, revision: revision) else {
            throw DecodingFailure("the table does not cover the key space exactly once (I5)")
        }
        self = table
    }
}
