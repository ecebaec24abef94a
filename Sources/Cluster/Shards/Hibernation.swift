import ObjectRuntime
import Placement

/// Asks the shards of a loop, one after the other, to send idle objects out of memory: a few objects in each
/// tick, so that no turn becomes long.
struct HibernationRounds {
    private let idleMs: UInt64
    private let intervalMs: UInt64
    private let perTick: Int
    private var nextRoundMs: UInt64 = 0
    /// The place among the shards where the round goes on.
    private var position = 0

    /// About ten rounds in the time after which an object is idle, at most one a tick.
    init(_ settings: NodeSettings) {
        idleMs = settings.hibernateAfterMs
        intervalMs = max(settings.tickMs, min(1_000, idleMs / 10))
        perTick = settings.hibernatePerTick
    }

    mutating func tick(_ shards: [ShardID], _ replicas: [ShardID: ShardReplica], nowMs: UInt64) {
        if position == 0 {
            guard nowMs >= nextRoundMs else { return }
            nextRoundMs = nowMs + intervalMs
        }
        // A use is dated by the round before it.
        let idleSinceMs = nowMs - min(nowMs, idleMs + intervalMs)
        var budget = perTick
        while position < shards.count, budget > 0 {
            let looked = replicas[shards[position]]?.hibernate(
                nowMs: nowMs, idleSinceMs: idleSinceMs, atMost: budget)
            if looked != budget { position += 1 }
            // A shard without idle objects costs something too.
            budget -= (looked ?? 0) + 1
        }
        if position >= shards.count { position = 0 }
    }
}

extension ShardReplica {
    func hibernate(nowMs: UInt64, idleSinceMs: UInt64, atMost limit: Int) -> Int {
        state.hibernate(nowMs: nowMs, idleSinceMs: idleSinceMs, atMost: limit)
    }

    /// With what the state counts.
    var allCounters: NodeCounters {
        var sum = counters
        sum.hibernatedObjects = state.hibernatedTotal
        sum.wokenObjects = state.wokenTotal
        return sum
    }
}
