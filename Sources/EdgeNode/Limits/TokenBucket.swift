/// A rate with a burst: so many tokens come each second, and at most one second's worth waits (a virtual scheduling
/// algorithm as in ITU-T I.371). Of a clock that does not go back.
struct TokenBucket: Equatable {
    private static let secondNs: UInt64 = 1_000_000_000

    /// Tokens are there since this moment: a second ago or longer, and the bucket is full; in the future, and that
    /// much is owed.
    private var sinceNs: UInt64 = 0

    /// Takes a token; else answers in how many nanoseconds there will be one. `perSecond` is above zero.
    mutating func take(perSecond: UInt64, nowNs: UInt64) -> UInt64? {
        let tokenNs = Self.tokenNs(perSecond)
        let next = begin(tokenNs, nowNs) + tokenNs
        guard next <= nowNs else { return next - nowNs }
        sinceNs = next
        return nil
    }

    /// Takes so many whether they are there or not: what a thing costs is known when it has been let in. No more
    /// is owed than what comes in a second.
    mutating func charge(_ tokens: UInt64, perSecond: UInt64, nowNs: UInt64) {
        let tokenNs = Self.tokenNs(perSecond)
        sinceNs = begin(tokenNs, nowNs) + min(tokens, 2 * perSecond) * tokenNs
        sinceNs = begin(tokenNs, nowNs)
    }

    /// As good as a new one.
    func isFull(nowNs: UInt64) -> Bool { nowNs >= Self.secondNs && sinceNs <= nowNs - Self.secondNs }

    private static func tokenNs(_ perSecond: UInt64) -> UInt64 { max(1, secondNs / perSecond) }

    private func begin(_ tokenNs: UInt64, _ nowNs: UInt64) -> UInt64 {
        let fullNs = nowNs > Self.secondNs ? nowNs - Self.secondNs : 0
        return min(max(sinceNs, fullNs), nowNs + Self.secondNs - tokenNs)
    }
}
