import ObjectRuntime
import Placement
import Raft

/// What the store answers, and the rounds that feed it.
extension LoopCore {
    func take(_ result: StoreResult) {
        switch result {
        case .done(let job): finish(job)
        case .failed(let job): fail(job)
        case .madeSnapshot(let job, let offer):
            with(job) { if $0.work.making == job { $0.madeSnapshot(offer) } }
        case .readSnapshot(let shard, let message):
            // As late as any message may be.
            guard let replica = replicas[shard] else { return }
            replica.hasRead(message)
            effects.messages.append(Outgoing(to: message.to, message: .shard(shard, message)))
        case .lostSnapshot(let shard, let hash):
            guard let replica = replicas[shard] else { return }
            replica.lostSnapshot(hash)
            mark(replica)
        case .stagedPart(let shard, let hash, let offset):
            guard let replica = replicas[shard] else { return }
            replica.raft.snapshotPartWritten(contentHash: hash, through: offset)
            mark(replica)
        case .staged(let job, let range):
            let isUsable = range.map { !isKept($0, besides: job.shard) } ?? false
            with(job) { if $0.work.staging?.job == job { $0.staged(isUsable: isUsable) } }
        case .installed(let job, let stored):
            with(job) { replica in
                guard replica.work.installation?.job == job else { return }
                replica.finishInstallation(stored, into: &persist)
            }
            // It may have brought splits, of whose children this node has nothing.
            joinMissing()
        case .scrubbed(let report): takeScrub(report)
        case .due(_, let found): expire(found)
        case .damaged(let shard, let what):
            if let replica = replicas[shard] { lose(replica, because: what) }
        }
    }

    /// A snapshot from before a split, at a node that has the child already, would have keys twice (O13); one where the
    /// child is still being erased would lose them with it. It is taken for damaged: the owner offers a newer one when
    /// its own store has the split.
    private func isKept(_ range: ClosedRange<UInt64>, besides shard: ShardID) -> Bool {
        let isStored = shardOrder.contains {
            guard $0 != shard, let replica = replicas[$0], replica.mayBeStored else { return false }
            return replica.claimedRange.overlaps(range)
        }
        return isStored || erasures.values.contains { $0.range.overlaps(range) }
    }

    private func with(_ job: StoreJob, _ body: (ShardReplica) -> Void) {
        guard let replica = replicas[job.shard] else { return }
        body(replica)
        mark(replica)
    }

    private func finish(_ job: StoreJob) {
        if erasures.removeValue(forKey: job) != nil { return joinMissing() }
        if let merger = mergers.removeValue(forKey: job) { return finish(merger) }
        with(job) { replica in
            guard replica.work.checkpoint?.job == job else { return }
            replica.finishCheckpoint(into: &persist)
            for newborn in replica.takeStoredNewborns() { begin(newborn, of: replica) }
            replica.advanceSnapshot(nowMs: nowMs)
        }
    }

    /// Begun or not before the store had no space: it ends at the latest with the next start.
    func eraseAgain() {
        for job in erasures.keys.sorted(by: { $0.rawValue < $1.rawValue }) {
            guard let erasure = erasures[job], let dueMs = erasure.retryAtMs, nowMs >= dueMs else { continue }
            erasures[job]?.retryAtMs = nil
            effects.store.append(.erase(job, erasure.shard, erasure.range))
        }
    }

    private func fail(_ job: StoreJob) {
        if erasures[job] != nil {
            erasures[job]?.retryAtMs = nowMs + settings.storeRetryMs
            return
        }
        // Nothing has changed: the parts are still there, and it is tried again.
        if mergers.removeValue(forKey: job) != nil { return }
        with(job) { replica in
            if replica.work.checkpoint?.job == job { replica.abandonCheckpoint(nowMs: nowMs) }
            if replica.work.making == job { replica.giveUpSnapshot() }
            if replica.work.installation?.job == job { replica.installLater(nowMs: nowMs) }
        }
    }
}
