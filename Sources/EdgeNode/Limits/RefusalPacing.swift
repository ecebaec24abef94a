/// When the clients that were refused for overload may come back. A refusal costs about as much as a read of a small
/// item, so an event loop makes only so many a second: whoever is refused is told to wait for its turn behind the
/// others, and its connection is not read from before.
struct RefusalPacing {
    static let perSecond: UInt64 = 2_000
    static let pauseMs: ClosedRange<UInt64> = 100...5_000

    /// Connections that wait.
    private(set) var waiting: UInt64 = 0

    /// One more is refused; answers for how many milliseconds its connection waits, until `resume`.
    mutating func pause() -> UInt64 {
        waiting += 1
        return min(max(waiting * 1_000 / Self.perSecond, Self.pauseMs.lowerBound), Self.pauseMs.upperBound)
    }

    mutating func resume() {
        precondition(waiting > 0, "who goes on has waited")
        waiting -= 1
    }
}
