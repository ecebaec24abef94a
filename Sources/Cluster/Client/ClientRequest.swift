import ObjectRuntime

/// One operation of a client on one object, as the edge hands it to its loop.
///
/// Credentials have been checked and the body parsed; the object's key is computed by the loop,
/// because the hash key belongs to the cluster.
public struct ClientRequest: Sendable {
    public var project: String
    public var objectClass: String
    public var objectID: String
    public var operation: Operation
    /// The client's `Idempotency-Key`, if it sent one (O10).
    public var idempotency: IdempotencyKey?
    /// `Holdfast-Min-Index`: a read waits until the object's shard has reached this index.
    public var minimumIndex: UInt64?

    public init(
        project: String, objectClass: String, objectID: String, operation: Operation,
        idempotency: IdempotencyKey? = nil, minimumIndex: UInt64? = nil
    ) {
        self.project = project
        self.objectClass = objectClass
        self.objectID = objectID
        self.operation = operation
        self.idempotency = idempotency
        self.minimumIndex = minimumIndex
    }
}

/// The client's own name for an operation, scoped by project, API key and object.
public struct IdempotencyKey: Sendable, Hashable {
    public var apiKey: String
    public var key: String
    /// Hash of method, path and body: the same key with another request is refused (422).
    public var requestHash: UInt64

    public init(apiKey: String, key: String, requestHash: UInt64) {
        self.apiKey = apiKey
        self.key = key
        self.requestHash = requestHash
    }
}

/// What the client gets.
public struct ClientAnswer: Sendable {
    public var reply: Reply
    /// Whether the operation took effect. Never `no` for one that may still take effect.
    public var applied: Applied
    public var epoch: UInt64
    public var index: UInt64
    /// Name of the node that answered as owner; empty when no owner was reached.
    public var owner: String
    /// This is the first answer to the same `Idempotency-Key`, given again.
    public var replayed: Bool
    public var retryAfterMs: UInt64?

    public init(
        reply: Reply, applied: Applied, epoch: UInt64 = 0, index: UInt64 = 0, owner: String = "",
        replayed: Bool = false, retryAfterMs: UInt64? = nil
    ) {
        self.reply = reply
        self.applied = applied
        self.epoch = epoch
        self.index = index
        self.owner = owner
        self.replayed = replayed
        self.retryAfterMs = retryAfterMs
    }
}
