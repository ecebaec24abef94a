/// Tells a queue that stands from one that comes and goes, and how much work may be under way while it stands.
///
/// The *least* time that an answer took within an interval is what every operation waits (CoDel: Nichols and
/// Jacobson, "Controlling Queue Delay", 2012): a burst has quick answers at its beginning or end, a standing queue
/// has none. While the least is above the target, as much may be under way as was finished within one target
/// (Little's law), so the queue shrinks to the target and the rest is refused on arrival: the newest first.
///
/// Counted from the last send, since a wait for a new owner is no overload, and with the time that the operation may
/// have waited to be read (`TurnClock`). Reads and writes are told apart, since only writes wait for disks.
struct OverloadGauge {
    static let intervalMs: UInt64 = 100
    /// So much may always be under way: less is no queue, but latency.
    static let leastLimit = 256
    /// An interval with fewer answers says nothing.
    private static let leastAnswers = 8
    /// A limit that nothing was heard of for so long is over.
    private static let silenceMs: UInt64 = 1_000
    /// The limit is over when nobody was refused for so many intervals: those who were come back meanwhile.
    private static let calmIntervals = 10

    /// Zero: never overloaded.
    let targetMs: UInt64
    /// Operations that may be under way; nil while nothing stands.
    private(set) var limit: Int?

    private var beganMs: UInt64 = 0
    private var answers = 0
    private var calm = 0
    private var leastMs: (read: UInt64?, write: UInt64?)

    init(targetMs: UInt64) {
        self.targetMs = targetMs
        leastMs = (nil, nil)
    }

    mutating func answered(afterMs: UInt64, isWrite: Bool) {
        guard targetMs > 0 else { return }
        answers += 1
        if isWrite {
            leastMs.write = min(leastMs.write ?? .max, afterMs)
        } else {
            leastMs.read = min(leastMs.read ?? .max, afterMs)
        }
    }

    /// Something was refused for the limit.
    mutating func refused() { calm = 0 }

    /// Ends the interval if it is time.
    mutating func advance(nowMs: UInt64) {
        let elapsedMs = nowMs >= beganMs ? nowMs - beganMs : 0
        guard targetMs > 0, elapsedMs >= Self.intervalMs else { return }
        if answers >= Self.leastAnswers {
            judge(elapsedMs: elapsedMs)
        } else if elapsedMs >= Self.silenceMs {
            limit = nil
        } else {
            return
        }
        beganMs = nowMs
        answers = 0
        leastMs = (nil, nil)
    }

    private mutating func judge(elapsedMs: UInt64) {
        calm += 1
        if max(leastMs.read ?? 0, leastMs.write ?? 0) > targetMs {
            limit = max(Self.leastLimit, answers * Int(targetMs) / Int(elapsedMs))
        } else if let former = limit {
            // Room is given back in steps, so that those who were refused do not all come in at once.
            limit = calm > Self.calmIntervals ? nil : former + former / 10
        }
    }
}
