/// Walks one of LMDB's trees in the order of its keys, and checks every page on the way. In memory is one page per
/// level, and the largest value.
struct TreeWalk<Key: Comparable> {
    private let file: PageFile
    /// Nil if the bytes are no key.
    private let parse: (UnsafeRawBufferPointer) -> Key?
    private var levels: [UnsafeMutableRawBufferPointer] = []
    private var large: UnsafeMutableRawBufferPointer
    private var entries: UInt64 = 0
    private var last: Key?

    init(_ file: PageFile, parse: @escaping (UnsafeRawBufferPointer) -> Key?) {
        self.file = file
        self.parse = parse
        large = .allocate(byteCount: file.pageBytes, alignment: 8)
    }

    func free() {
        for level in levels { level.deallocate() }
        large.deallocate()
    }

    /// Marks the tree's pages in `used`, each of which must be new there, and lends every record to `visit`.
    mutating func walk(
        _ tree: PageTree, used: inout PageSet,
        visit: (Key, UnsafeRawBufferPointer) throws(InspectionFailure) -> Void
    ) throws(InspectionFailure) {
        if tree.root == PageFormat.noRoot {
            guard tree.depth == 0, tree.entries == 0 else { throw "a tree without root has entries" }
            return
        }
        guard tree.depth >= 1, tree.depth <= PageFormat.maximumDepth else { throw "a tree's depth cannot be" }
        for _ in 0..<tree.depth { levels.append(.allocate(byteCount: file.pageBytes, alignment: 8)) }
        try walk(tree.root, level: tree.depth, from: nil, below: nil, used: &used, visit: visit)
        guard entries == tree.entries else { throw "a tree has \(entries) entries and counts \(tree.entries)" }
    }

    /// All keys below must be at or above `from` and below `below`.
    private mutating func walk(
        _ number: UInt64, level: Int, from: Key?, below: Key?, used: inout PageSet,
        visit: (Key, UnsafeRawBufferPointer) throws(InspectionFailure) -> Void
    ) throws(InspectionFailure) {
        let target = levels[level - 1]
        try file.read(number, into: target)
        guard used.insert(number) else { throw InspectionFailure("page \(number) is used twice") }
        do throws(InspectionFailure) {
            let page = try NodePage(UnsafeRawBufferPointer(target), number: number, isLeaf: level == 1)
            if level == 1 {
                try visitLeaf(page, from: from, below: below, used: &used, visit: visit)
            } else {
                try visitBranch(page, level: level, from: from, below: below, used: &used, visit: visit)
            }
        } catch {
            // The innermost page is the one to name.
            throw error.what.hasPrefix("page ") ? error : InspectionFailure("page \(number): \(error.what)")
        }
    }

    private mutating func visitBranch(
        _ page: NodePage, level: Int, from: Key?, below: Key?, used: inout PageSet,
        visit: (Key, UnsafeRawBufferPointer) throws(InspectionFailure) -> Void
    ) throws(InspectionFailure) {
        // The first key of a branch stands for all that is lower, and is not looked at.
        var lower = from
        for index in 0..<page.count {
            var upper = below
            if index + 1 < page.count {
                guard let next = parse(page.key(index + 1)) else { throw "a key of no known form" }
                guard lower.map({ $0 < next }) ?? true, below.map({ next < $0 }) ?? true else {
                    throw "its keys do not rise"
                }
                upper = next
            }
            try walk(
                page.child(index), level: level - 1, from: lower, below: upper, used: &used, visit: visit)
            lower = upper
        }
    }

    private mutating func visitLeaf(
        _ page: NodePage, from: Key?, below: Key?, used: inout PageSet,
        visit: (Key, UnsafeRawBufferPointer) throws(InspectionFailure) -> Void
    ) throws(InspectionFailure) {
        for index in 0..<page.count {
            guard let key = parse(page.key(index)) else { throw "a key of no known form" }
            guard from.map({ $0 <= key }) ?? true, below.map({ key < $0 }) ?? true,
                last.map({ $0 < key }) ?? true
            else { throw "its keys do not rise" }
            last = key
            entries += 1
            switch try page.data(index) {
            case .here(let bytes): try visit(key, bytes)
            case .overflow(let number, let count):
                try visit(key, try readOverflow(number, byteCount: count, used: &used))
            }
        }
    }

    private mutating func readOverflow(
        _ number: UInt64, byteCount: Int, used: inout PageSet
    ) throws(InspectionFailure) -> UnsafeRawBufferPointer {
        let head = UnsafeMutableRawBufferPointer(rebasing: large[..<file.pageBytes])
        try file.read(number, into: head)
        let bytes = UnsafeRawBufferPointer(head)
        guard bytes.number(0, as: UInt64.self) == number,
            bytes.number(10, as: UInt16.self) == PageFormat.overflow
        else { throw InspectionFailure("page \(number) is no overflow page") }
        // A value that was replaced by a smaller one in the same commit keeps its pages.
        let pages = Int(bytes.number(12, as: UInt32.self))
        let needed = (PageFormat.headBytes + byteCount + file.pageBytes - 1) / file.pageBytes
        guard pages >= needed, UInt64(pages) <= file.lastPage - number + 1 else {
            throw InspectionFailure("page \(number) begins another number of pages than its value needs")
        }
        for page in number..<number + UInt64(pages) where !used.insert(page) {
            throw InspectionFailure("page \(page) is used twice")
        }
        if large.count < needed * file.pageBytes {
            large.deallocate()
            large = .allocate(byteCount: needed * file.pageBytes, alignment: 8)
        }
        try file.read(number, into: UnsafeMutableRawBufferPointer(rebasing: large[..<(needed * file.pageBytes)]))
        return UnsafeRawBufferPointer(rebasing: large[PageFormat.headBytes..<PageFormat.headBytes + byteCount])
    }
}
