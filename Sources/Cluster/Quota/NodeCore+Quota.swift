import Placement
import Raft

/// The exchange by which every node knows what projects with quotas take in the whole cluster.
extension NodeCore {
    static let usageIntervalMs: UInt64 = 1_000

    /// Called every tick. Without quotas nothing is said and nothing is kept.
    func exchangeUsage(nowMs: UInt64) {
        guard nowMs >= usageAtMs, let state, let process else { return }
        usageAtMs = nowMs + NodeCore.usageIntervalMs
        let limited = state.tenants.limitedProjects
        guard !limited.isEmpty else {
            guard hasStanding else { return }
            usage.clear()
            publish(QuotaStanding())
            return
        }
        let live = state.nodes.compactMap { state.registry.newestLive(of: $0.node) }
        usage.keep(only: live)
        let report = usage.report(of: process, projects: limited.map(\.project))
        for node in live where node.node != identity.nodeID { send(.usage(report), to: node.node) }
        publish(usage.standing(limited, liveNodes: max(1, live.count)))
    }

    private func publish(_ standing: QuotaStanding) {
        hasStanding = !standing.lines.isEmpty
        effects.quota = standing
    }

    func receive(_ report: UsageReport, from sender: NodeID) {
        guard report.process.node == sender else { return reject() }
        usage.take(report)
    }
}
