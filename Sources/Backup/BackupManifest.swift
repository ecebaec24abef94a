import HoldfastClient
import Storage

/// One shard's file in a backup.
public struct BackupShard: Equatable, Sendable {
    public var shard: UInt32
    public var range: StoredRange
    /// The term of the entry that the file ends with, and its index.
    public var epoch: UInt64
    public var index: UInt64
    public var objects: UInt64
    public var bytes: UInt64
    /// Of the whole file, as its last bytes have it too.
    public var hash: UInt64
    /// In the backup's directory.
    public var file: String

    public init(_ snapshot: VerifiedSnapshot) {
        let manifest = snapshot.manifest
        shard = manifest.shard
        range = manifest.range
        epoch = manifest.term
        index = manifest.index
        objects = manifest.tally.objectCount
        bytes = snapshot.byteCount
        hash = snapshot.hash
        file = snapshot.name
    }

    init(
        shard: UInt32, range: StoredRange, epoch: UInt64, index: UInt64, objects: UInt64, bytes: UInt64, hash: UInt64,
        file: String
    ) {
        self.shard = shard
        self.range = range
        self.epoch = epoch
        self.index = index
        self.objects = objects
        self.bytes = bytes
        self.hash = hash
        self.file = file
    }
}

/// What a backup consists of. Written last: a directory without it is no backup.
///
/// The file is one line, `{"checksum":"…","backup":{…}}`; the checksum is the hash of the text of `backup`.
public struct BackupManifest: Equatable, Sendable {
    public static let fileName = "manifest.json"
    public static let placementFile = "placement"
    static let format = 1

    public var cluster: UInt64
    /// Of the program that made it.
    public var version: String
    /// In ms since 1970, by the clock of the machine that made it.
    public var startedAtMs: UInt64
    public var finishedAtMs: UInt64
    public var placementIndex: UInt64
    public var placementBytes: UInt64
    public var placementHash: UInt64
    /// In order of range; they cover the key space without gap and overlap.
    public var shards: [BackupShard]

    public var objects: UInt64 { shards.reduce(0) { $0 + $1.objects } }
    public var bytes: UInt64 { shards.reduce(placementBytes) { $0 + $1.bytes } }
}

/// A backup that cannot be used, or not be made: what, where, and what to do.
public struct BackupFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

// MARK: - Bytes

extension BackupManifest {
    private static let opening = "{\"checksum\":\""
    private static let middle = "\",\"backup\":"

    public func encode() -> [UInt8] {
        let content = json.bytes
        let checksum = hexadecimal(contentHash(content))
        return Array((Self.opening + checksum + Self.middle).utf8) + content + Array("}\n".utf8)
    }

    public init(_ bytes: [UInt8]) throws(BackupFailure) {
        let headCount = Self.opening.utf8.count + 16 + Self.middle.utf8.count
        guard bytes.count > headCount + 2, bytes.starts(with: Self.opening.utf8), bytes.suffix(2) == Array("}\n".utf8)[...]
        else { throw BackupFailure("the manifest is not one of a backup, or not whole") }
        let checksum = String(decoding: bytes[Self.opening.utf8.count...].prefix(16), as: UTF8.self)
        let hasMiddle = bytes[(Self.opening.utf8.count + 16)...].starts(with: Self.middle.utf8)
        let content = bytes[headCount..<(bytes.count - 2)]
        guard hasMiddle, checksum == hexadecimal(contentHash(content)), let json = try? JSON(parsing: Array(content)) else {
            throw BackupFailure("the manifest has a wrong checksum")
        }
        try self.init(json)
    }

    public var json: JSON {
        [
            "format": .integer(Self.format), "cluster": .string(hexadecimal(cluster)), "version": .string(version),
            "startedAt": .integer(startedAtMs), "finishedAt": .integer(finishedAtMs),
            "placement": [
                "file": .string(Self.placementFile), "index": .integer(placementIndex),
                "bytes": .integer(placementBytes), "hash": .string(hexadecimal(placementHash)),
            ],
            "shards": .array(shards.map(\.json)),
        ]
    }

    private init(_ json: JSON) throws(BackupFailure) {
        guard json["format"]?.int == Self.format else {
            throw BackupFailure(
                "the manifest is of format \(json["format"].map { "\($0)" } ?? "none"); this program knows \(Self.format)")
        }
        let shards = (json["shards"]?.elements ?? []).compactMap(BackupShard.init)
        guard let cluster = json["cluster"]?.hash, let version = json["version"]?.text,
            let startedAtMs = json["startedAt"]?.count, let finishedAtMs = json["finishedAt"]?.count,
            let placement = json["placement"], let index = placement["index"]?.count,
            let bytes = placement["bytes"]?.count, let hash = placement["hash"]?.hash,
            shards.count == json["shards"]?.elements?.count
        else { throw BackupFailure("the manifest lacks something") }
        self.init(
            cluster: cluster, version: version, startedAtMs: startedAtMs, finishedAtMs: finishedAtMs,
            placementIndex: index, placementBytes: bytes, placementHash: hash, shards: shards)
        guard BackupCover.isWhole(shards.map(\.range)) else {
            throw BackupFailure("the shards of the manifest do not cover the key space once")
        }
    }
}

extension BackupShard {
    var json: JSON {
        [
            "shard": .integer(shard),
            "range": [.string(hexadecimal(range.start)), .string(hexadecimal(range.end))],
            "epoch": .integer(epoch), "index": .integer(index), "objects": .integer(objects),
            "bytes": .integer(bytes), "hash": .string(hexadecimal(hash)), "file": .string(file),
        ]
    }

    init?(_ json: JSON) {
        guard let shard = json["shard"]?.count.flatMap(UInt32.init(exactly:)), let range = StoredRange(json["range"]),
            let epoch = json["epoch"]?.count, let index = json["index"]?.count, let objects = json["objects"]?.count,
            let bytes = json["bytes"]?.count, let hash = json["hash"]?.hash, let file = json["file"]?.text,
            !file.contains("/"), !file.isEmpty
        else { return nil }
        self.init(
            shard: shard, range: range, epoch: epoch, index: index, objects: objects, bytes: bytes, hash: hash,
            file: file)
    }
}

extension StoredRange {
    /// Two hashes, the lower one first.
    init?(_ json: JSON?) {
        guard let ends = json?.elements, ends.count == 2, let start = ends[0].hash, let end = ends[1].hash, start <= end
        else { return nil }
        self.init(start: start, end: end)
    }
}

extension JSON {
    var hash: UInt64? {
        guard let text, text.utf8.count == 16 else { return nil }
        return UInt64(text, radix: 16)
    }

    var count: UInt64? {
        if case .number(let text) = self { UInt64(text) } else { nil }
    }
}

/// Sixteen digits.
func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
