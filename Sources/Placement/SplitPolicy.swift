import Raft

/// The operations on one object, from a small sample of a shard's busiest.
public struct KeyLoad: Sendable, Equatable {
    public let key: UInt64
    public let operationsPerSecond: UInt64

    public init(key: UInt64, operationsPerSecond: UInt64) {
        self.key = key
        self.operationsPerSecond = operationsPerSecond
    }
}

public struct SplitSettings: Sendable, Equatable {
    /// A shard with more than this part of the cluster's operations or bytes is split …
    public var splitAbovePerMille: UInt64 = 250
    /// … if it has at least so many of either.
    public var operationsWorthASplit: UInt64 = 1_000
    public var bytesWorthASplit: UInt64 = 4 << 30
    /// An object with this part of its shard's operations becomes a shard of its own.
    public var hotObjectPerMille: UInt64 = 500
    /// Two neighbours that together have less than this part of both, for so long, are merged.
    public var mergeBelowPerMille: UInt64 = 20
    public var coldForMs: UInt64 = 3_600_000
    /// Plans that may stand in the whole cluster.
    public var plansAtOnce = 2

    public init() {}
}

public enum SplitReason: Sendable, Equatable, CustomStringConvertible {
    case hotObject(key: UInt64, perMille: UInt64)
    case busy(perMille: UInt64)
    case large(perMille: UInt64)

    public var description: String {
        switch self {
        case .hotObject(let key, let perMille):
            "the object with key \(key) has \(perMille) ‰ of its operations, and becomes a shard of its own"
        case .busy(let perMille): "it carries \(perMille) ‰ of the cluster's operations"
        case .large(let perMille): "it holds \(perMille) ‰ of the cluster's bytes"
        }
    }
}

/// A wish to split; `planSplit` with these values reserves the child.
public struct SplitWish: Sendable, Equatable, CustomStringConvertible {
    public let shard: ShardID
    public let epoch: Epoch
    public let cut: UInt64
    public let reason: SplitReason

    public var description: String { "split shard \(shard) at \(cut): \(reason)" }
}

/// A wish to merge two neighbours, for `planMerge`.
public struct MergeWish: Sendable, Equatable, CustomStringConvertible {
    public let left: ShardID
    public let leftEpoch: Epoch
    public let right: ShardID
    public let rightEpoch: Epoch

    public var description: String { "merge shards \(left) and \(right): both have been cold for long" }
}

public struct SplitDecision: Sendable, Equatable {
    public let splits: [SplitWish]
    public let merges: [MergeWish]
}

/// Splits what is too hot or too large, merges what has long been cold (O13).
///
/// A pure function, and slow to act: a split that was not needed costs more than one that comes late. A
/// hot object gets a shard of its own by two cuts, one call after the other: at its key, then above it.
public enum SplitPolicy {
    /// - Parameters:
    ///   - loads: smoothed, of every shard; one that is missing is neither split nor merged.
    ///   - hottest: a sample of the busiest objects of shards that are busy.
    ///   - coldForMs: for how long each shard has had nearly no load, by the leader's clock.
    ///   - health: of the nodes; one that is missing is not up.
    public static func decide(
        table: Table, loads: [ShardID: ShardLoad], hottest: [ShardID: [KeyLoad]] = [:],
        coldForMs: [ShardID: UInt64] = [:], health: [NodeHealth], settings: SplitSettings = SplitSettings()
    ) -> SplitDecision {
        let planned = table.records.filter { $0.plan != nil }.count
        var room = max(0, settings.plansAtOnce - planned)
        let total = LoadWeights.total(loads)
        let splits = table.records.compactMap { record -> (wish: SplitWish, operations: UInt64)? in
            guard let load = loads[record.shard], isFree(record) else { return nil }
            let sample = hottest[record.shard] ?? []
            let wish = split(record, in: table, load: load, total: total, sample: sample, settings)
            return wish.map { ($0, load.operationsPerSecond) }
        }
        let chosen = splits.sorted { ($1.operations, $0.wish.shard) < ($0.operations, $1.wish.shard) }.prefix(room)
        room -= chosen.count
        let up = Set(health.filter(\.isLive).map(\.node))
        let merges = merges(table, loads: loads, total: total, coldForMs: coldForMs, up: up, settings)
        return SplitDecision(splits: chosen.map(\.wish), merges: Array(merges.prefix(room)))
    }

    /// Nothing else is going on with the shard.
    private static func isFree(_ record: ShardRecord) -> Bool {
        record.owner != nil && record.plan == nil && record.lost.isEmpty && record.replicaSet.isSettled
    }

