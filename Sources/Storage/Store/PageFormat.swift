import Glibc

/// LMDB's file, version 1, on a little-endian machine of 64 bits, as `mdb.c` of LMDB 0.9 describes it.
///
///     page   = number:8 pad:2 flags:2 (lower:2 upper:2 | pages:4)    then offsets of nodes, free space, nodes
///     node   = low:2 high:2 flags:2 keyBytes:2 key data              data at leaves only
///     meta   = page head, magic:4 version:4 address:8 mapBytes:8 freeTree tree lastPage:8 transaction:8
///     tree   = pad:4 flags:2 depth:2 branches:8 leaves:8 overflows:8 entries:8 root:8
///
/// In the free tree's `pad` stands the size of pages. A branch node's low, high and flags are the child's number; a
/// leaf node's low and high the size of its data, which stands in the node, or in overflow pages whose first number
/// is in the node.
enum PageFormat {
    static let headBytes = 16
    static let nodeHeadBytes = 8
    static let branch: UInt16 = 0x01
    static let leaf: UInt16 = 0x02
    static let overflow: UInt16 = 0x04
    static let meta: UInt16 = 0x08
    static let bigData: UInt16 = 0x01
    static let magic: UInt32 = 0xBEEF_C0DE
    static let version: UInt32 = 1
    static let metaBytes = headBytes + 136
    static let noRoot = UInt64.max
    /// LMDB's own limit on the depth of a tree.
    static let maximumDepth = 32
    /// The flag that keys are integers, which the free tree has.
    static let integerKeys: UInt16 = 0x08
}

extension UnsafeRawBufferPointer {
    /// Bounds are checked, by the buffer in debug builds and here always.
    func number<Value: FixedWidthInteger>(_ offset: Int, as type: Value.Type) -> Value {
        precondition(offset >= 0 && offset + MemoryLayout<Value>.size <= count, "a read outside of a page")
        return Value(littleEndian: loadUnaligned(fromByteOffset: offset, as: Value.self))
    }
}

/// One tree as a meta page has it.
struct PageTree: Equatable {
    let pad: UInt32
    let flags: UInt16
    let depth: Int
    let entries: UInt64
    let root: UInt64

    static let bytes = 48

    init(_ page: UnsafeRawBufferPointer, at offset: Int) {
        pad = page.number(offset, as: UInt32.self)
        flags = page.number(offset + 4, as: UInt16.self)
        depth = Int(page.number(offset + 6, as: UInt16.self))
        entries = page.number(offset + 32, as: UInt64.self)
        root = page.number(offset + 40, as: UInt64.self)
    }
}

/// One of the two meta pages. They have no checksum: what can be checked is what both must agree upon.
struct MetaPage: Equatable {
    let pageBytes: Int
    let free: PageTree
    let main: PageTree
    let lastPage: UInt64
    let transaction: UInt64

    /// What is wrong with it comes back instead.
    static func read(_ page: UnsafeRawBufferPointer, number: UInt64) -> Result<MetaPage, InspectionFailure> {
        guard page.count >= PageFormat.metaBytes else { return .failure("the file ends within it") }
        guard page.number(0, as: UInt64.self) == number else { return .failure("it has another number") }
        guard page.number(10, as: UInt16.self) == PageFormat.meta else { return .failure("it has other flags") }
        guard page.number(16, as: UInt32.self) == PageFormat.magic else { return .failure("it is none of LMDB") }
        guard page.number(20, as: UInt32.self) == PageFormat.version else {
            return .failure("it has another version")
        }
        let meta = MetaPage(page)
        let isPower = meta.pageBytes >= 512 && meta.pageBytes <= 32768 && meta.pageBytes.nonzeroBitCount == 1
        guard isPower, meta.free.flags == PageFormat.integerKeys, meta.main.flags == 0, meta.main.pad == 0,
            meta.lastPage >= 1
        else { return .failure("its numbers cannot be") }
        return .success(meta)
    }

    private init(_ page: UnsafeRawBufferPointer) {
        free = PageTree(page, at: 40)
        main = PageTree(page, at: 40 + PageTree.bytes)
        pageBytes = Int(free.pad)
        lastPage = page.number(40 + 2 * PageTree.bytes, as: UInt64.self)
        transaction = page.number(48 + 2 * PageTree.bytes, as: UInt64.self)
    }
}

/// What is wrong, in words.
struct InspectionFailure: Error, ExpressibleByStringInterpolation {
    let what: String

    init(_ what: String) { self.what = what }
    init(stringLiteral what: String) { self.what = what }
}

/// The file of a store, read page by page with bounds.
struct PageFile {
    let file: Int32
    let byteCount: Int
    private(set) var pageBytes = 4096
    /// The last page that may be in use.
    private(set) var lastPage: UInt64 = 1

    /// How many pages at the end may never have been written: those that one commit took and gave back.
    private static let unwrittenPages: UInt64 = 1 << 16
    /// The page cache holds no more anyway.
    private static let warmedBytes = 4 << 30

    mutating func adopt(_ meta: MetaPage) throws(InspectionFailure) {
        pageBytes = meta.pageBytes
        lastPage = meta.lastPage
        guard lastPage < UInt64(byteCount / pageBytes) + Self.unwrittenPages else {
            throw "the file ends before its last page"
        }
    }

    /// Fills `target` from the start of a page.
    func read(_ page: UInt64, into target: UnsafeMutableRawBufferPointer) throws(InspectionFailure) {
        let pages = UInt64(target.count / pageBytes)
        guard page >= 2, page <= lastPage, pages <= lastPage - page + 1 else {
            throw InspectionFailure("page \(page) lies outside of the store")
        }
        guard try read(at: Int(page) * pageBytes, into: target) == target.count else {
            throw InspectionFailure("the file ends before page \(page)")
        }
    }

    func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws(InspectionFailure) -> Int {
        guard let count = SystemDisk.read(file, at: offset, into: target) else {
            throw InspectionFailure("pread failed: \(SystemDisk.text(of: errno))")
        }
        return count
    }

    /// Reads the file once from front to back, so that what follows finds it in the page cache.
    func warm() {
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        defer { block.deallocate() }
        posix_fadvise(file, 0, 0, POSIX_FADV_SEQUENTIAL)
        for offset in stride(from: 0, to: min(byteCount, Self.warmedBytes), by: block.count) {
            // What cannot be read is noticed by whoever needs it.
            _ = SystemDisk.read(file, at: offset, into: block)
        }
    }
}
