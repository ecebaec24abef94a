import Binary
import DequeModule

// A snapshot is the committed state in one piece, in an order that depends on nothing but the state: objects by key
// and id, items by name, streams by number, client keys in the order of the log. It reads every object.
extension ShardState {
    /// Version 1 had no sessions, version 2 no bounds.
    static let snapshotVersion: UInt8 = 3

    /// The state as of `committedIndex`, without what is speculative (O3).
    public func encodeSnapshot() -> [UInt8] {
        guard speculation.undos.isEmpty else {
            var committed = self
            committed.rollBack(above: committedIndex)
            return committed.encodeSnapshot()
        }
        var writer = ByteWriter(reserving: 4_096)
        writer.write(ShardState.snapshotVersion)
        for number in [committedIndex, committedEpoch, logTimeMs, windowAgeMs, versionFloor, emptiedIndex] {
            writer.writeVariable(number)
        }
        bounds.encode(into: &writer)
        writer.writeArray(objects.ids(in: bounds.range)) { writer, id in
            id.encode(into: &writer)
            objects[id]?.encode(into: &writer)
        }
        encodeWindow(into: &writer)
        return writer.bytes
    }

    /// With a source, objects that have been stored may leave memory.
    public init(snapshot: [UInt8], source: (any ObjectSource)? = nil) throws(DecodingFailure) {
        self.init(source: source)
        var reader = ByteReader(snapshot)
        let version = try reader.readUInt8()
        guard 1...ShardState.snapshotVersion ~= version else {
            throw DecodingFailure("a shard snapshot of an unknown version")
        }
        committedIndex = try reader.readVariable()
        lastIndex = committedIndex
        committedEpoch = try reader.readVariable()
        logTimeMs = try reader.readVariable()
        windowAgeMs = try reader.readVariable()
        versionFloor = try reader.readVariable()
        emptiedIndex = try reader.readVariable()
        history = EventHistory(behind: committedIndex)
        if version > 2 { bounds = try ShardBounds(from: &reader) }
        try readObjects(&reader, version: version)
        try readWindow(&reader, version: version)
        try reader.finish()
    }

    private mutating func readObjects(_ reader: inout ByteReader, version: UInt8) throws(DecodingFailure) {
        let count = try reader.readCount(limit: reader.remaining)
        var previous: ObjectID?
        for _ in 0..<count {
            let id = try ObjectID(from: &reader)
            if let previous, !(previous < id) { throw DecodingFailure("objects are out of order") }
            previous = id
            let object = try ObjectState(from: &reader, version: version)
            for session in object.sessions {
                sessionIndex.count(SessionStep(before: nil, after: session.attachment.incarnation), of: id)
            }
            objects[changing: id] = object
        }
    }

    private func encodeWindow(into writer: inout ByteWriter) {
        writer.writeArray(window.streams) { writer, stream in
            stream.id.encode(into: &writer)
            writer.writeVariable(stream.settledBelow)
            writer.writeArray(stream.floors) { $1.encode(into: &$0) }
            writer.writeArray(stream.records) { writer, record in
                writer.writeVariable(record.counter)
                writer.writeVariable(record.index)
                writer.writeVariable(record.epoch)
                record.object.encode(into: &writer)
                record.result.encode(into: &writer, leaning: texts(of: record.object))
            }
        }
        writer.writeArray(window.retired) { $0.writeVariable($1) }
        writer.writeVariable(window.clientDroppedIndex)
        writer.writeArray(window.clientOrder) { writer, name in
            guard let record = window.clients[name] else {
                preconditionFailure("O10: every key has its record")
            }
            writer.writeBytes(name.bytes)
            writer.write(record.requestHash)
            writer.writeVariable(record.index)
            writer.writeVariable(record.epoch)
            writer.writeVariable(record.madeAtAgeMs)
            writer.writeVariable(record.entryBytes)
            record.object.encode(into: &writer)
            record.result.encode(into: &writer, leaning: texts(of: record.object))
        }
    }

    /// What recorded results lean on: the items as they are now.
    private func texts(of object: ObjectID) -> (ItemName) -> JSONText? {
        let current = objects[object]
        return { current?.item($0)?.value }
    }

