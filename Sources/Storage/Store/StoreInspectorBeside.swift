import Glibc

extension StoreInspector {
    /// Looks at a store that a process may have open. Nil: a commit came in between each time, and what was seen
    /// proves nothing.
    ///
    /// LMDB writes over no page of its two newest states, so what is read between two commits is one of them, whole.
    /// Nothing of another process is held back for it: unlike a reader of LMDB's own, this one leaves no trace.
    public static func inspectBesideWriter(
        directory: String, keys: DataKeys? = nil, attempts: Int = 5
    ) -> StoreInspection? {
        for _ in 0..<attempts {
            let before = newestTransaction(directory)
            let found = inspect(directory: directory, keys: keys)
            // Everything that was read has its checksum and its place in the sums: it cannot be whole by chance.
            if found == .sound || newestTransaction(directory) == before { return found }
        }
        return nil
    }

    /// Nil if there is none that can be read.
    private static func newestTransaction(_ directory: String) -> UInt64? {
        let file = Glibc.open(StoreEnvironment.dataPath(directory), O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        guard let first = meta(file, number: 0, pageBytes: 0) else { return nil }
        guard let second = meta(file, number: 1, pageBytes: first.pageBytes) else { return nil }
        return max(first.transaction, second.transaction)
    }

    private static func meta(_ file: Int32, number: UInt64, pageBytes: Int) -> MetaPage? {
        var bytes = [UInt8](repeating: 0, count: PageFormat.metaBytes)
        return bytes.withUnsafeMutableBytes { buffer in
            let count = SystemDisk.read(file, at: Int(number) * pageBytes, into: buffer)
            guard count == buffer.count else { return nil }
            return try? MetaPage.read(UnsafeRawBufferPointer(buffer), number: number).get()
        }
    }
}
