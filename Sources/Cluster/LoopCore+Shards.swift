import Binary
import ObjectRuntime
import Placement
import Raft

/// Which replicas a loop has: as the table says, and as the disk has them.
extension LoopCore {
    /// The cluster has just been formed: this node's replicas begin with empty logs.
    func beginShards(of genesis: Genesis) {
        let first = PlacementState(genesis: genesis)
        for record in first.table.records where isHome(record.shard) && record.isMember(identity.nodeID) {
            guard let range = first.table.range(of: record.shard) else { continue }
            let configuration = Configuration(voters: record.replicas)
            add(record, .newGroup(configuration, range: range, source: store))
        }
        recovered = nil
    }

    func observe(_ newView: ClusterView, now: Clocks) {
        view = newView
        guard let state = newView.state else { return }
        quotas.observe(state.tenants)
        if let recovered { restoreReplicas(recovered, state) }
        recovered = nil
        lifetimes = defaultLifetimes(state.tenants)
        concludeMergedLogs(state.table)
        for record in state.table.records where isHome(record.shard) {
            if let replica = replicas[record.shard] {
                show(record, to: replica, now: now)
            } else {
                join(record, state)
            }
        }
        endGoneReplicas(state)
        router.observe(newView, nowMs: nowMs)
        hub.observe(newView)
    }

    func show(_ record: ShardRecord, to replica: ShardReplica, now: Clocks) {
        guard let view, let state = view.state else { return }
        replica.defaultLifetimesMs = lifetimes
        replica.observe(record, in: state, process: view.process, now: now)
        replica.retireFencedEdges()
        replica.noticeGoneEdges(nowMs: nowMs)
        if !replica.raft.holdsLog { reportLoss(of: replica) }
        mark(replica)
    }

    private func defaultLifetimes(_ tenants: Tenants) -> [ClassName: UInt64] {
        var lifetimes: [ClassName: UInt64] = [:]
        for project in tenants.projects {
            for (name, settings) in project.classes {
                lifetimes[ClassName(project: project.id, name: name)] = settings.defaultTTLMs
            }
        }
        return lifetimes
    }

    func isHome(_ shard: ShardID) -> Bool { homeLoop(of: shard, loops: settings.loops) == loop }

    func add(_ record: ShardRecord, _ origin: ReplicaOrigin) {
        precondition(replicas[record.shard] == nil, "a node has one replica of a shard")
        replicas[record.shard] = ShardReplica(
            shard: record.shard, nodeID: identity.nodeID, origin: origin, record: record, settings: settings,
            entropy: entropy, quotas: quotas, source: store)
        replicas[record.shard]?.setRoom(space.hasRoom, fullNodes: fullNodes, now: clocks)
        let place = shardOrder.firstIndex { $0 > record.shard } ?? shardOrder.endIndex
        shardOrder.insert(record.shard, at: place)
    }

    func remove(_ shard: ShardID) {
        guard let replica = replicas.removeValue(forKey: shard) else { return }
        shardOrder.removeAll { $0 == shard }
        if replica.isAwake { awake.removeAll { $0 === replica } }
        dirty.removeAll { $0 === replica }
        for attempt in replica.mailbox.takeAll() { sendBack(attempt) }
        for wish in replica.work.backups { settle(wish.token, shard, .notOwner) }
    }

    // MARK: - At the start

