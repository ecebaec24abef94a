/// An ordered map of records, seen from inside a transaction: what LMDB and the twin in memory have in common.
protocol StoreReading {
    func value(_ key: RecordKey) throws(StoreError) -> [UInt8]?
    /// Visits records in order until `body` answers false. The bytes are valid inside only.
    func scan(
        _ keys: ClosedRange<RecordKey>, _ body: (RecordKey, UnsafeRawBufferPointer) -> Bool
    ) throws(StoreError)
}

/// The same, and it can be changed.
protocol StoreTable: StoreReading {
    mutating func write(_ key: RecordKey, _ value: [UInt8]) throws(StoreError)
    /// Nothing happens if there is no such record.
    mutating func remove(_ key: RecordKey) throws(StoreError)
}

extension StoreReading {
    func head(_ shard: UInt32) throws(StoreError) -> StoredHead? {
        let key = RecordKey.head(shard)
        guard let value = try value(key) else { return nil }
        return try RecordFormat.head(key, value)
    }

    func object(_ key: StoreKey) throws(StoreError) -> StoredObject? {
        guard let value = try value(.object(key)) else { return nil }
        return try RecordFormat.object(key, value)
    }

    func isEmpty() throws(StoreError) -> Bool {
        var isEmpty = true
        try scan(RecordKey.about...RecordKey.expiries.upperBound) { _, _ in
            isEmpty = false
            return false
        }
        return isEmpty
    }

    /// Heads and markers are few; objects are never collected like this.
    private func collect(_ keys: ClosedRange<RecordKey>) throws(StoreError) -> [(key: RecordKey, value: [UInt8])] {
        var found: [(key: RecordKey, value: [UInt8])] = []
        try scan(keys) { key, value in
            found.append((key, [UInt8](value)))
            return true
        }
        return found
    }

    /// All heads that can be read; what is wrong with the others is told apart, by shard.
    func heads() throws(StoreError) -> (whole: [StoredHead], damaged: [StoreError]) {
        var heads: (whole: [StoredHead], damaged: [StoreError]) = ([], [])
        for (key, value) in try collect(RecordKey.heads) {
            do throws(StoreError) {
                heads.whole.append(try RecordFormat.head(key, value))
            } catch {
                heads.damaged.append(
                    StoreError(
                        error.kind, error.what, place: error.place, remedy: error.remedy, shard: key.shard))
            }
        }
        return heads
    }

    func markers() throws(StoreError) -> [StoreMarker] {
        var markers: [StoreMarker] = []
        for (key, value) in try collect(RecordKey.markers) {
            markers.append(try RecordFormat.marker(key, value))
        }
        return markers
    }

    /// The keys of objects in a range, above `after`.
    func keys(in range: StoredRange, after: StoreKey?, limit: Int) throws(StoreError) -> [StoreKey] {
        var found: [StoreKey] = []
        guard limit > 0, let span = RecordKey.objects(in: range).above(after.map { .object($0) }) else { return [] }
        try scan(span) { key, _ in
            found.append(key.storeKey)
            return found.count < limit
        }
        return found
    }

    /// Expiries at or before a time, oldest first, above `after`.
    func dueExpiries(before ms: UInt64, after: StoreExpiry?, limit: Int) throws(StoreError) -> [StoreExpiry] {
        var found: [StoreExpiry] = []
        guard limit > 0, let span = RecordKey.expiries.above(after.map { .expiry($0) }) else { return [] }
        try scan(span) { key, _ in
            guard key.expiry.expiresAtMs <= ms else { return false }
            found.append(key.expiry)
            return found.count < limit
        }
        return found
    }

    /// Counts the objects of a range and sums up their hashes.
    func tally(_ range: StoredRange) throws(StoreError) -> StoreTally {
        var tally = StoreTally.none
        var bad: RecordKey?
        try scan(RecordKey.objects(in: range)) { key, value in
            guard let (_, hash) = RecordFormat.examine(key, value) else {
                bad = key
                return false
            }
            tally.add(hash: hash)
            return true
        }
        if let bad { throw .damaged("\(bad) has a wrong checksum", place: "the object store") }
        return tally
    }
}

extension ClosedRange<RecordKey> {
    /// The part above a key; nil if there is none.
    func above(_ key: RecordKey?) -> ClosedRange<RecordKey>? {
        guard let key else { return self }
        guard key >= lowerBound else { return self }
        guard let next = key.next, next <= upperBound else { return nil }
        return next...upperBound
    }
}