    private static func perMille(_ part: UInt64, of whole: UInt64) -> UInt64 {
        part == 0 ? 0 : LoadWeights.millionths(part, of: whole) / 1_000
    }

    private static func split(
        _ record: ShardRecord, in table: Table, load: ShardLoad, total: ShardLoad, sample: [KeyLoad],
        _ settings: SplitSettings
    ) -> SplitWish? {
        guard let range = table.range(of: record.shard), load.objects >= 2, range.lowerBound < range.upperBound else {
            return nil
        }
        let known = sample.filter { range.contains($0.key) }.sorted { $0.key < $1.key }
        let busy = perMille(load.operationsPerSecond, of: total.operationsPerSecond)
        if load.operationsPerSecond >= settings.operationsWorthASplit, busy > settings.splitAbovePerMille,
            let cut = busyCut(known, range: range, load: load, share: busy, settings)
        {
            return SplitWish(shard: record.shard, epoch: record.epoch, cut: cut.key, reason: cut.reason)
        }
        let large = perMille(load.bytes, of: total.bytes)
        guard load.bytes >= settings.bytesWorthASplit, large > settings.splitAbovePerMille else { return nil }
        // Keys are hashes: the middle of the range is the middle of the objects.
        let middle = range.lowerBound + (range.upperBound - range.lowerBound) / 2 + 1
        return SplitWish(shard: record.shard, epoch: record.epoch, cut: middle, reason: .large(perMille: large))
    }

    /// Around the hot object, or where the sampled operations halve; nil if no cut would help.
    private static func busyCut(
        _ sample: [KeyLoad], range: ClosedRange<UInt64>, load: ShardLoad, share: UInt64, _ settings: SplitSettings
    ) -> (key: UInt64, reason: SplitReason)? {
        if let hot = sample.max(by: { ($0.operationsPerSecond, $1.key) < ($1.operationsPerSecond, $0.key) }) {
            let part = perMille(hot.operationsPerSecond, of: load.operationsPerSecond)
            if part >= settings.hotObjectPerMille {
                let cut = hot.key > range.lowerBound ? hot.key : hot.key + 1
                return (cut, .hotObject(key: hot.key, perMille: part))
            }
        }
        guard let cut = median(sample, above: range.lowerBound) else { return nil }
        return (cut, .busy(perMille: share))
    }

    /// The key that divides the sampled operations most evenly.
    private static func median(_ sample: [KeyLoad], above start: UInt64) -> UInt64? {
        let total = sample.reduce(0.0) { $0 + Double($1.operationsPerSecond) }
        var below = 0.0
        var best: (key: UInt64, excess: Double)?
        for item in sample {
            let excess = abs(total - 2 * below)
            if item.key > start, below > 0, best.map({ excess < $0.excess }) ?? true { best = (item.key, excess) }
            below += Double(item.operationsPerSecond)
        }
        return best?.key
    }

    private static func merges(
        _ table: Table, loads: [ShardID: ShardLoad], total: ShardLoad, coldForMs: [ShardID: UInt64],
        up: Set<NodeID>, _ settings: SplitSettings
    ) -> [MergeWish] {
        var merges: [MergeWish] = []
        var taken: ShardID?
        for (left, right) in zip(table.records, table.records.dropFirst()) where left.shard != taken {
            guard left.shard.homeNumber == right.shard.homeNumber, isFree(left), isFree(right),
                left.owner == right.owner, Set(left.replicas) == Set(right.replicas),
                // Every replica must have all of both logs: with one away, both shards would be frozen for nothing.
                left.replicas.allSatisfy(up.contains),
                let one = loads[left.shard], let other = loads[right.shard],
                [left, right].allSatisfy({ coldForMs[$0.shard] ?? 0 >= settings.coldForMs })
            else { continue }
            let both = LoadWeights.total([left.shard: one, right.shard: other])
            guard isCold(both, total: total, settings) else { continue }
            merges.append(
                MergeWish(left: left.shard, leftEpoch: left.epoch, right: right.shard, rightEpoch: right.epoch))
            taken = right.shard
        }
        return merges
    }

    /// So far below what would be split that it is not split again soon.
    private static func isCold(_ load: ShardLoad, total: ShardLoad, _ settings: SplitSettings) -> Bool {
        let fewOperations =
            load.operationsPerSecond < settings.operationsWorthASplit / 10
            || perMille(load.operationsPerSecond, of: total.operationsPerSecond) < settings.mergeBelowPerMille
        let fewBytes =
            load.bytes < settings.bytesWorthASplit / 10
            || perMille(load.bytes, of: total.bytes) < settings.mergeBelowPerMille
        return fewOperations && fewBytes
    }
}