    /// Everything that the disk has, whatever the table says: it may be older than the disk.
    private func restoreReplicas(_ recovered: RecoveredReplicas, _ state: PlacementState) {
        let first = PlacementState(genesis: state.genesis)
        let mergedAway = recovered.mergedAway
        for shard in recovered.shards where isHome(shard) {
            if recovered.logs.shardLog(shard)?.isEnded == true { endedHere.insert(shard) }
            if mergedAway.contains(shard) {
                persist.add(.ended(group: .shard(shard)))
                continue
            }
            let record = state.table.record(of: shard) ?? provisionalRecord(of: shard, recovered)
            let present = state.table.range(of: shard) ?? recovered.stored[shard]?.range
            // Of an original shard the log tells every change since the beginning.
            let range = first.table.range(of: shard) ?? present ?? record.start...UInt64.max
            // Of a lost one the keys that the store has for it leave the disk, whatever the table says of them: they
            // may be another shard's by now, which has to wait for that (O13).
            let lostRange = recovered.storedRange(of: shard) ?? present ?? record.start...record.start
            do throws(DecodingFailure) {
                let found = try ReplicaOrigin.find(
                    recovered.logs.shardLog(shard), recovered.stored[shard],
                    damage: recovered.damage(of: shard), range: range, lostRange: lostRange, source: store)
                restore(record, found, covered: recovered.logs.shardLog(shard)?.covered.index ?? .zero)
            } catch {
                preconditionFailure("O12: what is stored of shard \(shard) cannot be read: \(error)")
            }
        }
    }

    /// Of a shard that this node's table does not have yet: its log is ahead.
    private func provisionalRecord(of shard: ShardID, _ recovered: RecoveredReplicas) -> ShardRecord {
        ShardRecord(
            shard: shard, start: recovered.stored[shard]?.range.lowerBound ?? 0, replicas: [identity.nodeID])
    }

    private func restore(_ record: ShardRecord, _ found: ReplicaOrigin.Found, covered: LogIndex) {
        switch found {
        case .held(let origin):
            tellJournal(of: origin, record.shard, covered: covered)
            add(record, origin)
        case .lost(let origin, let isNew):
            if isNew { persist.add(.lost(at: record.configuredAt, group: .shard(record.shard))) }
            add(record, origin)
        case .ended(let range): erase(record.shard, range)
        case .nothing: break
        }
    }

    /// What follows must be read back from the journal: it has to know what it follows.
    private func tellJournal(of origin: ReplicaOrigin, _ shard: ShardID, covered: LogIndex) {
        let base = origin.log.snapshot
        if origin.isUnknownToJournal {
            persist.add(.created(base.configuration, at: origin.joinedAt, group: .shard(shard)))
        }
        if origin.replacesLog {
            persist.add(.covered(base.position, replacesLog: true, group: .shard(shard)))
        } else if origin.stored.index > covered {
            // The process ended between the store's commit and this record. Of an idle shard nobody would say it again,
            // and its entries would hold the journal for ever.
            persist.add(.covered(origin.stored, group: .shard(shard)))
        }
    }

    // MARK: - Coming and going

    /// O9: the table lists this node and its disk has nothing of this log: it never acknowledged anything of it.
    ///
    /// A table that has this process is newer than all that an earlier one of this node has ended. An older table may
    /// list a replica that is no more, and was sealed further: a new one must not answer to owners from before that.
    private func join(_ record: ShardRecord, _ state: PlacementState) {
        guard view?.process != nil, record.isMember(identity.nodeID),
            let range = state.table.range(of: record.shard), isFree(range, for: record.shard)
        else { return }
        if isOfGenesis(record, state) {
            // A table that is older than the disk: this replica has been and gone.
            return endedHere.contains(record.shard) ? () : missLog(record, range: range)
        }
        persist.add(
            .created(Configuration(voters: []), at: record.configuredAt, group: .shard(record.shard)))
        add(
            record,
            .joining(range: range, source: store, at: record.configuredAt, sealedAt: record.epoch))
        showFirst(record, state)
    }

    /// Keys have become free: what waited for them begins.
    func joinMissing() {
        guard let state = view?.state else { return }
        for record in state.table.records where isHome(record.shard) && replicas[record.shard] == nil {
            join(record, state)
        }
    }

    private func showFirst(_ record: ShardRecord, _ state: PlacementState) {
        guard let replica = replicas[record.shard], let view else { return }
        replica.defaultLifetimesMs = lifetimes
        replica.observe(record, in: state, process: view.process, now: clocks)
        mark(replica)
    }

