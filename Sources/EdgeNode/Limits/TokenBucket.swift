/// A rate with a burst: so many tokens come each second, and at most one second's worth waits (a virtual scheduling
/// algorithm as in ITU-T I.371). Of a clock that does not go back.
struct TokenBucket: Equatable {
    private static let secondNs: UInt64 = 1_000_000_000

    /// Tokens are there since this moment: a second ago or longer, and the bucket is full.
    private var sinceNs: UInt64 = 0

    /// Takes a token; else answers in how many nanoseconds there will be one. `perSecond` is above zero.
    mutating func take(perSecond: UInt64, nowNs: UInt64) -> UInt64? {
        let tokenNs = max(1, Self.secondNs / perSecond)
        let fullNs = nowNs > Self.secondNs ? nowNs - Self.secondNs : 0
        let next = min(max(sinceNs, fullNs), nowNs) + tokenNs
        guard next <= nowNs else { return next - nowNs }
        sinceNs = next
        return nil
    }

    /// As good as a new one.
    func isFull(nowNs: UInt64) -> Bool { nowNs >= Self.secondNs && sinceNs <= nowNs - Self.secondNs }
}
