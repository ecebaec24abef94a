import Binary
import ObjectRuntime
import Placement
import Raft

/// What one node tells the placement leader of itself, once a second: the load of the shards that it owns, and
/// their busiest objects.
public struct LoadReport: Sendable, Equatable {
    public struct Shard: Sendable, Equatable {
        public var shard: ShardID
        public var load: ShardLoad
        /// By operations, the busiest first; of a sample.
        public var hottest: [KeyLoad]

        public init(shard: ShardID, load: ShardLoad, hottest: [KeyLoad]) {
            self.shard = shard
            self.load = load
            self.hottest = hottest
        }
    }

    public var process: NodeProcess
    public var shards: [Shard]

    public init(process: NodeProcess, shards: [Shard]) {
        self.process = process
        self.shards = shards
    }

    static let shardsMax = 65_536
    static let hottestMax = 4
}

/// What the placement leader knows of the shards' loads. Exists while this node leads.
struct LoadBook {
    private var loads: [ShardID: ShardLoad] = [:]
    private var hottestOf: [ShardID: [KeyLoad]] = [:]
    /// Since when a shard has had nearly no load, and since when it has its epoch, by this node's raw clock.
    private var coldSinceMs: [ShardID: UInt64] = [:]
    private var epochs: [ShardID: (epoch: Epoch, sinceMs: UInt64)] = [:]
    private var merging: Set<ShardID> = []

    /// Only looked up by shard.
    var all: [ShardID: ShardLoad] { loads }
    var hottest: [ShardID: [KeyLoad]] { hottestOf }

    /// The newest figure counts a quarter: a spike of a second moves nothing.
    mutating func take(_ report: LoadReport, nowMs: UInt64) {
        for shard in report.shards {
            let old = loads[shard.shard] ?? shard.load
            var smooth = shard.load
            smooth.operationsPerSecond = (3 * old.operationsPerSecond + shard.load.operationsPerSecond) / 4
            loads[shard.shard] = smooth
            hottestOf[shard.shard] = shard.hottest.isEmpty ? nil : shard.hottest
            if smooth.operationsPerSecond > 1 || smooth.sockets > 0 {
                coldSinceMs[shard.shard] = nil
            } else if coldSinceMs[shard.shard] == nil {
                coldSinceMs[shard.shard] = nowMs
            }
        }
    }

    /// Follows the table: shards that are gone are forgotten, changes of owner are dated. Those whose merge was called
    /// off must be cold for long once more: what stood in its way may last.
    mutating func observe(_ table: Table, nowMs: UInt64) {
        for record in table.records {
            if case .merge? = record.plan {
                merging.insert(record.shard)
            } else if merging.remove(record.shard) != nil {
                coldSinceMs[record.shard] = nowMs
            }
        }
        for record in table.records where epochs[record.shard]?.epoch != record.epoch {
            epochs[record.shard] = (record.epoch, nowMs)
        }
        guard loads.count + epochs.count > 2 * table.records.count else { return }
        let isHere = { (shard: ShardID) in table.position(of: shard) != nil }
        loads = loads.filter { isHere($0.key) }
        hottestOf = hottestOf.filter { isHere($0.key) }
        coldSinceMs = coldSinceMs.filter { isHere($0.key) }
        merging = merging.filter(isHere)
        epochs = epochs.filter { isHere($0.key) }
    }

    func sinceMoveMs(nowMs: UInt64) -> [ShardID: UInt64] { epochs.mapValues { nowMs - min(nowMs, $0.sinceMs) } }

    func coldForMs(nowMs: UInt64) -> [ShardID: UInt64] { coldSinceMs.mapValues { nowMs - min(nowMs, $0) } }
}

/// A sample of the keys that a shard's operations are for: every eighth one, the last so many.
struct KeySample {
    private var keys: [UInt64] = []
    private var next = 0
    private var seen: UInt64 = 0
    private static let size = 64
    private static let every: UInt64 = 8

    mutating func note(_ key: ObjectKey) {
        seen &+= 1
        guard seen % Self.every == 0 else { return }
        if keys.count < Self.size {
            keys.append(key.rawValue)
        } else {
            keys[next] = key.rawValue
            next = (next + 1) % Self.size
        }
    }

    /// The keys that come up again and again, with their part of so many operations.
    mutating func hottest(of operationsPerSecond: UInt64) -> [KeyLoad] {
        defer { keys.removeAll(keepingCapacity: true) }
        next = 0
        guard keys.count >= 16 else { return [] }
        let sorted = keys.sorted()
        var counts: [(key: UInt64, count: Int)] = []
        for key in sorted {
            if counts.last?.key == key { counts[counts.count - 1].count += 1 } else { counts.append((key, 1)) }
        }
        counts.sort { ($1.count, $0.key) < ($0.count, $1.key) }
        return counts.prefix(LoadReport.hottestMax).map {
            KeyLoad(key: $0.key, operationsPerSecond: operationsPerSecond * UInt64($0.count) / UInt64(sorted.count))
        }
    }
}

extension ShardReplica {
    /// What this owner has done since the last call; nil if it is none.
    func takeLoad(elapsedMs: UInt64) -> LoadReport.Shard? {
        let operations = executedSinceReport * 1_000 / max(1, elapsedMs)
        executedSinceReport = 0
        let hottest = keySample.hottest(of: operations)
        guard isServing else { return nil }
        return LoadReport.Shard(
            shard: shard,
            load: ShardLoad(
                operationsPerSecond: operations, bytes: UInt64(max(0, state.byteCount)),
                sockets: UInt64(listeners.count), objects: UInt64(max(0, state.objectCount))),
            hottest: hottest)
    }
}

extension LoadReport {
    func encode(into writer: inout ByteWriter) {
        process.encode(into: &writer)
        writer.writeArray(shards) { writer, shard in
            writer.write(shard.shard.rawValue)
            for figure in [
                shard.load.operationsPerSecond, shard.load.bytes, shard.load.sockets, shard.load.objects,
            ] { writer.writeVariable(figure) }
            writer.writeArray(shard.hottest) {
                $0.write($1.key)
                $0.writeVariable($1.operationsPerSecond)
            }
        }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        process = try NodeProcess(from: &reader)
        shards = try reader.readArray(limit: Self.shardsMax) { (reader) throws(DecodingFailure) in
            let shard = ShardID(rawValue: try reader.readUInt32())
            let load = ShardLoad(
                operationsPerSecond: try reader.readVariable(), bytes: try reader.readVariable(),
                sockets: try reader.readVariable(), objects: try reader.readVariable())
            let hottest = try reader.readArray(limit: Self.hottestMax) { (reader) throws(DecodingFailure) in
                KeyLoad(key: try reader.readUInt64(), operationsPerSecond: try reader.readVariable())
            }
            return Shard(shard: shard, load: load, hottest: hottest)
        }
    }
}
