import Binary

/// A snapshot on its way to one replica: chunks within a window, from the last offset known to be there.
struct OutgoingTransfer: Sendable {
    let contentHash: UInt64
    let snapshot: Snapshot
    let isPulled: Bool
    private(set) var acknowledged: UInt64 = 0
    private var sent: UInt64 = 0
    private var hasSentAny = false

    init(of snapshot: Snapshot, contentHash: UInt64, isPulled: Bool) {
        self.contentHash = contentHash
        self.snapshot = snapshot
        self.isPulled = isPulled
    }

    private var total: UInt64 { UInt64(snapshot.data.count) }

    /// An empty snapshot still takes one chunk.
    private var hasRest: Bool { sent < total || !hasSentAny }

    func canSend(_ settings: ReplicaSettings) -> Bool {
        hasRest && sent - acknowledged < UInt64(settings.snapshotWindowBytes)
    }

    mutating func nextChunk(_ settings: ReplicaSettings) -> SnapshotChunk {
        let start = Int(sent)
        let end = min(start + settings.snapshotChunkBytes, snapshot.data.count)
        hasSentAny = true
        sent = UInt64(end)
        return SnapshotChunk(
            contentHash: contentHash, position: snapshot.position, configuration: snapshot.configuration,
            offset: UInt64(start), totalBytes: total, data: Array(snapshot.data[start..<end]),
            isPulled: isPulled)
    }

    /// The receiver has everything below `offset`; less than before if it has restarted. False if it
    /// cannot be.
    mutating func progressed(to offset: UInt64) -> Bool {
        guard offset <= total else { return false }
        acknowledged = offset
        sent = max(sent, acknowledged)
        return true
    }

    /// What was not acknowledged is sent again.
    mutating func rewind() {
        sent = acknowledged
        hasSentAny = false
    }
}

/// A snapshot being received. It is nothing until it is whole.
struct IncomingSnapshot: Sendable {
    /// Chunks are of the same snapshot only if all of this is the same. The content's hash is part of it:
    /// two snapshots of one index need not be equal byte for byte, and a sender may restart in between.
    struct Identity: Sendable, Equatable {
        var contentHash: UInt64
        var position: Position
        var totalBytes: UInt64
    }

    let identity: Identity
    /// The term in which it was begun.
    let term: Term
    private let configuration: Configuration
    private var data: [UInt8] = []

    init(of chunk: SnapshotChunk, term: Term) {
        identity = chunk.identity
        self.term = term
        configuration = chunk.configuration
    }

    var offset: UInt64 { UInt64(data.count) }

    var isWhole: Bool { offset == identity.totalBytes }

    /// What arrived is what was sent.
    var isIntact: Bool { SnapshotChunk.hash(data) == identity.contentHash }

    /// Whether `chunk` begins something newer; a late chunk of an older snapshot does not.
    func isSuperseded(by chunk: SnapshotChunk, term newTerm: Term) -> Bool {
        chunk.identity != identity && (newTerm > term || chunk.position >= identity.position)
    }

    /// Takes a chunk that continues what is here; others are left to be sent again.
    mutating func add(_ chunk: SnapshotChunk) {
        guard chunk.identity == identity, chunk.offset == offset else { return }
        guard UInt64(chunk.data.count) <= identity.totalBytes - offset else { return }
        data.append(contentsOf: chunk.data)
    }

    var snapshot: Snapshot {
        Snapshot(
            index: identity.position.index, term: identity.position.term, configuration: configuration,
            data: data)
    }
}

extension SnapshotChunk {
    var identity: IncomingSnapshot.Identity {
        IncomingSnapshot.Identity(contentHash: contentHash, position: position, totalBytes: totalBytes)
    }

    /// No secret: it tells one content from another, it does not protect against forgery.
    static func hash(_ data: [UInt8]) -> UInt64 { SipHash(key0: 0, key1: 0).hash(data) }
}
