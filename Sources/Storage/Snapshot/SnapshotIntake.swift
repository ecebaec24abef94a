import Glibc

/// Takes in a snapshot piece by piece, from any offset that it has reached, until it is whole. Calls block as
/// long as the page cache does; `finish` waits for the disk. One thread at a time, which is what makes the
/// unchecked `Sendable` true.
public final class SnapshotIntake: @unchecked Sendable {
    public let byteCount: UInt64
    public let hash: UInt64
    public let path: String
    private let partialPath: String
    private let directory: String
    private let file: Int32
    private var whole = BlockHash()
    /// How many bytes are here: the next one that is wanted.
    public private(set) var received: UInt64 = 0
    private var finished: VerifiedSnapshot?
    private let keys: DataKeys?
    private var writer: RestingFileWriter

    init(
        directory: String, title: String, byteCount: UInt64, hash: UInt64, keys: DataKeys?
    ) throws(StoreError) {
        precondition(!title.contains("/"), "a title leads out of its directory")
        self.byteCount = byteCount
        self.hash = hash
        self.directory = directory
        let base = directory + "/" + title + "-" + String(hash, radix: 16)
        path = base + SnapshotDirectory.suffix
        partialPath = base + SnapshotDirectory.partialSuffix
        let file = Glibc.open(partialPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, path: partialPath) }
        self.file = file
        self.keys = keys
        writer = try RestingFileWriter(file, path: partialPath, keys: keys)
        try resume()
    }

    deinit { close(file) }

    public var isComplete: Bool { finished != nil || received == byteCount }

    /// Looks at what an earlier intake of the same snapshot has left.
    private func resume() throws(StoreError) {
        if access(path, R_OK) == 0, let file = try? SnapshotFile(path: path, keys: keys), file.byteCount == byteCount,
            let verified = try? SnapshotReader.verify(file, expectedHash: hash)
        {
            finished = verified
            received = byteCount
            unlink(partialPath)
            return
        }
        // What is sealed goes on in no other intake than its own.
        guard keys == nil else { return try restart() }
        let partial = try SnapshotFile(path: partialPath)
        guard partial.byteCount <= byteCount else { return try restart() }
        while received < partial.byteCount {
            note(try partial.read(at: received, count: Int(min(1 << 20, partial.byteCount - received))))
        }
        writer = try RestingFileWriter(file, path: partialPath, keys: nil, offset: Int(received))
    }

    /// Bytes at an offset. What is here already is passed over, and what leaves a gap is not taken: the answer is
    /// the offset that is wanted next.
    public func append(_ bytes: [UInt8], at offset: UInt64) throws(StoreError) -> UInt64 {
        guard finished == nil, offset <= received else { return received }
        let known = received - offset
        guard known < UInt64(bytes.count) else { return received }
        let fresh = bytes[Int(known)...].prefix(Int(min(byteCount - received, UInt64(bytes.count))))
        try writer.append(fresh)
        note(fresh)
        return received
    }

    /// The hash stands in the last bytes, and does not cover itself.
    private func note(_ bytes: some Collection<UInt8>) {
        let covered = byteCount - min(byteCount, UInt64(SnapshotFormat.hashBytes))
        let left = covered - min(covered, received)
        whole.add(bytes.prefix(Int(min(left, UInt64(bytes.count)))))
        received += UInt64(bytes.count)
    }

    /// When everything is here: compares the hash, makes the file durable and gives it its name. If it is not
    /// what was promised, it is thrown away, and the intake begins at 0. May be repeated.
    public func finish() throws(StoreError) -> VerifiedSnapshot {
        if let finished { return finished }
        precondition(isComplete, "a snapshot that is not whole is not finished")
        try writer.finish()
        let partial = try SnapshotFile(path: partialPath, keys: keys)
        guard whole.value == hash, try SnapshotReader.storedHash(partial) == hash else {
            try restart()
            throw .damaged("what arrived is another snapshot than was promised", place: partialPath)
        }
        let manifest: SnapshotManifest
        do throws(StoreError) {
            manifest = try SnapshotReader(partial).manifest
        } catch {
            try restart()
            throw error
        }
        try SnapshotWriter.publish(file, partialPath, as: path, in: directory)
        let verified = VerifiedSnapshot(path: path, byteCount: byteCount, hash: hash, manifest: manifest)
        finished = verified
        return verified
    }

    /// Gives up: nothing of it stays, unless it was whole.
    public func abandon() {
        unlink(partialPath)
    }

    private func restart() throws(StoreError) {
        guard ftruncate(file, 0) == 0 else { throw .systemCall("ftruncate", errno, path: partialPath) }
        received = 0
        whole = BlockHash()
        writer = try RestingFileWriter(file, path: partialPath, keys: keys)
    }
}
