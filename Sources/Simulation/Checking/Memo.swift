/// Remembers which (set of operations, state) pairs the search has been at: a hash set of 128-bit
/// words with open addressing. Two different pairs share a word with a chance of about 2^-128 each.
struct Memo {
    struct Word: Equatable {
        var high: UInt64
        var low: UInt64
        static let empty = Word(high: 0, low: 0)
    }

    private var slots = [Word](repeating: .empty, count: 1 << 10)
    private(set) var count = 0

    /// False if the word was there already.
    mutating func insert(_ word: Word) -> Bool {
        let word = word == .empty ? Word(high: 0, low: 1) : word
        if count * 4 >= slots.count * 3 { grow() }
        guard place(word) else { return false }
        count += 1
        return true
    }

    private mutating func place(_ word: Word) -> Bool {
        let mask = slots.count - 1
        var position = Int(truncatingIfNeeded: word.low) & mask
        while slots[position] != .empty {
            if slots[position] == word { return false }
            position = (position + 1) & mask
        }
        slots[position] = word
        return true
    }

    private mutating func grow() {
        let old = slots
        slots = [Word](repeating: .empty, count: old.count * 2)
        for word in old where word != .empty { _ = place(word) }
    }
}
