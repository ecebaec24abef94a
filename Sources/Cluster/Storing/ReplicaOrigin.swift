import Binary
import ObjectRuntime
import Placement
import Raft

/// What a node's disk had when its process began: the logs of its journal, the states of its store.
public struct RecoveredReplicas: Sendable {
    public let logs: RecoveredLogs
    let stored: [ShardID: StoredReplica]
    /// The store has something of these, and it cannot be relied on. Rising.
    let damaged: [ShardID]
    /// The keys that the store keeps for those of them whose head can be read.
    let damagedRanges: [ShardID: ClosedRange<UInt64>]

    /// - Parameter stored: all whose head can be read, damaged ones too.
    public init(
        logs: RecoveredLogs = RecoveredLogs(), stored: [StoredReplica] = [], damaged: [ShardID] = []
    ) {
        self.logs = logs
        self.damaged = damaged.sorted()
        let lost = Set(damaged)
        let whole = stored.filter { !lost.contains($0.shard) }.map { ($0.shard, $0) }
        self.stored = Dictionary(uniqueKeysWithValues: whole)
        let ranges = stored.filter { lost.contains($0.shard) }.map { ($0.shard, $0.range) }
        damagedRanges = Dictionary(uniqueKeysWithValues: ranges)
    }

    func damage(of shard: ShardID) -> Damage? {
        guard damaged.contains(shard) else { return nil }
        return Damage(range: damagedRanges[shard])
    }

    /// The keys that the store has for the shard, if its head can be read.
    func storedRange(of shard: ShardID) -> ClosedRange<UInt64>? { stored[shard]?.range ?? damagedRanges[shard] }

    struct Damage {
        /// Nil: the head of the shard cannot be read either, and the store keeps no keys for it.
        var range: ClosedRange<UInt64>?
    }

    /// Shards that the store has merged into others.
    var mergedAway: Set<ShardID> {
        let heads = stored.values.compactMap { try? ReplicaHead(decoding: $0.payload) }
        return Set(heads.flatMap(\.parents).filter { stored[$0] == nil })
    }

    /// Everything that either of the two knows of, rising.
    var shards: [ShardID] {
        let others = (stored.keys + damaged).filter { logs.shardLog($0) == nil }
        return (logs.shards + Set(others)).sorted()
    }
}

/// A removed replica whose objects are leaving the disk.
struct Erasure {
    var shard: ShardID
    var range: ClosedRange<UInt64>
    /// After a failure, for want of space.
    var retryAtMs: UInt64?
}

/// What a replica begins with: its log, the state at the log's base, and since when it is a replica.
struct ReplicaOrigin {
    var log: InitialState
    var state: ShardState
    /// What the store has; zero: nothing.
    var stored: Position
    var joinedAt: LogPoint
    /// The journal must be told: what it has does not lead to the stored state, so nothing could follow it there.
    var replacesLog = false
    /// The journal does not know of this replica at all: the store was first.
    var isUnknownToJournal = false

    /// Of a new group: an empty log, kept by these.
    static func newGroup(
        _ configuration: Configuration, range: ClosedRange<UInt64>, source: any ObjectSource
    ) -> ReplicaOrigin {
        ReplicaOrigin(
            log: .newGroup(configuration), state: ShardState(range: range, source: source), stored: .zero,
            joinedAt: .genesis)
    }

    /// Of a group that exists elsewhere: it knows nothing, says nothing before it has a snapshot, and follows
    /// nobody below the epoch at which the table took it in (O9).
    static func joining(
        range: ClosedRange<UInt64>, source: any ObjectSource, at point: LogPoint, sealedAt epoch: Epoch
    ) -> ReplicaOrigin {
        ReplicaOrigin(
            log: .joining(sealedAt: epoch.term), state: ShardState(range: range, source: source), stored: .zero, joinedAt: point)
    }

    /// The disk has lost it: silent in this name, for good (O9).
    static func lost(
        _ voters: [NodeID], range: ClosedRange<UInt64>, source: any ObjectSource, joinedAt: LogPoint
    ) -> ReplicaOrigin {
        let nothing = Snapshot(index: .zero, term: .zero, configuration: Configuration(voters: voters))
        return ReplicaOrigin(
            log: InitialState(snapshot: nothing, holdsLog: false),
            state: ShardState(range: range, source: source), stored: .zero, joinedAt: joinedAt)
    }
}

