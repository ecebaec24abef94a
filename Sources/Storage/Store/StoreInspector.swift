import Glibc

/// Says whether a store's file is sound before LMDB gets to see it, which trusts every byte. Reads the file itself,
/// with bounds, and changes nothing; never traps, whatever the file holds.
///
/// LMDB's pages have no checksums. What stands for them: every record has one of its own; every page is where its
/// number says, belongs to one purpose, and has keys between those of its neighbours; and the record about the store
/// names the transaction of its meta page, in both trees (LMDB keeps the one before whole), so that neither an old
/// tree can pass for the newest, nor the newest for an old one.
public enum StoreInspector {
    /// Looks at a store that is not open. Takes as long as reading the file does.
    public static func inspect(directory: String, keys: DataKeys? = nil) -> StoreInspection {
        let path = StoreEnvironment.dataPath(directory)
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            return errno == ENOENT ? .missing : .damaged(.systemCall("open", errno, path: path))
        }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0 else { return .damaged(.systemCall("fstat", errno, path: path)) }
        // LMDB takes an empty file for a new one.
        guard status.st_size > 0 else { return .missing }
        do throws(InspectionFailure) {
            return try inspect(PageFile(file: file, byteCount: Int(status.st_size)), path: path, keys: keys)
        } catch {
            return .damaged(damaged(error.what, path))
        }
    }

    private static func damaged(_ what: String, _ path: String) -> StoreError {
        StoreError(
            .damaged, what, place: path,
            remedy: """
                The whole store counts as lost: its shards are fetched anew from the other replicas. Look into \
                the kernel's log for the disk
                """)
    }

    private static func inspect(
        _ pages: PageFile, path: String, keys: DataKeys?
    ) throws(InspectionFailure) -> StoreInspection {
        var file = pages
        let (meta, before) = try metas(file)
        try file.adopt(before)
        try checkTransaction(of: before, file)
        try file.adopt(meta)
        file.warm()
        // Pages 0 and 1 are the metas.
        var used = PageSet(lastPage: file.lastPage)
        _ = (used.insert(0), used.insert(1))

        var records = TreeWalk<RecordKey>(file) { RecordKey($0) }
        defer { records.free() }
        var inspection = RecordInspection(place: path, keys: keys)
        try records.walk(meta.main, used: &used) { (key, value) throws(InspectionFailure) in
            inspection.add(key, value)
        }
        try walkFreePages(file, meta, used: &used)
        let result = inspection.finish()
        if case .otherVersion = result { return result }
        try checkTransaction(of: meta, file)
        return result
    }

    /// Pages that may be written over must be nobody's.
    private static func walkFreePages(
        _ file: PageFile, _ meta: MetaPage, used: inout PageSet
    ) throws(InspectionFailure) {
        var walk = TreeWalk<UInt64>(file) { $0.count == 8 ? $0.number(0, as: UInt64.self) : nil }
        defer { walk.free() }
        var free: [UInt64] = []
        try walk.walk(meta.free, used: &used) { (transaction, value) throws(InspectionFailure) in
            guard transaction >= 1, transaction <= meta.transaction else {
                throw "the free list has a transaction that never was"
            }
            guard value.count >= 8, value.count % 8 == 0 else { throw "the free list has another size than it says" }
            let count = value.number(0, as: UInt64.self)
            guard count <= UInt64(value.count / 8 - 1) else { throw "the free list has another size than it says" }
            var last = UInt64.max
            for index in 0..<Int(count) {
                let page = value.number(8 + 8 * index, as: UInt64.self)
                guard page >= 2, page <= file.lastPage, page < last else { throw "the free list is out of order" }
                last = page
                free.append(page)
            }
        }
        for page in free where !used.insert(page) {
            throw InspectionFailure("page \(page) is free and in use")
        }
    }

    /// The newest and the one before. They take turns, by the number of the transaction.
    private static func metas(_ file: PageFile) throws(InspectionFailure) -> (MetaPage, MetaPage) {
        let first = try meta(file, number: 0, pageBytes: 0)
        let second = try meta(file, number: 1, pageBytes: first.pageBytes)
        guard first.pageBytes == second.pageBytes else { throw "the meta pages differ in the size of pages" }
        if first.transaction == 0 && second.transaction == 0 { return (first, second) }
        let (low, high) = first.transaction < second.transaction ? (first, second) : (second, first)
        guard high.transaction == low.transaction &+ 1, first.transaction % 2 == 0 else {
            throw "the meta pages are not of two transactions in a row"
        }
        return (high, low)
    }

    /// The first record of a tree is the one about the store.
    private static func checkTransaction(of meta: MetaPage, _ file: PageFile) throws(InspectionFailure) {
        guard (meta.transaction == 0) == (meta.main.root == PageFormat.noRoot) else {
            throw "a meta page has another transaction than its tree"
        }
        guard meta.transaction > 0 else { return }
        guard meta.main.depth >= 1, meta.main.depth <= PageFormat.maximumDepth else {
            throw "a tree's depth cannot be"
        }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: file.pageBytes, alignment: 8)
        defer { buffer.deallocate() }
        var number = meta.main.root
        for level in (1...meta.main.depth).reversed() {
            try file.read(number, into: buffer)
            let page = try NodePage(UnsafeRawBufferPointer(buffer), number: number, isLeaf: level == 1)
            guard level == 1 else {
                number = page.child(0)
                continue
            }
            guard RecordKey(page.key(0)) == .about, case .here(let value) = try page.data(0),
                let transaction = try? RecordFormat.readAbout([UInt8](value)), transaction == meta.transaction
            else { throw "a meta page has another transaction than its tree" }
        }
    }

    private static func meta(
        _ file: PageFile, number: UInt64, pageBytes: Int
    ) throws(InspectionFailure) -> MetaPage {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: PageFormat.metaBytes, alignment: 8)
        defer { buffer.deallocate() }
        let count = try file.read(at: Int(number) * pageBytes, into: buffer)
        let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
        switch MetaPage.read(bytes, number: number) {
        case .success(let meta): return meta
        case .failure(let failure): throw InspectionFailure("meta page \(number): \(failure.what)")
        }
    }
}
