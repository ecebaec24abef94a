import Glibc

/// Reads and replaces the identity of a data directory, whole or not at all.
struct IdentityFile {
    let directory: String

    private var path: String { directory + "/identity" }
    private var temporaryPath: String { directory + "/identity.new" }

    /// Nil if there is none.
    func read() throws(DataDirectoryError) -> NodeIdentity? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if errno == ENOENT { return nil }
            throw .systemCall("open", errno, path: path)
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 8192)
        guard let count = bytes.withUnsafeMutableBytes({ SystemDisk.read(file, at: 0, into: $0) }) else {
            throw .systemCall("pread", errno, path: path)
        }
        guard let identity = NodeIdentity(decoding: [UInt8](bytes[0..<count])) else {
            throw DataDirectoryError(
                .damaged, "the identity cannot be read", place: path,
                remedy: """
                    Put the file back from a copy. Without one, keep the directory and start the node \
                    with an empty one, so that it joins as a new replica
                    """)
        }
        return identity
    }

    /// Write, sync, rename, sync the directory: after a crash there is the old identity or the new one.
    func write(_ identity: NodeIdentity) throws(DataDirectoryError) {
        do throws(DataDirectoryError) {
            try writeTemporary(identity.encode())
        } catch {
            unlink(temporaryPath)
            throw error
        }
        guard rename(temporaryPath, path) == 0 else { throw .systemCall("rename", errno, path: path) }
        let listed = SystemDisk().syncDirectory(directory)
        guard listed == 0 else { throw .systemCall("fsync of the directory", listed, path: directory) }
    }

    private func writeTemporary(_ bytes: [UInt8]) throws(DataDirectoryError) {
        let file = open(temporaryPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, path: temporaryPath) }
        defer { close(file) }
        let written = bytes.withUnsafeBytes { SystemDisk().write($0, to: file, at: 0) }
        guard written == 0 else { throw .systemCall("pwrite", written, path: temporaryPath) }
        let synced = fsync(file) == 0 ? 0 : errno
        guard synced == 0 else { throw .systemCall("fsync", synced, path: temporaryPath) }
    }
}
