import Binary

/// The objects of one shard. Hot ones are values in memory, in order of their last use; cold ones are bytes
/// in `ColdObjects`, and all that is kept of them is their key, slot and index.
///
/// Every change wakes the object. Looking does not: it reads a cold object's bytes and leaves them there.
/// The table is a value, but cold slots are shared by its copies: a copy may be read, and hot objects of it
/// changed, only while the original stands still (`ShardState.encodeSnapshot`).
struct ObjectTable: Sendable {
    struct Entry: Sendable {
        /// While the object is cold its canonical bytes are gone too.
        var id: ObjectID
        /// Of a cold object the index alone is true.
        var state: ObjectState
        /// Hot: the neighbours in order of use. Cold: the two halves of the slot. Free: the next free place.
        var older = ObjectTable.none
        var newer = ObjectTable.none
        /// By the table's clock.
        var usedAt: UInt32
    }

    /// Sums since the process began.
    struct Statistics: Sendable, Equatable {
        var hibernated: UInt64 = 0
        var woken: UInt64 = 0
        var failed: UInt64 = 0
    }

    static let none = UInt32.max
    /// `usedAt` of what is cold; the clock has 31 bits.
    static let cold = UInt32.max

    var entries: ContiguousArray<Entry> = []
    /// By key alone, so that a cold object's id need not be in memory.
    private var places: [ObjectKey: UInt32] = [:]
    /// Objects whose key another object had already: with 64 random bits hardly ever any.
    private var twins: [ObjectID: UInt32] = [:]
    private var firstFree = ObjectTable.none
    var oldest = ObjectTable.none
    var newest = ObjectTable.none
    /// Milliseconds since the first call of `hibernate`, as of the last one, modulo 2^31.
    var clock: UInt32 = 0
    var clockStartMs: UInt64?
    var store: (any ColdObjects)?
    var statistics = Statistics()
    private(set) var count = 0
    var coldCount = 0

    var isEmpty: Bool { count == 0 }

    // MARK: - Looking, without waking

    /// The getter reads a cold object without waking it; the setter puts or, with nil, removes.
    subscript(id: ObjectID) -> ObjectState? {
        get { find(id).map { state(at: $0) } }
        set {
            guard let newValue else {
                _ = removeValue(forKey: id)
                return
            }
            self[id, default: newValue] = newValue
        }
    }

    func touchedIndex(of id: ObjectID) -> UInt64? {
        find(id).map { entries[Int($0)].state.touchedIndex }
    }

    /// All ids in order; those of cold objects are read.
    func ids() -> [ObjectID] { order().map { id(at: $0) } }

    /// How many, then each id with its object, in order: cold ones are copied as they lie.
    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(count)
        for place in order() {
            if isCold(place) {
                writer.writeRaw(coldBytes(at: place))
            } else {
                entries[Int(place)].id.encode(into: &writer)
                entries[Int(place)].state.encode(into: &writer)
            }
        }
    }

    func isCold(_ place: UInt32) -> Bool { entries[Int(place)].usedAt == ObjectTable.cold }

    private func find(_ id: ObjectID) -> UInt32? {
        if let place = places[id.key], self.id(at: place).canonical == id.canonical { return place }
        return twins.isEmpty ? nil : twins[id]
    }

    private func order() -> [UInt32] {
        var all = places.map { (key: $0.key, place: $0.value) }
        all += twins.map { (key: $0.key.key, place: $0.value) }
        all.sort { $0.key == $1.key ? id(at: $0.place) < id(at: $1.place) : $0.key < $1.key }
        return all.map(\.place)
    }

    // MARK: - Changing

    /// The object, woken if it was cold.
    mutating func awake(_ id: ObjectID) -> ObjectState? {
        wakeAndFind(id).map { entries[Int($0)].state }
    }

    /// For changes in place: the object is woken, or made.
    subscript(id: ObjectID, default initial: @autoclosure () -> ObjectState) -> ObjectState {
        get { self[id] ?? initial() }
        _modify {
            let place = Int(wakeAndFind(id) ?? insert(id, initial()))
            yield &entries[place].state
        }
    }

    mutating func removeValue(forKey id: ObjectID) -> ObjectState? {
        guard let place = wakeAndFind(id) else { return nil }
        unlink(place)
        let state = entries[Int(place)].state
        if places[id.key] == place { places[id.key] = nil } else { twins[id] = nil }
        entries[Int(place)] = Entry(
            id: ObjectID(withoutBytes: id.key), state: ObjectState(), older: firstFree, usedAt: 0)
        firstFree = place
        count -= 1
        return state
    }

    private mutating func wakeAndFind(_ id: ObjectID) -> UInt32? {
        if let place = places[id.key], awaken(place, ifIs: id) { return place }
        guard !twins.isEmpty, let place = twins[id], awaken(place, ifIs: id) else { return nil }
        return place
    }

    /// Another object of the same key is left as it is.
    private mutating func awaken(_ place: UInt32, ifIs id: ObjectID) -> Bool {
        if isCold(place) {
            let object = cold(at: place)
            guard object.id.canonical == id.canonical else { return false }
            wake(place, as: object)
        } else {
            guard entries[Int(place)].id.canonical == id.canonical else { return false }
            use(place)
        }
        return true
    }

    private mutating func insert(_ id: ObjectID, _ state: ObjectState) -> UInt32 {
        let entry = Entry(id: id, state: state, usedAt: clock)
        let place: UInt32
        if firstFree != ObjectTable.none {
            place = firstFree
            firstFree = entries[Int(place)].older
            entries[Int(place)] = entry
        } else {
            place = UInt32(entries.count)
            // By a quarter, not by doubling: of this there is one for each object.
            if entries.count == entries.capacity { entries.reserveCapacity(entries.count * 5 / 4 + 8) }
            entries.append(entry)
        }
        if places[id.key] == nil { places[id.key] = place } else { twins[id] = place }
        linkNewest(place)
        count += 1
        return place
    }
}

// MARK: - The order of use

extension ObjectTable {
    /// Uses between two calls of `hibernate` count as one, so a busy object is moved once a second.
    mutating func use(_ place: UInt32) {
        guard entries[Int(place)].usedAt != clock else { return }
        unlink(place)
        entries[Int(place)].usedAt = clock
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
