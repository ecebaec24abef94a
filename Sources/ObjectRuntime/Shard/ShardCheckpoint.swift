/// The committed state of a shard at one entry, on its way into the store: what has changed since the checkpoint
/// before, and everything but the objects whole.
///
/// Taking it copies nothing but references; `head` and `changes` do the work, and may be called on any thread.
public struct ShardCheckpoint: Sendable {
    let contents: ShardHead
    let captures: [ObjectTable.Capture]
    /// About how many bytes it will write.
    public let byteEstimate: Int

    init(_ contents: ShardHead, _ captures: [ObjectTable.Capture]) {
        self.contents = contents
        self.captures = captures
        byteEstimate = captures.reduce(512 + contents.window.clientBytes) {
            $0 + $1.state.byteCount + $1.state.items.count * 24 + $1.id.canonical.count + 32
        }
    }

    /// The newest entry that it contains, and that entry's epoch.
    public var index: UInt64 { contents.index }
    public var epoch: UInt64 { contents.epoch }
    public var range: ClosedRange<UInt64> { contents.bounds.range }
    /// As counted in memory; see `ShardState.settleTally`.
    public var tally: Tally { contents.tally }
    public var objectsChanged: Int { captures.count }

    /// What `ShardState.init(head:source:)` begins from.
    public func head() -> [UInt8] { contents.encode() }

    /// In order of key.
    public func changes() -> [StoredChange] {
        captures.map { capture in
            let key = StoreKey(capture.id)
            if capture.state.isEmpty { return .remove(key) }
            let bytes = StoredObject(id: capture.id, state: capture.state).encode()
            return .put(key, expiresAtMs: capture.state.earliestExpiryMs, bytes)
        }
        .sorted { $0.key < $1.key }
    }
}
