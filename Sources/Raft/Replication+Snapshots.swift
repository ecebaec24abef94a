/// Snapshots under way, in both directions.
struct SnapshotExchange: Sendable {
    /// The last one that the driver made, for whoever needs one.
    var offer: Snapshot? {
        didSet { offerHash = nil }
    }
    var incoming: IncomingSnapshot?
    /// To the owner that adopts this replica's log.
    var pulled: (owner: NodeID, transfer: OutgoingTransfer?)?
    var request = Request.none
    /// How many bytes of chunks may still be made.
    private(set) var budgetBytes = 0
    private var offerHash: UInt64?
    /// Of files: to be handed out.
    var parts: [SnapshotPart] = []
    var dropped: [UInt64] = []

    /// What the driver was asked for. Making a file takes time, and it is not asked twice.
    enum Request: Sendable { case none, asked, failed }

    /// The offer may go to several replicas; its hash is computed once.
    mutating func makeTransfer(of snapshot: Snapshot, isPulled: Bool) -> OutgoingTransfer {
        let hash = offerHash ?? snapshot.externalHash ?? SnapshotChunk.hash(snapshot.data)
        offerHash = hash
        return OutgoingTransfer(of: snapshot, contentHash: hash, isPulled: isPulled)
    }

    /// The offer, if the log still continues it.
    func usableOffer(from boundary: LogIndex) -> Snapshot? {
        guard let offer, offer.index >= boundary else { return nil }
        return offer
    }

    func canFeed(_ peer: Progress, from boundary: LogIndex, settings: ReplicaSettings) -> Bool {
        guard peer.state == .snapshot else { return false }
        return peer.transfer.map { mayMakeChunk(of: $0, settings) } ?? (usableOffer(from: boundary) != nil)
    }

    func mayMakeChunk(of transfer: OutgoingTransfer, _ settings: ReplicaSettings) -> Bool {
        guard transfer.canSend(settings) else { return false }
        return !settings.limitsSnapshotRate || transfer.nextByteCount(settings) <= budgetBytes
    }

    /// The next chunk, if window and budget allow one.
    mutating func nextChunk(
        of transfer: inout OutgoingTransfer, _ settings: ReplicaSettings
    ) -> SnapshotChunk? {
        guard mayMakeChunk(of: transfer, settings) else { return nil }
        let chunk = transfer.nextChunk(settings)
        if settings.limitsSnapshotRate { budgetBytes -= chunk.byteCount }
        return chunk
    }

    /// What is not used up is kept, up to a window: a rate is not a right to a burst later.
    mutating func addBudget(bytes: Int, _ settings: ReplicaSettings) {
        let most = max(settings.snapshotWindowBytes, settings.snapshotChunkBytes)
        budgetBytes = min(most, budgetBytes + min(most, max(0, bytes)))
    }

    /// Entries above this are needed by somebody who waits for a snapshot, receives one, or catches up after
    /// one: were they dropped, the next snapshot would be due, for ever.
    func lowestIndexNeeded(_ peers: [Progress], boundary: LogIndex) -> LogIndex? {
        let offered = usableOffer(from: boundary)?.index ?? boundary
        var indexes = peers.filter { !$0.isUnreachable }.compactMap { peer in
            peer.state == .snapshot
                ? peer.transfer?.snapshot.index ?? offered : peer.isCatchingUp ? peer.neededAbove : nil
        }
        if let pulled { indexes.append(pulled.transfer?.snapshot.index ?? offered) }
        return indexes.min()
    }

    /// The files that are still sent from, or may be.
    func filesInUse(_ peers: [Progress]) -> [UInt64] {
        let used = [offer, pulled?.transfer?.snapshot] + peers.map(\.transfer?.snapshot)
        return Set(used.compactMap { $0?.externalHash }).sorted()
    }
}

extension Replication {
    // MARK: Sending

    mutating func feedSnapshot(_ position: Int) {
        if peers[position].transfer == nil {
            guard let offer = snapshots.usableOffer(from: log.boundary.index) else {
                return wantSnapshot()
            }
            peers[position].transfer = snapshots.makeTransfer(of: offer, isPulled: false)
            counters.snapshotsSent += 1
        }
        guard var transfer = peers[position].transfer else { return }
        while let chunk = snapshots.nextChunk(of: &transfer, settings) {
            send(.snapshotChunk(chunk), to: peers[position].peer)
        }
        peers[position].transfer = transfer
    }

