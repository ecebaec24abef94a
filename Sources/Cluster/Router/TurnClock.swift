/// How long what a turn takes in may have waited for it: since the turn before began, if one follows upon the other.
///
/// A busy loop takes in all that has come, does it, and looks again. What comes meanwhile waits in the kernel, where
/// nobody counts it; the more there is, the longer the turns, so their length is the length of that queue.
struct TurnClock {
    /// Turns with no more than this between them, or than the first of them took, follow upon each other: what the
    /// loop does between a turn's end and the next beginning is part of it.
    static let gapMs: UInt64 = 2

    private var beganMs: UInt64 = 0
    private var endedMs: UInt64 = 0
    private var isOpen = false
    /// Of the turn at hand.
    private(set) var waitedMs: UInt64 = 0

    /// An input of a turn, which has one reading of the clock for all of them.
    mutating func enter(nowMs: UInt64) {
        guard !isOpen else { return }
        isOpen = true
        let tookMs = endedMs - beganMs
        let follows = nowMs >= endedMs && nowMs - endedMs <= max(Self.gapMs, tookMs)
        waitedMs = follows ? nowMs - beganMs : 0
        beganMs = nowMs
    }

    mutating func leave(nowMs: UInt64) {
        isOpen = false
        endedMs = max(beganMs, nowMs)
    }
}
