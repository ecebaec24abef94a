import Binary
import ObjectRuntime
import Placement
import Raft

/// What became of the wish for a backup of a shard.
public enum BackupAnswer: Sendable, Equatable {
    /// The store has all that was acknowledged before the wish: whoever reads it now gets at least that index.
    case stored(through: LogIndex)
    /// This node does not own the shard, or has stopped owning it.
    case notOwner
    /// The store did not get that far in time, or too many wait.
    case busy
}

/// A wish for a backup has been settled.
public struct SettledBackup: Sendable, Equatable {
    public var token: RequestToken
    public var shard: ShardID
    public var answer: BackupAnswer
}

/// Backups by the owner: a barrier that was appended after the wish came says, once it is committed, that this node
/// still owned the shard then; a checkpoint that holds the barrier holds all that was acknowledged before (O3).
extension ShardReplica {
    struct BackupWish {
        var token: RequestToken
        var epoch: Epoch
        var barrier: LogIndex
        var deadlineMs: UInt64
    }

    static let backupWishesMax = 16
    static let backupPatienceMs: UInt64 = 60_000

    func wishBackup(_ token: RequestToken, nowMs: UInt64) -> BackupAnswer? {
        guard isServing, isAdmitting else { return .notOwner }
        guard work.backups.count < Self.backupWishesMax else { return .busy }
        let barrier = raft.proposeBarrier()
        executedThrough = max(executedThrough, barrier)
        work.backups.append(
            BackupWish(
                token: token, epoch: record.epoch, barrier: barrier, deadlineMs: nowMs + Self.backupPatienceMs))
        return nil
    }

    /// At the end of each turn: those that can be answered, in order.
    func settleBackups(nowMs: UInt64) -> [SettledBackup] {
        guard !work.backups.isEmpty else { return [] }
        var settled: [SettledBackup] = []
        var waiting: [BackupWish] = []
        for wish in work.backups {
            if let answer = answer(to: wish, nowMs: nowMs) {
                settled.append(SettledBackup(token: wish.token, shard: shard, answer: answer))
            } else {
                waiting.append(wish)
            }
        }
        work.backups = waiting
        if work.backups.contains(where: { $0.barrier <= appliedThrough }) { beginCheckpoint(nowMs: nowMs) }
        return settled
    }

    private func answer(to wish: BackupWish, nowMs: UInt64) -> BackupAnswer? {
        guard isServing, record.epoch == wish.epoch else { return .notOwner }
        if work.stored.index >= wish.barrier { return .stored(through: work.stored.index) }
        return nowMs >= wish.deadlineMs ? .busy : nil
    }
}

extension LoopCore {
    func wishBackup(_ token: RequestToken, of shard: ShardID) {
        guard let replica = replicas[shard] else { return settle(token, shard, .notOwner) }
        if let answer = replica.wishBackup(token, nowMs: nowMs) { return settle(token, shard, answer) }
        mark(replica)
    }

    func settle(_ token: RequestToken, _ shard: ShardID, _ answer: BackupAnswer) {
        effects.backups.append(SettledBackup(token: token, shard: shard, answer: answer))
    }
}

/// What a snapshot's payload says of the state in it, for whoever restores from it.
public struct StoredShardHead: Sendable {
    /// For `ShardState(head:source:)`.
    public let state: [UInt8]

    public init(payload: [UInt8]) throws(DecodingFailure) {
        state = try ReplicaHead(decoding: payload).state
    }
}
