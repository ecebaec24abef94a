/// A fingerprint of everything that happened, in order (FNV-1a over 64-bit words, stirred).
/// Two runs with the same fingerprint took the same way.
public struct TraceHash: Sendable, Equatable, CustomStringConvertible {
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    public init() {}

    mutating func mix(_ word: UInt64) {
        state = (state ^ word) &* 0x0000_0100_0000_01B3
        state ^= state >> 29
    }

    mutating func mix(_ words: UInt64...) {
        for word in words { mix(word) }
    }

    public var value: UInt64 { state }

    init(value: UInt64) { state = value }

    public var description: String {
        let digits = String(state, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
