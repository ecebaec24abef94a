/// Snapshots, as the driver sees them: made by it, and taken in by it when they are files.
extension AppointedReplica {
    // MARK: Sending

    /// The snapshot that `Ready.snapshotWanted` asked for; also one that nobody has asked for yet.
    public mutating func provideSnapshot(_ snapshot: Snapshot) { core.provide(snapshot) }

    /// None could be made. It is asked for again at the next tick, if it is still needed.
    public mutating func snapshotFailed() { core.snapshotFailed() }

    /// The file is not there any more, or damaged: another one is asked for.
    public mutating func withdrawSnapshot(contentHash: UInt64) { core.withdrawSnapshot(contentHash) }

    /// With `limitsSnapshotRate`: so many more bytes of snapshots may be sent. What is not used is kept, up to
    /// a window.
    public mutating func addSnapshotBudget(bytes: Int) {
        core.snapshots.addBudget(bytes: bytes, core.settings)
    }

    /// The files that are sent from, or may be: all others may be deleted.
    public var snapshotFilesInUse: [UInt64] { core.snapshots.filesInUse(core.peers) }

    /// The state machine's `data` at `index` as a snapshot; nil if `index` is not applied or too far back.
    public func makeSnapshot(at index: LogIndex, data: [UInt8]) -> Snapshot? {
        core.snapshot(at: index, content: .bytes(data))
    }

    /// The same, of a state that is in a file or a store.
    public func makeSnapshot(at index: LogIndex, content: Snapshot.Content) -> Snapshot? {
        core.snapshot(at: index, content: content)
    }

    // MARK: Receiving

    /// How far the file that is being received has come; nil if there is none.
    public var incomingSnapshot: (contentHash: UInt64, offset: UInt64)? {
        guard let incoming = core.snapshots.incoming, incoming.identity.isExternal else { return nil }
        return (incoming.identity.contentHash, incoming.offset)
    }

    /// Goes on with a file that an earlier process received a part of: everything below `offset` is durable.
    /// To be called before anything is stepped. False if the file is of no use: throw it away.
    public mutating func resumeIncoming(
        contentHash: UInt64, position: Position, configuration: Configuration, totalBytes: UInt64,
        offset: UInt64
    ) -> Bool {
        guard core.holdsLog else { return false }
        return core.resumeIncoming(
            SnapshotPart(
                contentHash: contentHash, position: position, configuration: configuration,
                totalBytes: totalBytes, offset: offset, data: []))
    }

    /// A part of a file that was handed out is written, and all below `offset` with it; it need not be durable. Nil if
    /// it could not be written: the file begins anew. The sender sends no more than its window beyond this.
    public mutating func snapshotPartWritten(contentHash: UInt64, through offset: UInt64?) {
        guard core.holdsLog else { return }
        core.wrotePart(of: contentHash, through: offset)
    }

    /// The last part of a file was handed out, and it is now verified and durable, or was found damaged.
    /// Only now it is installed. An answer for a file that was dropped meanwhile does nothing.
    public mutating func snapshotStaged(contentHash: UInt64, isIntact: Bool) {
        guard core.holdsLog, let received = core.staged(contentHash, isIntact: isIntact) else { return }
        if stage == .adopting {
            endPulledFile()
        } else if let sender = received.sender, sender.term == sealedTerm, stage == .following {
            core.acknowledge(core.commit, to: sender.node)
        }
    }
}
