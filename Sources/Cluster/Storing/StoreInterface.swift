import Binary
import ObjectRuntime
import Placement
import Raft

/// Names something that a loop asked the node's store to do. Each is answered once.
public struct StoreJob: Hashable, Sendable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }
}

/// Where a stored state stands in its shard's log, and who keeps that log there.
public struct StoredBase: Sendable, Equatable {
    public var position: Position
    public var configuration: Configuration

    public init(position: Position, configuration: Configuration) {
        self.position = position
        self.configuration = configuration
    }
}

/// One shard's state as the store is to keep it. `changes` and `payload` are for the store's thread: they
/// encode what was captured.
public struct StoredWrite: Sendable {
    public let shard: ShardID
    public let base: StoredBase
    public let checkpoint: ShardCheckpoint
    /// The shards that were merged into this one, in the transaction that does it (O13).
    var parents: [ShardID] = []

    init(shard: ShardID, base: StoredBase, checkpoint: ShardCheckpoint, parents: [ShardID] = []) {
        self.shard = shard
        self.base = base
        self.checkpoint = checkpoint
        self.parents = parents
    }

    public var range: ClosedRange<UInt64> { checkpoint.range }

    public func changes() -> [StoredChange] { checkpoint.changes() }

    public func payload() -> [UInt8] {
        ReplicaHead(configuration: base.configuration, parents: parents, state: checkpoint.head()).encode()
    }
}

/// What a loop asks of the node's store. Requests about one shard are carried out in order.
public enum StoreRequest: Sendable {
    /// One transaction; `done` when it is durable.
    case write(StoreJob, StoredWrite)
    /// The same, and then all that is stored of the shard is looked at, as of that write: `scrubbed`.
    case scrub(StoreJob, StoredWrite, id: UInt64)
    /// The same, and the objects in the children's ranges belong to them: nothing is copied (O13).
    case split(StoreJob, parent: StoredWrite, children: [StoredWrite])
    /// Two stored shards become one that begins at this base (O13).
    case merge(StoreJob, left: ShardID, right: ShardID, into: StoredWrite)
    /// The shard's state and its objects leave the disk; what a crash leaves of it is never served.
    case erase(StoreJob, ShardID, ClosedRange<UInt64>)
    /// A file of the stored state: `madeSnapshot`.
    case makeSnapshot(StoreJob, ShardID)
    /// The message is a chunk without its bytes: `readSnapshot` brings them, or `lostSnapshot` says that they are gone.
    case readSnapshot(ShardID, Message)
    case releaseSnapshots(ShardID)
    /// Bytes of a snapshot that is being received.
    case stage(ShardID, SnapshotPart)
    /// All parts are there: `staged` says whether they are what was sent, and of which keys; durable.
    case finishStaging(StoreJob, ShardID, contentHash: UInt64)
    case dropStaged(ShardID, contentHash: UInt64)
    /// The staged snapshot takes the place of what the store has in this range: `installed`.
    case install(StoreJob, ShardID, contentHash: UInt64)
    /// Objects with items whose time is over: `due`.
    case findDue(StoreJob, beforeMs: UInt64, after: ExpiryCursor?, limit: Int)
}

/// How far a look through the expiry index has come.
public struct ExpiryCursor: Sendable, Equatable {
    public var expiresAtMs: UInt64
    public var key: StoreKey

    public init(expiresAtMs: UInt64, key: StoreKey) {
        self.expiresAtMs = expiresAtMs
        self.key = key
    }
}

/// A snapshot that the store has made.
public struct SnapshotOffer: Sendable, Equatable {
    public var position: Position
    public var payload: [UInt8]
    public var totalBytes: UInt64
    public var contentHash: UInt64

    public init(position: Position, payload: [UInt8], totalBytes: UInt64, contentHash: UInt64) {
        self.position = position
        self.payload = payload
        self.totalBytes = totalBytes
        self.contentHash = contentHash
    }
}

public enum StoreResult: Sendable {
    case done(StoreJob)
    /// Nothing has changed; for want of space it may be tried again.
    case failed(StoreJob)
    case madeSnapshot(StoreJob, SnapshotOffer)
    case readSnapshot(ShardID, Message)
    /// The file that was to be read is gone, or damaged.
    case lostSnapshot(ShardID, contentHash: UInt64)
    /// What lies below is in the file; nil if a part could not be written.
    case stagedPart(ShardID, contentHash: UInt64, through: UInt64?)
    /// The keys of what was received; nil if it is not what was sent.
    case staged(StoreJob, ClosedRange<UInt64>?)
    case installed(StoreJob, StoredReplica)
    case due(StoreJob, [ExpiryCursor])
    case scrubbed(ScrubReport)
    /// Something of this shard cannot be read back as it was written (O9).
    case damaged(ShardID, String)
}

/// A shard's state as the store has it: found at the start, or after an installation.
public struct StoredReplica: Sendable {
    public var shard: ShardID
    public var position: Position
    public var range: ClosedRange<UInt64>
    public var objectCount: UInt64
    public var payload: [UInt8]

    public init(
        shard: ShardID, position: Position, range: ClosedRange<UInt64>, objectCount: UInt64, payload: [UInt8]
    ) {
        self.shard = shard
        self.position = position
        self.range = range
        self.objectCount = objectCount
        self.payload = payload
    }
}

/// What the store keeps of a replica beside its objects: the log's configuration at that index, and the
/// state's own head.
struct ReplicaHead: Equatable {
    var configuration: Configuration
    /// Their logs in the journal are over, should a crash have come before that was written there.
    var parents: [ShardID]
    var state: [UInt8]

    private static let version: UInt8 = 1

    init(configuration: Configuration, parents: [ShardID] = [], state: [UInt8]) {
        self.configuration = configuration
        self.parents = parents
        self.state = state
    }

    init(decoding payload: [UInt8]) throws(DecodingFailure) {
        var reader = ByteReader(payload)
        guard try reader.readUInt8() == Self.version else {
            throw DecodingFailure("a stored shard is of an unknown version")
        }
        configuration = try Configuration(from: &reader)
        parents = try reader.readArray(limit: 2) { (reader) throws(DecodingFailure) in
            ShardID(rawValue: try reader.readUInt32())
        }
        state = try reader.readRaw(reader.remaining)
    }

    func encode() -> [UInt8] {
        var writer = ByteWriter(reserving: state.count + 64)
        writer.write(Self.version)
        configuration.encode(into: &writer)
        writer.writeArray(parents) { $0.write($1.rawValue) }
        writer.writeRaw(state)
        return writer.bytes
    }
}
