import Binary
import DequeModule

/// The ids of recent operations and their first answers (O10).
///
/// Ids of edges are kept until the edge says, in an entry of the log, that it will not ask again, or
/// until its incarnation is retired. Clients' keys are kept for ten minutes of the window's age. Both are
/// dropped when the entry that says so is committed, never on speculation. The age is no wall time: a
/// clock that jumps would drop keys whose clients still repeat them.
struct OperationWindow: Sendable, Equatable {
    struct EdgeRecord: Sendable, Equatable {
        var counter: UInt64
        var index: UInt64
        /// The entry's own: a repeated answer names the same place as the first.
        var epoch: UInt64
        var object: ObjectID
        var result: RecordedResult
    }

    struct Stream: Sendable, Equatable {
        var id: EdgeStream
        var settledBelow: UInt64 = 0
        /// After a merge: what is settled further than that, for a part of the keys.
        var floors: [SettledFloor] = []
        /// In order of counter, which is mostly the order of the log.
        var records: Deque<EdgeRecord> = []

        func position(of counter: UInt64) -> Int {
            if let last = records.last, last.counter < counter { return records.count }
            var low = 0
            var high = records.count
            while low < high {
                let middle = (low + high) / 2
                if records[middle].counter < counter { low = middle + 1 } else { high = middle }
            }
            return low
        }
    }

    struct ClientRecord: Sendable, Equatable {
        var requestHash: UInt64
        var index: UInt64
        var epoch: UInt64
        var madeAtAgeMs: UInt64
        var entryBytes: Int
        var object: ObjectID
        var result: RecordedResult
    }

    /// Object, API key and key as one byte string, hashed in one piece: an array would be hashed byte by byte.
    struct ClientName: Sendable, Hashable {
        let bytes: [UInt8]

        func hash(into hasher: inout Hasher) { bytes.withUnsafeBytes { hasher.combine(bytes: $0) } }
    }

    /// In order of id; there are few: edges times their loops.
    var streams: [Stream] = []
    var retired: [UInt64] = []
    var clients: [ClientName: ClientRecord] = [:]
    /// In the order of the log.
    var clientOrder: Deque<ClientName> = []
    var clientBytes = 0
    /// The newest entry whose client key was dropped; 0 if none was.
    var clientDroppedIndex: UInt64 = 0

    enum Finding {
        case new
        case found(RecordedResult, index: UInt64, epoch: UInt64)
        /// Known, but must not be answered from the record.
        case refused(Refusal, restsOn: UInt64)
    }

    func find(_ id: OperationID, _ request: Request) -> Finding {
        switch id {
        case .edge(let stream, let counter):
            // What an edge has settled it never sends again: this is a late copy, and whether it was
            // executed can no longer be told.
            if retired.contains(stream.incarnation) { return .refused(.outcomeUnknown, restsOn: 0) }
            let slot = slot(of: stream)
            guard slot.isKnown else { return .new }
            if let record = streams[slot.at].record(counter) {
                return .found(record.result, index: record.index, epoch: record.epoch)
            }
            let isSettled = counter < streams[slot.at].settledBelow(of: request.object)
            return isSettled ? .refused(.outcomeUnknown, restsOn: 0) : .new
        case .client(let apiKey, let key, let requestHash):
            let name = OperationWindow.clientName(request.object, apiKey, key)
            guard let record = clients[name] else {
                let mayBeDropped =
                    request.isRetry && clientDroppedIndex > 0 && clientDroppedIndex >= request.knownIndex
                return mayBeDropped ? .refused(.outcomeUnknown, restsOn: 0) : .new
            }
            guard record.requestHash == requestHash else {
                return .refused(.keyReused, restsOn: record.index)
            }
            return .found(record.result, index: record.index, epoch: record.epoch)
        }
    }

    /// Where the stream is, or where it would be put.
    func slot(of stream: EdgeStream) -> (at: Int, isKnown: Bool) {
        for (position, known) in streams.enumerated() where !(known.id < stream) {
            return (position, known.id == stream)
        }
        return (streams.count, false)
    }

    static func clientName(_ object: ObjectID, _ apiKey: String, _ key: String) -> ClientName {
        var writer = ByteWriter(reserving: object.canonical.count + apiKey.utf8.count + key.utf8.count + 4)
        writer.writeRaw(object.canonical)
        writer.writeString(apiKey)
        writer.writeString(key)
        return ClientName(bytes: writer.bytes)
    }

