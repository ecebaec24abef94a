import DequeModule

/// Holds back what must not leave yet (O3): each output until the entry that it rests on is committed.
///
/// Outputs leave in the order in which they were held, per index; those that rest on nothing are for
/// the caller to send at once.
public struct OutputGate<Output> {
    private var held: Deque<(index: UInt64, output: Output)> = []

    public init() {}

    public var count: Int { held.count }
    public var isEmpty: Bool { held.isEmpty }

    /// The lowest index that something waits for.
    public var firstIndex: UInt64? { held.first?.index }

    /// Mostly called with rising indexes; an output that rests on an earlier entry goes before those of
    /// later ones and behind those of the same.
    public mutating func hold(_ output: Output, until index: UInt64) {
        guard let last = held.last, last.index > index else {
            held.append((index, output))
            return
        }
        var low = 0
        var high = held.count
        while low < high {
            let middle = (low + high) / 2
            if held[middle].index <= index { low = middle + 1 } else { high = middle }
        }
        held.insert((index, output), at: low)
    }

    /// The entries up to `index` are committed: what rested on them may leave, in order.
    public mutating func release(through index: UInt64) -> [Output] {
        var released: [Output] = []
        while let first = held.first, first.index <= index {
            held.removeFirst()
            released.append(first.output)
        }
        return released
    }

    /// The epoch is lost: nothing of this leaves as an answer. Returned so that the callers can be told.
    public mutating func dropAll() -> [Output] {
        defer { held.removeAll() }
        return held.map(\.output)
    }
}

extension OutputGate: Sendable where Output: Sendable {}
