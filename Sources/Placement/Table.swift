import Binary

/// The placement table: shard records in the order of their ranges.
///
/// The ranges cover the whole key space with no gap and no overlap (I5), so every key has exactly one
/// record. This holds by construction: a range ends where the next one starts, the first starts at 0.
/// Homes rise with the ranges, since a split or merge stays within one.
public struct Table: Sendable, Equatable {
    public private(set) var records: [ShardRecord]
    /// Counts changes, so that readers can tell whether their copy is old.
    public private(set) var revision: UInt64
    /// The last serial given in each home that ever gave one, by home: an id is never used twice.
    private var lastSerials: [LastSerial] = []

    struct LastSerial: Sendable, Equatable {
        let home: UInt16
        var serial: UInt16
    }

    /// Nil if the records do not cover the key space once, in order.
    public init?(records: [ShardRecord], revision: UInt64 = 0) {
        self.init(records: records, revision: revision, lastSerials: [])
    }

    private init?(records: [ShardRecord], revision: UInt64, lastSerials: [LastSerial]) {
        self.records = records
        self.revision = revision
        self.lastSerials = lastSerials
        guard coversKeySpace, isNumberedWell, cutsWithinRanges, isStrictlyRising(lastSerials, by: { $0.home < $1.home }) else {
            return nil
        }
    }

    var coversKeySpace: Bool {
        records.first?.start == 0 && isStrictlyRising(records) { $0.start < $1.start }
    }

    /// A split that is planned divides its own shard's range: carried out, it keeps I5.
    private var cutsWithinRanges: Bool {
        records.indices.allSatisfy { position in
            guard case .split(let cut, _) = records[position].plan else { return true }
            return cut > records[position].start
                && (position + 1 == records.count || cut < records[position + 1].start)
        }
    }

    /// Homes never fall along the key space, ids and reserved ids are unique and were given out.
    var isNumberedWell: Bool {
        let homes = records.map(\.shard.homeNumber)
        guard zip(homes, homes.dropFirst()).allSatisfy({ $0 <= $1 }) else { return false }
        guard Set(records.map(\.shard)).count == records.count else { return false }
        return records.allSatisfy { record in
            record.shard.serial <= lastSerial(ofHome: record.shard.homeNumber)
                && record.plan.map(isReserved) ?? true
        }
    }

    private func isReserved(_ plan: ShardPlan) -> Bool {
        let id = plan.newShard
        return id.serial <= lastSerial(ofHome: id.homeNumber) && position(of: id) == nil
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

    /// Where in `records` a shard is. Until the first split the home is the position, so the guess is
    /// right; after that the few shards of one home are searched.
    public func position(of shard: ShardID) -> Int? {
        let guess = Int(shard.homeNumber)
        if guess < records.count, records[guess].shard == shard { return guess }
        var position = firstPosition(ofHome: shard.homeNumber)
        while position < records.count, records[position].shard.homeNumber == shard.homeNumber {
            if records[position].shard == shard { return position }
            position += 1
        }
        return nil
    }

    private func firstPosition(ofHome home: UInt16) -> Int {
        firstIndex(in: records) { $0.shard.homeNumber >= home }
    }

    /// The first element for which the predicate holds; it holds for all after that one.
    private func firstIndex<Element>(in elements: [Element], where isAfter: (Element) -> Bool) -> Int {
        var low = 0
        var high = elements.count
        while low < high {
            let middle = low + (high - low) / 2
            if isAfter(elements[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }

    func lastSerial(ofHome home: UInt16) -> UInt16 {
        let place = firstIndex(in: lastSerials) { $0.home >= home }
        return place < lastSerials.count && lastSerials[place].home == home ? lastSerials[place].serial : 0
    }

    /// The shard was given out, and is no more: merged into another, or never made.
    public func isGone(_ shard: ShardID) -> Bool {
        guard shard.serial <= lastSerial(ofHome: shard.homeNumber), position(of: shard) == nil else { return false }
        return !records.contains { $0.plan?.newShard == shard }
    }

    /// Another number after each split or merge, for whoever keeps what belongs to shards.
    public var division: UInt64 {
        records.reduce(UInt64(records.count) << 32) { $0 &+ UInt64($1.shard.serial) &* 0x1_0001 }
    }

    public func shards(ownedBy process: NodeProcess) -> [ShardID] {
        records.lazy.filter { $0.owner == process }.map(\.shard)
    }

    /// A merge takes both shards at the epochs at which it was begun, so a change of owner calls it off.
    /// A split goes on: the next owner finishes what the log holds of it (O13).
    mutating func give(at position: Int, to owner: NodeProcess?, cause: ChangeCause) {
        if case .merge(let neighbour, _) = records[position].plan {
            records[position].plan = nil
            if let other = self.position(of: neighbour) { records[other].plan = nil }
        }
        records[position].giveTo(owner, cause: cause)
        revision += 1
    }

    mutating func update(at position: Int, _ change: (inout ShardRecord) -> Void) {
        change(&records[position])
        revision += 1
    }

    /// The next id of a home; nil when all have been used.
    mutating func reserveShard(home: UInt16) -> ShardID? {
        let place = firstIndex(in: lastSerials) { $0.home >= home }
        if place == lastSerials.count || lastSerials[place].home != home {
            lastSerials.insert(LastSerial(home: home, serial: 0), at: place)
        }
        guard lastSerials[place].serial < .max else { return nil }
        lastSerials[place].serial += 1
        return ShardID(home: home, serial: lastSerials[place].serial)
    }

    mutating func insert(_ record: ShardRecord, at position: Int) {
        records.insert(record, at: position)
        revision += 1
    }

    /// Two neighbours become one.
    mutating func replacePair(at left: Int, by record: ShardRecord) {
        records.replaceSubrange(left...(left + 1), with: CollectionOfOne(record))
        revision += 1
    }
}

extension Table: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(revision)
        writer.writeAll(records)
        writer.writeArray(lastSerials) {
            $0.write($1.home)
            $0.write($1.serial)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let revision = try reader.readVariable()
        let records: [ShardRecord] = try reader.readAll(limit: PlacementLimits.shards)
        let serials = try reader.readArray(limit: PlacementLimits.shards) { (reader) throws(DecodingFailure) in
            LastSerial(home: try reader.readUInt16(), serial: try reader.readUInt16())
        }
        self = try Self.checked(records, revision: revision, lastSerials: serials)
    }

    /// As 0.2.0 wrote it, when shards were not split.
    init(fromFirstFormat reader: inout ByteReader) throws(DecodingFailure) {
        let revision = try reader.readVariable()
        var records: [ShardRecord] = []
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.shards)) {
            records.append(try ShardRecord(fromFirstFormat: &reader))
        }
        self = try Self.checked(records, revision: revision, lastSerials: [])
    }

    private static func checked(_ records: [ShardRecord], revision: UInt64, lastSerials: [LastSerial])
        throws(DecodingFailure) -> Table
    {
        guard revision <= UInt64.max / 2 else { throw DecodingFailure("the table's revision is too high") }
        guard let table = Table(records: records, revision: revision, lastSerials: lastSerials) else {
            throw DecodingFailure("the table does not cover the key space exactly once (I5)")
        }
        return table
    }
}
