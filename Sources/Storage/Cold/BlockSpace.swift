/// Which parts of a file are in use: blocks of 2^n units, split and joined in pairs (Knowlton 1965).
///
/// A block is less than twice what is asked for, what is given back joins its free neighbour, and the end
/// moves back when the last block is free, so a file never keeps more than its fullest moment needed.
struct BlockSpace {
    static let unitBytes = 64
    /// The largest block: 128 MiB.
    static let largestOrder = 21
    /// In units: 128 GiB.
    static let endLimit = UInt32(1) << 31
    private static let none = UInt32.max

    /// Free blocks of one order, as a list that any of them can leave.
    private struct FreeList {
        var first = none
        private var links: [UInt32: (before: UInt32, after: UInt32)] = [:]

        func contains(_ start: UInt32) -> Bool { links[start] != nil }

        mutating func add(_ start: UInt32) {
            if first != none { links[first]?.before = start }
            links[start] = (none, first)
            first = start
        }

        mutating func remove(_ start: UInt32) {
            guard let (before, after) = links.removeValue(forKey: start) else {
                preconditionFailure("a block that is taken was free")
            }
            if before == none { first = after } else { links[before]?.after = after }
            if after != none { links[after]?.before = before }
            // A dictionary keeps its size otherwise.
            if links.isEmpty { links = [:] }
        }
    }

    private var free = [FreeList](repeating: FreeList(), count: largestOrder + 1)
    /// In units: nothing is in use from here on.
    private(set) var end: UInt32 = 0

    /// The order of a block for so many bytes; nil if no block is so large.
    static func order(bytes: Int) -> Int? {
        let units = max(1, (bytes + unitBytes - 1) / unitBytes)
        let order = Int.bitWidth - (units - 1).leadingZeroBitCount
        return order <= largestOrder ? order : nil
    }

    /// The first unit of a free block; nil if the space is full.
    mutating func take(order: Int) -> UInt32? {
        let found = (order...BlockSpace.largestOrder).first { free[$0].first != BlockSpace.none }
        guard let found else { return extend(order: order) }
        let start = free[found].first
        free[found].remove(start)
        for half in (order..<found).reversed() { free[half].add(start + 1 << UInt32(half)) }
        return start
    }

    /// A block behind the end. Blocks lie at multiples of their size; the gap before is free.
    private mutating func extend(order: Int) -> UInt32? {
        let size = UInt32(1) << UInt32(order)
        let start = (end + size - 1) & ~(size - 1)
        guard start + size <= BlockSpace.endLimit else { return nil }
        while end < start {
            let gap = end.trailingZeroBitCount
            free[gap].add(end)
            end += 1 << UInt32(gap)
        }
        end = start + size
        return start
    }

    mutating func giveBack(_ start: UInt32, order: Int) {
        var (start, order) = (start, order)
        while order < BlockSpace.largestOrder, free[order].contains(start ^ 1 << UInt32(order)) {
            free[order].remove(start ^ 1 << UInt32(order))
            start &= ~(1 << UInt32(order))
            order += 1
        }
        free[order].add(start)
        if start + 1 << UInt32(order) == end { shrink() }
    }

    private mutating func shrink() {
        while let order = free.indices.first(where: { isFree(before: end, order: $0) }) {
            end -= 1 << UInt32(order)
            free[order].remove(end)
        }
    }

    private func isFree(before end: UInt32, order: Int) -> Bool {
        end >= 1 << UInt32(order) && free[order].contains(end - 1 << UInt32(order))
    }
}
