import Binary
import ObjectRuntime
import Placement
import Raft

/// How a replica's state gets to the store: what has changed, now and then, as one transaction with the index up
/// to which it is applied.
extension ShardReplica {
    /// What this replica has asked of the store and not heard of.
    struct StoreWork {
        /// The checkpoint that is being written, and where it stands.
        var checkpoint: (job: StoreJob, base: StoredBase)?
        /// After a failure, for want of space: not before.
        var retryAtMs: UInt64 = 0
        var lastBegunMs: UInt64 = 0
        /// The store has this durably. Zero: nothing yet.
        var stored = Position.zero

        /// Raft needs a snapshot for somebody.
        var isSnapshotWanted = false
        /// A file is being made of the stored state.
        var making: StoreJob?
        /// The newest stored state that a split has made smaller. A snapshot of an older one is of no use.
        var narrowedAt = LogIndex.zero
        /// The store has a file that somebody is, or was, fed from.
        var hasOffer = false
        /// Pieces of files that it has not brought yet.
        var reading: Set<SnapshotRead> = []
        var staging: (job: StoreJob, contentHash: UInt64)?
        var installation: Installation?
        /// In order of arrival.
        var backups: [BackupWish] = []
        var nextJob: UInt64 = 0
    }

    func takeJob() -> StoreJob {
        work.nextJob += 1
        return StoreJob(shard: shard, number: work.nextJob)
    }

    /// Whether something of the log is not in the store yet.
    var hasUnstored: Bool { !newborns.isEmpty || appliedThrough > work.stored.index || state.hasUncheckpointed }

    /// Whether the store may have something of this replica. Of a lost one, whatever the disk had.
    var mayBeStored: Bool {
        !raft.holdsLog || work.stored.index > .zero || work.checkpoint != nil || work.installation != nil
    }

    /// Captures what has changed, at the end of a turn. False if there is nothing to do or one is under way.
    @discardableResult
    func beginCheckpoint(nowMs: UInt64) -> Bool {
        guard work.checkpoint == nil, work.installation == nil, !state.isDamaged, hasUnstored,
            nowMs >= work.retryAtMs, let write = captureCheckpoint()
        else { return false }
        let job = takeJob()
        work.checkpoint = (job, write.base)
        work.lastBegunMs = nowMs
        let children = captureNewborns()
        storeRequests.append(children.isEmpty ? .write(job, write) : .split(job, parent: write, children: children))
        counters.checkpointsBegun += 1
        return true
    }

    /// O3: of what is committed and applied; all of the state as of one index.
    func captureCheckpoint() -> StoredWrite? {
        // The position and its configuration, of a log whose memory still reaches there.
        guard let place = raft.makeSnapshot(at: appliedThrough, data: []),
            let checkpoint = state.beginCheckpoint()
        else { return nil }
        var base = StoredBase(position: place.position, configuration: place.configuration)
        #if PLANTED_BUGS
        if PlantedBug.isActive(.applyTwiceAfterCheckpoint), base.position.index > .zero {
            base.position.index = LogIndex(rawValue: base.position.index.rawValue - 1)
        }
        #endif
        return StoredWrite(shard: shard, base: base, checkpoint: checkpoint)
    }

    /// The store has it: the journal may forget what is covered, and memory what has not changed since.
    func finishCheckpoint(into persist: inout PersistQueue) {
        guard let finished = work.checkpoint else { return }
        work.checkpoint = nil
        state.endCheckpoint()
        for place in newborns.indices { newborns[place].finishCapture() }
        if newborns.contains(where: \.isStored) { withdrawSnapshots(before: finished.base.position.index) }
        noteStored(finished.base.position, into: &persist)
    }

    func noteStored(_ position: Position, into persist: inout PersistQueue) {
        work.stored = position
        persist.add(.covered(position, group: .shard(shard)))
    }

    /// Nothing was written; all of it is still to be.
    func abandonCheckpoint(nowMs: UInt64) {
        guard work.checkpoint != nil else { return }
        work.checkpoint = nil
        work.retryAtMs = nowMs + settings.storeRetryMs
        state.abandonCheckpoint()
        for place in newborns.indices { newborns[place].abandonCapture() }
    }
}

extension StoreJob {
    /// The shard is in the number, so that an answer finds its replica without a table of what is open.
    init(shard: ShardID, number: UInt64) {
        rawValue = UInt64(shard.rawValue) << 32 | (number & 0xFFFF_FFFF)
    }

    var shard: ShardID { ShardID(rawValue: UInt32(truncatingIfNeeded: rawValue >> 32)) }
}
