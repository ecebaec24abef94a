/// A snapshot on its way to one replica: chunks within a window, from the last offset known to be there.
struct OutgoingTransfer: Sendable {
    let number: UInt64
    let snapshot: Snapshot
    let isPulled: Bool
    private(set) var acknowledged: UInt64 = 0
    private var sent: UInt64 = 0
    private var hasSentAny = false

    init(number: UInt64, snapshot: Snapshot, isPulled: Bool) {
        self.number = number
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
            transfer: number, position: snapshot.position, configuration: snapshot.configuration,
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
    /// Two transfers are the same only if all of this is: chunks of different makings never mix.
    struct Identity: Sendable, Equatable {
        var sender: NodeID
        var term: Term
        var incarnation: UInt64
        var transfer: UInt64
        var position: Position
        var totalBytes: UInt64
    }

    let identity: Identity
    private let configuration: Configuration
    private var data: [UInt8] = []

    init(identity: Identity, configuration: Configuration) {
        self.identity = identity
        self.configuration = configuration
    }

    var offset: UInt64 { UInt64(data.count) }

    var isWhole: Bool { offset == identity.totalBytes }

    /// Takes a chunk that continues what is here; others are left to be sent again.
    mutating func add(_ chunk: SnapshotChunk) {
        guard chunk.offset == offset else { return }
        let room = identity.totalBytes - offset
        guard UInt64(chunk.data.count) <= room else { return }
        data.append(contentsOf: chunk.data)
    }

    var snapshot: Snapshot {
        Snapshot(
            index: identity.position.index, term: identity.position.term, configuration: configuration,
            data: data)
    }
}
