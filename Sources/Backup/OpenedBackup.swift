import Binary
import Cluster
import ObjectRuntime
import Placement
import Storage

/// A backup to restore from. Every file is compared with its hash before anything of it is used.
public struct OpenedBackup: Sendable {
    public let directory: String
    public let manifest: BackupManifest
    public let placement: PlacementState
    private let keys: DataKeys?

    /// `path` is a backup, or a directory with backups, of which the newest whole one is taken.
    /// - Parameter keys: for one whose files are sealed.
    public init(at path: String, keys: DataKeys? = nil) throws(BackupFailure) {
        self.keys = keys
        directory = try Self.find(path)
        manifest = try BackupManifest(try BackupFiles.read(directory + "/" + BackupManifest.fileName))
        let bytes = try Self.content(of: directory + "/" + BackupManifest.placementFile, keys)
        guard UInt64(bytes.count) == manifest.placementBytes, contentHash(bytes) == manifest.placementHash else {
            throw BackupFailure("\(directory)/\(BackupManifest.placementFile) is not the file that the manifest names")
        }
        do throws(DecodingFailure) {
            placement = try PlacementState.decode(bytes)
        } catch {
            throw BackupFailure("\(directory)/\(BackupManifest.placementFile) cannot be read: \(error)")
        }
    }

    private static let placementBytesMax: UInt64 = 1 << 30

    private static func content(of path: String, _ keys: DataKeys?) throws(BackupFailure) -> [UInt8] {
        let file: SnapshotFile
        do throws(StoreError) {
            file = try SnapshotFile(path: path, keys: keys)
            if file.byteCount <= placementBytesMax { return try file.read(at: 0, count: Int(file.byteCount)) }
        } catch {
            throw BackupFailure(error)
        }
        throw BackupFailure("\(path) has \(file.byteCount) bytes, more than any placement state")
    }

    private static func find(_ path: String) throws(BackupFailure) -> String {
        let isBackup = { (path: String) in BackupFiles.isThere(path + "/" + BackupManifest.fileName) }
        if isBackup(path) { return path }
        let found = BackupFiles.names(in: path).map { path + "/" + $0 }.last(where: isBackup)
        guard let found else {
            throw BackupFailure("there is no backup in \(path): none of its directories has a manifest")
        }
        return found
    }

    /// Compares every byte of a shard's file with its hash, and reads all its objects. Blocks.
    public func verify(_ shard: BackupShard) throws(BackupFailure) {
        let path = directory + "/" + shard.file
        do throws(StoreError) {
            let file = try SnapshotFile(path: path, keys: keys)
            let verified = try SnapshotReader.verify(file, expectedHash: shard.hash)
            if BackupShard(verified) == shard { return try SnapshotReader.checkObjects(file) }
        } catch {
            throw BackupFailure(error)
        }
        throw BackupFailure("\(path) is not the file that the manifest names")
    }

    public func verifyAll() throws(BackupFailure) {
        for shard in manifest.shards { try verify(shard) }
    }

    public func objects(of shard: BackupShard) throws(BackupFailure) -> BackupObjects {
        try BackupObjects(path: directory + "/" + shard.file, keys: keys)
    }

    /// The shard that has a key.
    public func shard(of key: UInt64) -> BackupShard? { manifest.shards.first { $0.range.contains(key) } }

    /// An object's id in the cluster that was backed up.
    public func id(project: String, objectClass: String, id: String) -> ObjectID {
        ObjectID(project: project, objectClass: objectClass, id: id, hashKey: placement.genesis.hashKey)
    }

    /// Nil if the backup has no such object.
    public func object(_ id: ObjectID) throws(BackupFailure) -> (object: ObjectRuntime.StoredObject, floor: UInt64)? {
        guard let shard = shard(of: id.key.rawValue) else { return nil }
        var objects = try objects(of: shard)
        while let batch = try objects.next() {
            if let found = batch.first(where: { $0.id == id }) { return (found, objects.versionFloor) }
            if let last = batch.last, last.id.key.rawValue > id.key.rawValue { return nil }
        }
        return nil
    }
}

/// The objects of one shard's file, a frame at a time.
public struct BackupObjects {
    private var reader: SnapshotReader
    private let path: String
    /// Of the shard's state, for `ShardState`.
    let head: [UInt8]
    /// Versions of removed items in the shard were at most this.
    public let versionFloor: UInt64

    init(path: String, keys: DataKeys?) throws(BackupFailure) {
        self.path = path
        do throws(StoreError) {
            reader = try SnapshotReader(try SnapshotFile(path: path, keys: keys))
        } catch {
            throw BackupFailure(error)
        }
        do throws(DecodingFailure) {
            let head = try StoredShardHead(payload: reader.manifest.payload)
            self.head = head.state
            versionFloor = try ShardState(head: head.state, source: MemoryObjectSource()).versionFloor
        } catch {
            throw BackupFailure("the head in \(path) cannot be read: \(error)")
        }
    }

    /// As they stand in the file; nil at the end.
    mutating func nextRecords() throws(BackupFailure) -> [Storage.StoredObject]? {
        do throws(StoreError) {
            return try reader.next()
        } catch {
            throw BackupFailure(error)
        }
    }

    /// Nil at the end.
    public mutating func next() throws(BackupFailure) -> [ObjectRuntime.StoredObject]? {
        guard let records = try nextRecords() else { return nil }
        var objects: [ObjectRuntime.StoredObject] = []
        for record in records {
            do throws(DecodingFailure) {
                objects.append(try ObjectRuntime.StoredObject(record.bytes))
            } catch {
                throw BackupFailure("an object in \(path) cannot be read: \(error)")
            }
        }
        return objects
    }
}