    /// Whether one more client key is too many. Keys whose time is over do not count: the next entry
    /// drops them.
    func isFull(at ageMs: UInt64, _ limits: Limits) -> Bool {
        guard clients.count >= limits.clientKeysPerShard || clientBytes >= limits.clientKeyBytesPerShard
        else {
            return false
        }
        var count = clients.count
        var bytes = clientBytes
        for name in clientOrder {
            guard let record = clients[name], OperationWindow.isOver(record, at: ageMs) else { break }
            count -= 1
            bytes -= record.entryBytes
        }
        return count >= limits.clientKeysPerShard || bytes >= limits.clientKeyBytesPerShard
    }

    static func isOver(_ record: ClientRecord, at ageMs: UInt64) -> Bool {
        record.madeAtAgeMs &+ Limits.clientKeyWindowMs <= ageMs
    }
}

// MARK: - Changing

extension OperationWindow {
    mutating func record(
        _ entry: OperationEntry, _ result: RecordedResult, index: UInt64, epoch: UInt64, entryBytes: Int
    ) {
        switch entry.id {
        case nil: return
        case .edge(let stream, let counter):
            let record = EdgeRecord(
                counter: counter, index: index, epoch: epoch, object: entry.object, result: result)
            if let slot = openSlot(of: stream) { streams[slot].insert(record) }
        case .client(let apiKey, let key, let requestHash):
            let name = OperationWindow.clientName(entry.object, apiKey, key)
            guard clients[name] == nil else { return }
            clients[name] = ClientRecord(
                requestHash: requestHash, index: index, epoch: epoch, madeAtAgeMs: entry.windowAgeMs,
                entryBytes: entryBytes, object: entry.object, result: result)
            clientOrder.append(name)
            clientBytes += entryBytes
        }
    }

    /// Takes back what `record` did for a speculative entry; the newest first.
    mutating func forget(_ id: OperationID, _ object: ObjectID, index: UInt64) {
        switch id {
        case .edge(let stream, let counter):
            let slot = slot(of: stream)
            guard slot.isKnown else { return }
            streams[slot.at].remove(counter, index: index)
            if streams[slot.at] == Stream(id: stream) { streams.remove(at: slot.at) }
        case .client(let apiKey, let key, _):
            let name = OperationWindow.clientName(object, apiKey, key)
            guard let record = clients[name], record.index == index else { return }
            clients[name] = nil
            clientBytes -= record.entryBytes
            clientOrder.removeLast()
        }
    }

    /// A committed entry of this stream says that its edge has settled all counters below.
    mutating func settle(_ stream: EdgeStream, below counter: UInt64) {
        if let slot = openSlot(of: stream) { streams[slot].settle(below: counter) }
    }

    /// None for a retired incarnation: an owner may execute its last operations while the retirement is
    /// not committed yet, and forgets them with it; a replica meets them after the retirement.
    private mutating func openSlot(of stream: EdgeStream) -> Int? {
        let slot = slot(of: stream)
        if slot.isKnown { return slot.at }
        guard !retired.contains(stream.incarnation) else { return nil }
        streams.insert(Stream(id: stream), at: slot.at)
        return slot.at
    }

    /// Drops the client keys that are over at this age.
    mutating func age(to ageMs: UInt64) {
        while let name = clientOrder.first, let record = clients[name],
            OperationWindow.isOver(record, at: ageMs)
        {
            clientOrder.removeFirst()
            clients[name] = nil
            clientBytes -= record.entryBytes
            clientDroppedIndex = max(clientDroppedIndex, record.index)
        }
    }

    mutating func retire(_ incarnations: [UInt64]) {
        for incarnation in incarnations where !retired.contains(incarnation) { retired.append(incarnation) }
        retired.sort()
        streams.removeAll { retired.contains($0.id.incarnation) }
    }
}

extension OperationWindow.Stream {
    mutating func insert(_ record: OperationWindow.EdgeRecord) {
        let position = position(of: record.counter)
        if position < records.count, records[position].counter == record.counter { return }
        records.insert(record, at: position)
        #if PLANTED_BUGS
            if PlantedBug.isActive(.dropUnsettledOperation), records.count > 8 { records.removeFirst() }
        #endif
    }

    func record(_ counter: UInt64) -> OperationWindow.EdgeRecord? {
        let position = position(of: counter)
        return position < records.count && records[position].counter == counter ? records[position] : nil
    }

    mutating func remove(_ counter: UInt64, index: UInt64) {
        let position = position(of: counter)
        guard position < records.count, records[position].index == index else { return }
        records.remove(at: position)
    }

    mutating func settle(below counter: UInt64) {
        settledBelow = max(settledBelow, counter)
        if !floors.isEmpty { floors.removeAll { $0.settledBelow <= settledBelow } }
        while let first = records.first, first.counter < settledBelow { records.removeFirst() }
    }
}
