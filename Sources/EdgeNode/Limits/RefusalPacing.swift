/// When the clients that were refused for overload, or for a rate or quota, may come back. A refusal costs about as
/// much as a read of a small item, so an event loop makes at most an eighth as many as answers: whoever is refused is
/// told to wait for its turn behind the others, and its connection is not read from before.
struct RefusalPacing {
    static let perSecond: ClosedRange<UInt64> = 100...2_000
    static let pauseMs: ClosedRange<UInt64> = 100...5_000

    /// Connections that wait.
    private(set) var waiting: UInt64 = 0
    /// Answers since `adapt`, refusals not counted.
    private var answers: UInt64 = 0
    private var rate = perSecond.upperBound

    mutating func answered() { answers += 1 }

    /// Another second has passed. In a quiet one there is no reason to hold anybody up.
    mutating func adapt() {
        let eighth = waiting == 0 ? Self.perSecond.upperBound : answers / 8
        rate = min(max(eighth, Self.perSecond.lowerBound), Self.perSecond.upperBound)
        answers = 0
    }

    /// One more is refused; answers for how many milliseconds its connection waits, until `resume`. Each of those that
    /// are refused together waits a little longer than the one before, or they would come back together.
    mutating func pause() -> UInt64 {
        waiting += 1
        return min(Self.pauseMs.lowerBound + waiting * 1_000 / rate, Self.pauseMs.upperBound)
    }

    mutating func resume() {
        precondition(waiting > 0, "who goes on has waited")
        waiting -= 1
    }
}
