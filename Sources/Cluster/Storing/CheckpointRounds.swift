import Placement

/// Decides which shards of a loop are written to the store, and which loaded objects leave memory: a little in
/// each tick, so that no turn becomes long.
struct CheckpointRounds {
    private let settings: NodeSettings
    /// What this loop's loaded objects may take.
    private let shareBytes: Int
    private var position = 0

    init(_ settings: NodeSettings) {
        self.settings = settings
        shareBytes = settings.loadedBytesMax / max(1, settings.loops)
    }

    /// Marks replicas that have begun a checkpoint: they have something for the store.
    mutating func tick(
        _ shards: [ShardID], _ replicas: [ShardID: ShardReplica], pressed: [ShardID], nowMs: UInt64,
        mark: (ShardReplica) -> Void
    ) {
        let all = shards.compactMap { replicas[$0] }
        var underWay = all.count { $0.work.checkpoint != nil }
        for replica in due(all, pressed: pressed, nowMs: nowMs) {
            guard underWay < settings.checkpointsUnderWayMax else { break }
            if replica.beginCheckpoint(nowMs: nowMs) {
                underWay += 1
                mark(replica)
            }
        }
        evict(all)
    }

    /// The most urgent first. Memory: those with most to write; otherwise those that waited longest. What is stored
    /// already is no reason to write: it leaves when its place is needed, and a working set may fill all of it.
    private func due(_ replicas: [ShardReplica], pressed: [ShardID], nowMs: UInt64) -> [ShardReplica] {
        let isMemoryShort = replicas.reduce(0) { $0 + $1.state.dirtyBytes } >= shareBytes / 10 * 4
        let waiting = replicas.filter { $0.work.checkpoint == nil && $0.hasUnstored }
        let due = waiting.filter { replica in
            isMemoryShort || pressed.contains(replica.shard)
                || replica.state.uncheckpointedBytes >= settings.checkpointLogBytes
                || nowMs >= replica.work.lastBegunMs + settings.checkpointIntervalMs
        }
        guard due.count > 1 else { return due }
        if isMemoryShort {
            return due.sorted { ($1.state.dirtyBytes, $0.shard) < ($0.state.dirtyBytes, $1.shard) }
        }
        return due.sorted { ($0.work.lastBegunMs, $0.shard) < ($1.work.lastBegunMs, $1.shard) }
    }

    /// Least recently used first, from each shard in turn.
    private mutating func evict(_ replicas: [ShardReplica]) {
        let loadedBytes = replicas.reduce(0) { $0 + $1.state.loadedBytes }
        guard loadedBytes > shareBytes, !replicas.isEmpty else { return }
        var excess = loadedBytes - shareBytes * 9 / 10
        var budget = settings.evictPerTick
        for _ in replicas.indices where excess > 0 && budget > 0 {
            position = (position + 1) % replicas.count
            let replica = replicas[position]
            let before = replica.state.loadedBytes
            // In proportion, so that no shard loses what it uses while another keeps what it does not.
            let target = before - max(1, Int(Double(before) / Double(loadedBytes) * Double(excess)))
            budget -= replica.state.evict(toBytes: max(0, target), atMost: budget)
            excess -= before - replica.state.loadedBytes
        }
    }
}
