import Cluster
import Glibc
import Placement
import Raft
import Storage

/// The files of snapshots that are sent and received. All of it is touched by one thread, which is what makes the
/// unchecked `Sendable` true.
final class SnapshotFiles: @unchecked Sendable {
    private let incoming: SnapshotDirectory
    private let outgoingDirectory: String
    /// What this node sends lies on its disk under these meanwhile.
    private let keys: DataKeys?
    /// By content hash.
    private var intakes: [UInt64: SnapshotIntake] = [:]
    private var staged: [UInt64: VerifiedSnapshot] = [:]
    private var offers: [ShardID: (hash: UInt64, path: String, file: SnapshotFile)] = [:]
    private var nextNumber = 0

    init(incoming: SnapshotDirectory, outgoingDirectory: String, keys: DataKeys?) {
        self.incoming = incoming
        self.keys = keys
        self.outgoingDirectory = outgoingDirectory
        // What an earlier process sent is asked for anew.
        mkdir(outgoingDirectory, 0o700)
        for name in directoryEntries(outgoingDirectory) { unlink(outgoingDirectory + "/" + name) }
    }

    // MARK: - Sending

    func make(
        _ shard: ShardID, of view: StoreView,
        done: @escaping @Sendable (Result<VerifiedSnapshot, StoreError>) -> Void
    ) {
        nextNumber += 1
        let path = "\(outgoingDirectory)/\(shard.rawValue)-\(nextNumber).snapshot"
        _ = SnapshotWriter(shard: shard.rawValue, of: view, to: path, keys: keys, done: done)
    }

    /// The newest takes the place of the one before, which is then no longer sent.
    func offer(_ shard: ShardID, _ snapshot: VerifiedSnapshot) {
        release(shard)
        guard let file = try? SnapshotFile(path: snapshot.path, keys: keys) else { return }
        offers[shard] = (snapshot.hash, snapshot.path, file)
    }

    func release(_ shard: ShardID) {
        guard let offer = offers.removeValue(forKey: shard) else { return }
        unlink(offer.path)
    }

    /// The message with the bytes that it lacks; nil if they are gone.
    func fill(_ message: Message) -> Message? {
        guard let range = message.missingBytes,
            let offer = offers.values.first(where: { $0.hash == range.contentHash }),
            let bytes = try? offer.file.read(at: range.offset, count: range.byteCount),
            bytes.count == range.byteCount
        else { return nil }
        var filled = message
        filled.fill(with: bytes)
        return filled
    }

    // MARK: - Receiving

    /// Whether all of it is in the file.
    func stage(_ shard: ShardID, _ part: SnapshotPart) throws -> Bool {
        if part.offset == 0 { drop(part.contentHash) }
        let intake = try intakes[part.contentHash]
            ?? incoming.intake(
                title: "\(shard.rawValue)", byteCount: part.totalBytes, hash: part.contentHash)
        intakes[part.contentHash] = intake
        return try intake.append(part.data, at: part.offset) >= part.end
    }

    /// What was received, durable; nil if it is not whole, or not what was promised.
    func finish(_ hash: UInt64) -> VerifiedSnapshot? {
        guard let intake = intakes.removeValue(forKey: hash), intake.isComplete, let verified = try? intake.finish()
        else { return nil }
        staged[hash] = verified
        return verified
    }

    func verified(_ hash: UInt64) -> VerifiedSnapshot? { staged[hash] }

    /// The store has removed the file.
    func installed(_ hash: UInt64) { staged[hash] = nil }

    func drop(_ hash: UInt64) {
        intakes.removeValue(forKey: hash)?.abandon()
        if let verified = staged.removeValue(forKey: hash) { incoming.remove(verified.name) }
    }
}
