import ObjectRuntime
import Placement
import Raft

/// Removes items whose time is over from objects that nobody touches: asks the store's index, about once a second,
/// and lets the owners write entries. What is missed in one round comes in the next.
struct ExpiryRounds {
    private var nextMs: UInt64 = 0
    private var after: ExpiryCursor?
    private var isAsking = false
    private var number: UInt64 = 0

    /// Where to look now; nil if it is not time.
    mutating func begin(_ settings: NodeSettings, nowMs: UInt64, wallMs: UInt64) -> StoreRequest? {
        guard !isAsking, nowMs >= nextMs else { return nil }
        isAsking = true
        nextMs = nowMs + settings.expiryIntervalMs
        number += 1
        return .findDue(
            StoreJob(rawValue: UInt64.max - number), beforeMs: wallMs, after: after, limit: settings.expiryPerRound)
    }

    /// A round that was full goes on behind its last; others own what it passed by.
    mutating func end(_ found: [ExpiryCursor], _ settings: NodeSettings) {
        isAsking = false
        after = found.count >= settings.expiryPerRound ? found.last : nil
    }
}

extension LoopCore {
    func findExpired(now: Clocks) {
        guard !replicas.isEmpty,
            let request = expiry.begin(settings, nowMs: nowMs, wallMs: now.wallMs)
        else { return }
        effects.store.append(request)
    }

    func expire(_ found: [ExpiryCursor]) {
        expiry.end(found, settings)
        guard let table = view?.state?.table else { return }
        var keys: [ShardID: [StoreKey]] = [:]
        for cursor in found { keys[table.shard(forKey: cursor.key.object).shard, default: []].append(cursor.key) }
        for shard in keys.keys.sorted() {
            guard let replica = replicas[shard], replica.isServing, replica.isAdmitting,
                replica.hasRoom
            else { continue }
            replica.expire(keys[shard] ?? [], now: clocks)
            mark(replica)
        }
    }
}

extension ShardReplica {
    /// One entry for many objects; nothing if others were faster.
    func expire(_ keys: [StoreKey], now: Clocks) {
        let next = raft.lastIndex.next
        let nowMs = now.rawNs / 1_000_000
        let context = context(next: next, now: now)
        let expired = state.executeExpiry(of: keys, context) { isWatched($0, nowMs: nowMs) }
        guard let expired, !state.isDamaged else { return }
        let index = raft.propose(expired.payload)
        precondition(index == next, "O3: an entry gets the index that its execution was told")
        executedThrough = index
    }

    /// For what this owner does by itself.
    func context(next: LogIndex, now: Clocks, isWatched: Bool = false) -> ExecutionContext {
        ExecutionContext(
            nowMs: now.wallMs, windowAgeMs: windowAge.reached(now), epoch: raft.sealedTerm.rawValue,
            nextIndex: next.rawValue, random: (0, 0), limits: limits, isWatched: isWatched)
    }
}
