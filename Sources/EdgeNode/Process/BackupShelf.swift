import Glibc
import Placement
import Storage

/// A file of one shard that this node has made for a backup.
public struct BackupFile: Sendable, Equatable {
    public var id: UInt64
    public var manifest: SnapshotManifest
    public var byteCount: UInt64
    public var hash: UInt64

    public init(id: UInt64, manifest: SnapshotManifest, byteCount: UInt64, hash: UInt64) {
        self.id = id
        self.manifest = manifest
        self.byteCount = byteCount
        self.hash = hash
    }
}

public enum BackupFault: Error, Sendable, Equatable {
    case notOwner
    case busy
    /// The disk, mostly for want of space.
    case failed(String)
}

/// The files that are being fetched. All of it is touched by the thread of the snapshot files, which is what makes
/// the unchecked `Sendable` true.
final class BackupShelf: @unchecked Sendable {
    private struct Place {
        var file: SnapshotFile
        var usedAtMs: UInt64
    }

    static let filesMax = 64
    /// Whoever fetches asks more often than that.
    static let keptMs: UInt64 = 600_000
    /// What one piece may have.
    static let pieceBytesMax = 4 << 20

    private let directory: String
    /// Until a file is fetched it lies here under these.
    let keys: DataKeys?
    private var places: [UInt64: Place] = [:]
    private var underWay = 0
    private var nextID: UInt64

    init(directory: String, firstID: UInt64, keys: DataKeys?) {
        self.directory = directory
        self.keys = keys
        nextID = firstID
        // What an earlier process made is asked for anew.
        mkdir(directory, 0o700)
        for name in directoryEntries(directory) { unlink(directory + "/" + name) }
    }

    /// Where the next file goes; nil if there are too many.
    func begin(nowMs: UInt64) -> (id: UInt64, path: String)? {
        sweep(nowMs: nowMs)
        guard places.count + underWay < Self.filesMax else { return nil }
        underWay += 1
        // Ids of another process of this node are others.
        nextID &+= 1
        return (nextID, path(nextID))
    }

    private func path(_ id: UInt64) -> String { "\(directory)/\(id).snapshot" }

    func abandon() { underWay -= 1 }

    func keep(_ id: UInt64, _ snapshot: VerifiedSnapshot, nowMs: UInt64) throws -> BackupFile {
        underWay -= 1
        places[id] = Place(file: try SnapshotFile(path: snapshot.path, keys: keys), usedAtMs: nowMs)
        return BackupFile(
            id: id, manifest: snapshot.manifest, byteCount: snapshot.byteCount, hash: snapshot.hash)
    }

    func read(_ id: UInt64, at offset: UInt64, count: Int, nowMs: UInt64) -> [UInt8]? {
        guard let file = places[id]?.file, offset < file.byteCount else { return nil }
        places[id]?.usedAtMs = nowMs
        let available = min(UInt64(min(count, Self.pieceBytesMax)), file.byteCount - offset)
        return try? file.read(at: offset, count: Int(available))
    }

    func drop(_ id: UInt64) {
        guard places.removeValue(forKey: id) != nil else { return }
        unlink(path(id))
    }

    func sweep(nowMs: UInt64) {
        for (id, place) in places where nowMs > place.usedAtMs + Self.keptMs { drop(id) }
    }
}
