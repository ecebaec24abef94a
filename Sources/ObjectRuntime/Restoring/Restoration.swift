import Binary

/// A part of an object as a backup has it, on its way to the object's owner: what a range of its names is to hold.
///
/// A part stands for itself: it may come twice, and the parts of an object in any order.
public struct Restoration: Sendable, Equatable {
    public enum Mode: UInt8, Sendable, CaseIterable {
        /// Refused if the range holds anything else than the part.
        case create = 1
        /// The range holds just the part afterwards.
        case overwrite = 2
        /// Changes nothing: refused if the range does not hold just the part.
        case compare = 3
    }

    public var mode: Mode
    /// In order of name; every name lies in the range.
    public var items: [NamedItem]
    /// The names above this one, not itself; nil: from the first.
    public var after: ItemName?
    /// The names up to this one, itself included; nil: to the last.
    public var through: ItemName?
    /// All settings that the object ever had; of the part that begins at the first name.
    public var encryption: [EncryptionSettings]
    /// Versions of removed items were at most this where the object comes from.
    public var versionFloor: UInt64

    public init(
        mode: Mode, items: [NamedItem], after: ItemName? = nil, through: ItemName? = nil,
        encryption: [EncryptionSettings] = [], versionFloor: UInt64 = 0
    ) {
        self.mode = mode
        self.items = items
        self.after = after
        self.through = through
        self.encryption = encryption
        self.versionFloor = versionFloor
    }

    func covers(_ name: ItemName) -> Bool {
        (after.map { $0 < name } ?? true) && (through.map { name <= $0 } ?? true)
    }

    /// About how many bytes it takes.
    public var byteCount: Int {
        items.reduce(64) { $0 + $1.name.count + $1.item.value.count + 32 }
            + encryption.reduce(0) { $0 + $1.salt.count + 16 }
    }
}

extension Restoration {
    public func encode(into writer: inout ByteWriter) {
        writer.write(mode.rawValue)
        writer.writeOptional(after) { $1.encode(into: &$0) }
        writer.writeOptional(through) { $1.encode(into: &$0) }
        writer.writeArray(encryption) { $1.encode(into: &$0) }
        writer.writeVariable(versionFloor)
        writer.writeArray(items) { writer, named in
            named.name.encode(into: &writer)
            named.item.encodeTimes(into: &writer, origin: 0)
            named.item.value.encode(into: &writer)
        }
    }

    /// Total; the texts of values are for `check` to look at.
    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        guard let mode = Mode(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("a restoration is of an unknown mode")
        }
        self.mode = mode
        after = try reader.readOptional { (reader) throws(DecodingFailure) in try ItemName(from: &reader) }
        through = try reader.readOptional { (reader) throws(DecodingFailure) in try ItemName(from: &reader) }
        encryption = try reader.readArray { (reader) throws(DecodingFailure) in
            try EncryptionSettings(from: &reader)
        }
        versionFloor = try reader.readVariable()
        items = try reader.readArray { (reader) throws(DecodingFailure) in
            let name = try ItemName(from: &reader)
            var item = try Item(value: JSONText([]), timesFrom: &reader, origin: 0)
            item.value = try JSONText(from: &reader)
            return NamedItem(name: name, item: item)
        }
        guard items.allSatisfy({ covers($0.name) && $0.item.value.count > 0 }),
            zip(items, items.dropFirst()).allSatisfy({ $0.name < $1.name })
        else { throw DecodingFailure("the items of a restoration are out of order, or out of its range") }
        guard encryption.isEmpty || after == nil else {
            throw DecodingFailure("encryption settings belong to the first part of a restoration")
        }
    }

    /// Values must be JSON text, and within the limits that are the same everywhere: what comes from outside is
    /// checked before it gets into a log.
    public func check() throws(Refusal) {
        for named in items {
            do throws(JSONFault) {
                _ = try JSONScanner.check(named.item.value.bytes)
            } catch {
                throw .invalid("restore.value", "The value of \"\(named.name)\" is no JSON: \(error).")
            }
        }
    }
}

extension ShardState {
    /// An object as it is now; nil if there is none.
    public func storedObject(_ id: ObjectID) -> StoredObject? {
        objects[id].map { StoredObject(id: id, state: $0) }
    }
}

extension StoredObject {
    /// The object as parts of about `partBytes` at most; an item is never divided. At least one.
    public func restorations(
        _ mode: Restoration.Mode, versionFloor: UInt64, partBytes: Int
    ) -> [Restoration] {
        var parts: [Restoration] = []
        var part = Restoration(
            mode: mode, items: [], encryption: state.encryption, versionFloor: versionFloor)
        var bytes = part.byteCount
        for named in state.items {
            let added = named.name.count + named.item.value.count + 32
            if let last = part.items.last, bytes + added > partBytes {
                part.through = last.name
                parts.append(part)
                part = Restoration(mode: mode, items: [], after: last.name, versionFloor: versionFloor)
                bytes = part.byteCount
            }
            part.items.append(named)
            bytes += added
        }
        return parts + [part]
    }

    /// Whether anything of it would be restored: who had joined does not count.
    public var hasContent: Bool { !state.items.isEmpty || !state.encryption.isEmpty }

    /// All items as the client protocol shows them.
    public var itemsText: [UInt8] { Rendering.map(Array(state.items)) }
}
