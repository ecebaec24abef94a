import Cluster
import Placement

/// How often what the object store is for has happened in a run.
public struct StorageStatistics: Sendable, Equatable {
    /// Checkpoints that became durable, and transactions of any kind that failed for want of space.
    public var checkpoints: UInt64 = 0
    public var failedCommits: UInt64 = 0
    public var snapshotsMade: UInt64 = 0
    public var snapshotsInstalled: UInt64 = 0
    public var erasures: UInt64 = 0
    public var splits: UInt64 = 0
    public var merges: UInt64 = 0
    /// Journal segments that were dropped.
    public var droppedSegments: UInt64 = 0
    /// Objects that left memory, and that were read back from the store.
    public var evictions: UInt64 = 0
    public var loads: UInt64 = 0
    /// Replicas that fell silent for damage (O9), found while running or at a start, and disks that came back empty.
    public var damages: UInt64 = 0
    public var losses: UInt64 = 0
    public var wipes: UInt64 = 0
    /// Shards that began to be served because a live owner had handed them over.
    public var moves: UInt64 = 0

    /// What a process counted, at its end.
    mutating func add(_ process: RunningProcess) {
        for loop in process.loops {
            let counters = loop.report().counters
            evictions += counters.hibernatedObjects
            loads += counters.wokenObjects
            moves += counters.takeovers["\(ChangeCause.assigned)"] ?? 0
        }
    }

    mutating func add(_ other: StorageStatistics) {
        for count in StorageStatistics.counts { self[keyPath: count] += other[keyPath: count] }
    }

    static let counts: [WritableKeyPath<StorageStatistics, UInt64> & Sendable] = [
        \.checkpoints, \.failedCommits, \.snapshotsMade, \.snapshotsInstalled, \.erasures, \.splits, \.merges,
        \.droppedSegments, \.evictions, \.loads, \.damages, \.losses, \.wipes, \.moves,
    ]

    var description: String {
        "\(checkpoints) checkpoints (\(failedCommits) failed commits), \(snapshotsMade) snapshots made and "
            + "\(snapshotsInstalled) installed, \(erasures) erasures, \(splits) splits, \(merges) merges, "
            + "\(moves) moves, \(droppedSegments) segments dropped, "
            + "\(evictions) evictions and \(loads) loads, \(damages) damages, \(losses) losses, \(wipes) wipes"
    }
}
