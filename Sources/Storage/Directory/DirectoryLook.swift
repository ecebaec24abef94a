import Glibc

/// Looks at a data directory that may be in use, changes nothing and takes no lock.
extension DataDirectory {
    /// Nil if there is none.
    public static func readIdentity(path: String) throws(DataDirectoryError) -> NodeIdentity? {
        try IdentityFile(directory: path).read()
    }

    /// The process that holds the directory's lock, as the kernel tells; nil if none does.
    public static func holder(path: String) -> Int32? {
        var status = stat()
        guard stat(path + "/lock", &status) == 0 else { return nil }
        // A line: number, FLOCK, kind, WRITE, process, device:device:inode, range.
        for line in text(of: "/proc/locks").split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count >= 6, fields[1] == "FLOCK", fields[5].hasSuffix(":\(status.st_ino)"),
                let process = Int32(fields[4])
            else { continue }
            return process
        }
        return nil
    }

    /// Files of this kind have no size.
    private static func text(of path: String) -> String {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return "" }
        defer { close(file) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(file, &block, block.count), count > 0, bytes.count < 16 << 20 {
            bytes += block[0..<count]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
