import ObjectRuntime
import Placement
import Raft

/// What a checker wants to know of a shard at one node. For simulation and tests; production never asks.
public struct ShardInspection: Sendable {
    public var shard: ShardID
    public var epoch: Epoch
    public var stage: AppointedReplica.Stage
    public var isServing: Bool
    /// False for a replica that has lost its log (O9).
    public var holdsLog: Bool
    public var passesReadCheck: Bool
    public var term: Term
    public var sealedTerm: Term
    public var commit: LogIndex
    public var lastIndex: LogIndex
    public var appliedThrough: LogIndex
}

extension LoopCore {
    /// All shards of this loop, rising.
    public func inspect(now: Clocks) -> [ShardInspection] {
        shardOrder.compactMap { inspect($0, now: now) }
    }

    public func inspect(_ shard: ShardID, now: Clocks) -> ShardInspection? {
        guard let replica = replicas[shard] else { return nil }
        return ShardInspection(
            shard: shard, epoch: replica.record.epoch, stage: replica.raft.stage,
            isServing: replica.isServing, holdsLog: replica.raft.holdsLog,
            passesReadCheck: passesReadCheck(shard, now: now),
            term: replica.raft.sealedTerm, sealedTerm: replica.raft.sealedTerm, commit: replica.raft.commit,
            lastIndex: replica.raft.lastIndex, appliedThrough: replica.appliedThrough)
    }

    /// What the shard's replica waits for, in words for a person. Slow: not for checks after each turn.
    public func pendingWork(of shard: ShardID) -> [String] { replicas[shard]?.pending ?? [] }

    /// Which attachment a socket of this loop's feeds has, once it is connected (O15).
    public func attachment(of socket: SocketID) -> Attachment? { hub.sessions[socket]?.attachment }

    /// How far this loop's feed of the object is, in words for a person.
    public func feedState(of object: ObjectID) -> String? {
        hub.feeds.keys.sorted().compactMap { hub.feeds[$0] }.first { $0.object == object }.map { feed in
            "feed \(feed.address.number) epoch \(feed.epoch) cursor \(feed.cursor.map { "\($0)" } ?? "none")"
                + (feed.isListening ? " asks" : "") + (feed.isCutOff ? " is cut off" : "") + " sockets "
                + feed.sessions.map { "\($0.socket.number) \($0.phase)" + ($0.isGone ? " gone" : "") }
                .joined(separator: ", ")
        }
    }

    /// Whom the owner tells, in words for a person.
    public func listenerState(of object: ObjectID, in shard: ShardID) -> String? {
        replicas[shard].map { replica in
            replica.listeners[object].map { "\($0.incarnation) feed \($0.feed.number) told \($0.told)" }
                .joined(separator: ", ")
        }
    }

    /// Whether the state here has that item, dead or alive.
    public func holds(_ item: ItemName, of object: ObjectID, in shard: ShardID) -> Bool {
        guard let replica = replicas[shard], replica.raft.holdsLog else { return false }
        return replica.state.item(item, of: object) != nil
    }

    /// The shard's state as bytes: equal at all replicas that have applied the same index.
    public func snapshotBytes(of shard: ShardID) -> [UInt8]? {
        replicas[shard]?.state.encodeSnapshot()
    }
}

extension NodeCore {
    /// Where this node stands in the placement group, in words for a person.
    public var placementSituation: String { placement?.situation ?? "no member" }
}

extension ShardReplica {
    fileprivate var pending: [String] {
        var words: [String] = []
        if state.isDamaged { words.append("damaged") }
        if let frozen = state.bounds.frozenBy { words.append("frozen by \(frozen)") }
        if !newborns.isEmpty { words.append("newborn \(newborns.map(\.shard))") }
        if work.checkpoint != nil { words.append("checkpoint") }
        if work.installation != nil { words.append("installation") }
        if work.isSnapshotWanted { words.append("snapshot wanted") }
        if let staging = work.staging { words.append("staging \(staging.contentHash)") }
        if move != nil { words.append("moving") }
        if givenAway == record.epoch { words.append("given away") }
        if let replicaWish { words.append("wish of \(replicaWish.count)") }
        if leads { words.append("configuration \(raft.configuration)") }
        if !raft.situation.isEmpty { words.append("(\(raft.situation))") }
        return words
    }
}
