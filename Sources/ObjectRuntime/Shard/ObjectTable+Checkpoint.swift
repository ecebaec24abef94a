// What differs from the store, and what a checkpoint takes of it.
extension ObjectTable {
    /// One object as a checkpoint takes it: without content it goes out of the store.
    struct Capture: Sendable {
        var id: ObjectID
        var state: ObjectState
    }

    /// Begins a checkpoint with everything that has changed. `committed` are the objects that have uncommitted
    /// entries, as they are without (O3): of those, what is in memory stays changed.
    mutating func capture(committed: [ObjectID: ObjectState]) -> [Capture] {
        precondition(captured == nil, "one checkpoint is under way at a time")
        let places = changed
        changed = []
        var captures: [Capture] = []
        var held: [(place: UInt32, isPut: Bool)] = []
        captures.reserveCapacity(places.count)
        held.reserveCapacity(places.count)
        for place in places {
            let entry = entries[Int(place)]
            var state = entry.state
            if !committed.isEmpty, let without = committed[entry.id] {
                state = without
                changed.append(place)
            } else {
                entries[Int(place)].flags.remove(.changed)
                entries[Int(place)].flags.insert(.captured)
            }
            held.append((place, !state.isEmpty))
            if !state.isEmpty || entry.flags.contains(.stored) {
                captures.append(Capture(id: entry.id, state: state))
            }
        }
        captured = held
        return captures
    }

    /// The checkpoint is durable: what has not changed since is clean, and leaves if it was to leave.
    mutating func endCapture() {
        guard let held = captured else { preconditionFailure("a checkpoint ends once") }
        captured = nil
        for (place, isPut) in held {
            let slot = Int(place)
            if isPut { entries[slot].flags.insert(.stored) } else { entries[slot].flags.remove(.stored) }
            guard entries[slot].flags.contains(.captured) else { continue }
            dirtyBytes -= entries[slot].heapBytes
            entries[slot].flags.remove(.captured)
            if !isPut {
                _ = take(place)
            } else if entries[slot].flags.contains(.aside) {
                drop(place)
            }
        }
    }

    /// Nobody can tell what of it has reached the store, if anything: all of it is still to be stored.
    mutating func abandonCapture() {
        guard let held = captured else { preconditionFailure("a checkpoint ends once") }
        captured = nil
        for (place, isPut) in held {
            let slot = Int(place)
            if isPut { entries[slot].flags.insert(.stored) }
            guard entries[slot].flags.contains(.captured) else { continue }
            entries[slot].flags.remove(.captured)
            entries[slot].flags.insert(.changed)
            changed.append(place)
        }
    }
}

// MARK: - Split and merge

extension ObjectTable {
    /// Moves the entries of these keys. What of them is in a checkpoint under way stays to be stored by the other
    /// side, which cannot know whether that checkpoint will become durable.
    mutating func split(_ range: ClosedRange<UInt64>, into other: inout ObjectTable) {
        let isTaken = { (place: UInt32, entries: ContiguousArray<Entry>) in
            range.contains(entries[Int(place)].id.key.rawValue)
        }
        for (place, isPut) in captured ?? [] where isPut && isTaken(place, entries) {
            entries[Int(place)].flags.insert(.stored)
        }
        captured?.removeAll { isTaken($0.place, entries) }
        changed.removeAll { isTaken($0, entries) }
        (other.clock, other.clockStartMs) = (clock, clockStartMs)
        for place in inOrderOfUse() where isTaken(place, entries) { other.adopt(take(place)) }
    }

    /// Takes over the entries of a neighbour that is no longer used.
    mutating func merge(_ other: ObjectTable) {
        precondition(captured == nil && other.captured == nil, "O13: a merge waits for the checkpoints under way")
        var other = other
        for place in other.inOrderOfUse() {
            var entry = other.take(place)
            // Its clock began at another time.
            entry.usedAt = clock
            adopt(entry)
        }
        tally = tally + other.tally
        statistics.left += other.statistics.left
        statistics.loaded += other.statistics.loaded
    }

    private mutating func adopt(_ entry: Entry) {
        var entry = entry
        if entry.isDirty {
            entry.flags.remove(.captured)
            entry.flags.insert(.changed)
        }
        let place = insert(entry)
        if entry.isDirty { changed.append(place) }
    }

    /// All places in use: those set aside first, then from the longest unused to the newest.
    private func inOrderOfUse() -> [UInt32] {
        var order: [UInt32] = []
        order.reserveCapacity(entryCount)
        for place in entries.indices where entries[place].flags.isSuperset(of: .aside) { order.append(UInt32(place)) }
        var place = oldest
        while place != ObjectTable.none {
            order.append(place)
            place = entries[Int(place)].newer
        }
        return order
    }
}
