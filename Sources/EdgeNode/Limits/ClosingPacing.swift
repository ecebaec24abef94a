import NIOCore

/// A connection whose client has gone, and to which nothing is owed.
protocol DepartedConnection: AnyObject {
    func close()
}

/// How many of the connections whose clients have gone are closed at once. If thousands go together (a proxy restarts, an
/// attacker lets go), those that stay are served in between.
struct ClosingPacing<Connection> {
    static var stepMs: UInt64 { 1 }
    /// A closing takes 15 to 30 µs.
    static var perStep: Int { 5 }

    private var waiting = CircularBuffer<Connection>()
    private var begunMs: UInt64 = 0
    private var taken = 0

    var isWaiting: Bool { !waiting.isEmpty }

    /// Whether the connection may be closed at once; else it waits for `next`, behind those that wait already.
    mutating func admit(_ connection: Connection, nowMs: UInt64) -> Bool {
        if waiting.isEmpty, take(nowMs: nowMs) { return true }
        waiting.append(connection)
        return false
    }

    /// The next one of this step.
    mutating func next(nowMs: UInt64) -> Connection? {
        !waiting.isEmpty && take(nowMs: nowMs) ? waiting.removeFirst() : nil
    }

    private mutating func take(nowMs: UInt64) -> Bool {
        if nowMs &- begunMs >= Self.stepMs {
            begunMs = nowMs
            taken = 0
        }
        guard taken < Self.perStep else { return false }
        taken += 1
        return true
    }
}
