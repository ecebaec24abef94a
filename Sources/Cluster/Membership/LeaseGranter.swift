import Binary
import Placement
import Raft

/// The leader's side of O5 and O6: who holds a lease until when, and who may be fenced.
///
/// Exists only while this node leads the placement group; a new leadership begins with nothing but the
/// time of its election, because it cannot know what its predecessors granted.
struct LeaseGranter {
    /// What the leader knows of a process from its last request.
    private struct Holder {
        var process: NodeProcess
        var lease: Deadline
        var isReady: Bool
        var reachable: UInt16
        var appliedIndex: LogIndex
        var hasRoom: Bool
    }

    private let electedAt: Clocks
    /// By process, rising.
    private var holders: [Holder] = []
    /// Requests that wait for the confirmation with this id.
    private var waiting: [(id: UInt64, request: LeaseRequest)] = []
    /// By node; only looked up.
    private var absentSinceMs: [NodeID: UInt64] = [:]
    /// O5: never granted again by this leader.
    private var fenceProposed: [NodeProcess] = []

    init(electedAt: Clocks) {
        self.electedAt = electedAt
    }

    /// O5 (b): the request waits for a confirmation of leadership that began after it arrived.
    mutating func wait(_ request: LeaseRequest, confirmation id: UInt64) {
        waiting.removeAll { $0.request.process == request.process }
        waiting.append((id, request))
    }

    mutating func abandon(_ id: UInt64) {
        waiting.removeAll { $0.id == id }
    }

    /// Leadership is confirmed up to `id`: grants to those that waited for it, unless a fence was
    /// proposed meanwhile.
    mutating func confirmed(_ id: UInt64, settings: LeaseSettings, state: PlacementState, now: Clocks)
        -> [LeaseGrant]
    {
        let due = waiting.filter { $0.id <= id }
        waiting.removeAll { $0.id <= id }
        return due.compactMap { grant($0.request, settings: settings, state: state, now: now) }
    }

    mutating func grant(_ request: LeaseRequest, settings: LeaseSettings, state: PlacementState, now: Clocks)
        -> LeaseGrant?
    {
        let process = request.process
        guard state.registry.newestLive(of: process.node) == process, !fenceProposed.contains(process) else {
            return nil
        }
        let lease = Deadline.after(settings.durationMs * 1_000_000, from: now)
        let holder = Holder(
            process: process, lease: lease, isReady: request.isReady, reachable: request.reachable,
            appliedIndex: request.appliedIndex, hasRoom: request.hasRoom)
        if let place = holders.firstIndex(where: { $0.process >= process }) {
            if holders[place].process == process {
                let earlier = holders[place].lease
                holders[place] = holder
                #if PLANTED_BUGS
                if RemovedGuard.isRemoved(.shortenLease) { return answer(request, settings) }
                #endif
                holders[place].lease.extend(to: earlier)
            } else {
                holders.insert(holder, at: place)
            }
        } else {
            holders.append(holder)
        }
        return answer(request, settings)
    }

    private func answer(_ request: LeaseRequest, _ settings: LeaseSettings) -> LeaseGrant {
        LeaseGrant(
            process: request.process, sentBootNs: request.sentBootNs, sentSteadyNs: request.sentSteadyNs,
            durationMs: settings.durationMs)
    }

    mutating func noteFenceProposed(_ process: NodeProcess) {
        if !fenceProposed.contains(process) { fenceProposed.append(process) }
        waiting.removeAll { $0.request.process == process }
    }

    func isFenceProposed(_ process: NodeProcess) -> Bool { fenceProposed.contains(process) }

    /// O6 (a): every lease that this leader or any earlier one may have granted has run out.
    func mayFence(_ process: NodeProcess, longestMs: UInt64, now: Clocks) -> Bool {
        let inherited = Deadline.after(longestMs * 1_000_000, from: electedAt)
        guard inherited.isOverForGranter(now), !fenceProposed.contains(process) else { return false }
        guard let holder = holders.first(where: { $0.process == process }) else { return true }
        #if PLANTED_BUGS
        if RemovedGuard.isRemoved(.fenceBeforeLeaseEnds) {
            let early = now.after(longestMs * 500_000)
            return holder.lease.isOverForGranter(early)
        }
        #endif
        return holder.lease.isOverForGranter(now)
    }

    /// What a node said of its disk when it last asked for a lease; nil if it has not asked.
    func hasRoom(_ process: NodeProcess) -> Bool? { holders.first { $0.process == process }?.hasRoom }

    /// O6: with a lease, ready, with room on the disk and best reachable first, ties by process.
    func candidates(excluding dead: NodeProcess?, now: Clocks) -> [NodeProcess] {
        holders
            .filter {
                $0.process != dead && $0.isReady && !$0.lease.isOverForGranter(now)
                    && !fenceProposed.contains($0.process)
            }
            .sorted {
                if $0.hasRoom != $1.hasRoom { return $0.hasRoom }
                return ($1.reachable, $0.process) < ($0.reachable, $1.process)
            }
            .map(\.process)
    }

    /// Drops what is known of processes that are fenced.
    mutating func forgetFenced(_ state: PlacementState) {
        holders.removeAll { state.isFenced($0.process) }
        fenceProposed.removeAll { state.isFenced($0) }
    }

    // MARK: - Who is there

    /// Notes since when nodes have had no lease, by this leader's own count: a new leader begins anew, so that
    /// nobody is replaced early.
    mutating func noteAbsences(_ nodes: [NodeID], now: Clocks) {
        for node in nodes {
            if isPresent(node, now: now) {
                absentSinceMs[node] = nil
            } else if absentSinceMs[node] == nil {
                absentSinceMs[node] = now.rawNs / 1_000_000
            }
        }
    }

    private func isPresent(_ node: NodeID, now: Clocks) -> Bool {
        holders.contains { $0.process.node == node && $0.isReady && !$0.lease.isOverForGranter(now) }
    }

    /// What the policies are to know of the nodes.
    func health(of nodes: [NodeID], now: Clocks) -> [NodeHealth] {
        nodes.map { node in
            let sinceMs = absentSinceMs[node]
            return NodeHealth(
                node: node, isLive: sinceMs == nil,
                deadForMs: sinceMs.map { now.rawNs / 1_000_000 - min($0, now.rawNs / 1_000_000) } ?? 0,
                hasRoom: holders.last { $0.process.node == node }?.hasRoom ?? true)
        }
    }

    func progress(now: Clocks) -> [(node: NodeID, index: UInt64, leaseRemainingMs: UInt64)] {
        holders.map {
            let isOver = $0.lease.isOverForGranter(now)
            let remaining = isOver ? 0 : ($0.lease.steadyNs &- min($0.lease.steadyNs, now.steadyNs)) / 1_000_000
            return (node: $0.process.node, index: $0.appliedIndex.rawValue, leaseRemainingMs: remaining)
        }
    }
}
