/// Where an object stands in the store: by the hash that places it, then by a second one, so that names of
/// any length fit. The full id is part of the object's bytes, and the caller compares it.
public struct StoreKey: Hashable, Comparable, Sendable {
    public var object: UInt64
    public var fingerprint: UInt64

    public init(object: UInt64, fingerprint: UInt64) {
        self.object = object
        self.fingerprint = fingerprint
    }

    public static func < (left: StoreKey, right: StoreKey) -> Bool {
        (left.object, left.fingerprint) < (right.object, right.fingerprint)
    }
}

/// A part of the key space, both ends included.
public struct StoredRange: Hashable, Sendable, CustomStringConvertible {
    public var start: UInt64
    public var end: UInt64

    public static let all = StoredRange(start: 0, end: .max)

    public init(start: UInt64, end: UInt64) {
        precondition(start <= end, "a range ends where it starts or later")
        self.start = start
        self.end = end
    }

    public func contains(_ object: UInt64) -> Bool { start <= object && object <= end }

    public func overlaps(_ other: StoredRange) -> Bool { start <= other.end && other.start <= end }

    /// This range and the one right behind it as one; nil if another one or none stands there.
    func joined(with next: StoredRange) -> StoredRange? {
        guard end < .max, end + 1 == next.start else { return nil }
        return StoredRange(start: start, end: next.end)
    }

    public var description: String { "\(String(start, radix: 16))–\(String(end, radix: 16))" }
}

/// An object as the store keeps it.
public struct StoredObject: Equatable, Sendable {
    public var key: StoreKey
    /// When its first item expires, in ms; `.max` if none ever does.
    public var expiresAtMs: UInt64
    public var bytes: [UInt8]

    public init(key: StoreKey, expiresAtMs: UInt64 = .max, bytes: [UInt8]) {
        self.key = key
        self.expiresAtMs = expiresAtMs
        self.bytes = bytes
    }
}

/// An object with an item that expires, as the expiry index has it. Ordered by time.
public struct StoreExpiry: Hashable, Comparable, Sendable {
    public var expiresAtMs: UInt64
    public var key: StoreKey

    public init(expiresAtMs: UInt64, key: StoreKey) {
        self.expiresAtMs = expiresAtMs
        self.key = key
    }

    public static func < (left: StoreExpiry, right: StoreExpiry) -> Bool {
        (left.expiresAtMs, left.key) < (right.expiresAtMs, right.key)
    }
}

/// What a shard's state says about itself, as the caller gives it.
public struct HeadContent: Equatable, Sendable {
    /// The last log entry that the state contains, and its term.
    public var index: UInt64
    public var term: UInt64
    /// The keys that belong to the shard.
    public var range: StoredRange
    /// Opaque to the store.
    public var payload: [UInt8]

    public init(index: UInt64, term: UInt64, range: StoredRange, payload: [UInt8]) {
        self.index = index
        self.term = term
        self.range = range
        self.payload = payload
    }
}

/// How many objects a shard has, and the sum of their hashes: equal objects have equal digests, in whatever
/// order they were written.
public struct StoreTally: Equatable, Sendable {
    public var objectCount: UInt64
    public var digest: UInt64

    public static let none = StoreTally(objectCount: 0, digest: 0)

    public init(objectCount: UInt64, digest: UInt64) {
        self.objectCount = objectCount
        self.digest = digest
    }

    mutating func add(hash: UInt64) {
        objectCount &+= 1
        digest &+= hash
    }

    mutating func subtract(hash: UInt64) {
        objectCount &-= 1
        digest &-= hash
    }

    static func + (left: StoreTally, right: StoreTally) -> StoreTally {
        StoreTally(objectCount: left.objectCount &+ right.objectCount, digest: left.digest &+ right.digest)
    }

    static func - (left: StoreTally, right: StoreTally) -> StoreTally {
        StoreTally(objectCount: left.objectCount &- right.objectCount, digest: left.digest &- right.digest)
    }
}

/// A shard's head as it stands in the store.
public struct StoredHead: Equatable, Sendable {
    public var shard: UInt32
    public var content: HeadContent
    public var tally: StoreTally

    public init(shard: UInt32, content: HeadContent, tally: StoreTally) {
        self.shard = shard
        self.content = content
        self.tally = tally
    }

    public var index: UInt64 { content.index }
    public var term: UInt64 { content.term }
    public var range: StoredRange { content.range }
    public var payload: [UInt8] { content.payload }
    public var objectCount: UInt64 { tally.objectCount }
    public var digest: UInt64 { tally.digest }
}
