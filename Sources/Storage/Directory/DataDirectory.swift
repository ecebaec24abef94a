import Glibc

/// The directory that holds everything a node keeps, for the one process that may use it.
///
///     lock       held (flock) as long as the process lives; says which process
///     identity   who the directory belongs to
///     journal/   see `Journal`
public final class DataDirectory: @unchecked Sendable {
    public let path: String
    private let lock: Int32
    private let monitor = Monitor()
    // Guarded by the monitor.
    private var current: NodeIdentity

    public var identity: NodeIdentity { monitor.locked { current } }
    public var journalDirectory: String { path + "/journal" }

    /// Opens the directory for the node called `name`, or makes it, with `newNode` as its identity.
    /// `cluster` is the one that the configuration names, if it names one. On an error nothing was changed.
    public static func open(
        path: String, name: String, newNode: UInt64, cluster: UInt64? = nil
    ) throws(DataDirectoryError) -> DataDirectory {
        guard NodeIdentity.isValid(name: name) else { throw badName(name) }
        let code = SystemDisk.makeDirectory(path)
        guard code == 0 else { throw .systemCall("mkdir", code, path: path) }
        let lock = try takeLock(path)
        do throws(DataDirectoryError) {
            let files = IdentityFile(directory: path)
            if let found = try files.read() {
                try check(found, path: path, name: name, cluster: cluster)
                return DataDirectory(path: path, lock: lock, identity: found)
            }
            try checkUnused(path)
            let made = NodeIdentity(node: newNode, name: name)
            try files.write(made)
            return DataDirectory(path: path, lock: lock, identity: made)
        } catch {
            close(lock)
            throw error
        }
    }

    private init(path: String, lock: Int32, identity: NodeIdentity) {
        self.path = path
        self.lock = lock
        current = identity
    }

    deinit {
        close(lock)
    }

    /// Records that the node belongs to `cluster` from now on. To be called after the journal holds
    /// what makes it so: from then on a directory without its journal is a lost disk, and not a new
    /// node.
    public func join(cluster: UInt64) throws(DataDirectoryError) {
        precondition(cluster != 0, "a cluster's id is never 0")
        var next = identity
        if next.cluster == cluster { return }
        guard next.cluster == 0 else { throw Self.otherCluster(next, wanted: cluster, path: path) }
        next.cluster = cluster
        try IdentityFile(directory: path).write(next)
        monitor.locked { current = next }
    }

    // MARK: Checks

    private static func check(
        _ found: NodeIdentity, path: String, name: String, cluster: UInt64?
    ) throws(DataDirectoryError) {
        guard found.name == name else {
            throw DataDirectoryError(
                .otherNode, "it belongs to the node \"\(found.name)\", this one is called \"\(name)\"",
                place: path,
                remedy: "Start the node with its own directory, or with the name that the directory has")
        }
        if let cluster, found.cluster != 0, found.cluster != cluster {
            throw otherCluster(found, wanted: cluster, path: path)
        }
        guard found.cluster == 0 || hasJournal(path) else {
            throw DataDirectoryError(
                .diskLost, "the node is part of a cluster, but its journal is gone", place: path + "/journal",
                remedy: """
                    Put the journal back if it was moved. If it is lost, this node must not answer for \
                    what it once held: start it with an empty data directory, so that it joins as a new \
                    replica
                    """)
        }
    }

    /// A journal without an identity has lost its owner: it is not taken over by a new node.
    private static func checkUnused(_ path: String) throws(DataDirectoryError) {
        guard !hasJournal(path) else {
            throw DataDirectoryError(
                .diskLost, "there is a journal but no identity", place: path,
                remedy: "Put the file \"identity\" back, or start the node with an empty data directory")
        }
    }

    private static func hasJournal(_ path: String) -> Bool {
        !SegmentFiles.sequences(among: SystemDisk.names(in: path + "/journal") ?? []).isEmpty
    }

    private static func otherCluster(
        _ found: NodeIdentity, wanted: UInt64, path: String
    ) -> DataDirectoryError {
        DataDirectoryError(
            .otherCluster,
            "it belongs to cluster \(String(found.cluster, radix: 16)), not to \(String(wanted, radix: 16))",
            place: path, remedy: "Correct the address or the directory in the node's configuration")
    }

    private static func badName(_ name: String) -> DataDirectoryError {
        DataDirectoryError(
            .badName, "\"\(name)\" cannot be the name of a node", place: "the node's name",
            remedy: "Use 1 to \(NodeIdentity.maximumNameBytes) bytes without control characters")
    }

    // MARK: Lock

    static func takeLock(_ path: String) throws(DataDirectoryError) -> Int32 {
        let lockPath = path + "/lock"
        let file = Glibc.open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, path: lockPath) }
        guard flock(file, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            defer { close(file) }
            guard code == EWOULDBLOCK else { throw .systemCall("flock", code, path: lockPath) }
            throw .inUse(pid: holder(file), path: path)
        }
        // Only a courtesy to whoever finds the directory in use.
        let pid = [UInt8]("\(getpid())\n".utf8)
        if ftruncate(file, 0) == 0 { _ = pwrite(file, pid, pid.count, 0) }
        return file
    }

    private static func holder(_ file: Int32) -> Int32? {
        var bytes = [UInt8](repeating: 0, count: 16)
        guard let count = bytes.withUnsafeMutableBytes({ SystemDisk.read(file, at: 0, into: $0) }) else {
            return nil
        }
        return Int32(String(decoding: bytes[0..<count].filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
    }
}
