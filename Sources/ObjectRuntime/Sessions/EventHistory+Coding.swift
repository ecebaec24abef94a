import Binary
import DequeModule

// The history as a checkpoint keeps it, so that a replica that begins anew can still tell what listeners missed.
extension EventHistory {
    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(floor)
        writer.writeVariable(unwatchedEmptied)
        writer.writeVariable(agedCount)
        // By position: records are large, and each copy of one counts its references.
        writer.writeVariable(records.count)
        for position in records.indices { records[position].encode(into: &writer) }
        writer.writeArray(absentOrder) { writer, object in
            object.encode(into: &writer)
            writer.writeVariable(absent[object] ?? 0)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        self.init()
        floor = try reader.readVariable()
        unwatchedEmptied = try reader.readVariable()
        let aged = try reader.readCount(limit: reader.remaining)
        // Of two shards that were merged, each has an order of its own: what counts is that of each object (O14).
        var newest: [ObjectID: UInt64] = [:]
        for record in try reader.readArray({ (reader) throws(DecodingFailure) in try EventRecord(from: &reader) }) {
            if let last = newest.updateValue(record.index, forKey: record.object), record.index <= last {
                throw DecodingFailure("events are out of order")
            }
            adopt(record, records.count < aged)
        }
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            let object = try ObjectID(from: &reader)
            noteAbsent(object, index: try reader.readVariable())
        }
    }
}

extension EventRecord {
    func encode(into writer: inout ByteWriter) {
        object.encode(into: &writer)
        for number in [epoch, index, previousTouched] { writer.writeVariable(number) }
        writer.write(previousEvents)
        writer.write(wasPresent)
        writer.write(leavesEmpty)
        writer.writeArray(events) { $1.encode(into: &$0) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        object = try ObjectID(from: &reader)
        epoch = try reader.readVariable()
        index = try reader.readVariable()
        previousTouched = try reader.readVariable()
        previousEvents = try reader.readUInt8()
        wasPresent = try reader.readBool()
        leavesEmpty = try reader.readBool()
        events = try reader.readArray { (reader) throws(DecodingFailure) in try ObjectEvent(from: &reader) }
    }
}

extension ObjectEvent {
    func encode(into writer: inout ByteWriter) {
        switch self {
        case .set(let named):
            writer.write(UInt8(1))
            named.name.encode(into: &writer)
            named.item.encodeTimes(into: &writer, origin: 0)
            named.item.value.encode(into: &writer)
        case .removed(let name):
            writer.write(UInt8(2))
            name.encode(into: &writer)
        case .joined(let connection, let presence):
            writer.write(UInt8(3))
            connection.encode(into: &writer)
            presence.encode(into: &writer)
        case .left(let connection, let presence):
            writer.write(UInt8(4))
            connection.encode(into: &writer)
            presence.encode(into: &writer)
        case .moved(let connection, let attachment):
            writer.write(UInt8(5))
            connection.encode(into: &writer)
            attachment.encode(into: &writer)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1:
            let name = try ItemName(from: &reader)
            var item = try Item(value: JSONText([]), timesFrom: &reader, origin: 0)
            item.value = try JSONText(from: &reader)
            guard item.value.count > 0 else { throw DecodingFailure("a value is empty") }
            self = .set(NamedItem(name: name, item: item))
        case 2: self = .removed(try ItemName(from: &reader))
        case 3:
            let connection = try ConnectionID(from: &reader)
            self = .joined(connection, try Presence(from: &reader))
        case 4:
            let connection = try ConnectionID(from: &reader)
            self = .left(connection, try Presence(from: &reader))
        case 5:
            let connection = try ConnectionID(from: &reader)
            self = .moved(connection, try Attachment(from: &reader))
        default: throw DecodingFailure("an event is of an unknown kind")
        }
    }
}
