import Binary

/// Where a stored object lies: its key, and a second hash of its id, so that ids of any length fit.
public struct StoreKey: Hashable, Comparable, Sendable {
    /// `ObjectKey.rawValue`: the place in the key space.
    public var object: UInt64
    public var fingerprint: UInt64

    public init(object: UInt64, fingerprint: UInt64) {
        self.object = object
        self.fingerprint = fingerprint
    }

    /// Fixed for ever: stored objects lie under it. The secret that keeps clients from crowding is in the object's
    /// key already.
    private static let fingerprintKey = SipHash(key0: 0x686f_6c64_6661_7374, key1: 0x6669_6e67_6572_7072)

    public init(_ id: ObjectID) {
        object = id.key.rawValue
        fingerprint = StoreKey.fingerprintKey.hash(id.canonical)
    }

    public static func < (left: StoreKey, right: StoreKey) -> Bool {
        (left.object, left.fingerprint) < (right.object, right.fingerprint)
    }
}

/// Stored bytes could not be read, or are not what was written.
public struct SourceFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// The durable objects of a shard, as a shard's state reads them.
///
/// Synchronous on purpose: a look into a mapped file is shorter than a detour, and a core that waits for nothing
/// stays one sequence of turns. Called on the shard's loop only.
public protocol ObjectSource: AnyObject, Sendable {
    /// Bytes of the object as of the newest checkpoint that has been confirmed; nil if there is none.
    func load(_ key: StoreKey) throws(SourceFailure) -> [UInt8]?
    /// Keys of stored objects in order, after `after` (exclusive, nil = from the start of the range), at most `limit`.
    func keys(in range: ClosedRange<UInt64>, after: StoreKey?, limit: Int) throws(SourceFailure) -> [StoreKey]
}

/// What a checkpoint does to one stored object.
public enum StoredChange: Sendable, Equatable {
    /// `expiresAtMs` is the earliest expiry of its items, `.max` if none expires.
    case put(StoreKey, expiresAtMs: UInt64, [UInt8])
    /// The record may be gone already.
    case remove(StoreKey)

    public var key: StoreKey {
        switch self {
        case .put(let key, _, _), .remove(let key): key
        }
    }
}
