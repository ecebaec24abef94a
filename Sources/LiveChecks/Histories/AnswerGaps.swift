/// How long the clients got no answer at all, and how long one operation took.
public struct AnswerGaps: Sendable {
    public private(set) var longestNs: UInt64 = 0
    public private(set) var slowestNs: UInt64 = 0
    public private(set) var lastNs: UInt64 = 0

    public init() {}

    public mutating func note(invokedNs: UInt64, atNs now: UInt64) {
        if lastNs > 0 { longestNs = max(longestNs, now - lastNs) }
        slowestNs = max(slowestNs, now - invokedNs)
        lastNs = now
    }

    /// From here on all is measured anew; the gap that lasts now counts from now.
    public mutating func restart(atNs now: UInt64) {
        (longestNs, slowestNs, lastNs) = (0, 0, now)
    }
}
