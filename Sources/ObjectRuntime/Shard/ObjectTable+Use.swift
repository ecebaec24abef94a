import Binary

// The order of use, and how objects leave memory.
extension ObjectTable {
    /// Lets objects leave memory that were not used since `idleSinceMs`, the longest unused first, and says how many
    /// it looked at, at most `limit`. Uses are dated by the call of this before them.
    mutating func hibernate(nowMs: UInt64, idleSinceMs: UInt64, atMost limit: Int) -> Int {
        let startMs = clockStartMs ?? nowMs
        clockStartMs = startMs
        clock = ObjectTable.stamp(nowMs &- startMs)
        guard source != nil, idleSinceMs >= startMs, idleSinceMs < nowMs else { return 0 }
        let idleSince = ObjectTable.stamp(idleSinceMs &- startMs)
        var looked = 0
        while looked < limit, oldest != ObjectTable.none, isUsed(oldest, notAfter: idleSince) {
            looked += 1
            dismiss(oldest)
        }
        return looked
    }

    /// The same for want of memory: idle or not, until no more than `targetBytes` are loaded.
    mutating func evict(toBytes targetBytes: Int, atMost limit: Int) -> Int {
        guard source != nil else { return 0 }
        var looked = 0
        while looked < limit, oldest != ObjectTable.none, loadedBytes > targetBytes {
            looked += 1
            dismiss(oldest)
        }
        return looked
    }

    /// What is not stored yet leaves with the checkpoint that stores it, unless it is used before: so nothing is
    /// looked at twice.
    private mutating func dismiss(_ place: UInt32) {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.evictDirty), entries[Int(place)].isDirty, captured == nil {
            changed.removeAll { $0 == place }
            dirtyBytes -= entries[Int(place)].heapBytes
            entries[Int(place)].flags.remove(.changed)
        }
        #endif
        guard entries[Int(place)].isDirty else { return drop(place) }
        unlink(place)
        entries[Int(place)].flags.insert(.aside)
    }

    mutating func drop(_ place: UInt32) {
        precondition(!entries[Int(place)].isDirty, "O3: what is not stored stays in memory")
        _ = take(place)
        statistics.left += 1
    }

    private static func stamp(_ ms: UInt64) -> UInt32 { UInt32(ms & 0x7FFF_FFFF) }

    /// The clock goes round in 24 days, and what is loaded was used within 12.
    private func isUsed(_ place: UInt32, notAfter moment: UInt32) -> Bool {
        (moment &- entries[Int(place)].usedAt) & 0x7FFF_FFFF < 1 << 30
    }

    /// Uses between two calls of `hibernate` count as one, so a busy object is moved once a second.
    mutating func use(_ place: UInt32) {
        let entry = Int(place)
        if entries[entry].flags.contains(.aside) {
            entries[entry].flags.remove(.aside)
        } else {
            guard entries[entry].usedAt != clock else { return }
            unlink(place)
        }
        entries[entry].usedAt = clock
        linkNewest(place)
    }

    mutating func linkNewest(_ place: UInt32) {
        entries[Int(place)].older = newest
        entries[Int(place)].newer = ObjectTable.none
        if newest == ObjectTable.none { oldest = place } else { entries[Int(newest)].newer = place }
        newest = place
    }

    mutating func unlink(_ place: UInt32) {
        let (older, newer) = (entries[Int(place)].older, entries[Int(place)].newer)
        if older == ObjectTable.none { oldest = newer } else { entries[Int(older)].newer = newer }
        if newer == ObjectTable.none { newest = older } else { entries[Int(newer)].older = older }
    }
}
