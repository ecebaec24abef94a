import Placement
import Raft

/// What a node knows of the use of projects with quotas: its own loops' newest figures, and the newest
/// report of each other node that lives. Bounded by the number of projects and live nodes.
struct UsageLedger {
    private var own: [[String: LoopLoad]]
    private var others: [NodeID: UsageReport] = [:]

    init(loops: Int) {
        own = Array(repeating: [:], count: loops)
    }

    mutating func take(_ loads: [String: LoopLoad], ofLoop loop: Int) {
        own[loop] = loads
    }

    /// What an earlier run of the node said comes late and is dropped.
    mutating func take(_ report: UsageReport) {
        if let known = others[report.process.node], known.process.incarnation > report.process.incarnation { return }
        others[report.process.node] = report
    }

    /// Nodes whose process is over hold nothing any more: others own their shards, or will soon.
    mutating func keep(only live: [NodeProcess]) {
        others = others.filter { live.contains($0.value.process) }
    }

    mutating func clear() {
        self = UsageLedger(loops: own.count)
    }

    /// For the other nodes.
    func report(of process: NodeProcess, projects: [String]) -> UsageReport {
        let lines = projects.map { project in
            let loads = own.map { $0[project] ?? LoopLoad() }
            return UsageReport.Line(
                project: project, objects: loads.reduce(0) { $0 + $1.objects },
                bytes: loads.reduce(0) { $0 + $1.bytes }, sockets: loads.reduce(0) { $0 + $1.sockets },
                demands: loads.map(\.demand))
        }
        return UsageReport(process: process, lines: lines.filter { !$0.isIdle })
    }

    /// For the loops of this node. `liveNodes` counts this one; those that have said nothing yet count as
    /// edges that want nothing.
    func standing(_ limited: [(project: String, quota: Quota)], liveNodes: Int) -> QuotaStanding {
        var others: [String: [UsageReport.Line]] = [:]
        for node in self.others.keys.sorted() {
            for line in self.others[node]?.lines ?? [] { others[line.project, default: []].append(line) }
        }
        var standing = QuotaStanding()
        for (project, quota) in limited {
            standing.lines[project] = line(project, quota, others[project] ?? [], liveNodes: liveNodes)
        }
        return standing
    }

    private func line(
        _ project: String, _ quota: Quota, _ others: [UsageReport.Line], liveNodes: Int
    ) -> QuotaStanding.Line {
        var used = ProjectTotals()
        let loads = own.map { $0[project] ?? LoopLoad() }
        for load in loads {
            used.add(objects: load.objects, bytes: load.bytes, sockets: load.sockets, operations: load.demand)
        }
        for line in others {
            used.add(
                objects: line.objects, bytes: line.bytes, sockets: line.sockets,
                operations: line.demands.reduce(0, +))
        }
        var rates: [UInt64] = []
        if let perSecond = quota.operationsPerSecond {
            let silent = max(0, liveNodes - 1 - others.count) * own.count
            let demands = loads.map(\.demand) + others.flatMap(\.demands) + Array(repeating: 0, count: silent)
            rates = Array(
                OperationShares.split(perSecond * 1_000, demands: demands.map { $0 * 1_000 }).prefix(own.count))
        }
        return QuotaStanding.Line(quota: quota, used: used, loopRates: rates)
    }
}

extension UsageReport.Line {
    fileprivate var isIdle: Bool { objects == 0 && bytes == 0 && sockets == 0 && demands.allSatisfy { $0 == 0 } }
}

extension ProjectTotals {
    fileprivate mutating func add(objects: UInt64, bytes: UInt64, sockets: UInt64, operations: UInt64) {
        self.objects += objects
        self.bytes += bytes
        self.sockets += sockets
        operationsPerSecond += operations
    }
}
