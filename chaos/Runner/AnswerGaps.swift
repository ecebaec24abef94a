/// How long the clients got no answer at all, and how long one operation took.
struct AnswerGaps {
    private(set) var longestNs: UInt64 = 0
    private(set) var slowestNs: UInt64 = 0
    private(set) var lastNs: UInt64 = 0

    mutating func note(invokedNs: UInt64, atNs now: UInt64) {
        if lastNs > 0 { longestNs = max(longestNs, now - lastNs) }
        slowestNs = max(slowestNs, now - invokedNs)
        lastNs = now
    }

    /// From here on all is measured anew; the gap that lasts now counts from now.
    mutating func restart(atNs now: UInt64) {
        (longestNs, slowestNs, lastNs) = (0, 0, now)
    }
}
