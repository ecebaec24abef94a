import Binary
import ObjectRuntime
import Placement
import Storage

/// A moment to go back to.
public enum PointInTime: Sendable, Equatable {
    /// The state after this entry of the log that the object was in: what `Holdfast-Epoch` and `-Index` named.
    case entry(epoch: UInt64, index: UInt64)
    /// The state after the last entry whose time, by the log's own clock, is not later.
    case time(ms: UInt64)
}

/// Where a replay came to stand.
public struct ReplayEnd: Sendable, Equatable {
    public var shard: UInt32
    /// Of the last entry; those of the backup if none was applied.
    public var epoch: UInt64
    public var index: UInt64
    /// Nothing later is proven: by the archives it cannot be told whether there was more before the moment.
    public var isEndOfArchive: Bool
}

/// Goes from a shard's state in a backup to a later one, by the committed entries above.
struct ShardReplay {
    private(set) var shard: UInt32
    private(set) var state: ShardState
    private(set) var end: ReplayEnd
    /// Splits make others, which go on by themselves.
    private(set) var children: [SplitChild] = []
    private let logs: ArchivedLogs
    private let point: PointInTime
    /// Follows this key into children, instead of leaving them.
    private let key: UInt64?

    init(_ shard: BackupShard, _ state: ShardState, _ logs: ArchivedLogs, to point: PointInTime, key: UInt64?) {
        self.init(shard: shard.shard, state, epoch: shard.epoch, index: shard.index, logs, to: point, key: key)
    }

    init(child: SplitChild, _ logs: ArchivedLogs, to point: PointInTime) {
        self.init(
            shard: child.split.child, child.state, epoch: child.split.epoch, index: child.split.index, logs, to: point,
            key: nil)
    }

    private init(
        shard: UInt32, _ state: ShardState, epoch: UInt64, index: UInt64, _ logs: ArchivedLogs, to point: PointInTime,
        key: UInt64?
    ) {
        self.shard = shard
        self.state = state
        self.logs = logs
        self.point = point
        self.key = key
        end = ReplayEnd(shard: shard, epoch: epoch, index: index, isEndOfArchive: false)
    }

    mutating func run() throws(BackupFailure) {
        try checkStart()
        while !isThere {
            guard let entry = logs.entry(of: shard, at: end.index + 1) else { return try stop() }
            if case .time(let ms) = point, entry.timeMs > ms { return }
            if case .entry(let epoch, let index) = point, entry.term > epoch || end.index + 1 > index {
                throw BackupFailure(
                    "there is no entry \(epoch)/\(index) in this log: after \(end.epoch)/\(end.index) comes "
                        + "\(entry.term)/\(end.index + 1)")
            }
            try apply(entry)
        }
    }

    private var isThere: Bool {
        if case .entry(let epoch, let index) = point { end.epoch == epoch && end.index == index } else { false }
    }

    private func checkStart() throws(BackupFailure) {
        switch point {
        case .entry(let epoch, let index):
            guard index > end.index || isThere else {
                throw BackupFailure(
                    "the backup stands at \(end.epoch)/\(end.index) already, behind \(epoch)/\(index): "
                        + "begin with an older one")
            }
        case .time(let ms):
            guard state.logTimeMs <= ms else {
                throw BackupFailure(
                    "the backup's state of shard \(shard) is of \(state.logTimeMs) already, later than \(ms): begin "
                        + "with an older one")
            }
        }
    }

    /// Nothing is proven at the next index.
    private mutating func stop() throws(BackupFailure) {
        guard !logs.goesOn(shard, above: end.index) else {
            throw BackupFailure("the archives have a gap after entry \(end.epoch)/\(end.index) of shard \(shard)")
        }
        if case .entry(let epoch, let index) = point {
            throw BackupFailure(
                "the archives prove entries of shard \(shard) up to \(end.epoch)/\(end.index), "
                    + "not up to \(epoch)/\(index)")
        }
        end.isEndOfArchive = true
    }

    private mutating func apply(_ entry: ArchivedEntry) throws(BackupFailure) {
        end.epoch = entry.term
        end.index += 1
        guard let payload = entry.payload else { return }
        do throws(DecodingFailure) {
            try state.apply(payload: payload, index: end.index, epoch: entry.term)
        } catch {
            throw BackupFailure("entry \(entry.term)/\(end.index) of shard \(shard) cannot be applied: \(error)")
        }
        for child in state.takeChildren() { take(child) }
    }

