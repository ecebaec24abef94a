import ObjectRuntime
import Placement

/// What a loop says about projects with quotas.
extension LoopCore {
    /// What they take here: of the shards that this loop serves, of its feeds, of its clients.
    func usage(intervalMs: UInt64) -> [String: LoopLoad] {
        let names = Set(quotas.limited.map(\.project))
        var loads: [String: LoopLoad] = [:]
        for shard in shardOrder {
            guard let replica = replicas[shard], replica.isServing else { continue }
            for usage in replica.state.usage where names.contains(usage.project) {
                // While a count is being settled it may be off, even below zero.
                loads[usage.project, default: LoopLoad()].objects += UInt64(max(0, usage.objects))
                loads[usage.project]?.bytes += UInt64(max(0, usage.bytes))
            }
        }
        for (project, count) in hub.socketCounts where names.contains(project) {
            loads[project, default: LoopLoad()].sockets = count
        }
        for (project, demand) in quotas.takeDemands(intervalMs: intervalMs) {
            loads[project, default: LoopLoad()].demand = demand
        }
        return loads
    }

    /// Why the project may have no further socket; nil if it may, and then that one is counted.
    public func admitSocket(of project: String) -> Refusal? { quotas.admitSocket(of: project) }

    public var quotaStanding: QuotaStanding { quotas.standing }
}
