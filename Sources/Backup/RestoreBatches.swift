import Cluster
import ObjectRuntime

/// Gathers parts of objects into calls of bounded size. Pure.
struct RestoreBatches {
    /// A call has 2 MiB at most, and one item may have half of that by itself.
    static let batchBytes = 768 << 10
    static let partBytes = 512 << 10

    let mode: Restoration.Mode
    private var batch: [RestoredPart] = []
    private var bytes = 0

    init(_ mode: Restoration.Mode) {
        self.mode = mode
    }

    /// Answers the calls that are full.
    mutating func add(_ object: StoredObject, as name: BackupObjectName, versionFloor: UInt64) -> [[RestoredPart]] {
        var full: [[RestoredPart]] = []
        for part in object.restorations(mode, versionFloor: versionFloor, partBytes: Self.partBytes) {
            if !batch.isEmpty, bytes + part.byteCount > Self.batchBytes || batch.count == RestoreBody.partsMax {
                full.append(finish())
            }
            batch.append(
                RestoredPart(project: name.project, objectClass: name.objectClass, id: name.id, part: part))
            bytes += part.byteCount
        }
        return full
    }

    /// What is left.
    mutating func finish() -> [RestoredPart] {
        defer { (batch, bytes) = ([], 0) }
        return batch
    }
}

/// An object as people name it: `PROJECT/CLASS/ID`.
public struct BackupObjectName: Hashable, Sendable, CustomStringConvertible {
    public var project: String
    public var objectClass: String
    public var id: String

    public init(project: String, objectClass: String, id: String) {
        self.project = project
        self.objectClass = objectClass
        self.id = id
    }

    /// The id may hold slashes, the others not.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else { return nil }
        self.init(project: String(parts[0]), objectClass: String(parts[1]), id: String(parts[2]))
    }

    init(_ id: ObjectID) {
        self.init(project: id.project, objectClass: id.objectClass, id: id.id)
    }

    init(_ part: RestoredPart) {
        self.init(project: part.project, objectClass: part.objectClass, id: part.id)
    }

    public var description: String { "\(project)/\(objectClass)/\(id)" }
}