    private mutating func take(_ child: SplitChild) {
        guard let key else { return children.append(child) }
        guard child.split.range.contains(key) else { return }
        shard = child.split.child
        state = child.state
        end.shard = shard
    }
}

/// Objects of a backup's file, in memory.
private final class LoadedObjects: ObjectSource, @unchecked Sendable {
    private var records: [ObjectRuntime.StoreKey: [UInt8]] = [:]
    private(set) var keys: [ObjectRuntime.StoreKey] = []

    func add(_ record: Storage.StoredObject) {
        let key = ObjectRuntime.StoreKey(object: record.key.object, fingerprint: record.key.fingerprint)
        records[key] = record.bytes
        keys.append(key)
    }

    func load(_ key: ObjectRuntime.StoreKey) throws(SourceFailure) -> [UInt8]? { records[key] }

    /// The file has them in order.
    func keys(
        in range: ClosedRange<UInt64>, after: ObjectRuntime.StoreKey?, limit: Int
    ) throws(SourceFailure) -> [ObjectRuntime.StoreKey] {
        let isBefore = { (key: ObjectRuntime.StoreKey) in
            key.object < range.lowerBound || after.map { key <= $0 } ?? false
        }
        var (low, high) = (0, keys.count)
        while low < high {
            let middle = (low + high) / 2
            if isBefore(keys[middle]) { low = middle + 1 } else { high = middle }
        }
        return Array(keys[low...].prefix(limit).prefix { $0.object <= range.upperBound })
    }
}

extension OpenedBackup {
    /// An object as it was at a moment after the backup; nil if it was not there then.
    public func object(
        _ id: ObjectID, at point: PointInTime, archives: [String], keys: DataKeys? = nil
    ) throws(BackupFailure) -> (object: ObjectRuntime.StoredObject?, floor: UInt64, end: ReplayEnd) {
        guard let shard = shard(of: id.key.rawValue) else { throw BackupFailure("the backup has no shard for \(id)") }
        let wish = ArchivedLogs.Wish(object: id, homes: [shard.home], cluster: manifest.cluster)
        let logs = try ArchivedLogs(in: archives, keys: keys, wish)
        var replay = ShardReplay(
            shard, try state(of: shard) { $0.object == id.key.rawValue }, logs, to: point, key: id.key.rawValue)
        try replay.run()
        return (replay.state.storedObject(id), replay.state.versionFloor, replay.end)
    }

    /// Hands out all objects of one shard's file as they were at a moment, and where each log came to stand.
    /// Everything of the shard is in memory meanwhile.
    public func objects(
        of shard: BackupShard, at point: PointInTime, logs: ArchivedLogs
    ) throws(BackupFailure) -> (objects: [(object: ObjectRuntime.StoredObject, floor: UInt64)], ends: [ReplayEnd]) {
        var first = ShardReplay(shard, try state(of: shard) { _ in true }, logs, to: point, key: nil)
        try first.run()
        var done = [first]
        var rest = first.children
        while let child = rest.popLast() {
            var replay = ShardReplay(child: child, logs, to: point)
            try replay.run()
            rest += replay.children
            done.append(replay)
        }
        var objects: [(object: ObjectRuntime.StoredObject, floor: UInt64)] = []
        for replay in done {
            for id in replay.state.objectIDs() {
                if let object = replay.state.storedObject(id) { objects.append((object, replay.state.versionFloor)) }
            }
        }
        return (objects, done.map(\.end))
    }

    /// The logs of all shards; `keys` open what is encrypted.
    public func logs(in archives: [String], keys: DataKeys? = nil) throws(BackupFailure) -> ArchivedLogs {
        try ArchivedLogs(
            in: archives, keys: keys,
            ArchivedLogs.Wish(object: nil, homes: Set(manifest.shards.map(\.home)), cluster: manifest.cluster))
    }

    private func state(
        of shard: BackupShard, keeping isKept: (Storage.StoreKey) -> Bool
    ) throws(BackupFailure) -> ShardState {
        var objects = try objects(of: shard)
        let source = LoadedObjects()
        while let records = try objects.nextRecords() {
            for record in records where isKept(record.key) { source.add(record) }
        }
        do throws(DecodingFailure) {
            return try ShardState(head: objects.head, source: source)
        } catch {
            throw BackupFailure("the head in \(directory)/\(shard.file) cannot be read: \(error)")
        }
    }
}

extension BackupShard {
    var home: UInt16 { ShardID(rawValue: shard).homeNumber }
}
