import Binary

/// Items whose time is over, found by the store's index and not by a request: no event.
public struct ExpiryEntry: Sendable, Equatable {
    public struct Expired: Sendable, Equatable {
        public var object: ObjectID
        public var names: [ItemName]
        /// As in `OperationEntry`: without it, listeners would take the entry for something that they have missed.
        public var isWatched: Bool
    }

    public var timeMs: UInt64
    public var windowAgeMs: UInt64
    public var objects: [Expired]

    /// What happens to each object, in order.
    var operations: [OperationEntry] {
        objects.map { expired in
            OperationEntry(
                id: nil, settledBelow: 0, object: expired.object, timeMs: timeMs, windowAgeMs: windowAgeMs,
                changes: expired.names.map { .expire($0) }, outcome: .read, isWatched: expired.isWatched)
        }
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(timeMs)
        writer.writeVariable(windowAgeMs)
        writer.writeArray(objects) { writer, expired in
            expired.object.encode(into: &writer)
            writer.writeArray(expired.names) { $1.encode(into: &$0) }
            writer.write(expired.isWatched)
        }
    }
}

extension ExpiryEntry {
    init(from reader: inout ByteReader) throws(DecodingFailure) {
        timeMs = try reader.readVariable()
        windowAgeMs = try reader.readVariable()
        objects = try reader.readArray { (reader) throws(DecodingFailure) in
            Expired(
                object: try ObjectID(from: &reader),
                names: try reader.readArray { (reader) throws(DecodingFailure) in try ItemName(from: &reader) },
                isWatched: try reader.readBool())
        }
    }
}

extension ShardState {
    /// Objects and items of one expiry entry.
    public static let expiryObjectsMax = 256
    public static let expiryItemsMax = 4_096

    /// Removes what has expired of the objects that the store names as due, as one speculative entry: at most as
    /// much as the bounds allow, the first keys first. Nil if nothing is due (any more).
    public mutating func executeExpiry(
        of keys: [StoreKey], _ context: ExecutionContext, isWatched: (ObjectID) -> Bool
    ) -> (payload: [UInt8], index: UInt64)? {
        checkNext(context)
        guard bounds.frozenBy == nil else { return nil }
        let nowMs = max(context.nowMs, logTimeMs)
        var expired: [ExpiryEntry.Expired] = []
        var room = ShardState.expiryItemsMax
        for key in keys.prefix(ShardState.expiryObjectsMax) where bounds.range.contains(key.object) && room > 0 {
            guard let id = objects.id(of: key), let object = objects.awake(id) else { continue }
            // From the last to the first: each removal then leaves the others where they are.
            let names = object.items.filter { $0.item.isExpired(at: nowMs) }.map(\.name).suffix(room).reversed()
            guard !names.isEmpty, !expired.contains(where: { $0.object == id }) else { continue }
            room -= names.count
            expired.append(.init(object: id, names: Array(names), isWatched: isWatched(id)))
        }
        guard !expired.isEmpty, !isDamaged else { return nil }
        let entry = ExpiryEntry(
            timeMs: nowMs, windowAgeMs: max(context.windowAgeMs, windowAgeMs), objects: expired)
        let payload = ShardEntry.expiry(entry).encode()
        execute(entry, payload, context)
        return (payload, context.nextIndex)
    }

    private mutating func execute(_ entry: ExpiryEntry, _ payload: [UInt8], _ context: ExecutionContext) {
        for operation in entry.operations {
            let installed = try? install(
                operation, index: context.nextIndex, epoch: context.epoch, entryBytes: 0, isSpeculative: true)
            precondition(installed != nil, "O3: an entry fits the state that it was made from")
        }
        uncheckpointedBytes += payload.count
    }
}
