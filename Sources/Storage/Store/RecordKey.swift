/// The key of a record. Its bytes sort like its parts: kind, then numbers, most significant byte first.
///
///     about     = 0 ‖ 0 ‖ 0:4                            what the store is; one record
///     marker    = 0 ‖ 1 ‖ shard:4                        something that has begun and must be finished
///     head      = 1 ‖ shard:4
///     object    = 2 ‖ object:8 ‖ fingerprint:8
///     expiry    = 3 ‖ expiresAtMs:8 ‖ object:8 ‖ fingerprint:8
struct RecordKey: Hashable, Comparable, Sendable {
    enum Kind: UInt8, Sendable {
        case internals = 0
        case head = 1
        case object = 2
        case expiry = 3
    }

    let kind: Kind
    let first: UInt64
    let second: UInt64
    let third: UInt64

    static let maximumBytes = 25

    private init(_ kind: Kind, _ first: UInt64, _ second: UInt64 = 0, _ third: UInt64 = 0) {
        self.kind = kind
        self.first = first
        self.second = second
        self.third = third
    }

    static let about = RecordKey(.internals, 0, 0)
    /// None is below it.
    static let first = about
    static func marker(_ shard: UInt32) -> RecordKey { RecordKey(.internals, 1, UInt64(shard)) }
    static func head(_ shard: UInt32) -> RecordKey { RecordKey(.head, UInt64(shard)) }
    static func object(_ key: StoreKey) -> RecordKey { RecordKey(.object, key.object, key.fingerprint) }
    static func expiry(_ expiry: StoreExpiry) -> RecordKey {
        RecordKey(.expiry, expiry.expiresAtMs, expiry.key.object, expiry.key.fingerprint)
    }

    static let markers = marker(0)...marker(.max)
    static let heads = head(0)...head(.max)
    static let expiries = RecordKey(.expiry, 0)...RecordKey(.expiry, .max, .max, .max)
    static func objects(in range: StoredRange) -> ClosedRange<RecordKey> {
        RecordKey(.object, range.start, 0)...RecordKey(.object, range.end, .max)
    }

    /// The least key above this one; nil if there is none of its kind.
    var next: RecordKey? {
        switch kind {
        case .internals: second < UInt64(UInt32.max) ? RecordKey(kind, first, second + 1) : nil
        case .head: first < UInt64(UInt32.max) ? RecordKey(kind, first + 1) : nil
        case .object:
            if second < .max { RecordKey(kind, first, second + 1) } else if first < .max {
                RecordKey(kind, first + 1)
            } else { nil }
        case .expiry:
            if third < .max { RecordKey(kind, first, second, third + 1) } else if second < .max {
                RecordKey(kind, first, second + 1)
            } else if first < .max { RecordKey(kind, first + 1) } else { nil }
        }
    }

    /// Only for keys of objects and expiries.
    var storeKey: StoreKey {
        kind == .expiry
            ? StoreKey(object: second, fingerprint: third) : StoreKey(object: first, fingerprint: second)
    }

    /// Only for keys of expiries.
    var expiry: StoreExpiry { StoreExpiry(expiresAtMs: first, key: storeKey) }

    /// Only for keys of heads and markers.
    var shard: UInt32 { UInt32(truncatingIfNeeded: kind == .head ? first : second) }

    static func < (left: RecordKey, right: RecordKey) -> Bool {
        if left.kind != right.kind { return left.kind.rawValue < right.kind.rawValue }
        return (left.first, left.second, left.third) < (right.first, right.second, right.third)
    }

    // MARK: Bytes

    /// Writes the key to the start of `target`, which has room for `maximumBytes`; answers its length.
    func write(to target: UnsafeMutableRawBufferPointer) -> Int {
        target[0] = kind.rawValue
        switch kind {
        case .internals:
            target[1] = UInt8(truncatingIfNeeded: first)
            target.storeBytes(of: UInt32(truncatingIfNeeded: second).bigEndian, toByteOffset: 2, as: UInt32.self)
            return 6
        case .head:
            target.storeBytes(of: UInt32(truncatingIfNeeded: first).bigEndian, toByteOffset: 1, as: UInt32.self)
            return 5
        case .object:
            target.storeBytes(of: first.bigEndian, toByteOffset: 1, as: UInt64.self)
            target.storeBytes(of: second.bigEndian, toByteOffset: 9, as: UInt64.self)
            return 17
        case .expiry:
            target.storeBytes(of: first.bigEndian, toByteOffset: 1, as: UInt64.self)
            target.storeBytes(of: second.bigEndian, toByteOffset: 9, as: UInt64.self)
            target.storeBytes(of: third.bigEndian, toByteOffset: 17, as: UInt64.self)
            return 25
        }
    }

    /// Nil if the bytes are no key.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard let code = bytes.first, let kind = Kind(rawValue: code) else { return nil }
        switch (kind, bytes.count) {
        case (.internals, 6) where bytes[1] <= 1: self.init(kind, UInt64(bytes[1]), Self.short(bytes, 2))
        case (.head, 5): self.init(kind, Self.short(bytes, 1))
        case (.object, 17): self.init(kind, Self.long(bytes, 1), Self.long(bytes, 9))
        case (.expiry, 25): self.init(kind, Self.long(bytes, 1), Self.long(bytes, 9), Self.long(bytes, 17))
        default: return nil
        }
    }

    private static func short(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
    }

    private static func long(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt64 {
        UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    var checksum: UInt32 {
        withUnsafeTemporaryAllocation(byteCount: Self.maximumBytes, alignment: 8) { bytes in
            Checksum.of(UnsafeRawBufferPointer(bytes)[..<write(to: bytes)])
        }
    }
}

extension RecordKey: CustomStringConvertible {
    var description: String {
        switch kind {
        case .internals: first == 0 ? "the record about the store" : "the marker of shard \(second)"
        case .head: "the head of shard \(first)"
        case .object: "object \(String(first, radix: 16))/\(String(second, radix: 16))"
        case .expiry: "expiry \(first) of object \(String(second, radix: 16))/\(String(third, radix: 16))"
        }
    }
}
