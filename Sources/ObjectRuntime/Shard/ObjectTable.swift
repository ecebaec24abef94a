import Binary

/// The objects of one shard that are in memory, in order of their last use, before the store that holds the others.
///
/// An entry is clean (equal to what is stored), changed, or *captured*: part of the checkpoint under way and not
/// changed since. Clean ones may leave at any time. An object without content stays as an entry until a checkpoint
/// has taken it out of the store, and hides what is stored until then.
///
/// A value, but the source and the mark of damage are shared by its copies.
struct ObjectTable: Sendable {
    struct Entry: Sendable {
        var id: ObjectID
        var state: ObjectState
        /// The neighbours in order of use. Free: the next free place.
        var older = ObjectTable.none
        var newer = ObjectTable.none
        /// By the table's clock.
        var usedAt: UInt32
        var flags: Flags = []

        var isDirty: Bool { !flags.isDisjoint(with: [.changed, .captured]) }
    }

    struct Flags: OptionSet {
        let rawValue: UInt8
        /// No object is here.
        static let free = Flags(rawValue: 1)
        /// Differs from what is stored and from what is captured; the place is in `changed`.
        static let changed = Flags(rawValue: 2)
        /// As the checkpoint under way has it.
        static let captured = Flags(rawValue: 4)
        /// The store has, or may have, a record.
        static let stored = Flags(rawValue: 8)
        /// Not in the order of use: it is to leave as soon as it is clean.
        static let aside = Flags(rawValue: 16)
    }

    /// Sums since the process began.
    struct Statistics: Sendable, Equatable {
        var left: UInt64 = 0
        var loaded: UInt64 = 0
    }

    static let none = UInt32.max

    var entries: ContiguousArray<Entry> = []
    /// By key alone.
    private var places: [ObjectKey: UInt32] = [:]
    /// Objects whose key another object had already: with 64 random bits hardly ever any.
    private var twins: [ObjectID: UInt32] = [:]
    private var firstFree = ObjectTable.none
    var oldest = ObjectTable.none
    var newest = ObjectTable.none
    /// Milliseconds since the first call of `hibernate`, as of the last one, modulo 2^31.
    var clock: UInt32 = 0
    var clockStartMs: UInt64?
    var source: (any ObjectSource)?
    let damage = DamageMark()
    /// Places that differ from the store and from the checkpoint under way.
    var changed: [UInt32] = []
    /// Places of the checkpoint under way, and whether it puts a record there.
    var captured: [(place: UInt32, isPut: Bool)]?
    /// All objects, stored ones too.
    var tally = Tally()
    /// Estimates; see `ObjectState.heapBytes`.
    var loadedBytes = 0
    var dirtyBytes = 0
    /// Entries with content.
    var loadedCount = 0
    /// Places in use.
    private(set) var entryCount = 0
    var statistics = Statistics()

    init(source: (any ObjectSource)? = nil) {
        self.source = source
    }

    // MARK: - Looking, without loading

    /// What is not in memory is read, and stays where it is.
    subscript(id: ObjectID) -> ObjectState? {
        if let place = find(id) { return present(place)?.state }
        return read(id)?.state
    }

    func touchedIndex(of id: ObjectID) -> UInt64? {
        if let place = find(id) { return present(place)?.state.touchedIndex }
        return outline(of: StoreKey(id), ifIs: id)?.touchedIndex
    }

    /// The id of the object under a key, if there is one.
    func id(of key: StoreKey) -> ObjectID? {
        if let place = places[ObjectKey(rawValue: key.object)], StoreKey(entries[Int(place)].id) == key {
            return entries[Int(place)].id
        }
        if let twin = twins.keys.first(where: { StoreKey($0) == key }) { return twin }
        return outline(of: key, ifIs: nil)?.id
    }

    /// All ids in order. Reads everything.
    func ids(in range: ClosedRange<UInt64>) -> [ObjectID] {
        var known: Set<StoreKey> = []
        var ids: [ObjectID] = []
        for entry in entries where !entry.flags.contains(.free) {
            known.insert(StoreKey(entry.id))
            if !entry.state.isEmpty { ids.append(entry.id) }
        }
        for key in storedKeys(in: range) where !known.contains(key) {
            if let outline = outline(of: key, ifIs: nil) { ids.append(outline.id) }
        }
        return ids.sorted()
    }

    private func storedKeys(in range: ClosedRange<UInt64>) -> [StoreKey] {
        guard let source else { return [] }
        let batch = 1_024
        var keys: [StoreKey] = []
        do throws(SourceFailure) {
            while true {
                let more = try source.keys(in: range, after: keys.last, limit: batch)
                keys += more
                if more.count < batch { return keys }
            }
        } catch {
            damage.note(error)
            return []
        }
    }

    func isPresent(_ place: UInt32) -> Bool { !entries[Int(place)].state.isEmpty }

    private func present(_ place: UInt32) -> Entry? { isPresent(place) ? entries[Int(place)] : nil }