    /// Feeds the owner that pulls this log.
    mutating func feedPulledSnapshot() {
        guard let pulled = snapshots.pulled else { return }
        if pulled.transfer == nil {
            guard let offer = snapshots.usableOffer(from: log.boundary.index) else {
                return wantSnapshot()
            }
            let transfer = snapshots.makeTransfer(of: offer, isPulled: true)
            snapshots.pulled?.transfer = transfer
            counters.snapshotsSent += 1
        }
        guard var transfer = snapshots.pulled?.transfer else { return }
        while let chunk = snapshots.nextChunk(of: &transfer, settings) {
            send(.snapshotChunk(chunk), to: pulled.owner)
        }
        snapshots.pulled?.transfer = transfer
    }

    /// The owner has what it pulled, or it is another owner's turn.
    mutating func endPulledSnapshot() {
        guard snapshots.pulled != nil else { return }
        snapshots.pulled = nil
        releaseUnneededOffer()
    }

    var canFeedPulledSnapshot: Bool {
        guard let pulled = snapshots.pulled else { return false }
        return pulled.transfer.map { snapshots.mayMakeChunk(of: $0, settings) }
            ?? (snapshots.usableOffer(from: log.boundary.index) != nil)
    }

    /// Asks the driver, unless it is at work or has delivered.
    mutating func wantSnapshot() {
        guard snapshots.request == .none, snapshots.usableOffer(from: log.boundary.index) == nil else {
            return
        }
        snapshots.request = .asked
        snapshotRequest = true
    }

    /// The driver could not: it is asked again, but not more often than once a tick.
    mutating func wantSnapshotAgain() {
        if snapshots.request == .failed { snapshots.request = .none }
        let isNeeded =
            peers.contains { $0.state == .snapshot && $0.transfer == nil && !$0.isUnreachable }
            || (snapshots.pulled != nil && snapshots.pulled?.transfer == nil)
        if isNeeded { wantSnapshot() }
    }

    mutating func snapshotFailed() {
        if snapshots.request == .asked { snapshots.request = .failed }
    }

    /// The driver has the file no more: whoever was fed from it waits for another one.
    mutating func withdrawSnapshot(_ contentHash: UInt64) {
        counters.uselessSnapshots += 1
        if snapshots.offer?.externalHash == contentHash { snapshots.offer = nil }
        if snapshots.pulled?.transfer?.snapshot.externalHash == contentHash {
            snapshots.pulled?.transfer = nil
        }
        for position in peers.indices
        where peers[position].transfer?.snapshot.externalHash == contentHash {
            peers[position].becomeFedBySnapshot()
        }
    }

    /// A snapshot that nobody needs any more is a second copy of the whole state: it goes.
    mutating func releaseUnneededOffer() {
        guard snapshots.offer != nil, snapshots.pulled == nil else { return }
        if !peers.contains(where: { $0.state == .snapshot }) { snapshots.offer = nil }
    }

    mutating func provide(_ snapshot: Snapshot) {
        precondition(snapshot.index <= applied, "O3: a snapshot holds only what is committed and applied")
        precondition(
            snapshot.index < log.boundary.index || log.matches(snapshot.position),
            "I6: a snapshot is of this log")
        guard snapshot.index >= log.boundary.index else {
            counters.uselessSnapshots += 1
            snapshots.request = .failed
            return
        }
        snapshots.request = .none
        snapshots.offer = snapshot
        releaseUnneededOffer()
    }

    mutating func snapshotProgressed(_ progress: SnapshotProgress, from node: NodeID) {
        if let pulled = snapshots.pulled, pulled.owner == node,
            pulled.transfer?.contentHash == progress.contentHash
        {
            if snapshots.pulled?.transfer?.progressed(to: progress.offset) != true {
                counters.impossibleAnswers += 1
            }
            return
        }
        guard let position = peerPosition(node) else { return counters.staleMessages += 1 }
        peers[position].heard(settings: settings)
        guard peers[position].transfer?.contentHash == progress.contentHash else {
            return counters.staleMessages += 1
        }
        guard peers[position].transfer?.progressed(to: progress.offset) == true else {
            return counters.impossibleAnswers += 1
        }
        peers[position].transferProgressed()
    }
}
