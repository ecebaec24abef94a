/// The number of one leadership. In a shard's log it is the shard's epoch.
public struct Term: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static let zero = Term(0)

    /// The term after this one. The last term stays what it is: a forged term must not trap.
    @inlinable
    public var next: Term { Term(rawValue == .max ? .max : rawValue + 1) }

    @inlinable
    public static func < (left: Term, right: Term) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}

/// A position in a log. The first entry has index 1; index 0 is the empty beginning.
public struct LogIndex: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    public static let zero = LogIndex(0)

    @inlinable
    public var next: LogIndex { self + 1 }

    /// The index before this one; of zero, zero.
    @inlinable
    public var previous: LogIndex { LogIndex(rawValue == 0 ? 0 : rawValue - 1) }

    @inlinable
    public static func < (left: LogIndex, right: LogIndex) -> Bool { left.rawValue < right.rawValue }

    /// Saturates: indexes from peers are input, and input never traps.
    @inlinable
    public static func + (left: LogIndex, right: Int) -> LogIndex {
        let (sum, overflows) = left.rawValue.addingReportingOverflow(UInt64(right))
        return LogIndex(overflows ? .max : sum)
    }

    /// How many indexes `left` lies above `right`. `left` must not lie below.
    @inlinable
    public static func - (left: LogIndex, right: LogIndex) -> Int { Int(left.rawValue - right.rawValue) }

    public var description: String { String(rawValue) }
}

/// The identity of one replica: the random number of a data directory. A wiped disk is another one.
public struct NodeID: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
    public var rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public init(_ rawValue: UInt64) { self.rawValue = rawValue }

    @inlinable
    public static func < (left: NodeID, right: NodeID) -> Bool { left.rawValue < right.rawValue }

    public var description: String { String(rawValue) }
}

/// The term and index of an entry. Over the life of a group it names at most one entry (log matching).
/// Positions of last entries are ordered by term first: the higher one is the log that forgets nothing.
public struct Position: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var term: Term
    public var index: LogIndex

    @inlinable
    public init(term: Term, index: LogIndex) {
        self.term = term
        self.index = index
    }

    public static let zero = Position(term: .zero, index: .zero)

    @inlinable
    public static func < (left: Position, right: Position) -> Bool {
        left.term == right.term ? left.index < right.index : left.term < right.term
    }

    public var description: String { "\(index)@\(term)" }
}
