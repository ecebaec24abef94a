import Binary

/// What a snapshot is of: the shard's head as it was. Object count and digest are those of its objects.
public struct SnapshotManifest: Equatable, Sendable {
    public var head: StoredHead

    public init(head: StoredHead) {
        self.head = head
    }

    public var shard: UInt32 { head.shard }
    public var range: StoredRange { head.range }
    public var index: UInt64 { head.index }
    public var term: UInt64 { head.term }
    public var tally: StoreTally { head.tally }
    public var payload: [UInt8] { head.payload }

    func encode() -> [UInt8] { RecordFormat.encode(head) }

    /// The shard stands at its place in the value, and the checksum covers it.
    init?(decoding bytes: [UInt8]) {
        guard bytes.count >= 9 else { return nil }
        var reader = ByteReader(bytes, range: 5..<9)
        guard let shard = try? reader.readUInt32(), let head = try? RecordFormat.head(.head(shard), bytes) else {
            return nil
        }
        self.head = head
    }
}

/// A snapshot whose every byte has been compared with its hash: only such a one is installed.
public struct VerifiedSnapshot: Equatable, Sendable {
    public let path: String
    public let byteCount: UInt64
    public let hash: UInt64
    public let manifest: SnapshotManifest

    init(path: String, byteCount: UInt64, hash: UInt64, manifest: SnapshotManifest) {
        self.path = path
        self.byteCount = byteCount
        self.hash = hash
        self.manifest = manifest
    }

    /// The last part of the path.
    public var name: String { path.split(separator: "/").last.map(String.init) ?? path }
}
