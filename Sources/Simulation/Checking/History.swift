/// What a client observed, written down as it happened: the checkers know nothing else.
///
/// Everything is `Codable`, so that a run against real processes can write one operation a line and
/// check the file later with the same code.
public struct History: Sendable {
    public private(set) var operations: [RecordedOperation] = []

    public init() {}

    public init(_ operations: [RecordedOperation]) {
        self.operations = operations
    }

    /// Writes down a call before its answer is known; `complete` adds the answer.
    public mutating func begin(
        process: Int, object: String, item: String, call: Call, atNs: UInt64
    ) -> OperationNumber {
        operations.append(
            RecordedOperation(process: process, object: object, item: item, call: call, invokedNs: atNs))
        return OperationNumber(rawValue: operations.count - 1)
    }

    public mutating func complete(_ number: OperationNumber, _ outcome: Outcome, atNs: UInt64) {
        let position = number.rawValue
        precondition(operations[position].returnedNs == nil, "an operation has one answer")
        operations[position].outcome = outcome
        operations[position].returnedNs = outcome == .unknown ? nil : atNs
    }
}

/// Names an operation of a history.
public struct OperationNumber: Hashable, Sendable {
    public let rawValue: Int
}

/// One operation of one client on one item.
public struct RecordedOperation: Sendable, Equatable, Codable {
    public var process: Int
    public var object: String
    public var item: String
    public var call: Call
    public var invokedNs: UInt64
    /// `nil` while no answer has come: the operation may take effect at any later time, or never.
    public var returnedNs: UInt64?
    public var outcome: Outcome

    public init(
        process: Int, object: String, item: String, call: Call, invokedNs: UInt64,
        returnedNs: UInt64? = nil, outcome: Outcome = .unknown
    ) {
        self.process = process
        self.object = object
        self.item = item
        self.call = call
        self.invokedNs = invokedNs
        self.returnedNs = returnedNs
        self.outcome = outcome
    }
}

/// What was asked. Every written or pushed number is unique within its item: that is what lets the
/// checker tell one write from another.
public enum Call: Sendable, Hashable, Codable {
    case read
    case set(UInt64)
    /// Succeeds only while the item's `updatedAt` is the one given.
    case compareAndSet(expectedVersion: UInt64, value: UInt64)
    /// Succeeds only while the item holds the value given; `nil` means absent.
    case compareAndSwap(expected: UInt64?, value: UInt64)
    case increment(by: Int64)
    case push(UInt64)
    case remove
}

/// What came back.
public enum Outcome: Sendable, Hashable, Codable {
    /// Took effect (or was read). `version` is the item's `updatedAt`; 0 where none was told.
    case answered(Observation, version: UInt64)
    /// The condition of a compare-and-set did not hold.
    case conflict
    /// Certainly without effect, now and later.
    case refused
    case unknown
}

/// An item as an answer showed it. After a write: the new value.
public enum Observation: Sendable, Hashable, Codable {
    case absent
    case number(Int64)
    case value(UInt64)
    case list([UInt64])
    /// The answer told nothing about the value.
    case nothing
}
