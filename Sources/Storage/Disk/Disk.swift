import Glibc

/// The calls that change what is on disk, apart so that tests can let each of them fail.
/// All return 0 or an errno.
protocol Disk: Sendable {
    func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: Int) -> Int32
    func syncData(_ file: Int32) -> Int32
    func syncDirectory(_ path: String) -> Int32
    func rename(_ path: String, to newPath: String) -> Int32
    /// Removes a file; one that is not there is no error.
    func remove(_ path: String) -> Int32
}

/// The operating system's calls.
struct SystemDisk: Disk {
    func write(_ bytes: UnsafeRawBufferPointer, to file: Int32, at offset: Int) -> Int32 {
        var done = 0
        while done < bytes.count {
            let written = pwrite(file, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if written < 0 {
                if errno == EINTR { continue }
                return errno
            }
            if written == 0 { return EIO }
            done += written
        }
        return 0
    }

    // Never repeated: after a failed sync the kernel may have dropped the pages and report success (O12).
    func syncData(_ file: Int32) -> Int32 {
        fdatasync(file) == 0 ? 0 : errno
    }

    func syncDirectory(_ path: String) -> Int32 {
        let directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard directory >= 0 else { return errno }
        defer { close(directory) }
        return fsync(directory) == 0 ? 0 : errno
    }

    func rename(_ path: String, to newPath: String) -> Int32 {
        Glibc.rename(path, newPath) == 0 ? 0 : errno
    }

    func remove(_ path: String) -> Int32 {
        unlink(path) == 0 || errno == ENOENT ? 0 : errno
    }

    static func text(of code: Int32) -> String {
        String(cString: strerror(code)) + " (errno \(code))"
    }

    /// Reads up to `count` bytes; fewer only at the end of the file. Returns nil and leaves errno on
    /// failure.
    static func read(_ file: Int32, at offset: Int, into target: UnsafeMutableRawBufferPointer) -> Int? {
        var done = 0
        while done < target.count {
            let got = pread(file, target.baseAddress! + done, target.count - done, off_t(offset + done))
            if got < 0 {
                if errno == EINTR { continue }
                return nil
            }
            if got == 0 { break }
            done += got
        }
        return done
    }

    /// Makes a directory and the ones above it, each with mode 0700 and its name synced. 0 or an errno.
    static func makeDirectory(_ path: String) -> Int32 {
        if mkdir(path, 0o700) == 0 { return SystemDisk().syncDirectory(parent(of: path)) }
        switch errno {
        case EEXIST: return isDirectory(path) ? 0 : ENOTDIR
        case ENOENT where parent(of: path) != path:
            let code = makeDirectory(parent(of: path))
            return code == 0 ? makeDirectory(path) : code
        default: return errno
        }
    }

    static func isDirectory(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && (status.st_mode & S_IFMT) == S_IFDIR
    }

    static func parent(of path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: true)
        if !parts.isEmpty { parts.removeLast() }
        let joined = parts.joined(separator: "/")
        if path.hasPrefix("/") { return "/" + joined }
        return joined.isEmpty ? "." : joined
    }

    static func names(in directory: String) -> [String]? {
        guard let stream = opendir(directory) else { return nil }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

extension JournalError.Kind {
    init(errno code: Int32) {
        switch code {
        case ENOSPC, EDQUOT, EFBIG: self = .diskFull
        case EACCES, EPERM, EROFS, ENOTDIR, ENOENT, EISDIR, ELOOP: self = .unwritable
        default: self = .failed
        }
    }

    /// What an operator should do about a system call that failed like this.
    static func remedy(errno code: Int32) -> String {
        switch Self(errno: code) {
        case .diskFull:
            "Free space on this file system or move the data directory, then start the node again"
        case .unwritable:
            "Check the path, its owner and mode, and that the file system is mounted writable"
        default:
            code == EMFILE || code == ENFILE
                ? "Raise the limit on open files"
                : "The disk cannot be trusted; look into the kernel's log, and replace the disk it names"
        }
    }
}
