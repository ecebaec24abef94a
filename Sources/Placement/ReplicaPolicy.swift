import Raft

/// Decides which nodes shall keep which shards (O9), from the table and from what the leader knows.
///
/// A pure function: the leader calls it again and again and passes its wishes on to the owners. A wish
/// names the voters that a shard shall have; the owner gets there in one step, learners first. Nothing is
/// asked of a shard whose last change is not recorded. While a learner catches up the same wish is made
/// again: learners are the first choice.
///
/// First what is endangered is repaired, by the number of live replicas; then replicas are evened out
/// over nodes, by taking one from a node for another that keeps at least two fewer, which cannot swing
/// back. A voter is not given up without another in its place, unless it has lost its log: such a one is
/// no voter any more in anything but name, and must leave before it can come back.
public enum ReplicaPolicy {
    public static func decide(
        table: Table, registry: Registry, health: [NodeHealth],
        settings: ReplicaPolicySettings = ReplicaPolicySettings()
    ) -> ReplicaDecision {
        let fleet = Fleet(registry: registry, health: health, replaceAfterMs: settings.replaceAfterMs)
        var round = ReplicaRound(table: table, registry: registry, fleet: fleet, settings: settings)
        round.goOn()
        round.repair()
        round.evenOut()
        return round.decision
    }
}

/// One call of the policy: what it has decided so far.
private struct ReplicaRound {
    /// The voters that a shard shall have, and why not those that it has.
    struct Wish {
        var target: [NodeID]
        var reason: ReplicaReason
    }

    let records: [ShardRecord]
    let registry: Registry
    let fleet: Fleet
    let settings: ReplicaPolicySettings
    var decision = ReplicaDecision()
    /// Replicas per node, as they will be.
    private var counts: [NodeID: Int] = [:]
    /// Shards whose owners are asked to own less or more are chosen by this.
    private var owned: [NodeID: Int] = [:]
    private var underWay = 0

    init(table: Table, registry: Registry, fleet: Fleet, settings: ReplicaPolicySettings) {
        records = table.records
        self.registry = registry
        self.fleet = fleet
        self.settings = settings
        for record in records {
            count(record.replicas, 1)
            if let owner = record.owner { owned[owner.node, default: 0] += 1 }
            if !record.replicaSet.isSettled { underWay += 1 }
        }
    }

    // MARK: - Passes

    /// Changes that have begun, so that what they bring is counted before anything new is chosen.
    mutating func goOn() {
        for record in records where !record.replicaSet.isSettled {
            let wish = wish(for: record) ?? Wish(target: record.replicas, reason: .superfluousLearner)
            if record.replicaSet.isJoint {
                find(record, wish.reason, .changing)
            } else {
                ask(record, wish)
            }
        }
    }

    /// Most endangered first.
    mutating func repair() {
        let damaged = records.filter { $0.replicaSet.isSettled && wish(for: $0) != nil }
        let live = damaged.map { record in record.heirs.filter { fleet.isLive($0) }.count }
        for place in damaged.indices.sorted(by: { (live[$0], $0) < (live[$1], $1) }) {
            // Counts have changed with each wish before this one.
            if let wish = wish(for: damaged[place]) { ask(damaged[place], wish) }
        }
    }

    mutating func evenOut() {
        while underWay < settings.changesAtOnce, let (record, wish) = evening() {
            let before = underWay
            ask(record, wish)
            if underWay == before { return }
        }
    }

    // MARK: - What a shard needs

    private func wish(for record: ShardRecord) -> Wish? {
        let sound = record.replicas.filter { !record.isLost(at: $0) && fleet.departure(of: $0) == nil }
        var target = Array(sound)
        let spares = self.spares(for: record)
        target += spares.prefix(max(0, settings.replicasPerShard - target.count))
        // Better one that ought to go than none; what has lost its log is none.
        let retained = record.replicas.filter { !sound.contains($0) && !record.isLost(at: $0) }
            .sorted { fleet.isLive($0) && !fleet.isLive($1) }
        target += retained.prefix(max(0, settings.replicasPerShard - target.count))
        if sound.count == settings.replicasPerShard, let learner = usefulLearner(of: record) {
            // Evening out was under way.
            let leaver = surplus(sound, of: record)
            target = sound.filter { $0 != leaver } + [learner]
            return Wish(target: target, reason: .evening(from: leaver, to: learner))
        }
        while target.count > settings.replicasPerShard {
            let leaver = surplus(target, of: record)
            target.removeAll { $0 == leaver }
        }
        guard Set(target) != Set(record.replicas) || isHeldUp(record, sound: sound.count) else { return nil }
        return Wish(target: target, reason: reason(for: record, sound: sound))
    }

    /// It ought to change, and cannot: said in the findings.
    private func isHeldUp(_ record: ShardRecord, sound: Int) -> Bool {
        sound < record.replicas.count
    }

    private func reason(for record: ShardRecord, sound: [NodeID]) -> ReplicaReason {
        if let lost = record.lost.first { return .lost(lost.node) }
        for node in record.replicas {
            if let departure = fleet.departure(of: node) { return .departing(node, departure) }
        }
        let have = record.replicas.count
        let want = settings.replicasPerShard
        return have < want ? .tooFew(have: have, want: want) : .tooMany(have: have, want: want)
    }

