/// What an inspector has found.
public enum StoreInspection: Equatable, Sendable {
    /// There is no file. Whether there should be one, the caller knows.
    case missing
    case sound
    /// The structure is whole, and so are all other shards; rising by shard, each named once.
    case damagedShards([ShardDamage])
    /// Nothing of the store can be relied on.
    case damaged(StoreError)
    /// Another version wrote it, or it is encrypted under a key that is not here; nothing is wrong with it
    /// otherwise, as far as is known.
    case otherVersion(StoreError)
}

public struct ShardDamage: Equatable, Sendable {
    public let shard: UInt32
    public let what: String

    public init(shard: UInt32, what: String) {
        self.shard = shard
        self.what = what
    }
}

/// Looks at all records of a store in the order of their keys: checksums, what belongs to which shard, counts and
/// digests, and whether the expiry index has what the objects say. The same for LMDB's file and for the twin.
struct RecordInspection {
    /// Whatever has a range of its own.
    private struct Area {
        let range: StoredRange
        let shard: UInt32
        /// Nil if the range waits to be emptied: what is in it does not matter.
        let head: StoredHead?
        var tally = StoreTally.none
        var expiries = StoreTally.none
        var indexed = StoreTally.none
    }

    /// What makes the whole store worthless; the first such thing.
    private(set) var fatal: StoreError?
    private var areas: [Area] = []
    private var areSorted = false
    private var current = 0
    private var damage: [UInt32: String] = [:]
    /// A head whose range is not known may own what lies outside all others.
    private var hasBadHead = false
    private let place: String
    private let opener: EnvelopeOpener

    init(place: String, keys: DataKeys? = nil) {
        self.place = place
        opener = EnvelopeOpener(keys)
    }

    /// A value as it is in the file.
    mutating func add(_ key: RecordKey, _ value: UnsafeRawBufferPointer) {
        do throws(StoreError) {
            if let plain = try SealedValue.open(value, key, by: opener) {
                plain.withUnsafeBytes { addOpened(key, $0) }
            } else {
                addOpened(key, value)
            }
        } catch {
            if fatal?.kind != .sealed { fatal = error }
        }
    }

    private mutating func addOpened(_ key: RecordKey, _ value: UnsafeRawBufferPointer) {
        switch key.kind {
        case .internals: addInternal(key, value)
        case .head: addHead(key, value)
        case .object: addObject(key, value)
        case .expiry: addExpiry(key, value)
        }
    }

    mutating func fail(_ what: String) {
        if fatal == nil { fatal = .damaged(what, place: place) }
    }

    private mutating func hit(_ shard: UInt32, _ what: String) {
        if damage[shard] == nil { damage[shard] = what }
    }

    // MARK: Records

    private mutating func addInternal(_ key: RecordKey, _ value: UnsafeRawBufferPointer) {
        do throws(StoreError) {
            if key == .about {
                _ = try RecordFormat.readAbout([UInt8](value))
            } else if RecordKey.markers.contains(key) {
                let marker = try RecordFormat.marker(key, [UInt8](value))
                areas.append(Area(range: marker.range, shard: marker.shard, head: nil))
            } else {
                fail("\(key) is none that this version writes")
            }
        } catch {
            if fatal == nil { fatal = error }
        }
    }

    private mutating func addHead(_ key: RecordKey, _ value: UnsafeRawBufferPointer) {
        do throws(StoreError) {
            let head = try RecordFormat.head(key, [UInt8](value))
            areas.append(Area(range: head.range, shard: head.shard, head: head))
        } catch {
            if error.kind == .otherVersion {
                if fatal == nil { fatal = error }
            } else if RecordFormat.namesShard(key, value) {
                hasBadHead = true
                hit(key.shard, error.what)
            } else {
                fail("\(key) names another shard")
            }
        }
    }

    private mutating func addObject(_ key: RecordKey, _ value: UnsafeRawBufferPointer) {
        sortAreas()
        let object = key.first
        while current < areas.count, areas[current].range.end < object { current += 1 }
        guard current < areas.count, areas[current].range.contains(object) else { return stray(key) }
        guard areas[current].head != nil else { return }
        guard let (expiresAtMs, hash) = RecordFormat.examine(key, value) else {
            return hit(areas[current].shard, "\(key) has a wrong checksum")
        }
        areas[current].tally.add(hash: hash)
        if expiresAtMs < .max {
            let expiry = RecordKey.expiry(StoreExpiry(expiresAtMs: expiresAtMs, key: key.storeKey))
            areas[current].expiries.add(hash: UInt64(expiry.checksum))
        }
    }

    private mutating func addExpiry(_ key: RecordKey, _ value: UnsafeRawBufferPointer) {
        sortAreas()
        guard let area = area(of: key.storeKey.object) else { return stray(key) }
        guard areas[area].head != nil else { return }
        guard value.count == 4, RecordFormat.isWhole(key, value) else {
            return hit(areas[area].shard, "\(key) has a wrong checksum")
        }
        areas[area].indexed.add(hash: UInt64(key.checksum))
    }

    private mutating func stray(_ key: RecordKey) {
        if !hasBadHead { fail("\(key) lies outside every shard") }
    }

    // MARK: Areas

    private mutating func sortAreas() {
        guard !areSorted else { return }
        areSorted = true
        areas.sort { $0.range.start < $1.range.start }
        for (left, right) in zip(areas, areas.dropFirst()) where left.range.overlaps(right.range) {
            fail("shards \(left.shard) and \(right.shard) overlap")
        }
    }

    private func area(of object: UInt64) -> Int? {
        var low = 0
        var high = areas.count
        while low < high {
            let middle = (low + high) / 2
            if areas[middle].range.end < object { low = middle + 1 } else { high = middle }
        }
        return low < areas.count && areas[low].range.contains(object) ? low : nil
    }

    /// After the last record. That the record about the store is there, the caller sees to.
    mutating func finish() -> StoreInspection {
        sortAreas()
        for area in areas {
            guard let head = area.head else { continue }
            if area.tally != head.tally {
                hit(
                    area.shard,
                    "\(area.tally.objectCount) objects, and the head counts \(head.objectCount), or others")
            }
            if area.expiries != area.indexed { hit(area.shard, "the expiry index has not what the objects say") }
        }
        if let fatal { return fatal.kind == .otherVersion || fatal.kind == .sealed ? .otherVersion(fatal) : .damaged(fatal) }
        guard damage.isEmpty else {
            return .damagedShards(damage.keys.sorted().map { ShardDamage(shard: $0, what: damage[$0] ?? "") })
        }
        return .sound
    }
}
