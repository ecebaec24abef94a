import Binary
import Cluster
import ObjectRuntime
import Placement
import Raft
import Storage
import StoreBinding

/// An entry of a shard's log that is proven committed.
struct ArchivedEntry: Sendable, Equatable {
    var term: UInt64
    /// The log's own time; 0 if the entry has none.
    var timeMs: UInt64 = 0
    /// Nil for what changes no state, or nothing that was asked for.
    var payload: [UInt8]?
}

/// What one disk's archive says of one group's log: what stood in it, and up to where its store had it.
///
/// The store takes only what is committed (O3), so an entry at or below a `covered` record that came after it was
/// committed, unless the record says that another replica's state took the place of the log.
struct ArchivedGroup: Sendable {
    private(set) var entries: [UInt64: ArchivedEntry] = [:]
    private(set) var covered: UInt64 = 0
    private var last: UInt64 = 0

    /// Takes the place of what stood from there on, as in the log itself.
    mutating func take(_ entry: ArchivedEntry, at index: UInt64) {
        guard index > covered else { return }
        cut(above: index - 1)
        entries[index] = entry
        last = index
    }

    mutating func cover(_ index: UInt64, term: UInt64, replacesLog: Bool) throws(BackupFailure) {
        guard index > covered else { return }
        if replacesLog { cut(above: covered) }
        if let entry = entries[index], entry.term != term {
            throw BackupFailure("an archive covers entry \(term)/\(index) and has \(entry.term)/\(index)")
        }
        covered = index
    }

    /// What is not proven by now never will be: the log ends, or something of the archive is missing behind it.
    mutating func end() { cut(above: covered) }

    private mutating func cut(above index: UInt64) {
        guard last > index else { return }
        for gone in (index + 1)...last { entries[gone] = nil }
        last = index
    }
}

/// The committed entries of some shards, out of the archives of one or several disks.
public struct ArchivedLogs: Sendable {
    /// What of the archives is of interest.
    public struct Wish: Sendable {
        /// Only this object's entries, or all.
        public var object: ObjectID?
        /// Homes of the shards: children of splits have their parent's.
        public var homes: Set<UInt16>
        public var cluster: UInt64

        public init(object: ObjectID?, homes: Set<UInt16>, cluster: UInt64) {
            self.object = object
            self.homes = homes
            self.cluster = cluster
        }
    }

    /// Payloads are held in memory.
    static let bytesMax = 2 << 30

    private var groups: [UInt32: [UInt64: ArchivedEntry]] = [:]
    private var bytes = 0

    public init(in directories: [String], keys: DataKeys? = nil, _ wish: Wish) throws(BackupFailure) {
        var disks = 0
        for directory in directories {
            for disk in ArchivedJournal.disks(in: directory) {
                disks += 1
                try add(ArchivedJournal(disk), keys, wish)
            }
        }
        guard disks > 0 else { throw BackupFailure("there is no archive in \(directories.joined(separator: ", "))") }
    }

    func entry(of shard: UInt32, at index: UInt64) -> ArchivedEntry? { groups[shard]?[index] }

    /// Whether anything is proven above an index.
    func goesOn(_ shard: UInt32, above index: UInt64) -> Bool {
        groups[shard]?.keys.contains { $0 > index } ?? false
    }

    // MARK: - Reading

    private mutating func add(_ archive: ArchivedJournal, _ keys: DataKeys?, _ wish: Wish) throws(BackupFailure) {
        var disk = ArchivedDisk(wish)
        for run in archive.runs {
            do throws(JournalError) {
                try archive.read(run, keys: keys) { try disk.take($0) }
            } catch {
                throw BackupFailure("\(error)")
            }
            disk.endRun()
            guard disk.bytes + bytes <= Self.bytesMax else {
                throw BackupFailure(
                    "the archives hold more than \(Self.bytesMax) bytes since the backup: restore single objects, or "
                        + "begin with a newer backup")
            }
        }
        for (shard, group) in disk.groups {
            for (index, entry) in group.entries where index <= group.covered {
                try add(entry, of: shard, at: index)
            }
        }
    }

    private mutating func add(_ entry: ArchivedEntry, of shard: UInt32, at index: UInt64) throws(BackupFailure) {
        if let known = groups[shard]?[index] {
            guard known == entry else {
                throw BackupFailure("archives have different committed entries \(index) of shard \(shard)")
            }
            return
        }
        bytes += entry.payload?.count ?? 0
        groups[shard, default: [:]][index] = entry
    }
}

/// Reads one disk's archive.
private struct ArchivedDisk {
    let wish: ArchivedLogs.Wish
    var groups: [UInt32: ArchivedGroup] = [:]
    var bytes = 0

    init(_ wish: ArchivedLogs.Wish) {
        self.wish = wish
    }

    mutating func endRun() {
        for shard in groups.keys { groups[shard]?.end() }
    }

    mutating func take(_ record: JournalRecord) throws {
        let record = LogRecord(record)
        if record.group == .node, record.kind == LogRecord.genesisKind { return try check(record) }
        guard let shard = record.group.shard, wish.homes.contains(shard.homeNumber) else { return }
        let number = shard.rawValue
        switch record.kind {
        case LogRecord.entryKinds: groups[number, default: ArchivedGroup()].take(try entry(record), at: record.index)
        case LogRecord.coveredKind:
            try groups[number, default: ArchivedGroup()].cover(
                record.index, term: record.term, replacesLog: record.payload.first != 0)
        case LogRecord.snapshotKind, LogRecord.checkpointKind:
            try groups[number, default: ArchivedGroup()].cover(
                record.index, term: record.term, replacesLog: record.kind == LogRecord.snapshotKind)
        case LogRecord.endedKind, LogRecord.lostKind: groups[number]?.end()
        default: break
        }
    }

    private func check(_ record: LogRecord) throws {
        var reader = ByteReader(record.payload)
        guard try Genesis(from: &reader).clusterID == wish.cluster else {
            throw BackupFailure("the archive is one of another cluster than the backup")
        }
    }

    private mutating func entry(_ record: LogRecord) throws -> ArchivedEntry {
        guard record.kind == EntryKind.command.rawValue else { return ArchivedEntry(term: record.term) }
        let entry = try ShardEntry(payload: record.payload)
        let payload = wish.object.map { entry.payload(about: $0, else: record.payload) } ?? record.payload
        bytes += payload?.count ?? 0
        return ArchivedEntry(term: record.term, timeMs: entry.timeMs, payload: payload)
    }
}

extension ShardEntry {
    var timeMs: UInt64 {
        switch self {
        case .operation(let operation): operation.timeMs
        case .expiry(let expiry): expiry.timeMs
        case .retirement, .split, .freeze, .thaw, .scrub: 0
        }
    }

    /// What the entry does to one object, and to the bounds of the shard; nil if nothing.
    func payload(about object: ObjectID, else whole: [UInt8]) -> [UInt8]? {
        switch self {
        case .operation(let operation): return operation.object == object ? whole : nil
        case .expiry(var expiry):
            expiry.objects.removeAll { $0.object != object }
            return expiry.objects.isEmpty ? nil : ShardEntry.expiry(expiry).encode()
        case .split, .freeze, .thaw: return whole
        case .retirement, .scrub: return nil
        }
    }
}
