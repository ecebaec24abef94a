// What loaded objects take of the heap, as near as can be told without looking at every item.

/// A block of the allocator for `bytes`: 8 bytes of its own, in steps of 16.
func blockBytes(_ bytes: Int) -> Int { max(32, (bytes + 8 + 15) & ~15) }

extension ObjectState {
    private static let arrayHeader = 32
    /// A value's array, and half a step of the allocator on average.
    private static let perValueBytes = arrayHeader + 8 + 8

    /// Blocks of the heap behind the object: of items, values, settings and sessions.
    var heapBytes: Int {
        var bytes = Int(sessionBytes)
        let capacity = items.capacity
        if capacity > 0 {
            bytes += blockBytes(ObjectState.arrayHeader + capacity * MemoryLayout<NamedItem>.stride)
            bytes += items.count * ObjectState.perValueBytes + byteCount
            // Long texts are ropes: nodes and headers for every kilobyte.
            if byteCount > items.count * JSONText.flatLimitBytes { bytes += byteCount / 6 }
        }
        if !encryption.isEmpty { bytes += encryption.count * (MemoryLayout<EncryptionSettings>.stride + 64) + 48 }
        return bytes
    }
}

extension ObjectTable.Entry {
    /// The entry's place and its part of the dictionary of places, with the slack of both.
    private static let placeBytes = MemoryLayout<ObjectTable.Entry>.stride * 9 / 8 + 32

    var heapBytes: Int {
        state.heapBytes + ObjectTable.Entry.placeBytes + blockBytes(32 + id.canonical.count)
    }
}

extension SessionRecord {
    /// Its place in the object's list, and what it was joined with.
    var heapBytes: Int {
        MemoryLayout<SessionRecord>.stride * 3 / 2 + (presence.map { blockBytes(32 + $0.payload.json.count) } ?? 0)
    }
}
