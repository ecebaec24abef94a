/// How a quota of operations is dealt out among the edges, one for each event loop of each node.
enum OperationShares {
    /// Of each edge's equal part, so much is its own whatever the others want: a quarter.
    private static let guaranteedDivisor: UInt64 = 4

    /// The share of each edge, by its demand, in the unit of `rate`. All shares together are never more
    /// than `rate`, and each is at least `rate / (4 · edges)`.
    ///
    /// While the edges want no more than there is, each gets what it wants and an equal part of the rest.
    /// When they want more, what is above the guaranteed parts is dealt out by demand.
    static func split(_ rate: UInt64, demands: [UInt64]) -> [UInt64] {
        let edges = UInt64(demands.count)
        guard edges > 0 else { return [] }
        let guaranteed = rate / (guaranteedDivisor * edges)
        // More than the whole is the whole: so sums stay small.
        let wants = demands.map { max(guaranteed, min($0, rate)) }
        let wanted = wants.reduce(0, +)
        if wanted <= rate {
            let spare = (rate - wanted) / edges
            return wants.map { $0 + spare }
        }
        let free = rate - guaranteed * edges
        let contested = wanted - guaranteed * edges
        return wants.map { want in
            let product = (want - guaranteed).multipliedFullWidth(by: free)
            return guaranteed + contested.dividingFullWidth(product).quotient
        }
    }
}

/// Lets operations of one project through at one loop: a bucket that holds what comes in a second.
struct OperationBucket {
    /// In millionths of an operation.
    private var tokens: UInt64
    private var filledAtMs: UInt64
    private(set) var rate: UInt64

    private static let operation: UInt64 = 1_000_000
    private static let capacityMs: UInt64 = 1_000
    /// What is told to clients of a project whose share is next to nothing.
    private static let longestRetryMs: UInt64 = 10_000

    /// Full at first. `rate` is in thousandths of operations per second, which is millionths per millisecond.
    init(rate: UInt64, nowMs: UInt64) {
        self.rate = rate
        tokens = OperationBucket.capacity(rate)
        filledAtMs = nowMs
    }

    /// A slow bucket has room for one operation all the same.
    private static func capacity(_ rate: UInt64) -> UInt64 {
        rate == 0 ? 0 : max(operation, rate * capacityMs)
    }

    mutating func setRate(_ newRate: UInt64, nowMs: UInt64) {
        fill(nowMs: nowMs)
        rate = newRate
        tokens = min(tokens, OperationBucket.capacity(rate))
    }

    /// Nil if the operation may pass, else how long until the next one may.
    mutating func take(nowMs: UInt64) -> UInt64? {
        fill(nowMs: nowMs)
        guard tokens < OperationBucket.operation else {
            tokens -= OperationBucket.operation
            return nil
        }
        guard rate > 0 else { return OperationBucket.longestRetryMs }
        return min((OperationBucket.operation - tokens + rate - 1) / rate, OperationBucket.longestRetryMs)
    }

    private mutating func fill(nowMs: UInt64) {
        guard nowMs > filledAtMs else { return }
        // A slow one takes longer than a second to fill.
        let elapsedMs = min(nowMs - filledAtMs, 1_000_000)
        filledAtMs = nowMs
        tokens = min(tokens + rate * elapsedMs, OperationBucket.capacity(rate))
    }
}
