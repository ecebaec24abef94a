import ObjectRuntime
import Placement

/// One client's operation, from its arrival at the edge until its answer leaves.
final class PendingOperation {
    let token: RequestToken
    /// The edge's counter: with the stream, the operation's id (O10).
    let counter: UInt64
    /// Of the object, as the table has it: a split or merge changes it.
    var shard: ShardID
    let object: ObjectID
    let operation: Operation
    let id: OperationID?
    let project: String
    let minimumIndex: UInt64
    let byteCount: Int
    let deadlineMs: UInt64
    /// The shard's commit index as the edge knew it before the first try (O10).
    let knownIndex: UInt64
    /// How long it may have waited before anybody read it.
    let unreadMs: UInt64

    /// Sends that may still be executed or may have been: neither answered nor refused (O11).
    private(set) var openSends: [UInt64] = []
    private(set) var wasSent = false
    private(set) var lastSentMs: UInt64 = 0
    var isDone = false
    /// Held within the bounds of the edge (`HeldBudget`).
    let isCounted: Bool
    /// Waits for the table to name a ready owner.
    var isHeld = true

    init(
        token: RequestToken, counter: UInt64, shard: ShardID, object: ObjectID, operation: Operation,
        id: OperationID?, project: String, minimumIndex: UInt64, byteCount: Int, deadlineMs: UInt64,
        knownIndex: UInt64, unreadMs: UInt64, isCounted: Bool
    ) {
        self.token = token
        self.counter = counter
        self.shard = shard
        self.object = object
        self.operation = operation
        self.id = id
        self.project = project
        self.minimumIndex = minimumIndex
        self.byteCount = byteCount
        self.deadlineMs = deadlineMs
        self.knownIndex = knownIndex
        self.unreadMs = unreadMs
        self.isCounted = isCounted
    }

    /// Certainly without effect: never sent, or every send was refused (O11).
    var isCertainlyNotApplied: Bool { !operation.hasEffect || openSends.isEmpty }

    func sent(_ sequence: UInt64, nowMs: UInt64) {
        openSends.append(sequence)
        lastSequence = sequence
        wasSent = true
        isHeld = false
        lastSentMs = nowMs
    }

    func refused(_ sequence: UInt64) {
        openSends.removeAll { $0 == sequence }
    }

    /// An owner found at this send that no earlier one had changed anything; it takes none of them any
    /// more, and owners of lower epochs are sealed (O2, O11).
    func settledUnchanged(through sequence: UInt64) {
        openSends.removeAll { $0 <= sequence }
    }

    /// The newest send. A refusal of an earlier one says nothing of it.
    private(set) var lastSequence: UInt64 = 0
}
