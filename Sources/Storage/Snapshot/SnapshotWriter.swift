import Glibc

/// Writes a snapshot of a shard from a view of the store, on a thread of its own.
public final class SnapshotWriter: Sendable {
    private let state: Cancellation
    private let thread: WorkerThread

    final class Cancellation: @unchecked Sendable {
        private let monitor = Monitor()
        private var isSet = false

        var isCancelled: Bool { monitor.locked { isSet } }
        func cancel() { monitor.locked { isSet = true } }
    }

    /// Begins to write `path`. `done` is called on the writer's thread. Nothing but a whole, durable file ever has
    /// that name.
    public init(
        shard: UInt32, of view: StoreView, to path: String, keys: DataKeys? = nil,
        done: @escaping @Sendable (Result<VerifiedSnapshot, StoreError>) -> Void
    ) {
        let state = Cancellation()
        self.state = state
        thread = WorkerThread(name: "snapshot") {
            done(
                Result { () throws(StoreError) in
                    try SnapshotWriter.write(shard: shard, of: view, to: path, keys: keys) { state.isCancelled }
                })
        }
        thread.detach()
    }

    /// Ends early; `done` gets `.cancelled`, unless it was ready.
    public func cancel() { state.cancel() }

    /// The same on the caller's thread. `isCancelled` is asked after each slice: there a caller may also wait, to
    /// keep to a rate.
    public static func write(
        shard: UInt32, of view: StoreView, to path: String, keys: DataKeys? = nil, isCancelled: () -> Bool = { false }
    ) throws(StoreError) -> VerifiedSnapshot {
        guard let head = try view.head(shard) else { throw .refused("the store has no such shard", shard: shard) }
        let partialPath = path + SnapshotDirectory.partialSuffix
        let file = Glibc.open(partialPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw .systemCall("open", errno, path: partialPath) }
        defer { close(file) }
        do throws(StoreError) {
            let manifest = SnapshotManifest(head: head)
            var output = Output(
                path: partialPath, writer: try RestingFileWriter(file, path: partialPath, keys: keys))
            let hash = try output.write(manifest, view, isCancelled)
            try publish(file, partialPath, as: path, in: SystemDisk.parent(of: path))
            return VerifiedSnapshot(path: path, byteCount: output.offset, hash: hash, manifest: manifest)
        } catch {
            unlink(partialPath)
            throw error
        }
    }

    /// Content first, name second, both durable.
    static func publish(
        _ file: Int32, _ partialPath: String, as path: String, in directory: String
    ) throws(StoreError) {
        guard fsync(file) == 0 else { throw .systemCall("fsync", errno, path: partialPath) }
        guard rename(partialPath, path) == 0 else { throw .systemCall("rename", errno, path: partialPath) }
        let synced = SystemDisk().syncDirectory(directory)
        guard synced == 0 else { throw .systemCall("fsync of the directory", synced, path: directory) }
    }

    private struct Output {
        let path: String
        var writer: RestingFileWriter
        var offset: UInt64 = 0

        mutating func write(
            _ manifest: SnapshotManifest, _ view: StoreView, _ isCancelled: () -> Bool
        ) throws(StoreError) -> UInt64 {
            var encoder = SnapshotEncoder(manifest)
            try write(encoder.begin())
            var last: StoreKey?
            while true {
                if isCancelled() {
                    throw StoreError(.cancelled, "stopped", place: path, remedy: "It can be begun again")
                }
                let objects = try view.objects(in: manifest.range, after: last)
                guard let end = objects.last else { break }
                for object in objects { try write(encoder.add(object)) }
                last = end.key
            }
            let end = try encoder.finish()
            try write(end.bytes)
            try writer.finish()
            return end.hash
        }

        private mutating func write(_ bytes: [UInt8]) throws(StoreError) {
            try writer.append(bytes)
            offset += UInt64(bytes.count)
        }
    }
}
