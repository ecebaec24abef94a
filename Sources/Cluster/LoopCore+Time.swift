import Raft

/// When a loop last did what it does now and then, by the raw clock in milliseconds.
struct LoopRounds {
    var aliveMs: UInt64 = 0
    var agedMs: UInt64 = 0
    var usageMs: UInt64 = 0
    var loadsMs: UInt64 = 0
    /// When feeds ask again; zero while there is a lease.
    var nextListenMs: UInt64 = 0
}

/// What a loop does because time has passed.
extension LoopCore {
    func tick(now: Clocks) {
        for replica in awake {
            replica.isNewestChildServed = isNewestChildServed(of: replica)
            replica.tick(now: now)
            mark(replica)
        }
        if settings.hibernateAfterMs > 0 { hibernation.tick(shardOrder, replicas, nowMs: nowMs) }
        checkpoints.tick(shardOrder, replicas, pressed: journalPressure, nowMs: nowMs) { mark($0) }
        if !erasures.isEmpty { eraseAgain() }
        findExpired(now: now)
        advanceMerges()
        feedSnapshots()
        beginScrubs(now: now)
        router.tick(nowMs: nowMs)
        hub.tick(nowMs: nowMs)
        listenIfCutOff(now: now)
        ageEventHistories()
        reportUsage()
        reportLoads()
        if isDraining, !hasReportedDrain, router.pendingCount == 0,
            shardOrder.allSatisfy({ replicas[$0]?.isDrained ?? true })
        {
            hasReportedDrain = true
            effects.toNode.append(.drained(loop: loop))
        }
        if nowMs >= rounds.aliveMs + 100 {
            rounds.aliveMs = nowMs
            effects.toNode.append(.alive(loop: loop))
        }
    }

    /// Without a lease this node may be cut off, or the cluster has no placement leader only (O5): feeds find
    /// out by asking.
    private func listenIfCutOff(now: Clocks) {
        guard lease.isOverForHolder(now) else {
            rounds.nextListenMs = 0
            return
        }
        guard nowMs >= rounds.nextListenMs else { return }
        rounds.nextListenMs = nowMs + settings.requestDeadlineMs
        hub.listenAgain()
    }

    /// What listeners missed is kept for one to two of these intervals.
    private func ageEventHistories() {
        // A new process has its first interval whole: what it found in the store is not old for having been there.
        if rounds.agedMs == 0 { rounds.agedMs = nowMs }
        guard nowMs >= rounds.agedMs + Listeners.lingerMs else { return }
        rounds.agedMs = nowMs
        for shard in shardOrder { replicas[shard]?.state.ageEventHistory() }
        hub.forgetMessages()
    }

    /// Without quotas nobody wants to know.
    private func reportUsage() {
        guard !quotas.limited.isEmpty, nowMs >= rounds.usageMs + NodeCore.usageIntervalMs else { return }
        let loads = usage(intervalMs: nowMs - rounds.usageMs)
        rounds.usageMs = nowMs
        effects.toNode.append(.usage(loop: loop, loads))
    }

    private func reportLoads() {
        guard nowMs >= rounds.loadsMs + 1_000 else { return }
        let elapsedMs = nowMs - rounds.loadsMs
        rounds.loadsMs = nowMs
        let loads = shardOrder.compactMap { replicas[$0]?.takeLoad(elapsedMs: elapsedMs) }
        effects.toNode.append(.loads(loop: loop, loads))
    }

    /// What snapshots of this node may send in a tick, evenly to those that are being sent.
    private func feedSnapshots() {
        guard settings.raft.limitsSnapshotRate else { return }
        let fed = shardOrder.compactMap { replicas[$0] }.filter(\.work.hasOffer)
        guard !fed.isEmpty else { return }
        let bytes = settings.snapshotBytesPerSecond * Int(settings.tickMs) / 1_000 / settings.loops / fed.count
        for replica in fed {
            replica.raft.addSnapshotBudget(bytes: bytes)
            mark(replica)
        }
    }
}
