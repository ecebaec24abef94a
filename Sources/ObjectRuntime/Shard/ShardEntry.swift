import Binary

/// What one entry of a shard's log says. It names no epoch: the log does that.
public enum ShardEntry: Sendable, Equatable {
    case operation(OperationEntry)
    /// Edge incarnations that are fenced: their operation ids are no longer kept (O10).
    case retirement(incarnations: [UInt64])
    /// Items whose time is over, of several objects.
    case expiry(ExpiryEntry)
    /// From here on keys at or above the cut belong to the child (O13).
    case split(cut: UInt64, child: UInt32)
    /// Nothing is executed any more, until the thaw or the merge into that shard (O13).
    case freeze(by: UInt32)
    case thaw
    /// Changes nothing: marks a place at which all replicas take a checkpoint, to compare them.
    case scrub(id: UInt64)

    /// Version 1 had no word on whether the object is watched, version 2 only operations and retirements.
    static let version: UInt8 = 3

    public func encode() -> [UInt8] {
        if case .operation(let operation) = self { return operation.encode() }
        var writer = ByteWriter()
        writer.write(ShardEntry.version)
        switch self {
        case .operation: preconditionFailure("encodes itself")
        case .retirement(let incarnations):
            writer.write(UInt8(2))
            writer.writeArray(incarnations) { $0.writeVariable($1) }
        case .expiry(let expiry):
            writer.write(UInt8(3))
            expiry.encode(into: &writer)
        case .split(let cut, let child):
            writer.write(UInt8(4))
            writer.write(cut)
            writer.write(child)
        case .freeze(let shard):
            writer.write(UInt8(5))
            writer.write(shard)
        case .thaw: writer.write(UInt8(6))
        case .scrub(let id):
            writer.write(UInt8(7))
            writer.write(id)
        }
        return writer.bytes
    }

    /// The id, if the entry is a scrub: asked of every entry, so no more is read than that takes.
    public static func scrubID(of payload: [UInt8]) -> UInt64? {
        guard payload.count == 10, payload[1] == 7, case .scrub(let id)? = try? ShardEntry(payload: payload) else {
            return nil
        }
        return id
    }

    public init(payload: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(payload)
        let version = try reader.readUInt8()
        guard 1...ShardEntry.version ~= version else {
            throw DecodingFailure("a log entry of an unknown version")
        }
        switch try reader.readUInt8() {
        case 1: self = .operation(try OperationEntry(from: &reader, version: version))
        case 2:
            self = .retirement(
                incarnations: try reader.readArray { (reader) throws(DecodingFailure) in
                    try reader.readVariable()
                })
        case 3: self = .expiry(try ExpiryEntry(from: &reader))
        case 4: self = .split(cut: try reader.readUInt64(), child: try reader.readUInt32())
        case 5: self = .freeze(by: try reader.readUInt32())
        case 6: self = .thaw
        case 7: self = .scrub(id: try reader.readUInt64())
        default: throw DecodingFailure("a log entry of an unknown kind")
        }
        try reader.finish()
    }
}

/// An executed operation: who asked, when, what changed, and how the answer follows from that.
public struct OperationEntry: Sendable, Equatable {
    public var id: OperationID?
    public var settledBelow: UInt64
    public var object: ObjectID
    /// The wall clock of the owner, never less than the entry before: the log's own time.
    public var timeMs: UInt64
    /// The age of the window, never less than the entry before; client keys live by it (O10).
    public var windowAgeMs: UInt64
    public var changes: [ObjectChange]
    public var outcome: EntryOutcome
    /// Somebody listens to the object, or did until just now: every replica keeps what the entry tells them.
    public var isWatched: Bool

    public init(
        id: OperationID?, settledBelow: UInt64, object: ObjectID, timeMs: UInt64, windowAgeMs: UInt64,
        changes: [ObjectChange], outcome: EntryOutcome, isWatched: Bool = false
    ) {
        self.id = id
        self.settledBelow = settledBelow
        self.object = object
        self.timeMs = timeMs
        self.windowAgeMs = windowAgeMs
        self.changes = changes
        self.outcome = outcome
        self.isWatched = isWatched
    }

    func encode() -> [UInt8] {
        let hint = changes.reduce(object.canonical.count + 64) { $0 + $1.sizeHint }
        var writer = ByteWriter(reserving: hint)
        writer.write(ShardEntry.version)
        writer.write(UInt8(1))
        writer.writeOptional(id) { $1.encode(into: &$0) }
        writer.writeVariable(settledBelow)
        object.encode(into: &writer)
        writer.writeVariable(timeMs)
        writer.writeVariable(windowAgeMs)
        writer.writeArray(changes) { $1.encode(into: &$0, origin: timeMs) }
        outcome.encode(into: &writer)
        writer.write(isWatched)
        return writer.bytes
    }

    init(from reader: inout ByteReader, version: UInt8) throws(DecodingFailure) {
        id = try reader.readOptional { (reader) throws(DecodingFailure) in try OperationID(from: &reader) }
        settledBelow = try reader.readVariable()
        object = try ObjectID(from: &reader)
        let origin = try reader.readVariable()
        timeMs = origin
        windowAgeMs = try reader.readVariable()
        changes = try reader.readArray { (reader) throws(DecodingFailure) in
            try ObjectChange(from: &reader, origin: origin)
        }
        outcome = try EntryOutcome(from: &reader)
        isWatched = version > 1 ? try reader.readBool() : false
    }
}

/// How an entry's answer follows from its changes. Only refusals are spelled out.
public enum EntryOutcome: Sendable, Equatable {
    case noContent
    /// The item that the last change made.
    case item
    /// All items that the entry put.
    case items
    /// The object's encryption settings.
    case settings
    case refused(Refusal)
    /// A read that removed what had expired: nothing to remember.
    case read

    func encode(into writer: inout ByteWriter) {
        switch self {
        case .noContent: writer.write(UInt8(1))
        case .item: writer.write(UInt8(2))
        case .items: writer.write(UInt8(3))
        case .settings: writer.write(UInt8(4))
        case .refused(let refusal):
            writer.write(UInt8(5))
            refusal.encode(into: &writer)
        case .read: writer.write(UInt8(6))
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1: self = .noContent
        case 2: self = .item
        case 3: self = .items
        case 4: self = .settings
        case 5: self = .refused(try Refusal(from: &reader))
        case 6: self = .read
        default: throw DecodingFailure("an outcome is of an unknown kind")
        }
    }
}
