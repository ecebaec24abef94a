import Cluster
import ObjectRuntime

/// What happened to the objects that sockets listen to, in the order in which it was committed: made of
/// the entries that reached the disks, and of nothing that any node says about them.
struct EventLedger {
    /// One event that clients hear of.
    struct Event {
        var point: EventPoint
        /// How its frame begins.
        var opening: [UInt8]
        /// What follows which member of the frame.
        var member: StaticString
        var text: [UInt8]

        func isTold(by frame: [UInt8]) -> Bool {
            frame.starts(with: opening) && FrameText(bytes: frame).holds(text, after: member)
        }
    }

    /// What an entry does to a connection.
    enum Step {
        case joined(ConnectionID, Attachment, before: Attachment?, payload: [UInt8])
        case left(ConnectionID, Attachment)
        /// A leave of somebody who was not there.
        case leftTwice(ConnectionID)
        case attached(ConnectionID, Attachment)
        case forgotten(ConnectionID)
    }

    fileprivate struct Stay {
        var attachment: Attachment
        /// Nil for one who has not joined.
        var payload: [UInt8]?
    }

    fileprivate struct ObjectLedger {
        var events: [Event] = []
        var items: [ItemName: [UInt8]] = [:]
        var stays: [ConnectionID: Stay] = [:]
        var newestIndex: UInt64 = 0
    }

    private struct Place: Hashable {
        var group: GroupID
        var index: UInt64
    }

    let names: [String]
    private let numbers: [[UInt8]: Int]
    private var objects: [ObjectLedger]
    private var pending: [Place: [(term: UInt64, payload: [UInt8])]] = [:]

    init(names: [String]) {
        self.names = names
        objects = [ObjectLedger](repeating: ObjectLedger(), count: names.count)
        numbers = Dictionary(
            uniqueKeysWithValues: names.enumerated().map { number, name in
                let id = ObjectID(project: "p", objectClass: "c", id: name, key: ObjectKey(rawValue: 0))
                return (id.canonical, number)
            })
    }

    func events(of object: Int) -> [Event] { objects[object].events }

    func count(of object: Int) -> Int { objects[object].events.count }

    /// How many events stand at or before the point.
    func place(behind point: EventPoint, of object: Int) -> Int {
        let events = objects[object].events
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].point > point { high = middle } else { low = middle + 1 }
        }
        return low
    }

    // MARK: - Entries

    /// An entry on its way to a disk. Which one of an index counts is not known before it is committed.
    mutating func note(_ record: LogRecord) {
        guard !names.isEmpty, record.kind == 1 else { return }
        let place = Place(group: record.group, index: record.index)
        if pending[place]?.contains(where: { $0.term == record.term }) == true { return }
        pending[place, default: []].append((record.term, record.payload))
    }

    /// The entry of that term is committed. Answers what it does to connections of which object.
    mutating func commit(_ group: GroupID, index: UInt64, term: UInt64) -> (object: Int, steps: [Step])? {
        guard let candidates = pending.removeValue(forKey: Place(group: group, index: index)),
            let payload = candidates.first(where: { $0.term == term })?.payload,
            let entry = try? ShardState.changes(in: payload), let object = numbers[entry.object.canonical]
        else { return nil }
        return (object, enter(entry.changes, object, epoch: term, index: index))
    }

    mutating func enter(_ changes: [ObjectChange], _ object: Int, epoch: UInt64, index: UInt64) -> [Step] {
        precondition(index > objects[object].newestIndex, "entries are committed in order")
        objects[object].newestIndex = index
        var steps: [Step] = []
        var point = EventPoint(epoch: epoch, index: index)
        for change in changes {
            if let step = objects[object].make(change, at: point) { steps.append(step) }
            if change.isEvent || change.isAttachment { point.ordinal += 1 }
        }
        return steps
    }
}

extension EventLedger.ObjectLedger {
    fileprivate mutating func make(_ change: ObjectChange, at point: EventPoint) -> EventLedger.Step? {
        switch change {
        case .put(let name, let item): set(name, item.value.bytes, point)
        case .edit(let name, let edits, _, _): set(name, edited(items[name] ?? [], edits), point)
        case .remove(let name):
            items[name] = nil
            tell(point, "{\"event\":\"removeItem\"", "\"prop\":", Array("\"\(name)\"".utf8))
        case .expire(let name): items[name] = nil
        case .settings, .restored: break
        case .joined(let connection, let attachment, let presence):
            return join(connection, attachment, presence.payload.json, point)
        case .left(let connection): return leave(connection, point)
        case .forgotten(let connection):
            stays[connection] = nil
            return .forgotten(connection)
        case .attached(let connection, let attachment):
            stays[connection] = EventLedger.Stay(attachment: attachment, payload: stays[connection]?.payload)
            return .attached(connection, attachment)
        }
        return nil
    }

    private mutating func tell(_ point: EventPoint, _ opening: String, _ member: StaticString, _ text: [UInt8]) {
        events.append(EventLedger.Event(point: point, opening: Array(opening.utf8), member: member, text: text))
    }

    private mutating func set(_ name: ItemName, _ value: [UInt8], _ point: EventPoint) {
        items[name] = value
        tell(point, "{\"event\":\"setItem\",\"payload\":{\"prop\":\"\(name)\",", "\"value\":", value)
    }

    /// Edits in order of their offsets, which count in the text before.
    private func edited(_ text: [UInt8], _ edits: [TextEdit]) -> [UInt8] {
        var result: [UInt8] = []
        var position = 0
        for edit in edits {
            result += text[position..<edit.offset] + edit.inserted
            position = edit.offset + edit.removed
        }
        return result + text[position...]
    }

    private mutating func join(
        _ connection: ConnectionID, _ attachment: Attachment, _ payload: [UInt8], _ point: EventPoint
    ) -> EventLedger.Step {
        let before = stays[connection]?.attachment
        stays[connection] = EventLedger.Stay(attachment: attachment, payload: payload)
        tell(point, "{\"event\":\"presence:join\",\"connectionId\":\"\(connection)\"", "\"payload\":", payload)
        return .joined(connection, attachment, before: before, payload: payload)
    }

    private mutating func leave(_ connection: ConnectionID, _ point: EventPoint) -> EventLedger.Step {
        guard let stay = stays.removeValue(forKey: connection), let payload = stay.payload else {
            return .leftTwice(connection)
        }
        tell(point, "{\"event\":\"presence:leave\",\"connectionId\":\"\(connection)\"", "\"payload\":", payload)
        return .left(connection, stay.attachment)
    }
}

extension ObjectChange {
    /// No client hears of it, and it has its place among the events of its entry all the same.
    fileprivate var isAttachment: Bool {
        if case .attached = self { return true }
        return false
    }
}
