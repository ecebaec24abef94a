/// Records in memory, in order, with changes that are not committed yet. A value.
struct MemoryRecords: StoreTable, Sendable {
    /// What is committed.
    private(set) var keys: [RecordKey] = []
    private(set) var values: [[UInt8]] = []
    /// What is not; nil is a record that is removed.
    private(set) var changes: [RecordKey: [UInt8]?] = [:]

    /// The committed state alone.
    var committed: MemoryRecords {
        var copy = self
        copy.changes = [:]
        return copy
    }

    /// The first place whose key is not below `key`.
    private func place(of key: RecordKey) -> Int {
        var low = 0
        var high = keys.count
        while low < high {
            let middle = (low + high) / 2
            if keys[middle] < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func value(_ key: RecordKey) throws(StoreError) -> [UInt8]? {
        if let change = changes[key] { return change }
        let place = place(of: key)
        return place < keys.count && keys[place] == key ? values[place] : nil
    }

    mutating func write(_ key: RecordKey, _ value: [UInt8]) throws(StoreError) {
        changes[key] = .some(value)
    }

    mutating func remove(_ key: RecordKey) throws(StoreError) {
        changes[key] = .some(nil)
    }

    func scan(
        _ span: ClosedRange<RecordKey>, _ body: (RecordKey, UnsafeRawBufferPointer) -> Bool
    ) throws(StoreError) {
        var changed = changes.keys.filter { span.contains($0) }.sorted()[...]
        var place = place(of: span.lowerBound)
        while true {
            let stored = place < keys.count && keys[place] <= span.upperBound ? keys[place] : nil
            guard let key = [stored, changed.first].compactMap(\.self).min() else { return }
            var value: [UInt8]?
            if key == stored {
                value = values[place]
                place += 1
            }
            if key == changed.first {
                changed = changed.dropFirst()
                value = changes[key] ?? nil
            }
            if let value, !value.withUnsafeBytes({ body(key, $0) }) { return }
        }
    }

    /// Makes the changes part of the committed state.
    mutating func commit() {
        for key in changes.keys.sorted() {
            let place = place(of: key)
            let isThere = place < keys.count && keys[place] == key
            switch (changes[key] ?? nil, isThere) {
            case (let value?, true): values[place] = value
            case (let value?, false):
                keys.insert(key, at: place)
                values.insert(value, at: place)
            case (nil, true):
                keys.remove(at: place)
                values.remove(at: place)
            case (nil, false): break
            }
        }
        changes = [:]
    }

    mutating func dropChanges() { changes = [:] }

    /// Takes changes back to an earlier moment.
    mutating func restore(_ earlier: [RecordKey: [UInt8]?]) { changes = earlier }

    /// Flips a bit of a committed value.
    mutating func flip(_ place: Int, byte: Int, bit: UInt8) {
        values[place][byte] ^= 1 << bit
    }
}
