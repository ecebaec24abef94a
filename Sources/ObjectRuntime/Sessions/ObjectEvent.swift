/// What subscribers of an object hear of one change.
public enum ObjectEvent: Sendable, Equatable {
    case set(NamedItem)
    case removed(ItemName)
    case joined(ConnectionID, Presence)
    case left(ConnectionID, Presence)
    /// A connection was resumed: whoever holds an earlier socket of it ends that one. No client hears of it.
    case moved(ConnectionID, Attachment)

    /// About how many bytes keeping it costs.
    var byteCount: Int {
        switch self {
        case .set(let named): 96 + named.name.count + named.item.value.count
        case .removed(let name): 96 + name.count
        case .joined(_, let presence), .left(_, let presence): 128 + presence.payload.json.count
        case .moved: 96
        }
    }
}

/// What one committed entry told the subscribers of its object.
public struct EventRecord: Sendable, Equatable {
    public var object: ObjectID
    public var epoch: UInt64
    public var index: UInt64
    /// The newest entry before this one that touched the object. For an object that was not there: an
    /// index that is certainly not lower.
    var previousTouched: UInt64
    /// How many events that entry had.
    var previousEvents: UInt8
    /// Whether the object was there before; only then `previousTouched` is exact when the record is made.
    var wasPresent: Bool
    /// The entry left the object without content.
    var leavesEmpty: Bool
    public var events: [ObjectEvent]

    public func point(_ ordinal: Int) -> EventPoint {
        EventPoint(epoch: epoch, index: index, ordinal: UInt32(ordinal))
    }

    public var end: EventPoint { .end(epoch: epoch, index: index) }

    var byteCount: Int { events.reduce(128 + object.canonical.count) { $0 + $1.byteCount } }
}

extension ObjectChange {
    /// Whether it counts among the events of its entry, though clients may not hear of it.
    var hasOrdinal: Bool {
        if case .attached = self { return true }
        return isEvent
    }

    /// The event of this change, once it is made; `step` says what was before.
    func event(in object: ObjectState, _ step: Speculation.Step) -> ObjectEvent? {
        switch self {
        case .put(let name, let item): return .set(NamedItem(name: name, item: item))
        case .edit(let name, _, _, _): return object.item(name).map { .set(NamedItem(name: name, item: $0)) }
        case .remove(let name): return .removed(name)
        case .joined(let connection, _, let presence): return .joined(connection, presence)
        case .left(let connection):
            guard case .session(_, let previous?) = step, let presence = previous.presence else { return nil }
            return .left(connection, presence)
        case .attached(let connection, let attachment): return .moved(connection, attachment)
        case .expire, .settings, .forgotten, .restored: return nil
        }
    }
}
