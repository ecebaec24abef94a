@testable import Storage

/// Makes changes of all kinds that a store must accept, at random.
struct StoreModel {
    private(set) var shards: [UInt32: StoredRange] = [:]
    private var indices: [UInt32: UInt64] = [:]
    private var serial: UInt32
    private var free: [StoredRange]

    /// Keys are 0 to 299, and everything above.
    init(shards count: UInt32) {
        serial = count
        free = [.all]
    }

    private func index(_ shard: UInt32) -> UInt64 { indices[shard] ?? 0 }

    private mutating func head(_ shard: UInt32, _ range: StoredRange, above index: UInt64) -> HeadContent {
        indices[shard] = index + 1
        shards[shard] = range
        return HeadContent(index: index + 1, term: 1, range: range, payload: [UInt8](repeating: 5, count: 30))
    }

    mutating func next(
        using generator: inout SeededGenerator, largestBytes: Int = 300
    ) -> StoreTransaction? {
        let known = shards.keys.sorted()
        guard let shard = known.randomElement(using: &generator), let range = shards[shard] else {
            return create(using: &generator)
        }
        switch Int.random(in: 0..<20, using: &generator) {
        case 0: return create(using: &generator)
        case 1: return split(shard, range, using: &generator, largestBytes)
        case 2: return merge(shard, range)
        case 3:
            forget(shard)
            free.append(range)
            return .erase(StoreErasure(shard: shard, range: range))
        default:
            return .checkpoint(checkpoint(shard, range, keys: range, using: &generator, largestBytes))
        }
    }

    private mutating func forget(_ shard: UInt32) {
        shards[shard] = nil
        indices[shard] = nil
    }

    private mutating func create(using generator: inout SeededGenerator) -> StoreTransaction? {
        guard let place = free.indices.randomElement(using: &generator) else { return nil }
        let range = free.remove(at: place)
        serial += 1
        return .create(StoreCreation(shard: serial, head: head(serial, range, above: 0)))
    }

    private mutating func split(
        _ shard: UInt32, _ range: StoredRange, using generator: inout SeededGenerator, _ largestBytes: Int
    ) -> StoreTransaction? {
        let top = min(range.end, 299)
        guard range.start < top else { return nil }
        let cut = UInt64.random(in: (range.start + 1)...top, using: &generator)
        let lower = StoredRange(start: range.start, end: cut - 1)
        let parent = checkpoint(shard, lower, keys: range, using: &generator, largestBytes)
        serial += 1
        let child = head(serial, StoredRange(start: cut, end: range.end), above: parent.head.index)
        return .split(StoreSplit(parent: parent, child: serial, childHead: child))
    }

    private mutating func merge(_ shard: UInt32, _ range: StoredRange) -> StoreTransaction? {
        let right = shards.first { range.joined(with: $0.value) != nil }
        guard let right, let joined = range.joined(with: right.value) else { return nil }
        let index = max(index(shard), index(right.key))
        forget(shard)
        forget(right.key)
        serial += 1
        return .merge(
            StoreMerge(left: shard, right: right.key, into: serial, head: head(serial, joined, above: index)))
    }

    private mutating func checkpoint(
        _ shard: UInt32, _ range: StoredRange, keys: StoredRange, using generator: inout SeededGenerator,
        _ largestBytes: Int
    ) -> StoreCheckpoint {
        var puts: [StoredObject] = []
        var removes: [StoreKey] = []
        let top = min(keys.end, max(keys.start, 299))
        for object in keys.start...top where Int.random(in: 0..<6, using: &generator) == 0 {
            guard Int.random(in: 0..<3, using: &generator) > 0 else {
                removes.append(storeKey(object))
                continue
            }
            let isLarge = Int.random(in: 0..<20, using: &generator) == 0
            puts.append(
                storedObject(
                    object, version: Int.random(in: 0..<9, using: &generator),
                    expiresAtMs: Bool.random(using: &generator)
                        ? UInt64.random(in: 1...1000, using: &generator) : .max,
                    byteCount: Int.random(in: 0...(isLarge ? largestBytes : 80), using: &generator)))
        }
        return StoreCheckpoint(
            shard: shard, puts: puts, removes: removes, head: head(shard, range, above: index(shard)))
    }
}
