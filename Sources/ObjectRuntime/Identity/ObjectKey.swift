/// An object's place in the key space: a keyed 64-bit hash of its canonical id. Shards are ranges
/// of these. Two objects may share a key; the full id is always compared too.
public struct ObjectKey: RawRepresentable, Hashable, Comparable, Sendable {
    public let rawValue: UInt64

    @inlinable
    public init(rawValue: UInt64) {
        self.rawValue = rawValue
    }

    @inlinable
    public static func < (left: ObjectKey, right: ObjectKey) -> Bool { left.rawValue < right.rawValue }
}
