/// Snapshots under way, in both directions.
struct SnapshotExchange: Sendable {
    /// The last one that the driver made, for whoever needs one.
    var offer: Snapshot? {
        didSet { offerHash = nil }
    }
    var incoming: IncomingSnapshot?
    /// To the owner that adopts this replica's log.
    var pulled: (owner: NodeID, transfer: OutgoingTransfer?)?
    var isWanted = false
    private var offerHash: UInt64?

    /// The offer may go to several replicas; its hash is computed once.
    mutating func makeTransfer(of snapshot: Snapshot, isPulled: Bool) -> OutgoingTransfer {
        let hash = offerHash ?? SnapshotChunk.hash(snapshot.data)
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
        return peer.transfer?.canSend(settings) ?? (usableOffer(from: boundary) != nil)
    }

    /// Entries above this are needed by somebody who is receiving a snapshot.
    func lowestIndexUnderWay(_ peers: [Progress]) -> LogIndex? {
        var indexes = peers.compactMap { $0.isUnreachable ? nil : $0.transfer?.snapshot.index }
        if let transfer = pulled?.transfer { indexes.append(transfer.snapshot.index) }
        return indexes.min()
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
        while var transfer = peers[position].transfer, transfer.canSend(settings) {
            send(.snapshotChunk(transfer.nextChunk(settings)), to: peers[position].peer)
            peers[position].transfer = transfer
        }
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
        while var transfer = snapshots.pulled?.transfer, transfer.canSend(settings) {
            send(.snapshotChunk(transfer.nextChunk(settings)), to: pulled.owner)
            snapshots.pulled?.transfer = transfer
        }
    }

    /// The owner has what it pulled, or it is another owner's turn.
    mutating func endPulledSnapshot() {
        guard snapshots.pulled != nil else { return }
        snapshots.pulled = nil
        releaseUnneededOffer()
    }

    var canFeedPulledSnapshot: Bool {
        guard let pulled = snapshots.pulled else { return false }
        return pulled.transfer?.canSend(settings)
            ?? (snapshots.usableOffer(from: log.boundary.index) != nil)
    }

    /// Asks the driver, unless it was asked or has delivered.
    mutating func wantSnapshot() {
        if !snapshots.isWanted, snapshots.usableOffer(from: log.boundary.index) == nil {
            snapshots.isWanted = true
            snapshotRequest = true
        }
    }

    /// The driver was asked and has not delivered: asks again, once a tick.
    mutating func wantSnapshotAgain() {
        let isNeeded =
            peers.contains { $0.state == .snapshot && $0.transfer == nil && !$0.isUnreachable }
            || (snapshots.pulled != nil && snapshots.pulled?.transfer == nil)
        snapshots.isWanted = false
        if isNeeded { wantSnapshot() }
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
        snapshots.isWanted = false
        guard snapshot.index >= log.boundary.index else { return }
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

    // MARK: Receiving

    /// Takes a chunk from whom the caller has found entitled. True when it completed a snapshot, or when
    /// everything in it was already here.
    mutating func receive(_ chunk: SnapshotChunk, from sender: NodeID) -> Bool {
        guard !chunk.configuration.isEmpty, chunk.position.term <= term,
            chunk.totalBytes <= settings.snapshotBytesMax
        else {
            counters.malformedAppends += 1
            return false
        }
        if chunk.position.index <= commit, !isJoining {
            snapshots.incoming = nil
            return true
        }
        takeIn(chunk)
        guard let incoming = snapshots.incoming, incoming.isWhole else {
            guard snapshots.incoming.map({ $0.identity == chunk.identity }) ?? true else { return false }
            let offset = snapshots.incoming?.offset ?? 0
            send(
                .snapshotProgress(SnapshotProgress(contentHash: chunk.contentHash, offset: offset)),
                to: sender)
            return false
        }
        snapshots.incoming = nil
        installOrCatchUp(incoming.snapshot)
        return true
    }

    private mutating func takeIn(_ chunk: SnapshotChunk) {
        if snapshots.incoming?.isSuperseded(by: chunk, term: term) ?? true {
            snapshots.incoming = IncomingSnapshot(of: chunk, term: term)
        }
        snapshots.incoming?.add(chunk)
        if let incoming = snapshots.incoming, incoming.isWhole, !incoming.isIntact {
            counters.damagedSnapshots += 1
            snapshots.incoming = nil
        }
    }

    /// If the log holds the snapshot's last entry, it holds all before it too: only the commit index moves,
    /// and what follows stays.
    private mutating func installOrCatchUp(_ snapshot: Snapshot) {
        if log.matches(snapshot.position), !isJoining {
            advanceCommit(to: snapshot.index)
        } else {
            install(snapshot)
        }
    }
}