    /// Of the replicas that the genesis made, each disk has had a log since the genesis was on it (O2).
    private func isOfGenesis(_ record: ShardRecord, _ state: PlacementState) -> Bool {
        guard record.configuredAt == .genesis else { return false }
        let first = PlacementState(genesis: state.genesis).table.record(of: record.shard)
        return first?.isMember(identity.nodeID) ?? false
    }

    /// O9: what was acknowledged in its name is not known any more.
    private func missLog(_ record: ShardRecord, range: ClosedRange<UInt64>) {
        persist.add(.lost(at: record.configuredAt, group: .shard(record.shard)))
        add(record, .lost(record.replicas, range: range, source: store, joinedAt: .genesis))
        effects.lost.append(LostShard(shard: record.shard, what: "the journal has nothing of its log"))
        guard let state = view?.state else { return }
        showFirst(record, state)
        if let replica = replicas[record.shard] { reportLoss(of: replica) }
    }

    /// No replica here has these keys, and nothing of them, or of an earlier replica of the shard, is left to be
    /// erased. A parent that has not come to its split yet will make the child itself (O13).
    private func isFree(_ range: ClosedRange<UInt64>, for shard: ShardID) -> Bool {
        let isTaken = shardOrder.contains { replicas[$0]?.claimedRange.overlaps(range) ?? false }
        return !isTaken && !erasures.values.contains { $0.shard == shard || $0.range.overlaps(range) }
    }

    /// O9: the table has recorded a configuration without this replica, newer than the one that brought it.
    private func endGoneReplicas(_ state: PlacementState) {
        for shard in shardOrder {
            guard let replica = replicas[shard] else { continue }
            if let record = state.table.record(of: shard) {
                let isOver = !record.isMember(identity.nodeID) || isListedAnew(record, replica)
                if isOver, record.configuredAt > replica.joinedAt { end(replica) }
            } else if state.table.isGone(shard), !isMergePart(replica, state.table) {
                end(replica)
            }
        }
    }

    /// A lost replica is listed as a new one: it begins anew.
    private func isListedAnew(_ record: ShardRecord, _ replica: ShardReplica) -> Bool {
        guard !replica.raft.holdsLog, let since = record.replicaSet.since(of: identity.nodeID) else { return false }
        return since > replica.joinedAt
    }

    private func end(_ replica: ShardReplica) {
        let range = replica.claimedRange
        remove(replica.shard)
        persist.add(.ended(group: .shard(replica.shard)))
        // One that waits for its first snapshot may not know its range after a restart, and has nothing to erase.
        if replica.mayBeStored { erase(replica.shard, range) }
    }

    /// After the journal has it that the replica is no more.
    func erase(_ shard: ShardID, _ range: ClosedRange<UInt64>) {
        nextErasure += 1
        let job = StoreJob(shard: shard, number: UInt64(UInt32.max) - nextErasure)
        erasures[job] = Erasure(shard: shard, range: range)
        persist.add(afterwards: .erase(job, shard, range))
    }

    // MARK: - Losses

    /// Something of this replica cannot be read back: it falls silent at once, and the journal remembers (O9).
    func lose(_ replica: ShardReplica, because what: String) {
        guard replica.raft.holdsLog else { return }
        let record = replica.record
        let origin = ReplicaOrigin.lost(
            record.replicas, range: replica.claimedRange, source: store, joinedAt: replica.joinedAt)
        effects.lost.append(LostShard(shard: replica.shard, what: what))
        persist.add(.lost(at: record.configuredAt, group: .shard(replica.shard)))
        remove(replica.shard)
        add(record, origin)
        if let fresh = replicas[replica.shard], let view, let state = view.state {
            fresh.observe(record, in: state, process: view.process, now: clocks)
            reportLoss(of: fresh)
        }
    }

    /// The table learns of it, and whoever owns the shard here gives it up (O2).
    private func reportLoss(of replica: ShardReplica) {
        guard let process = view?.process, !replica.record.isLost(at: identity.nodeID),
            let since = replica.record.replicaSet.since(of: identity.nodeID), since <= replica.joinedAt
        else { return }
        effects.toNode.append(.propose(.reportLost(replica.shard, since: since, proposer: process)))
    }
}
