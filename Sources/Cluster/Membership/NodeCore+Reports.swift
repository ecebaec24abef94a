import Placement
import Raft

/// Reports under way: of this node for others, and of all nodes for an operator.
struct ReportCollection {
    enum Purpose {
        case local(RequestToken)
        case whole(RequestToken)
        case remote(NodeID, UInt64)
    }

    struct Whole {
        var token: RequestToken
        var awaited: Int
        var deadlineMs: UInt64
        var reports: [NodeReport] = []
    }

    var purposes: [UInt64: Purpose] = [:]
    private var wholes: [UInt64: Whole] = [:]
    private var nextID: UInt64 = 1

    mutating func begin(_ purpose: Purpose) -> UInt64 {
        defer { nextID += 1 }
        purposes[nextID] = purpose
        return nextID
    }

    mutating func expect(_ id: UInt64, token: RequestToken, awaited: Int, deadlineMs: UInt64) {
        wholes[id] = Whole(token: token, awaited: awaited, deadlineMs: deadlineMs)
    }

    mutating func add(_ report: NodeReport, to id: UInt64) {
        guard wholes[id]?.reports.contains(where: { $0.name == report.name }) == false else { return }
        wholes[id]?.reports.append(report)
    }

    /// Those that have everything, or have waited long enough. Reports are sorted by name.
    mutating func finished(nowMs: UInt64) -> [(token: RequestToken, reports: [NodeReport])] {
        let ready = wholes.filter { $0.value.reports.count >= $0.value.awaited || $0.value.deadlineMs <= nowMs }
        return ready.keys.sorted().compactMap { id in
            guard let whole = wholes.removeValue(forKey: id) else { return nil }
            return (whole.token, whole.reports.sorted { $0.name < $1.name })
        }
    }
}

extension NodeCore {
    func beginReport(_ token: RequestToken, wholeCluster: Bool, now: Clocks) {
        let id = reports.begin(wholeCluster ? .whole(token) : .local(token))
        effects.collect.append(id)
        guard wholeCluster else { return }
        let others = (state?.nodes.map(\.node) ?? []).filter { $0 != identity.nodeID }
        reports.expect(
            id, token: token, awaited: others.count + 1, deadlineMs: now.rawNs / 1_000_000 + 300)
        for node in others { send(.reportRequest(id), to: node) }
    }

    func beginReport(_ id: UInt64, for node: NodeID) {
        effects.collect.append(reports.begin(.remote(node, id)))
    }

    func finishOwnReport(_ id: UInt64, shards: [ShardReport], counters: NodeCounters, now: Clocks) {
        guard let purpose = reports.purposes.removeValue(forKey: id) else { return }
        let report = makeReport(shards: shards, counters: counters, now: now)
        switch purpose {
        case .local(let token): effects.reports.append((token, [report]))
        case .whole: reports.add(report, to: id)
        case .remote(let node, let remoteID): send(.report(remoteID, report), to: node)
        }
    }

    private func makeReport(shards: [ShardReport], counters: NodeCounters, now: Clocks) -> NodeReport {
        var report = NodeReport()
        report.name = identity.name
        report.role = role
        report.term = placement?.term.rawValue ?? 0
        report.leaderName = placement?.leader.flatMap { state?.nodeName($0) }
        report.incarnation = process?.incarnation.rawValue ?? 0
        report.uptimeMs = (now.rawNs - uptimeSince.rawNs) / 1_000_000
        report.leaseRemainingMs = holder.remainingMs(now)
        report.notReadyReasons = notReadyReasons(now: now)
        report.isReady = report.notReadyReasons.isEmpty
        report.isDraining = isDraining || isBeingEmptied
        report.placementIndex = placementApplied.rawValue
        report.placementProgress = granter?.progress(now: now) ?? []
        report.shards = shards
        report.counters = counters
        report.counters.leasesGained = holder.gained
        report.counters.leasesLost = holder.lost
        report.counters.rejectedMessages += rejected
        return report
    }

    private var role: NodeReport.Role {
        guard let placement else { return .unformed }
        if placement.role == .leader { return .leader }
        return placement.configuration.isVoter(identity.nodeID) ? .voter : .learner
    }

    private func notReadyReasons(now: Clocks) -> [String] {
        guard let state else { return ["the cluster is not formed yet"] }
        var reasons: [String] = []
        if process == nil { reasons.append("this process is not registered yet") }
        if placement?.leader == nil { reasons.append("no placement leader is known") }
        if !holder.isHeld(now) { reasons.append("no lease is held") }
        if state.hasOwnerlessShards { reasons.append("some shards have no owner") }
        if isDraining { reasons.append("the node is shutting down") }
        if isBeingEmptied { reasons.append("the node is being drained") }
        return reasons
    }
}
