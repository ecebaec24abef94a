import Binary
import DequeModule

/// Everything of a shard's committed state but its objects: the part of a checkpoint that is written whole.
struct ShardHead: Sendable {
    static let version: UInt8 = 1

    var bounds: ShardBounds
    var index: UInt64
    var epoch: UInt64
    var logTimeMs: UInt64
    var windowAgeMs: UInt64
    var versionFloor: UInt64
    var emptiedIndex: UInt64
    var tally: Tally
    var isTallySettled: Bool
    var sessions: SessionIndex
    var window: OperationWindow
    var history: EventHistory

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: 4_096)
        writer.write(ShardHead.version)
        bounds.encode(into: &writer)
        for number in [index, epoch, logTimeMs, windowAgeMs, versionFloor, emptiedIndex] {
            writer.writeVariable(number)
        }
        tally.encode(into: &writer)
        writer.write(isTallySettled)
        sessions.encode(into: &writer)
        window.encode(into: &writer)
        history.encode(into: &writer)
        return writer.bytes
    }
}

extension ShardHead {
    init(_ bytes: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(bytes)
        guard try reader.readUInt8() == ShardHead.version else {
            throw DecodingFailure("a shard's head of an unknown version")
        }
        bounds = try ShardBounds(from: &reader)
        index = try reader.readVariable()
        epoch = try reader.readVariable()
        logTimeMs = try reader.readVariable()
        windowAgeMs = try reader.readVariable()
        versionFloor = try reader.readVariable()
        emptiedIndex = try reader.readVariable()
        tally = try Tally(from: &reader)
        isTallySettled = try reader.readBool()
        sessions = try SessionIndex(from: &reader)
        window = try OperationWindow(from: &reader)
        history = try EventHistory(from: &reader)
        try reader.finish()
    }
}

extension SessionIndex {
    func encode(into writer: inout ByteWriter) {
        writer.writeArray(incarnations) { writer, incarnation in
            writer.writeVariable(incarnation)
            writer.writeArray(objects(of: incarnation)) { writer, object in
                object.encode(into: &writer)
                writer.writeVariable(objects[incarnation]?[object] ?? 0)
            }
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            let incarnation = try reader.readVariable()
            for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
                let object = try ObjectID(from: &reader)
                let count = try reader.readCount(limit: 1 << 32)
                add(count, incarnation, object)
            }
        }
    }
}

/// The newest text of each item that recorded results name, in the order in which they are written: the next one
/// of the same item leans on it. So a head needs no object to be read.
private struct ResultTexts {
    private struct Place: Hashable {
        var object: ObjectID
        var item: ItemName
    }

    private var newest: [Place: JSONText] = [:]

    mutating func encode(_ result: RecordedResult, of object: ObjectID, into writer: inout ByteWriter) {
        object.encode(into: &writer)
        guard case .item(let named) = result else {
            result.encode(into: &writer) { newest[Place(object: object, item: $0)] }
            return note(result, of: object)
        }
        // Most of them: one look-up finds the text to lean on and leaves the one that is leaned on next.
        let base = newest.updateValue(named.item.value, forKey: Place(object: object, item: named.name))
        result.encode(into: &writer) { _ in base }
    }

    mutating func read(_ reader: inout ByteReader) throws(DecodingFailure) -> (ObjectID, RecordedResult) {
        let object = try ObjectID(from: &reader)
        let result = try RecordedResult(from: &reader) { newest[Place(object: object, item: $0)] }
        note(result, of: object)
        return (object, result)
    }

    private mutating func note(_ result: RecordedResult, of object: ObjectID) {
        switch result {
        case .item(let named): newest[Place(object: object, item: named.name)] = named.item.value
        case .items(let items):
            for named in items { newest[Place(object: object, item: named.name)] = named.item.value }
        case .noContent, .settings, .refused: break
        }
    }
}

extension OperationWindow {
    func encode(into writer: inout ByteWriter) {
        var texts = ResultTexts()
        writer.writeArray(streams) { writer, stream in
            stream.id.encode(into: &writer)
            writer.writeVariable(stream.settledBelow)
            writer.writeArray(stream.floors) { $1.encode(into: &$0) }
            writer.writeArray(stream.records) { writer, record in
                writer.writeVariable(record.counter)
                writer.writeVariable(record.index)
                writer.writeVariable(record.epoch)
                texts.encode(record.result, of: record.object, into: &writer)
            }
        }
        writer.writeArray(retired) { $0.writeVariable($1) }
        writer.writeVariable(clientDroppedIndex)
        writer.writeArray(clientOrder) { writer, name in
            guard let record = clients[name] else { preconditionFailure("O10: every key has its record") }
            writer.writeBytes(name.bytes)
            writer.write(record.requestHash)
            writer.writeVariable(record.index)
            writer.writeVariable(record.epoch)
            writer.writeVariable(record.madeAtAgeMs)
            writer.writeVariable(record.entryBytes)
            texts.encode(record.result, of: record.object, into: &writer)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        var texts = ResultTexts()
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            try readStream(&reader, &texts)
        }
        retired = try reader.readArray { (reader) throws(DecodingFailure) in try reader.readVariable() }
        clientDroppedIndex = try reader.readVariable()
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            try readClient(&reader, &texts)
        }
    }

    private mutating func readStream(_ reader: inout ByteReader, _ texts: inout ResultTexts) throws(DecodingFailure) {
        let id = try EdgeStream(from: &reader)
        if let last = streams.last, !(last.id < id) { throw DecodingFailure("streams are out of order") }
        var stream = Stream(id: id, settledBelow: try reader.readVariable())
        stream.floors = try reader.readArray { (reader) throws(DecodingFailure) in try SettledFloor(from: &reader) }
        for _ in 0..<(try reader.readCount(limit: reader.remaining)) {
            let counter = try reader.readVariable()
            if let last = stream.records.last, last.counter >= counter {
                throw DecodingFailure("operation ids are out of order")
            }
            let (index, epoch) = (try reader.readVariable(), try reader.readVariable())
            let (object, result) = try texts.read(&reader)
            stream.records.append(.init(counter: counter, index: index, epoch: epoch, object: object, result: result))
        }
        streams.append(stream)
    }

    private mutating func readClient(_ reader: inout ByteReader, _ texts: inout ResultTexts) throws(DecodingFailure) {
        let name = ClientName(bytes: try reader.readBytes())
        let requestHash = try reader.readUInt64()
        let (index, epoch) = (try reader.readVariable(), try reader.readVariable())
        let madeAtAgeMs = try reader.readVariable()
        let entryBytes = try reader.readCount(limit: 1 << 40)
        let (object, result) = try texts.read(&reader)
        guard clients[name] == nil else { throw DecodingFailure("a client key occurs twice") }
        clients[name] = ClientRecord(
            requestHash: requestHash, index: index, epoch: epoch, madeAtAgeMs: madeAtAgeMs, entryBytes: entryBytes,
            object: object, result: result)
        clientOrder.append(name)
        clientBytes += entryBytes
    }
}