extension ReplicaOrigin {
    /// What the disk has of a shard at the start.
    enum Found {
        case held(ReplicaOrigin)
        /// Noticed now, or by an earlier process.
        case lost(ReplicaOrigin, isNew: Bool)
        /// A replica that was, whose state is still to be erased.
        case ended(ClosedRange<UInt64>)
        case nothing
    }

    /// Puts together the log in the journal and the state in the store.
    static func find(
        _ log: RecoveredLog?, _ stored: StoredReplica?, damage: RecoveredReplicas.Damage? = nil,
        range: ClosedRange<UInt64>, lostRange: ClosedRange<UInt64>, source: any ObjectSource
    ) throws(DecodingFailure) -> Found {
        if let log, log.lost != nil {
            let voters = log.created?.voters ?? []
            return .lost(lost(voters, range: lostRange, source: source, joinedAt: log.joinedAt), isNew: false)
        }
        // Also if the journal has all of the log: what the store has would shine through.
        if damage != nil, log?.isEnded != true {
            let voters = log?.created?.voters ?? []
            return .lost(
                lost(voters, range: lostRange, source: source, joinedAt: log?.joinedAt ?? .genesis), isNew: true)
        }
        guard let log, let created = log.created else {
            // Without a head, what is left goes when something is installed in its place.
            if let damage { return damage.range.map(Found.ended) ?? .nothing }
            guard let stored else { return .nothing }
            if log?.isEnded == true { return .ended(stored.range) }
            // A split has made it, and the process died before its journal said so (O13).
            var origin = try held(stored, hardState: HardState(), entries: [], joinedAt: .genesis, source)
            (origin.isUnknownToJournal, origin.replacesLog) = (true, true)
            return .held(origin)
        }
        guard let stored, stored.position.index >= log.covered.index else {
            // What the journal relies on is not there.
            if log.covered.index > .zero {
                return .lost(lost(created.voters, range: lostRange, source: source, joinedAt: log.joinedAt), isNew: true)
            }
            var origin = newGroup(created, range: range, source: source)
            origin.log.hardState = log.hardState
            // A joining one follows nobody below the epoch that took it in, after a restart neither.
            if created.isEmpty, log.hardState.term < log.joinedAt.epoch.term {
                origin.log.hardState = HardState(term: log.joinedAt.epoch.term)
            }
            origin.log.entries = log.entries
            origin.joinedAt = log.joinedAt
            return .held(origin)
        }
        let next = continuation(of: stored.position, in: log.entries)
        var origin = try held(
            stored, hardState: log.hardState, entries: next ?? [], joinedAt: log.joinedAt, source)
        origin.replacesLog = next == nil && stored.position != log.covered
        return .held(origin)
    }

    private static func held(
        _ stored: StoredReplica, hardState: HardState, entries: [Entry], joinedAt: LogPoint,
        _ source: any ObjectSource
    ) throws(DecodingFailure) -> ReplicaOrigin {
        let head = try ReplicaHead(decoding: stored.payload)
        var hardState = hardState
        // The store may know of a term before the journal does.
        if hardState.term < stored.position.term { hardState = HardState(term: stored.position.term, vote: nil) }
        let base = Snapshot(
            index: stored.position.index, term: stored.position.term, configuration: head.configuration)
        return ReplicaOrigin(
            log: InitialState(hardState: hardState, snapshot: base, entries: entries),
            state: try ShardState(head: head.state, source: source), stored: stored.position,
            joinedAt: joinedAt)
    }

    /// The entries that follow the stored state; nil if the log does not lead there. The store may be ahead of what
    /// the journal says of it: by its own last checkpoint, by entries that were committed before they were durable
    /// here, or by a snapshot whose place in the journal was never written; then the log before it ends.
    private static func continuation(of base: Position, in entries: [Entry]) -> [Entry]? {
        guard let first = entries.first else { return nil }
        if first.index == base.index.next { return entries }
        guard let same = entries.first(where: { $0.index == base.index }), same.term == base.term else { return nil }
        return entries.filter { $0.index > base.index }
    }
}
