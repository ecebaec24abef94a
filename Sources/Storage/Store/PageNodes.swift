/// A branch or leaf page whose head has been checked: nodes lie inside of it and fill it exactly.
struct NodePage {
    let bytes: UnsafeRawBufferPointer
    let isLeaf: Bool
    let count: Int

    init(_ bytes: UnsafeRawBufferPointer, number: UInt64, isLeaf: Bool) throws(InspectionFailure) {
        self.bytes = bytes
        self.isLeaf = isLeaf
        guard bytes.number(0, as: UInt64.self) == number else { throw "it has another number" }
        guard bytes.number(10, as: UInt16.self) == (isLeaf ? PageFormat.leaf : PageFormat.branch) else {
            throw "it has other flags"
        }
        let lower = Int(bytes.number(12, as: UInt16.self))
        let upper = Int(bytes.number(14, as: UInt16.self))
        guard lower >= PageFormat.headBytes + 2, lower % 2 == 0, lower <= upper, upper <= bytes.count else {
            throw "its free space cannot be"
        }
        count = (lower - PageFormat.headBytes) / 2
        var total = 0
        for index in 0..<count {
            let offset = Int(bytes.number(PageFormat.headBytes + 2 * index, as: UInt16.self))
            guard offset >= upper, offset % 2 == 0, offset + PageFormat.nodeHeadBytes <= bytes.count else {
                throw "a node lies outside of it"
            }
            let end = offset + nodeBytes(offset)
            guard end <= bytes.count else { throw "a node lies outside of it" }
            total += (end - offset + 1) & ~1
        }
        guard total == bytes.count - upper else { throw "its nodes do not fill it" }
    }

    private func nodeBytes(_ offset: Int) -> Int {
        let head = PageFormat.nodeHeadBytes + keyBytes(offset)
        guard isLeaf else { return head }
        return head + (isBig(offset) ? 8 : dataBytes(offset))
    }

    private func offset(_ index: Int) -> Int {
        Int(bytes.number(PageFormat.headBytes + 2 * index, as: UInt16.self))
    }

    private func keyBytes(_ offset: Int) -> Int { Int(bytes.number(offset + 6, as: UInt16.self)) }

    private func isBig(_ offset: Int) -> Bool { flags(offset) == PageFormat.bigData }

    private func flags(_ offset: Int) -> UInt16 { bytes.number(offset + 4, as: UInt16.self) }

    private func dataBytes(_ offset: Int) -> Int {
        Int(bytes.number(offset, as: UInt16.self)) | Int(bytes.number(offset + 2, as: UInt16.self)) << 16
    }

    func key(_ index: Int) -> UnsafeRawBufferPointer {
        let start = offset(index) + PageFormat.nodeHeadBytes
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + keyBytes(offset(index))])
    }

    /// Of a branch node.
    func child(_ index: Int) -> UInt64 {
        UInt64(dataBytes(offset(index))) | UInt64(flags(offset(index))) << 32
    }

    enum Data {
        case here(UnsafeRawBufferPointer)
        case overflow(page: UInt64, byteCount: Int)
    }

    /// Of a leaf node.
    func data(_ index: Int) throws(InspectionFailure) -> Data {
        let offset = offset(index)
        let start = offset + PageFormat.nodeHeadBytes + keyBytes(offset)
        switch flags(offset) {
        case 0: return .here(UnsafeRawBufferPointer(rebasing: bytes[start..<start + dataBytes(offset)]))
        case PageFormat.bigData:
            return .overflow(page: bytes.number(start, as: UInt64.self), byteCount: dataBytes(offset))
        default: throw "a node has other flags"
        }
    }
}

/// Which pages are taken, each for one purpose.
struct PageSet {
    private var words: [UInt64]

    init(lastPage: UInt64) {
        words = [UInt64](repeating: 0, count: Int(lastPage / 64) + 1)
    }

    /// False if it was there already.
    mutating func insert(_ page: UInt64) -> Bool {
        let bit: UInt64 = 1 << (page % 64)
        let word = Int(page / 64)
        guard word < words.count, words[word] & bit == 0 else { return false }
        words[word] |= bit
        return true
    }
}
