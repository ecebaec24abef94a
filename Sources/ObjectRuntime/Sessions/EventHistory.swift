import DequeModule

/// The recent events of a shard, of objects that somebody listens to: what an edge or a client has missed
/// is told from here (O14). Owner and replicas keep it alike, from committed entries; a checkpoint has it too.
///
/// Entries say whether their object was watched, and only those are kept, within a bound and until they are
/// old. How old is counted in calls of `age`, so that no jump of a clock drops anything. Each record names the
/// entry before it that touched its object, so whether the records behind a point are all there is can be told
/// exactly.
struct EventHistory: Sendable {
    private static let absentMax = 1_024
    private static let leastCount = 4
    /// A record is large that takes more than this part of the bound.
    private static let largeShare = 8

    var limitBytes = 512 << 10 {
        didSet { largeCount = records.count { isLarge($0.byteCount) } }
    }
    private(set) var records: Deque<EventRecord> = []
    /// How many of the records, the oldest, were there already when `age` was called last.
    private(set) var agedCount = 0
    private var bytes = 0
    /// How many records are large. A full history drops something for every entry: mostly there is none to look for.
    private var largeCount = 0
    /// Watched objects that are not there any more, and the entry that emptied each.
    private(set) var absent: [ObjectID: UInt64] = [:]
    private(set) var absentOrder: Deque<ObjectID> = []
    /// An object that is not in `absent` was emptied by a watched entry at this index at the latest.
    var floor: UInt64 = 0
    /// The newest entry that emptied an object which nobody watched.
    var unwatchedEmptied: UInt64 = 0

    init() {}

    /// Begins behind a snapshot: of what was before it nothing is known.
    init(behind index: UInt64) {
        floor = index
        unwatchedEmptied = index
    }

    var count: Int { records.count }

    /// Drops what was there at the call before. Called at regular times, so that a record stays for one
    /// to two of these.
    mutating func age() {
        while agedCount > 0 { dropOldest() }
        agedCount = records.count
    }

    private mutating func dropOldest() {
        guard let oldest = records.popFirst() else { return }
        discount(oldest)
        agedCount = max(0, agedCount - 1)
    }

    private func isLarge(_ byteCount: Int) -> Bool { byteCount > limitBytes / EventHistory.largeShare }

    private mutating func count(_ record: EventRecord) {
        let byteCount = record.byteCount
        bytes += byteCount
        if isLarge(byteCount) { largeCount += 1 }
    }

    private mutating func discount(_ record: EventRecord) {
        let byteCount = record.byteCount
        bytes -= byteCount
        if isLarge(byteCount) { largeCount -= 1 }
    }

    /// Beyond the bound large records go first, or one value of a megabyte would cost the listeners of all other
    /// objects what they missed; then the oldest. A few stay, however large, for those who are only a little late.
    mutating func append(_ fresh: EventRecord) {
        var record = fresh
        if !record.wasPresent { record.previousTouched = lastTouched(ofAbsent: record.object) }
        if record.leavesEmpty { noteAbsent(record.object, index: record.index) }
        records.append(record)
        count(record)
        if bytes > limitBytes { makeRoom() }
    }

    /// The newest do not count: however large, they cost others nothing.
    private mutating func makeRoom() {
        let limit = limitBytes + records.suffix(EventHistory.leastCount).reduce(0) { $0 + $1.byteCount }
        while bytes > limit, let position = oldestLarge() { drop(at: position) }
        while bytes > limit { dropOldest() }
    }

    private func oldestLarge() -> Int? {
        largeCount > 0 ? records.dropLast(EventHistory.leastCount).firstIndex { isLarge($0.byteCount) } : nil
    }

    /// Who asks for what was before it is told of a gap: the record behind it names what is missing.
    private mutating func drop(at position: Int) {
        discount(records.remove(at: position))
        if position < agedCount { agedCount -= 1 }
    }

    /// An entry that nobody watched has left its object without content.
    mutating func noteUnwatchedEmptied(index: UInt64) { unwatchedEmptied = index }

