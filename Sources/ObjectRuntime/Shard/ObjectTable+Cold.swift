import Binary

// How objects leave memory and come back. The bytes of a cold object are what a snapshot says of it: its id,
// then its state.
extension ObjectTable {
    /// Moves objects that were not used since `idleSinceMs` out of memory, the longest unused first, and says
    /// how many it looked at, at most `limit`. Uses are dated by the call of this before them.
    mutating func hibernate(
        nowMs: UInt64, idleSinceMs: UInt64, committedIndex: UInt64, atMost limit: Int
    ) -> Int {
        let startMs = clockStartMs ?? nowMs
        clockStartMs = startMs
        clock = ObjectTable.stamp(nowMs &- startMs)
        guard let store, idleSinceMs >= startMs, idleSinceMs < nowMs else { return 0 }
        let idleSince = ObjectTable.stamp(idleSinceMs &- startMs)
        var looked = 0
        while looked < limit, oldest != ObjectTable.none, isUsed(oldest, notAfter: idleSince) {
            looked += 1
            // O3: what may have to be taken back stays.
            if entries[Int(oldest)].state.touchedIndex > committedIndex {
                use(oldest)
            } else if !sendOut(oldest, to: store) {
                // A full disk is not asked again in this call.
                use(oldest)
                break
            }
        }
        return looked
    }

    private static func stamp(_ ms: UInt64) -> UInt32 { UInt32(ms & 0x7FFF_FFFF) }

    /// The clock goes round in 24 days, and what is hot was used within 12.
    private func isUsed(_ place: UInt32, notAfter moment: UInt32) -> Bool {
        (moment &- entries[Int(place)].usedAt) & 0x7FFF_FFFF < 1 << 30
    }

    private mutating func sendOut(_ place: UInt32, to store: any ColdObjects) -> Bool {
        let entry = entries[Int(place)]
        var writer = ByteWriter(reserving: entry.state.byteCount + entry.state.items.count * 32 + 96)
        entry.id.encode(into: &writer)
        entry.state.encode(into: &writer)
        guard let slot = try? store.store(writer.bytes) else {
            statistics.failed += 1
            return false
        }
        unlink(place)
        var shell = ObjectState()
        shell.touchedIndex = entry.state.touchedIndex
        entries[Int(place)] = Entry(
            id: ObjectID(withoutBytes: entry.id.key), state: shell,
            older: UInt32(truncatingIfNeeded: slot.rawValue),
            newer: UInt32(truncatingIfNeeded: slot.rawValue >> 32), usedAt: ObjectTable.cold)
        coldCount += 1
        statistics.hibernated += 1
        return true
    }

    mutating func wake(_ place: UInt32, as object: (id: ObjectID, state: ObjectState)) {
        store?.release(slot(at: place))
        entries[Int(place)] = Entry(id: object.id, state: object.state, usedAt: clock)
        linkNewest(place)
        coldCount -= 1
        statistics.woken += 1
    }

    /// Gives back all slots: the table is about to be dropped.
    mutating func releaseAll() {
        for place in entries.indices where isCold(UInt32(place)) { store?.release(slot(at: UInt32(place))) }
        self = ObjectTable()
    }

    // MARK: - Reading

    func id(at place: UInt32) -> ObjectID {
        isCold(place) ? cold(at: place).id : entries[Int(place)].id
    }

    func state(at place: UInt32) -> ObjectState {
        isCold(place) ? cold(at: place).state : entries[Int(place)].state
    }

    private func slot(at place: UInt32) -> ColdSlot {
        let entry = entries[Int(place)]
        return ColdSlot(rawValue: UInt64(entry.newer) << 32 | UInt64(entry.older))
    }

    /// What cannot be read back is lost to this process; the log has it (O12).
    func coldBytes(at place: UInt32) -> [UInt8] {
        guard let store else { preconditionFailure("cold objects have a store") }
        do {
            return try store.load(slot(at: place))
        } catch {
            fatalError("O12: a hibernated object cannot be read back: \(error). \(ObjectTable.remedy)")
        }
    }

    func cold(at place: UInt32) -> (id: ObjectID, state: ObjectState) {
        var reader = ByteReader(coldBytes(at: place))
        do throws(DecodingFailure) {
            let id = try ObjectID(from: &reader)
            let state = try ObjectState(from: &reader)
            try reader.finish()
            let entry = entries[Int(place)]
            guard id.key == entry.id.key, state.touchedIndex == entry.state.touchedIndex else {
                throw DecodingFailure("it is another object")
            }
            return (id, state)
        } catch {
            fatalError("O12: a hibernated object cannot be read back: \(error). \(ObjectTable.remedy)")
        }
    }

    private static let remedy = """
        Nothing is lost: the node starts again from its journal. If this comes again, look into the kernel's log
        """
}

extension ObjectID {
    /// Stands for an object whose bytes are elsewhere.
    init(withoutBytes key: ObjectKey) {
        self.key = key
        canonical = []
    }
}
