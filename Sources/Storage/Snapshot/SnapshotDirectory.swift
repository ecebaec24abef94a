import Glibc

/// The directory of the snapshots that arrive and are installed. A file is called `*.partial` until it is
/// whole and durable, then `*.snapshot`.
public struct SnapshotDirectory: Sendable {
    public let path: String
    /// What arrives is sealed under these.
    let keys: DataKeys?

    static let suffix = ".snapshot"
    static let partialSuffix = ".partial"

    /// Made if it does not exist; its parent must.
    public init(_ path: String, keys: DataKeys? = nil) throws(StoreError) {
        let made = SystemDisk.makeDirectory(path)
        guard made == 0 else { throw .systemCall("mkdir", made, path: path) }
        self.path = path
        self.keys = keys
    }

    /// The names of whole snapshots, to be installed or removed by whoever knows what they are for.
    public func names() -> [String] {
        (SystemDisk.names(in: path) ?? []).filter { $0.hasSuffix(Self.suffix) }
    }

    public func path(of name: String) -> String { path + "/" + name }

    /// Begins, or goes on, to take in a snapshot of so many bytes and that hash. `title` becomes part of a name.
    public func intake(title: String, byteCount: UInt64, hash: UInt64) throws(StoreError) -> SnapshotIntake {
        try SnapshotIntake(directory: path, title: title, byteCount: byteCount, hash: hash, keys: keys)
    }

    public func remove(_ name: String) {
        precondition(!name.contains("/"), "a name leads out of its directory")
        unlink(path(of: name))
    }

    /// What was not whole when the process ended is worth nothing.
    func removeLeftovers() {
        for name in SystemDisk.names(in: path) ?? [] where name.hasSuffix(Self.partialSuffix) { remove(name) }
    }

    /// What has to be done about a marker. `.damaged` if its file is not the one that was switched to.
    func job(for marker: StoreMarker) throws(StoreError) -> StoreJob {
        guard let plan = marker.plan else { return StoreJob(marker, source: nil) }
        let file: SnapshotFile
        do throws(StoreError) {
            file = try SnapshotFile(path: path(of: plan.name), keys: keys)
        } catch {
            if error.kind == .sealed { throw error }
            throw .damaged("the snapshot cannot be opened: \(error.what)", place: error.place, shard: marker.shard)
        }
        guard file.byteCount == plan.byteCount, try SnapshotReader.storedHash(file) == plan.hash else {
            throw .damaged("it is another snapshot than was meant", place: file.name, shard: marker.shard)
        }
        return StoreJob(marker, source: try SnapshotReader(file))
    }
}
