import Binary

/// One change to an object, as the log keeps it: enough for a replica to follow without reading JSON.
public enum ObjectChange: Sendable, Equatable {
    /// The item is now this.
    case put(ItemName, Item)
    /// The item's text is edited. Operations are not encrypted, so its key version goes.
    case edit(ItemName, edits: [TextEdit], updatedAt: UInt64, expiresAt: UInt64)
    /// Removed on request: an event, also if there was nothing to remove.
    case remove(ItemName)
    /// Removed because its time was over: no event.
    case expire(ItemName)
    /// New current encryption settings; those before stay in the list.
    case settings(EncryptionSettings)
    /// The connection has joined, or has joined again with other data.
    case joined(ConnectionID, Attachment, Presence)
    /// A connection that had joined is gone.
    case left(ConnectionID)
    /// A resumed connection that had not joined is gone: no event.
    case forgotten(ConnectionID)
    /// The connection has another socket now (O15).
    case attached(ConnectionID, Attachment)
    /// From a backup: these are all encryption settings, and versions of removed items were at most that.
    case restored(encryption: [EncryptionSettings], versionFloor: UInt64)

    func encode(into writer: inout ByteWriter, origin: UInt64) {
        switch self {
        case .put(let name, let item):
            writer.write(UInt8(1))
            name.encode(into: &writer)
            item.encodeTimes(into: &writer, origin: origin)
            item.value.encode(into: &writer)
        case .edit(let name, let edits, let updatedAt, let expiresAt):
            writer.write(UInt8(2))
            name.encode(into: &writer)
            writer.writeSigned(Int64(bitPattern: updatedAt &- origin))
            writer.writeExpiry(expiresAt, origin: origin)
            writer.writeArray(edits) { $1.encode(into: &$0) }
        case .remove(let name):
            writer.write(UInt8(3))
            name.encode(into: &writer)
        case .expire(let name):
            writer.write(UInt8(4))
            name.encode(into: &writer)
        case .settings(let settings):
            writer.write(UInt8(5))
            settings.encode(into: &writer)
        case .restored(let encryption, let versionFloor):
            writer.write(UInt8(10))
            writer.writeArray(encryption) { $1.encode(into: &$0) }
            writer.writeVariable(versionFloor)
        case .joined, .left, .forgotten, .attached:
            encodeSession(into: &writer)
        }
    }

    private func encodeSession(into writer: inout ByteWriter) {
        switch self {
        case .joined(let connection, let attachment, let presence):
            writer.write(UInt8(6))
            connection.encode(into: &writer)
            attachment.encode(into: &writer)
            presence.encode(into: &writer)
        case .left(let connection):
            writer.write(UInt8(7))
            connection.encode(into: &writer)
        case .forgotten(let connection):
            writer.write(UInt8(8))
            connection.encode(into: &writer)
        case .attached(let connection, let attachment):
            writer.write(UInt8(9))
            connection.encode(into: &writer)
            attachment.encode(into: &writer)
        case .put, .edit, .remove, .expire, .settings, .restored:
            preconditionFailure("encoded by encode(into:origin:)")
        }
    }

    init(from reader: inout ByteReader, origin: UInt64) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1:
            let name = try ItemName(from: &reader)
            var item = try Item(value: JSONText([]), timesFrom: &reader, origin: origin)
            item.value = try JSONText(from: &reader)
            guard item.value.count > 0 else { throw DecodingFailure("a value is empty") }
            self = .put(name, item)
        case 2:
            let name = try ItemName(from: &reader)
            let updatedAt = origin &+ UInt64(bitPattern: try reader.readSigned())
            let expiresAt = try reader.readExpiry(origin: origin)
            let edits = try reader.readArray { (reader) throws(DecodingFailure) in try TextEdit(from: &reader)
            }
            self = .edit(name, edits: edits, updatedAt: updatedAt, expiresAt: expiresAt)
        case 3: self = .remove(try ItemName(from: &reader))
        case 4: self = .expire(try ItemName(from: &reader))
        case 5: self = .settings(try EncryptionSettings(from: &reader))
        case 6:
            let connection = try ConnectionID(from: &reader)
            let attachment = try Attachment(from: &reader)
            self = .joined(connection, attachment, try Presence(from: &reader))
        case 7: self = .left(try ConnectionID(from: &reader))
        case 8: self = .forgotten(try ConnectionID(from: &reader))
        case 9:
            let connection = try ConnectionID(from: &reader)
            self = .attached(connection, try Attachment(from: &reader))
        case 10:
            let encryption = try reader.readArray { (reader) throws(DecodingFailure) in
                try EncryptionSettings(from: &reader)
            }
            self = .restored(encryption: encryption, versionFloor: try reader.readVariable())
        default: throw DecodingFailure("a change is of an unknown kind")
        }
    }

    /// Bytes that the payload will take, roughly.
    var sizeHint: Int {
        switch self {
        case .put(let name, let item): name.count + item.value.count + 24
        case .edit(let name, let edits, _, _): edits.reduce(name.count + 16) { $0 + $1.inserted.count + 8 }
        case .remove(let name), .expire(let name): name.count + 2
        case .settings(let settings): settings.salt.count + 16
        case .restored(let encryption, _): encryption.reduce(16) { $0 + $1.salt.count + 16 }
        case .joined(_, _, let presence): presence.payload.json.count + 48
        case .left, .forgotten, .attached: 40
        }
    }
}