    /// Who may become a replica: learners of the shard, then those with the fewest replicas and bytes.
    private func spares(for record: ShardRecord) -> [NodeID] {
        let learners = record.learners
        let fit = fleet.active(withRoom: true).filter {
            !record.replicas.contains($0) && !record.isLost(at: $0) && !record.outgoing.contains($0)
        }
        return fit.sorted { rank($0, learners) < rank($1, learners) }
    }

    private func rank(_ node: NodeID, _ learners: [NodeID]) -> (Int, Int, UInt64, NodeID) {
        (learners.contains(node) ? 0 : 1, counts[node] ?? 0, fleet.bytes(node), node)
    }

    private func usefulLearner(of record: ShardRecord) -> NodeID? {
        record.learners.first { fleet.isFit($0) && !record.isLost(at: $0) }
    }

    /// The one to leave out of too many: not live, not the owner, on the fullest node.
    private func surplus(_ nodes: [NodeID], of record: ShardRecord) -> NodeID {
        func rank(_ node: NodeID) -> (Int, Int, Int, NodeID) {
            let isOwner = record.owner?.node == node && settings.replicasPerShard > 1
            return (fleet.isLive(node) ? 0 : 1, isOwner ? 0 : 1, counts[node] ?? 0, node)
        }
        guard let leaver = nodes.max(by: { rank($0) < rank($1) }) else {
            preconditionFailure("a shard always has a replica")
        }
        return leaver
    }

    /// A shard with a replica on a fuller node, and none on one with at least two fewer.
    private func evening() -> (ShardRecord, Wish)? {
        let nodes = fleet.active(withRoom: false).sorted { (counts[$0] ?? 0, $0) < (counts[$1] ?? 0, $1) }
        for taker in nodes where fleet.isFit(taker) {
            for giver in nodes.reversed() where (counts[giver] ?? 0) >= (counts[taker] ?? 0) + 2 {
                guard let record = records.first(where: { mayPass($0, from: giver, to: taker) }) else { continue }
                let target = record.replicas.filter { $0 != giver } + [taker]
                return (record, Wish(target: target, reason: .evening(from: giver, to: taker)))
            }
        }
        return nil
    }

    private func mayPass(_ record: ShardRecord, from giver: NodeID, to taker: NodeID) -> Bool {
        guard record.replicaSet.isSettled, record.plan == nil, record.lost.isEmpty, record.owner != nil,
            record.replicas.contains(giver), !record.replicas.contains(taker),
            !decision.findings.contains(where: { $0.shard == record.shard })
        else { return false }
        // Its owner would have to move only to make room for evenness, unless it is the only replica.
        return record.owner?.node != giver || settings.replicasPerShard == 1
    }

    // MARK: - Asking

    private mutating func ask(_ record: ShardRecord, _ wish: Wish) {
        if let hindrance = hindrance(record, wish) { return find(record, wish.reason, hindrance) }
        guard let owner = record.owner else { return find(record, wish.reason, .noOwner) }
        let isNew = record.replicaSet.isSettled
        if isNew && underWay >= settings.changesAtOnce { return find(record, wish.reason, .busy) }
        if isNew { underWay += 1 }
        count(record.replicas, -1)
        count(wish.target, 1)
        find(record, wish.reason, nil)
        guard !wish.target.contains(owner.node) else { return request(record, wish.target) }
        if let heir = heir(of: record, amongst: wish.target) {
            decision.moves.append(
                MoveRequest(shard: record.shard, epoch: record.epoch, from: owner, to: heir))
        } else {
            // The owner stays until another has the log.
            request(record, wish.target + [owner.node])
        }
    }

    private mutating func request(_ record: ShardRecord, _ target: [NodeID]) {
        decision.requests.append(
            ReplicaRequest(
                shard: record.shard, epoch: record.epoch, basis: record.configuredAt, target: target))
    }

    private func hindrance(_ record: ShardRecord, _ wish: Wish) -> ReplicaHindrance? {
        if record.owner == nil { return .noOwner }
        if record.plan != nil { return .planned }
        let isSilent = { (node: NodeID) in record.isLost(at: node) }
        guard fleet.hasLiveMajority(record.replicas, except: isSilent), fleet.hasLiveMajority(wish.target)
        else { return .noQuorum }
        let changesNothing = Set(wish.target) == Set(record.replicas) && record.replicaSet.isSettled
        return changesNothing ? .noSpare : nil
    }

    /// Of the voters that stay, a live one that owns the least.
    private func heir(of record: ShardRecord, amongst target: [NodeID]) -> NodeProcess? {
        let candidates = record.heirs.filter { target.contains($0) && fleet.isLive($0) }
        let best = candidates.min { (owned[$0] ?? 0, $0) < (owned[$1] ?? 0, $1) }
        return best.flatMap { registry.newestLive(of: $0) }
    }

    private mutating func find(_ record: ShardRecord, _ reason: ReplicaReason, _ hindrance: ReplicaHindrance?) {
        decision.findings.append(ReplicaFinding(shard: record.shard, reason: reason, hindrance: hindrance))
    }

    private mutating func count(_ nodes: [NodeID], _ change: Int) {
        for node in nodes { counts[node, default: 0] += change }
    }
}
