import Glibc

/// Puts a damaged directory's content out of the way, so that the node can begin anew beside it (O9). Nothing is
/// deleted: `damaged-TIME` inside the directory has all of it, for whoever wants to look.
extension DataDirectory {
    private static let prefix = "damaged-"
    private static let unfinished = ".unfinished"
    /// What the next process needs, or what is about this process.
    private static let staying = ["lock", "pids", "peers", "rejoin"]
    /// A second damage so soon after the first is no accident of a disk; nobody is helped by going on (O12).
    public static let setAsidePauseMs: UInt64 = 60_000

    /// Moves the content to `damaged-<wallMs>` and answers that path. To be called while nobody has the directory
    /// open. A crash in the middle leaves what `finishSettingAside` completes.
    public static func setAside(
        path: String, wallMs: UInt64, because reason: String
    ) throws(DataDirectoryError) -> String {
        let lock = try takeLock(path)
        defer { close(lock) }
        if let before = lastSetAsideMs(path), max(before, wallMs) - min(before, wallMs) < setAsidePauseMs {
            throw DataDirectoryError(
                .damaged, "damaged again within a minute of the last time: \(reason)", place: path,
                remedy: """
                    Nothing was changed. Look into the kernel's log for the disk; start the node again when that \
                    is clear
                    """)
        }
        let target = "\(path)/\(prefix)\(wallMs)"
        let code = SystemDisk.makeDirectory(target + unfinished)
        guard code == 0 else { throw .systemCall("mkdir", code, path: target) }
        try move(path, to: target)
        return target
    }

    /// Completes what a killed process had begun. True if there was anything to do.
    public static func finishSettingAside(path: String) throws(DataDirectoryError) -> Bool {
        let begun = (SystemDisk.names(in: path) ?? []).filter { $0.hasPrefix(prefix) && $0.hasSuffix(unfinished) }
        guard let name = begun.sorted().last else { return false }
        let lock = try takeLock(path)
        defer { close(lock) }
        try move(path, to: "\(path)/\(name.dropLast(unfinished.count))")
        return true
    }

    private static func move(_ path: String, to target: String) throws(DataDirectoryError) {
        for name in (SystemDisk.names(in: path) ?? []).sorted() where isContent(name) {
            try rename("\(path)/\(name)", to: "\(target)\(unfinished)/\(name)")
        }
        try rename(target + unfinished, to: target)
        let listed = SystemDisk().syncDirectory(path)
        guard listed == 0 else { throw .systemCall("fsync of the directory", listed, path: path) }
    }

    private static func rename(_ from: String, to target: String) throws(DataDirectoryError) {
        guard Glibc.rename(from, target) == 0 else { throw .systemCall("rename", errno, path: from) }
    }

    private static func isContent(_ name: String) -> Bool {
        !staying.contains(name) && !name.hasPrefix(prefix)
    }

    private static func lastSetAsideMs(_ path: String) -> UInt64? {
        (SystemDisk.names(in: path) ?? [])
            .compactMap { $0.hasPrefix(prefix) ? UInt64($0.dropFirst(prefix.count)) : nil }
            .max()
    }
}
