/// One record of the journal. Storage keeps it and hands it back; what `kind`, `group`, `term` and
/// `index` mean is the business of whoever appends it.
public struct JournalRecord: Sendable, Equatable {
    public var kind: UInt8
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