    func find(_ id: ObjectID) -> UInt32? {
        if let place = places[id.key], entries[Int(place)].id.canonical == id.canonical { return place }
        return twins.isEmpty ? nil : twins[id]
    }

    // MARK: - Changing

    /// The object, loaded if it was not.
    mutating func awake(_ id: ObjectID) -> ObjectState? {
        guard let place = load(id) else { return nil }
        return present(place)?.state
    }

    /// For changes in place: the object is loaded, or begins empty. Whatever is left without content is forgotten.
    subscript(changing id: ObjectID) -> ObjectState {
        get { self[id] ?? ObjectState() }
        _modify {
            let place = Int(load(id) ?? insert(Entry(id: id, state: ObjectState(), usedAt: clock)))
            markChanged(place)
            let (size, heap) = (entries[place].state.size, entries[place].state.heapBytes)
            defer { noteChange(at: place, from: size, heap) }
            yield &entries[place].state
        }
    }

    private mutating func markChanged(_ place: Int) {
        guard !entries[place].flags.contains(.changed) else { return }
        if !entries[place].flags.contains(.captured) { dirtyBytes += entries[place].heapBytes }
        entries[place].flags.remove(.captured)
        entries[place].flags.insert(.changed)
        changed.append(UInt32(place))
    }

    private mutating func noteChange(at place: Int, from before: ObjectState.Size, _ heapBefore: Int) {
        let after = entries[place].state.size
        if after.isEmpty { entries[place].state = ObjectState() }
        if after.isEmpty != before.isEmpty { loadedCount += after.isEmpty ? -1 : 1 }
        tally.change(entries[place].id, from: before, to: after)
        let added = entries[place].state.heapBytes - heapBefore
        loadedBytes += added
        dirtyBytes += added
    }

    /// The entry of an object, which is read if it is not in memory; nil if there is nothing to read.
    mutating func load(_ id: ObjectID) -> UInt32? {
        if let place = find(id) {
            use(place)
            return place
        }
        guard let object = read(id) else { return nil }
        statistics.loaded += 1
        return insert(Entry(id: object.id, state: object.state, usedAt: clock, flags: .stored))
    }

    mutating func insert(_ entry: Entry) -> UInt32 {
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
        if places[entry.id.key] == nil { places[entry.id.key] = place } else { twins[entry.id] = place }
        if !entry.flags.contains(.aside) { linkNewest(place) }
        entryCount += 1
        loadedBytes += entry.heapBytes
        if entry.isDirty { dirtyBytes += entry.heapBytes }
        if !entry.state.isEmpty { loadedCount += 1 }
        return place
    }

    /// Takes an entry out of memory, whatever it is.
    mutating func take(_ place: UInt32) -> Entry {
        let entry = entries[Int(place)]
        if !entry.flags.contains(.aside) { unlink(place) }
        if places[entry.id.key] == place { places[entry.id.key] = nil } else { twins[entry.id] = nil }
        entries[Int(place)] = Entry(
            id: ObjectID(withoutBytes: entry.id.key), state: ObjectState(), older: firstFree, usedAt: 0, flags: .free)
        firstFree = place
        entryCount -= 1
        loadedBytes -= entry.heapBytes
        if entry.isDirty { dirtyBytes -= entry.heapBytes }
        if !entry.state.isEmpty { loadedCount -= 1 }
        return entry
    }
}

// MARK: - Reading the store

extension ObjectTable {
    /// What cannot be read counts as absent for the rest of the turn; the mark says that it is not (O12).
    private func read(_ id: ObjectID) -> StoredObject? {
        guard let bytes = bytes(of: StoreKey(id)) else { return nil }
        do throws(DecodingFailure) {
            let object = try StoredObject(bytes)
            guard object.id == id else { throw DecodingFailure("it is \(object.id)") }
            return object
        } catch {
            damage.note(SourceFailure("the record of \(id) cannot be read: \(error)"))
            return nil
        }
    }

    private func outline(of key: StoreKey, ifIs id: ObjectID?) -> (id: ObjectID, touchedIndex: UInt64)? {
        guard let bytes = bytes(of: key) else { return nil }
        do throws(DecodingFailure) {
            let outline = try StoredObject.outline(of: bytes)
            guard StoreKey(outline.id) == key, id == nil || id == outline.id else {
                throw DecodingFailure("it is \(outline.id)")
            }
            return outline
        } catch {
            damage.note(SourceFailure("the record under \(key) cannot be read: \(error)"))
            return nil
        }
    }

    private func bytes(of key: StoreKey) -> [UInt8]? {
        do throws(SourceFailure) {
            return try source?.load(key)
        } catch {
            damage.note(error)
            return nil
        }
    }
}

/// That a stored object could not be read: for good, and for all copies of a state. Belongs to one loop.
final class DamageMark: @unchecked Sendable {
    private(set) var failure: SourceFailure?

    func note(_ next: SourceFailure) {
        if failure == nil { failure = next }
    }
}

extension ObjectID {
    /// Stands where no object is.
    init(withoutBytes key: ObjectKey) {
        self.key = key
        canonical = []
    }
}
