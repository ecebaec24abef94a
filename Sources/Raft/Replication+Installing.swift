import Binary

/// Taking in a snapshot. Bytes are collected here; parts of a file are handed out to the driver, which says
/// when it has the whole.
extension Replication {
    /// Takes a chunk from whom the caller has found entitled. True when it completed a snapshot, or when
    /// everything in it was already here.
    mutating func receive(_ chunk: SnapshotChunk, from sender: NodeID) -> Bool {
        guard isWellFormed(chunk) else {
            counters.malformedAppends += 1
            return false
        }
        if isCovered(chunk.position) {
            if let incoming = snapshots.incoming, isCovered(incoming.identity.position) { dropIncoming() }
            return true
        }
        let isHandedOut = takeIn(chunk, from: sender)
        guard let incoming = snapshots.incoming else {
            sendProgress(of: chunk.contentHash, offset: 0, to: sender)
            return false
        }
        guard incoming.identity == chunk.identity else { return false }
        guard incoming.isWhole, !chunk.isExternal else {
            if !isHandedOut { sendProgress(of: chunk.contentHash, offset: incoming.acknowledged, to: sender) }
            return false
        }
        snapshots.incoming = nil
        installOrCatchUp(incoming.snapshot)
        return true
    }

    private func isWellFormed(_ chunk: SnapshotChunk) -> Bool {
        !chunk.configuration.isEmpty && chunk.position.term <= term
            && chunk.totalBytes <= settings.snapshotBytesMax && chunk.data.count == chunk.byteCount
    }

    /// Whether a snapshot at `position` has nothing that is not committed here.
    private func isCovered(_ position: Position) -> Bool {
        #if PLANTED_BUGS
        if PlantedBug.isActive(.installOverNewer) { return false }
        #endif
        return position.index <= commit && !isJoining
    }

    private mutating func sendProgress(of contentHash: UInt64, offset: UInt64, to sender: NodeID) {
        send(.snapshotProgress(SnapshotProgress(contentHash: contentHash, offset: offset)), to: sender)
    }

    /// True if there is a new part for the driver: its sender hears when it is written.
    private mutating func takeIn(_ chunk: SnapshotChunk, from sender: NodeID) -> Bool {
        if snapshots.incoming?.isSuperseded(by: chunk, term: term) ?? true {
            dropIncoming()
            snapshots.incoming = IncomingSnapshot(
                identity: chunk.identity, configuration: chunk.configuration, term: term)
        }
        let now = term
        let part = snapshots.incoming?.add(chunk, from: sender, term: now)
        if let part { snapshots.parts.append(part) }
        if let incoming = snapshots.incoming, incoming.isWhole, !incoming.isIntact {
            counters.damagedSnapshots += 1
            dropIncoming()
        }
        return part != nil
    }

    /// Forgets what was begun. Of a file the driver is told, and what was not handed out yet is not.
    mutating func dropIncoming() {
        guard let incoming = snapshots.incoming else { return }
        snapshots.incoming = nil
        guard incoming.identity.isExternal else { return }
        dropFile(incoming.identity.contentHash)
    }

    private mutating func dropFile(_ contentHash: UInt64) {
        snapshots.parts.removeAll { $0.contentHash == contentHash }
        snapshots.dropped.append(contentHash)
    }

    /// If the log holds the snapshot's last entry, it holds all before it too: only the commit index moves,
    /// and what follows stays.
    private mutating func installOrCatchUp(_ snapshot: Snapshot) {
        if log.matches(snapshot.position), !isJoining {
            advanceCommit(to: snapshot.index)
            if let file = snapshot.externalHash { dropFile(file) }
        } else {
            if let pending = persistence.snapshot?.externalHash { dropFile(pending) }
            install(snapshot)
        }
    }

    // MARK: Files

    /// The driver has written what lies below `offset`; nil if it could not.
    mutating func wrotePart(of contentHash: UInt64, through offset: UInt64?) {
        guard let incoming = snapshots.incoming, incoming.identity.isExternal,
            incoming.identity.contentHash == contentHash
        else { return counters.staleMessages += 1 }
        if let offset {
            snapshots.incoming?.wrote(through: offset)
        } else {
            dropIncoming()
        }
        guard let sender = incoming.sender, sender.term == term else { return }
        sendProgress(of: contentHash, offset: snapshots.incoming?.acknowledged ?? 0, to: sender.node)
    }

    /// The driver has verified the whole file and made it durable, or has found it damaged. What was
    /// received, if its sender is to be told that everything in it is here.
    mutating func staged(_ contentHash: UInt64, isIntact: Bool) -> IncomingSnapshot? {
        guard let incoming = snapshots.incoming, incoming.identity.isExternal, incoming.isWhole,
            incoming.identity.contentHash == contentHash
        else {
            counters.staleMessages += 1
            return nil
        }
        guard isIntact else {
            counters.damagedSnapshots += 1
            dropIncoming()
            if let sender = incoming.sender, sender.term == term {
                sendProgress(of: contentHash, offset: 0, to: sender.node)
            }
            return nil
        }
        if isCovered(incoming.identity.position) {
            dropIncoming()
        } else {
            snapshots.incoming = nil
            installOrCatchUp(incoming.snapshot)
        }
        return incoming
    }

    /// Goes on with a file that an earlier process began. False if it is of no use.
    mutating func resumeIncoming(_ part: SnapshotPart) -> Bool {
        let offset = part.offset
        guard snapshots.incoming == nil, !isCovered(part.position), !part.configuration.isEmpty,
            part.position.term <= term, offset <= part.totalBytes,
            part.totalBytes <= settings.snapshotBytesMax
        else { return false }
        snapshots.incoming = IncomingSnapshot(
            identity: IncomingSnapshot.Identity(
                contentHash: part.contentHash, position: part.position, totalBytes: part.totalBytes,
                isExternal: true),
            configuration: part.configuration, term: term, offset: offset)
        return true
    }
}
