import Glibc
import HoldfastClient
import Storage

/// Small files of a backup: written whole and durably, for their owner's eyes only.
enum BackupFiles {
    static func makeDirectory(_ path: String) throws(BackupFailure) {
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .system("mkdir", path) }
    }

    /// Content first, name second, both durable.
    static func write(_ bytes: [UInt8], to path: String, in directory: String) throws(BackupFailure) {
        let partial = path + ".partial"
        let file = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .system("open", partial) }
        var rest = bytes[...]
        while !rest.isEmpty {
            let written = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard written > 0 else {
                if errno == EINTR { continue }
                close(file)
                throw .system("write", partial)
            }
            rest = rest.dropFirst(written)
        }
        let isSynced = fsync(file) == 0
        close(file)
        guard isSynced, rename(partial, path) == 0 else { throw .system("fsync or rename", partial) }
        try sync(directory)
    }

    static func sync(_ directory: String) throws(BackupFailure) {
        let file = open(directory, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw .system("open", directory) }
        let isSynced = fsync(file) == 0
        close(file)
        guard isSynced else { throw .system("fsync", directory) }
    }

    static func read(_ path: String) throws(BackupFailure) -> [UInt8] {
        do throws(FileFailure) {
            return try LocalFile.read(path)
        } catch {
            throw BackupFailure("\(error)")
        }
    }

    static func remove(_ path: String) { unlink(path) }

    static func isThere(_ path: String) -> Bool { access(path, F_OK) == 0 }

    /// Names, in order.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// As directories of backups are called: sorted by name they are sorted by time.
    static func timeName(ms: UInt64) -> String {
        var seconds = time_t(ms / 1_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(parts.tm_year + 1_900)\(two(parts.tm_mon + 1))\(two(parts.tm_mday))T"
            + "\(two(parts.tm_hour))\(two(parts.tm_min))\(two(parts.tm_sec))Z"
    }

    static func nowMs() -> UInt64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return UInt64(now.tv_sec) * 1_000 + UInt64(now.tv_nsec) / 1_000_000
    }
}

extension BackupFailure {
    static func system(_ call: String, _ path: String) -> BackupFailure {
        BackupFailure("\(call) of \(path): \(String(cString: strerror(errno)))")
    }

    init(_ error: StoreError) {
        self.init("\(error)")
    }
}
