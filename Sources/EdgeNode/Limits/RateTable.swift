/// Buckets by what they are for, a bounded number of them. Full ones are forgotten when room is needed; while there is
/// none, everything new shares one bucket, so that nobody grows the table, or a rate, by inventing names.
struct RateTable {
    enum Subject: Hashable {
        case key(project: String, keyID: String)
        case object(project: String, objectClass: String, id: String)
    }

    static let subjectsMax = 16_384
    private static let sweepEveryNs: UInt64 = 1_000_000_000

    private var buckets: [Subject: TokenBucket] = [:]
    private var shared = TokenBucket()
    private var sweptNs: UInt64 = 0

    var count: Int { buckets.count }

    /// Nanoseconds until the subject may go on; nil if it may now.
    mutating func take(_ subject: Subject, perSecond: UInt64, nowNs: UInt64) -> UInt64? {
        if buckets[subject] != nil || hasRoom(nowNs: nowNs) {
            return buckets[subject, default: TokenBucket()].take(perSecond: perSecond, nowNs: nowNs)
        }
        return shared.take(perSecond: perSecond, nowNs: nowNs)
    }

    /// For what the subject was let in with (`TokenBucket.charge`). Whoever has no place here pays from what is shared.
    mutating func charge(_ subject: Subject, tokens: UInt64, perSecond: UInt64, nowNs: UInt64) {
        if buckets[subject] != nil {
            buckets[subject]?.charge(tokens, perSecond: perSecond, nowNs: nowNs)
        } else {
            shared.charge(tokens, perSecond: perSecond, nowNs: nowNs)
        }
    }

    private mutating func hasRoom(nowNs: UInt64) -> Bool {
        if buckets.count < Self.subjectsMax { return true }
        guard nowNs >= sweptNs + Self.sweepEveryNs else { return false }
        sweptNs = nowNs
        buckets = buckets.filter { !$0.value.isFull(nowNs: nowNs) }
        return buckets.count < Self.subjectsMax
    }
}
