/// A snapshot being received. It is nothing until it is whole; one that is a file, not before the driver has
/// made it durable.
struct IncomingSnapshot: Sendable {
    /// Chunks are of the same snapshot only if all of this is the same. The content's hash is part of it:
    /// two snapshots of one index need not be equal byte for byte, and a sender may restart in between.
    struct Identity: Sendable, Equatable {
        var contentHash: UInt64
        var position: Position
        var totalBytes: UInt64
        var isExternal: Bool
    }

    let identity: Identity
    /// The term in which it was begun.
    let term: Term
    /// Who sent the last chunk, and in which term; nil if the intake of an earlier process is resumed.
    private(set) var sender: (node: NodeID, term: Term)?
    private let configuration: Configuration
    /// Of a file nothing is kept but how much of it was handed out.
    private var data: [UInt8] = []
    private(set) var offset: UInt64 = 0
    /// How much of a file the driver has written.
    private var written: UInt64 = 0

    init(identity: Identity, configuration: Configuration, term: Term, offset: UInt64 = 0) {
        self.identity = identity
        self.configuration = configuration
        self.term = term
        self.offset = offset
        written = offset
    }

    var isWhole: Bool { offset == identity.totalBytes }

    /// What the sender may take for arrived. Of a file not what waits for a slow disk: that stays within its window.
    var acknowledged: UInt64 { identity.isExternal ? written : offset }

    /// An answer for a file that was begun anew meanwhile may say more than was handed out since.
    mutating func wrote(through end: UInt64) {
        if end <= offset { written = max(written, end) }
    }

    /// What arrived is what was sent. Of a file only the driver can tell.
    var isIntact: Bool { identity.isExternal || SnapshotChunk.hash(data) == identity.contentHash }

    /// Whether `chunk` begins something newer; a late chunk of an older snapshot does not.
    func isSuperseded(by chunk: SnapshotChunk, term newTerm: Term) -> Bool {
        chunk.identity != identity && (newTerm > term || chunk.position >= identity.position)
    }

    /// Takes a chunk that continues what is here; others are left to be sent again. What is to be handed
    /// out of a file is returned.
    mutating func add(_ chunk: SnapshotChunk, from node: NodeID, term: Term) -> SnapshotPart? {
        guard chunk.identity == identity else { return nil }
        sender = (node, term)
        guard chunk.offset == offset, UInt64(chunk.data.count) <= identity.totalBytes - offset else {
            return nil
        }
        let isNews = !chunk.data.isEmpty || identity.totalBytes == 0
        offset += UInt64(chunk.data.count)
        guard identity.isExternal else {
            data.append(contentsOf: chunk.data)
            return nil
        }
        guard isNews else { return nil }
        return SnapshotPart(
            contentHash: identity.contentHash, position: identity.position, configuration: configuration,
            totalBytes: identity.totalBytes, offset: chunk.offset, data: chunk.data)
    }

    var snapshot: Snapshot {
        Snapshot(
            index: identity.position.index, term: identity.position.term, configuration: configuration,
            content: identity.isExternal
                ? .external(totalBytes: identity.totalBytes, contentHash: identity.contentHash)
                : .bytes(data))
    }
}

extension SnapshotChunk {
    var identity: IncomingSnapshot.Identity {
        IncomingSnapshot.Identity(
            contentHash: contentHash, position: position, totalBytes: totalBytes, isExternal: isExternal)
    }
}
