import Binary

/// One record of the journal. Storage keeps it and hands it back. What `term`, `index` and `payload` mean is
/// the business of whoever appends it, but for what `JournalKind` says of what is needed how long.
public struct JournalRecord: Sendable, Equatable {
    /// See `JournalKind`.
    public var kind: UInt8
    /// Whose record it is: each group has one log. Group 0 is the node itself.
    public var group: UInt64
    public var term: UInt64
    public var index: UInt64
    public var payload: [UInt8]

    public init(kind: UInt8, group: UInt64, term: UInt64, index: UInt64, payload: [UInt8]) {
        self.kind = kind
        self.group = group
        self.term = term
        self.index = index
        self.payload = payload
    }

    /// A payload is at most this long. A longer one is a bug of the caller.
    public static let maximumPayloadBytes = 256 << 20
}

extension JournalRecord {
    static func floor(_ sequence: UInt64) -> JournalRecord {
        JournalRecord(kind: JournalKind.floor, group: 0, term: 0, index: sequence, payload: [])
    }

    var isFloor: Bool { kind == JournalKind.floor && group == 0 }
}
