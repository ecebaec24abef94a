/// Names by their bytes, numbered in the order in which they were first met. No name has a heap block of its own: one
/// request may bring thousands and look up thousands more, while others wait for the event loop.
///
/// Open addressing. The hash is Swift's, which has a secret of the process, so that nobody can choose names that collide.
struct NameTable {
    private var bytes: [UInt8] = []
    /// Where each name ends in `bytes`.
    private var ends: [Int] = []
    private var hashes: [Int] = []
    /// The number of a name plus one; 0 where none is. At most half of them are taken.
    private var slots: [UInt32] = Array(repeating: 0, count: 64)

    var count: Int { ends.count }

    /// The number of the name: what `count` was before, if it is new.
    mutating func insert(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        let hash = NameTable.hash(name)
        let slot = slot(of: name, hash)
        if slots[slot] > 0 { return Int(slots[slot]) - 1 }
        bytes.append(contentsOf: name)
        ends.append(bytes.count)
        hashes.append(hash)
        slots[slot] = UInt32(count)
        if 2 * count > slots.count { grow() }
        return count - 1
    }

    func number(of name: UnsafeBufferPointer<UInt8>) -> Int? {
        let slot = slot(of: name, NameTable.hash(name))
        return slots[slot] > 0 ? Int(slots[slot]) - 1 : nil
    }

    private static func hash(_ name: UnsafeBufferPointer<UInt8>) -> Int {
        var hasher = Hasher()
        hasher.combine(bytes: UnsafeRawBufferPointer(name))
        return hasher.finalize()
    }

    /// Where the name is, or where it would be put.
    private func slot(of name: UnsafeBufferPointer<UInt8>, _ hash: Int) -> Int {
        let mask = slots.count - 1
        var slot = hash & mask
        while slots[slot] > 0, !isName(Int(slots[slot]) - 1, name, hash) { slot = (slot + 1) & mask }
        return slot
    }

    private func isName(_ number: Int, _ name: UnsafeBufferPointer<UInt8>, _ hash: Int) -> Bool {
        guard hashes[number] == hash else { return false }
        let start = number > 0 ? ends[number - 1] : 0
        return bytes[start..<ends[number]].elementsEqual(name)
    }

    private mutating func grow() {
        slots = Array(repeating: 0, count: 2 * slots.count)
        let mask = slots.count - 1
        for (number, hash) in hashes.enumerated() {
            var slot = hash & mask
            while slots[slot] > 0 { slot = (slot + 1) & mask }
            slots[slot] = UInt32(number + 1)
        }
    }
}
