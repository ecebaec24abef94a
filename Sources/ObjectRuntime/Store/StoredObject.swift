import Binary

/// An object as the store keeps it: a version, its id, its state.
public struct StoredObject: Sendable {
    static let version: UInt8 = 1

    public let id: ObjectID
    let state: ObjectState

    init(id: ObjectID, state: ObjectState) {
        self.id = id
        self.state = state
    }

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: state.byteCount + state.items.count * 32 + id.canonical.count + 64)
        writer.write(StoredObject.version)
        id.encode(into: &writer)
        state.encode(into: &writer)
        return writer.bytes
    }

    public init(_ bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        id = try StoredObject.readID(&reader)
        state = try ObjectState(from: &reader)
        try reader.finish()
    }

    private static func readID(_ reader: inout ByteReader) throws(DecodingFailure) -> ObjectID {
        guard try reader.readUInt8() == version else { throw DecodingFailure("a stored object of an unknown version") }
        return try ObjectID(from: &reader)
    }

    /// The id alone, and when the object was touched last.
    static func outline(of bytes: [UInt8]) throws(DecodingFailure) -> (id: ObjectID, touchedIndex: UInt64) {
        var reader = ByteReader(bytes)
        let id = try readID(&reader)
        return (id, try reader.readVariable())
    }

    /// For a count of the store's objects.
    public var tally: Tally {
        var tally = Tally()
        tally.change(id, from: ObjectState.Size(), to: state.size)
        return tally
    }
}

extension ObjectState {
    /// When the first of its items expires; `.max` if none does.
    var earliestExpiryMs: UInt64 {
        var earliest = UInt64.max
        for named in items where named.item.expiresAt != Item.never {
            earliest = min(earliest, named.item.expiresAt)
        }
        return earliest
    }
}
