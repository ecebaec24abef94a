import Binary
import DequeModule

// Ids of operations go where their object goes; what is settled or retired is known on both sides (O10, O13).

/// A part of the keys for which an edge has settled more than for the rest of the shard.
struct SettledFloor: Sendable, Equatable {
    var range: ClosedRange<UInt64>
    var settledBelow: UInt64

    init(range: ClosedRange<UInt64>, settledBelow: UInt64) {
        self.range = range
        self.settledBelow = settledBelow
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(range.lowerBound)
        writer.write(range.upperBound)
        writer.writeVariable(settledBelow)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let (lower, upper) = (try reader.readUInt64(), try reader.readUInt64())
        guard lower <= upper else { throw DecodingFailure("a range of keys is empty") }
        self.init(range: lower...upper, settledBelow: try reader.readVariable())
    }
}

extension OperationWindow.Stream {
    func settledBelow(of object: ObjectID) -> UInt64 {
        if floors.isEmpty { return settledBelow }
        return floors.reduce(settledBelow) { $1.range.contains(object.key.rawValue) ? max($0, $1.settledBelow) : $0 }
    }

    /// The part of the stream that belongs to these keys.
    func part(of range: ClosedRange<UInt64>) -> OperationWindow.Stream {
        var part = self
        part.records.removeAll { !range.contains($0.object.key.rawValue) }
        part.floors = floors.compactMap { floor in
            guard floor.range.overlaps(range) else { return nil }
            return SettledFloor(range: floor.range.clamped(to: range), settledBelow: floor.settledBelow)
        }
        return part
    }

    /// Every floor of this stream said of itself, for the keys that it speaks of.
    fileprivate func allFloors(in range: ClosedRange<UInt64>) -> [SettledFloor] {
        floors + [SettledFloor(range: range, settledBelow: settledBelow)]
    }

    /// Two streams of one edge, of neighbouring ranges.
    fileprivate static func merged(
        _ left: OperationWindow.Stream, _ leftRange: ClosedRange<UInt64>,
        _ right: OperationWindow.Stream, _ rightRange: ClosedRange<UInt64>
    ) -> OperationWindow.Stream {
        var merged = OperationWindow.Stream(id: left.id, settledBelow: min(left.settledBelow, right.settledBelow))
        merged.floors = (left.allFloors(in: leftRange) + right.allFloors(in: rightRange))
            .filter { $0.settledBelow > merged.settledBelow }
        merged.records = Deque((left.records + right.records).sorted { $0.counter < $1.counter })
        return merged
    }
}

extension OperationWindow {
    /// Keeps what belongs to `kept` and answers what belongs to `taken`.
    mutating func split(keeping kept: ClosedRange<UInt64>, taking taken: ClosedRange<UInt64>) -> OperationWindow {
        let part = part(of: taken)
        self = self.part(of: kept)
        return part
    }

    private func part(of range: ClosedRange<UInt64>) -> OperationWindow {
        var part = OperationWindow()
        // An empty one says nothing. The owner may have begun it for an entry behind the split, a replica has not.
        part.streams = streams.map { $0.part(of: range) }.filter { $0 != Stream(id: $0.id) }
        part.retired = retired
        part.clientDroppedIndex = clientDroppedIndex
        for name in clientOrder {
            guard let record = clients[name], range.contains(record.object.key.rawValue) else { continue }
            part.append(name, record)
        }
        return part
    }

    private mutating func append(_ name: ClientName, _ record: ClientRecord) {
        clients[name] = record
        clientOrder.append(name)
        clientBytes += record.entryBytes
    }

    /// Joins the window of the right-hand neighbour. Ages are brought to that of the older of the two, so that no key
    /// is kept shorter than it was promised.
    static func merged(
        _ left: OperationWindow, ageMs leftAgeMs: UInt64, _ leftRange: ClosedRange<UInt64>,
        _ right: OperationWindow, ageMs rightAgeMs: UInt64, _ rightRange: ClosedRange<UInt64>
    ) -> OperationWindow {
        var merged = OperationWindow()
        merged.retired = Set(left.retired + right.retired).sorted()
        merged.clientDroppedIndex = max(left.clientDroppedIndex, right.clientDroppedIndex)
        let ids = Set((left.streams + right.streams).map(\.id)).sorted()
        for id in ids where !merged.retired.contains(id.incarnation) {
            let ofLeft = left.streams.first { $0.id == id } ?? Stream(id: id)
            let ofRight = right.streams.first { $0.id == id } ?? Stream(id: id)
            merged.streams.append(.merged(ofLeft, leftRange, ofRight, rightRange))
        }
        let ageMs = max(leftAgeMs, rightAgeMs)
        let clients = left.clients(shiftedByMs: ageMs - leftAgeMs) + right.clients(shiftedByMs: ageMs - rightAgeMs)
        let order = clients.sorted {
            if $0.record.madeAtAgeMs != $1.record.madeAtAgeMs { return $0.record.madeAtAgeMs < $1.record.madeAtAgeMs }
            if $0.record.index != $1.record.index { return $0.record.index < $1.record.index }
            return $0.name.bytes.lexicographicallyPrecedes($1.name.bytes)
        }
        for client in order { merged.append(client.name, client.record) }
        return merged
    }

    private func clients(shiftedByMs shiftMs: UInt64) -> [(name: ClientName, record: ClientRecord)] {
        clientOrder.compactMap { name in
            guard var record = clients[name] else { return nil }
            record.madeAtAgeMs += shiftMs
            return (name, record)
        }
    }
}
