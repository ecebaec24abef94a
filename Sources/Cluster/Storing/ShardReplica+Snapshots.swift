import ObjectRuntime
import Placement
import Raft

/// Snapshots of a shard are files of the store's: made from what is stored, sent by offset, collected in a file,
/// verified, and installed while the log waits.
extension ShardReplica {
    /// A snapshot takes the place of state and log. What the log has handed out with it waits until the store has
    /// it: an acknowledgement must not rest on what a crash could take back.
    struct Installation {
        var job: StoreJob
        var ready: Ready
        /// After a failure, for want of space.
        var retryAtMs: UInt64?
    }

    /// A piece of a file, for one peer.
    struct SnapshotRead: Hashable {
        var to: NodeID
        var term: Term
        var range: SnapshotRange
    }

    // MARK: - Sending

    /// A chunk gets its bytes from the store on the way. One that is sent again while its first reading is under way
    /// is not read again: a slow disk would have more to read with each retry.
    func read(_ message: Message, _ range: SnapshotRange) {
        let isNew = work.reading.insert(SnapshotRead(to: message.to, term: message.term, range: range)).inserted
        if isNew { storeRequests.append(.readSnapshot(shard, message)) }
    }

    func hasRead(_ message: Message) {
        guard case .snapshotChunk(let chunk) = message.body else { return }
        work.reading.remove(SnapshotRead(to: message.to, term: message.term, range: chunk.range))
    }

    /// The file is gone: another one has taken its place, say. Who was fed from it begins anew.
    func lostSnapshot(_ contentHash: UInt64) {
        work.reading = work.reading.filter { $0.range.contentHash != contentHash }
        raft.withdrawSnapshot(contentHash: contentHash)
    }

    /// Raft needs a snapshot. The stored state may be too old for the log in memory, so a checkpoint comes first.
    func wantSnapshot(nowMs: UInt64) {
        work.isSnapshotWanted = true
        advanceSnapshot(nowMs: nowMs)
    }

    /// The next step towards a file of a state that the log in memory continues.
    func advanceSnapshot(nowMs: UInt64) {
        guard work.isSnapshotWanted, work.making == nil, work.checkpoint == nil, work.installation == nil
        else { return }
        guard isStoredUsable else {
            if !beginCheckpoint(nowMs: nowMs) { giveUpSnapshot() }
            return
        }
        let job = takeJob()
        work.making = job
        storeRequests.append(.makeSnapshot(job, shard))
    }

    /// The log in memory goes on where the stored state ends.
    private var isStoredUsable: Bool { work.stored.index.next >= raft.firstIndex && work.stored.index > .zero }

    func madeSnapshot(_ offer: SnapshotOffer) {
        guard offer.position.index >= work.narrowedAt else { return giveUpSnapshot() }
        work.making = nil
        work.isSnapshotWanted = false
        work.hasOffer = true
        guard let head = try? ReplicaHead(decoding: offer.payload) else { return raft.snapshotFailed() }
        raft.provideSnapshot(
            Snapshot(
                index: offer.position.index, term: offer.position.term, configuration: head.configuration,
                content: .external(totalBytes: offer.totalBytes, contentHash: offer.contentHash)))
    }

    /// The store has a split: what was made before has keys that are another shard's now (O13).
    func withdrawSnapshots(before index: LogIndex) {
        work.narrowedAt = index
        for hash in raft.snapshotFilesInUse { raft.withdrawSnapshot(contentHash: hash) }
    }

    func giveUpSnapshot() {
        work.making = nil
        work.isSnapshotWanted = false
        raft.snapshotFailed()
    }

    /// Files that nobody is fed from any more.
    func releaseUnusedSnapshots() {
        guard work.hasOffer, work.making == nil, raft.snapshotFilesInUse.isEmpty else { return }
        work.hasOffer = false
        storeRequests.append(.releaseSnapshots(shard))
    }

    // MARK: - Receiving

    /// Bytes go to the file as they come; the last ones end it.
    func stage(_ ready: Ready) {
        for hash in ready.snapshotDropped { storeRequests.append(.dropStaged(shard, contentHash: hash)) }
        for part in ready.snapshotParts {
            storeRequests.append(.stage(shard, part))
            guard part.isLast else { continue }
            let job = takeJob()
            work.staging = (job, part.contentHash)
            storeRequests.append(.finishStaging(job, shard, contentHash: part.contentHash))
        }
    }

    func staged(isUsable: Bool) {
        guard let staging = work.staging else { return }
        work.staging = nil
        raft.snapshotStaged(contentHash: staging.contentHash, isIntact: isUsable)
    }

    func beginInstallation(_ ready: Ready, contentHash: UInt64) {
        // What was captured before is of a state that ends here.
        if work.checkpoint != nil { state.abandonCheckpoint() }
        work.checkpoint = nil
        newborns = []
        let job = takeJob()
        work.installation = Installation(job: job, ready: ready)
        storeRequests.append(.install(job, shard, contentHash: contentHash))
    }

    func installLater(nowMs: UInt64) {
        work.installation?.retryAtMs = nowMs + settings.storeRetryMs
    }

    func installAgain(nowMs: UInt64) {
        guard let installation = work.installation, let dueMs = installation.retryAtMs, nowMs >= dueMs,
            let hash = installation.ready.snapshot?.externalHash
        else { return }
        let job = takeJob()
        work.installation?.job = job
        work.installation?.retryAtMs = nil
        storeRequests.append(.install(job, shard, contentHash: hash))
    }

    /// The store has the snapshot. Answers what the log handed out with it.
    func takeInstalled(_ stored: StoredReplica) -> Ready? {
        guard let installation = work.installation else { return nil }
        work.installation = nil
        do {
            let head = try ReplicaHead(decoding: stored.payload)
            state.replace(with: try ShardState(head: head.state, source: source))
        } catch {
            preconditionFailure("O12: the installed snapshot of shard \(shard.rawValue) cannot be read: \(error)")
        }
        state.eventHistoryBytes = settings.eventHistoryBytes
        appliedThrough = stored.position.index
        executedThrough = .zero
        work.stored = stored.position
        counters.snapshotsInstalled += 1
        return installation.ready
    }
}