    mutating func noteAbsent(_ object: ObjectID, index: UInt64) {
        if absent.updateValue(index, forKey: object) == nil { absentOrder.append(object) }
        guard absentOrder.count > EventHistory.absentMax, let oldest = absentOrder.popFirst() else { return }
        floor = max(floor, absent.removeValue(forKey: oldest) ?? 0)
    }

    private func lastTouched(ofAbsent object: ObjectID) -> UInt64 { absent[object] ?? floor }
}

extension EventHistory {
    /// Takes out what is told of these objects; what is known of all goes to both (O13).
    mutating func split(_ isTaken: (ObjectID) -> Bool) -> EventHistory {
        var taken = EventHistory(behind: floor)
        taken.unwatchedEmptied = unwatchedEmptied
        taken.limitBytes = limitBytes
        var kept = taken
        for (position, record) in records.enumerated() {
            let isAged = position < agedCount
            if isTaken(record.object) { taken.adopt(record, isAged) } else { kept.adopt(record, isAged) }
        }
        for object in absentOrder {
            guard let index = absent[object] else { continue }
            if isTaken(object) { taken.noteAbsent(object, index: index) } else { kept.noteAbsent(object, index: index) }
        }
        self = kept
        return taken
    }

    mutating func adopt(_ record: EventRecord, _ isAged: Bool) {
        records.append(record)
        count(record)
        if isAged { agedCount += 1 }
    }

    /// Joins the history of a neighbour: old records first, each object's in order.
    mutating func merge(_ other: EventHistory) {
        var merged = EventHistory(behind: max(floor, other.floor))
        merged.unwatchedEmptied = max(unwatchedEmptied, other.unwatchedEmptied)
        merged.limitBytes = limitBytes
        for history in [self, other] {
            for record in history.records.prefix(history.agedCount) { merged.adopt(record, true) }
        }
        for history in [self, other] {
            for record in history.records.dropFirst(history.agedCount) { merged.adopt(record, false) }
            for object in history.absentOrder { merged.noteAbsent(object, index: history.absent[object] ?? 0) }
        }
        if merged.bytes > merged.limitBytes { merged.makeRoom() }
        self = merged
    }
}

/// What a listener has missed behind a point.
public enum EventReplay: Sendable, Equatable {
    case records([EventRecord])
    /// Events may be missing, and nobody can tell which.
    case gap
}

extension EventHistory {
    /// The newest committed entry that touched an object.
    struct Touch {
        var index: UInt64
        /// How many events it had.
        var events: UInt8
    }

    /// `touched` is nil if the object is not there.
    /// `isUnwatchedPossible` for listeners that were away: the object may have changed while nobody watched.
    func replay(
        of object: ObjectID, after: EventPoint, touched: Touch?, isUnwatchedPossible: Bool
    ) -> EventReplay {
        var found: [EventRecord] = []
        for record in records where record.index >= after.index && record.object == object {
            if record.index > after.index {
                found.append(record)
            } else {
                // O14: a point of a history that was given up.
                guard record.epoch == after.epoch else { return .gap }
                found.append(record)
            }
        }
        let unwatched = isUnwatchedPossible ? unwatchedEmptied : 0
        // From the newest backwards, each must be what was touched last before the one behind it.
        var needed = touched ?? lastTouch(ofAbsent: object, unwatched)
        for record in found.reversed() {
            guard needed.index <= record.index else { return .gap }
            if record.index == after.index { return .records(found) }
            needed =
                record.wasPresent
                ? Touch(index: record.previousTouched, events: record.previousEvents)
                : Touch(index: max(record.previousTouched, unwatched), events: .max)
        }
        return isAllTold(of: needed, after) ? .records(found) : .gap
    }

    private func lastTouch(ofAbsent object: ObjectID, _ unwatched: UInt64) -> Touch {
        Touch(index: max(lastTouched(ofAbsent: object), unwatched), events: .max)
    }

    /// A listener may have been cut off in the middle of an entry. Of entries with many events the number is
    /// not known.
    private func isAllTold(of touch: Touch, _ after: EventPoint) -> Bool {
        guard touch.index == after.index else { return touch.index < after.index }
        return after.ordinal == .max
            || touch.events < .max && UInt64(after.ordinal) + 1 >= UInt64(touch.events)
    }
}
