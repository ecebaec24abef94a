import ObjectRuntime
import Placement
import Raft

/// The scrub: an entry of the log marks a place, every replica stores its state as of exactly there, looks at all
/// that it has stored, and tells the owner, who compares. A majority decides; without one nobody guesses.
extension ShardReplica {
    /// The owner's scrub that is under way.
    struct OwnScrub {
        var id: UInt64
        var index: LogIndex
        var epoch: Epoch
        var voters: [NodeID]
        var deadlineMs: UInt64
        var reports: [NodeID: ScrubReport] = [:]
    }

    // MARK: - The owner

    /// False if this is no time for it.
    func startScrub(now: Clocks) -> Bool {
        let next = raft.lastIndex.next
        guard isServing, isAdmitting, scrub == nil, hasRoom, !raft.configuration.isJoint, !state.isDamaged,
            let made = state.executeScrub(id: next.rawValue, context(next: next, now: now))
        else { return false }
        let index = raft.propose(made.payload)
        precondition(index == next, "O3: an entry gets the index that its execution was told")
        executedThrough = index
        scrub = OwnScrub(
            id: next.rawValue, index: index, epoch: record.epoch, voters: raft.configuration.voters,
            deadlineMs: now.rawNs / 1_000_000 + settings.scrubPatienceMs)
        return true
    }

    func takeScrub(_ report: ScrubReport, from node: NodeID) {
        guard let present = scrub, isServing, present.epoch == record.epoch, report.id == present.id,
            report.index == present.index.rawValue, present.voters.contains(node)
        else { return }
        scrub?.reports[node] = report
        if scrub?.reports.count == present.voters.count { judgeScrub() }
    }

    /// Called every tick while one is under way.
    func watchScrub(nowMs: UInt64) {
        guard let present = scrub else { return }
        guard isServing, present.epoch == record.epoch else { return scrub = nil }
        if nowMs >= present.deadlineMs { judgeScrub() }
    }

    private func judgeScrub() {
        guard let present = scrub else { return }
        scrub = nil
        let judgement = ScrubJudgement(voters: present.voters, reports: present.reports)
        counters.scrubs[judgement.result.rawValue, default: 0] += 1
        scrubOutcomes.append(ScrubOutcome(shard: shard, result: judgement.result, nodes: judgement.differing))
        guard judgement.result == .repaired else { return }
        for node in judgement.differing {
            if node == nodeID {
                loss = Self.minority
            } else {
                let verdict = ScrubVerdict(shard: shard, epoch: present.epoch, id: present.id)
                outbox.append((node: node, message: .scrubVerdict(verdict)))
            }
        }
    }

    private static let minority = "a scrub found that a majority of the replicas has something else"

    // MARK: - Every replica

    /// The scrub's entry has been applied, and nothing after it: what is stored now is what all compare. A replica
    /// that is writing another checkpoint has no part in this scrub.
    func applyScrub(_ entry: Entry) {
        guard let id = ShardEntry.scrubID(of: entry.payload) else { return }
        if leads { tell(state.committed(through: entry.index.rawValue)) }
        guard work.checkpoint == nil, work.installation == nil, !state.isDamaged, let write = captureCheckpoint(),
            write.base.position.index == entry.index
        else { return }
        let job = takeJob()
        work.checkpoint = (job, write.base)
        counters.checkpointsBegun += 1
        storeRequests.append(.scrub(job, write, id: id))
    }

    /// The store has looked at all of it.
    func finishScrub(_ report: ScrubReport) {
        newestScrub = report.id
        guard let owner = record.owner else { return }
        if owner == process {
            takeScrub(report, from: nodeID)
        } else if owner.node != nodeID {
            outbox.append((node: owner.node, message: .scrubbed(report)))
        }
    }

    /// Only of the owner that it reported to, and of what it reported.
    func takeVerdict(_ verdict: ScrubVerdict, from node: NodeID) {
        guard record.owner?.node == node, record.epoch == verdict.epoch, newestScrub == verdict.id else { return }
        loss = Self.minority
    }
}

/// Begins scrubs, one at a time on each loop: those that somebody asked for, then those whose time has come.
struct ScrubRounds {
    private(set) var wanted: [ShardID] = []
    private var lookAtMs: UInt64 = 0
    /// When each shard is due that is served here. Looked up by key only.
    private var dueAtMs: [ShardID: UInt64] = [:]

    mutating func want(_ shard: ShardID) {
        if !wanted.contains(shard) { wanted.append(shard) }
    }

    /// The shard to begin with now, if any.
    mutating func next(
        _ shards: [ShardID], _ replicas: [ShardID: ShardReplica], intervalMs: UInt64, nowMs: UInt64
    ) -> ShardReplica? {
        guard nowMs >= lookAtMs else { return nil }
        lookAtMs = nowMs + 1_000
        let serving = shards.filter { replicas[$0]?.isServing == true }
        // What this node is about to own may be wished already: after a start, say.
        wanted.removeAll { replicas[$0]?.isNamedHere != true }
        if intervalMs > 0 { spread(serving, intervalMs: intervalMs, nowMs: nowMs) } else { dueAtMs = [:] }
        guard !shards.contains(where: { replicas[$0]?.scrub != nil }) else { return nil }
        let due = serving.filter { dueAtMs[$0].map { $0 <= nowMs } ?? false }
        let next = wanted.first { serving.contains($0) }
        return (next ?? due.min { (dueAtMs[$0] ?? 0, $0) < (dueAtMs[$1] ?? 0, $1) }).flatMap { replicas[$0] }
    }

    /// All of them within one interval, each at a time of its own.
    private mutating func spread(_ serving: [ShardID], intervalMs: UInt64, nowMs: UInt64) {
        dueAtMs = dueAtMs.filter { serving.contains($0.key) }
        for (place, shard) in serving.enumerated() where dueAtMs[shard] == nil {
            dueAtMs[shard] = nowMs + intervalMs / UInt64(serving.count) * UInt64(place + 1)
        }
    }

    mutating func begun(_ shard: ShardID, intervalMs: UInt64, nowMs: UInt64) {
        wanted.removeAll { $0 == shard }
        if dueAtMs[shard] != nil { dueAtMs[shard] = nowMs + intervalMs }
    }
}

extension LoopCore {
    func beginScrubs(now: Clocks) {
        guard
            let replica = scrubs.next(
                shardOrder, replicas, intervalMs: settings.scrubIntervalMs, nowMs: nowMs)
        else { return }
        // One that cannot be now is due still.
        guard replica.startScrub(now: now) else { return }
        scrubs.begun(replica.shard, intervalMs: settings.scrubIntervalMs, nowMs: nowMs)
        mark(replica)
    }

    func takeScrub(_ report: ScrubReport) {
        guard let replica = replicas[report.shard] else { return }
        replica.finishScrub(report)
        mark(replica)
    }
}
