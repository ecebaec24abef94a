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

    private var total: UInt64 { snapshot.totalBytes }

    /// An empty snapshot still takes one chunk.
    private var hasRest: Bool { sent < total || !hasSentAny }

    func canSend(_ settings: ReplicaSettings) -> Bool {
        hasRest && sent - acknowledged < UInt64(settings.snapshotWindowBytes)
    }

    /// The size of the next chunk; 0 when everything was sent and only a sign of life is due.
    func nextByteCount(_ settings: ReplicaSettings) -> Int {
        Int(min(UInt64(settings.snapshotChunkBytes), total - sent))
    }

    /// The bytes of a file are left for the driver to fill in.
    mutating func nextChunk(_ settings: ReplicaSettings) -> SnapshotChunk {
        let (start, count) = (sent, nextByteCount(settings))
        hasSentAny = true
        sent += UInt64(count)
        let isExternal = snapshot.externalHash != nil
        return SnapshotChunk(
            contentHash: contentHash, position: snapshot.position, configuration: snapshot.configuration,
            offset: start, totalBytes: total, byteCount: count,
            data: isExternal ? [] : Array(snapshot.data[Int(start)..<Int(sent)]), isPulled: isPulled,
            isExternal: isExternal)
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

extension SnapshotChunk {
    /// No secret: it tells one content from another, it does not protect against forgery.
    static func hash(_ data: [UInt8]) -> UInt64 { SipHash(key0: 0, key1: 0).hash(data) }
}