    private mutating func readWindow(_ reader: inout ByteReader, version: UInt8) throws(DecodingFailure) {
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            let id = try EdgeStream(from: &reader)
            if let last = window.streams.last, !(last.id < id) {
                throw DecodingFailure("streams are out of order")
            }
            var stream = OperationWindow.Stream(id: id, settledBelow: try reader.readVariable())
            if version > 2 {
                stream.floors = try reader.readArray { (reader) throws(DecodingFailure) in
                    try SettledFloor(from: &reader)
                }
            }
            for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
                let counter = try reader.readVariable()
                if let last = stream.records.last, last.counter >= counter {
                    throw DecodingFailure("operation ids are out of order")
                }
                let index = try reader.readVariable()
                let epoch = version > 1 ? try reader.readVariable() : committedEpoch
                let object = try ObjectID(from: &reader)
                let result = try RecordedResult(from: &reader, leaning: texts(of: object))
                stream.records.append(
                    .init(counter: counter, index: index, epoch: epoch, object: object, result: result))
            }
            window.streams.append(stream)
        }
        window.retired = try reader.readArray { (reader) throws(DecodingFailure) in try reader.readVariable()
        }
        window.clientDroppedIndex = try reader.readVariable()
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            try readClient(&reader, version: version)
        }
    }

    private mutating func readClient(_ reader: inout ByteReader, version: UInt8) throws(DecodingFailure) {
        let name = OperationWindow.ClientName(bytes: try reader.readBytes())
        let requestHash = try reader.readUInt64()
        let index = try reader.readVariable()
        let epoch = version > 1 ? try reader.readVariable() : committedEpoch
        let madeAtAgeMs = try reader.readVariable()
        let entryBytes = try reader.readCount(limit: 1 << 40)
        let object = try ObjectID(from: &reader)
        let result = try RecordedResult(from: &reader, leaning: texts(of: object))
        guard window.clients[name] == nil else { throw DecodingFailure("a client key occurs twice") }
        window.clients[name] = .init(
            requestHash: requestHash, index: index, epoch: epoch, madeAtAgeMs: madeAtAgeMs, entryBytes: entryBytes,
            object: object, result: result)
        window.clientOrder.append(name)
        window.clientBytes += entryBytes
    }
}

extension ObjectState {
    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(touchedIndex)
        writer.write(touchedEvents)
        writer.writeArray(encryption) { $1.encode(into: &$0) }
        writer.writeArray(items) { writer, named in
            named.name.encode(into: &writer)
            named.item.encodeTimes(into: &writer, origin: 0)
            named.item.value.encode(into: &writer)
        }
        writer.writeArray(sessions) { $1.encode(into: &$0) }
    }

    init(
        from reader: inout ByteReader, version: UInt8 = ShardState.snapshotVersion
    ) throws(DecodingFailure) {
        touchedIndex = try reader.readVariable()
        // The first version counted none: then nobody can tell.
        touchedEvents = version > 1 ? try reader.readUInt8() : .max
        encryption = try reader.readArray { (reader) throws(DecodingFailure) in
            try EncryptionSettings(from: &reader)
        }
        let count = try reader.readCount(limit: reader.remaining)
        items.reserveCapacity(min(count, 1024))
        for _ in 0..<count {
            let name = try ItemName(from: &reader)
            var item = try Item(value: JSONText([]), timesFrom: &reader, origin: 0)
            item.value = try JSONText(from: &reader)
            guard item.value.count > 0 else { throw DecodingFailure("a value is empty") }
            if let last = items.last, !(last.name < name) { throw DecodingFailure("items are out of order") }
            guard name.count + item.value.count <= Int(UInt32.max) - byteCount else {
                throw DecodingFailure("an object is over every limit")
            }
            byteCount += name.count + item.value.count
            items.append(NamedItem(name: name, item: item))
        }
        if version > 1 { try readSessions(&reader) }
        guard !isEmpty else { throw DecodingFailure("an object without content") }
    }

    private mutating func readSessions(_ reader: inout ByteReader) throws(DecodingFailure) {
        sessions = try reader.readArray { (reader) throws(DecodingFailure) in try SessionRecord(from: &reader) }
        for (record, next) in zip(sessions, sessions.dropFirst()) where !(record.connection < next.connection) {
            throw DecodingFailure("sessions are out of order")
        }
        let bytes = sessions.reduce(0) { $0 + $1.heapBytes }
        guard bytes <= Int(UInt32.max) else { throw DecodingFailure("an object is over every limit") }
        sessionBytes = UInt32(bytes)
    }
}
