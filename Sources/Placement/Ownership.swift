import Binary
import Raft

/// Commands that change who owns what.
extension PlacementState {
    /// O7: idempotent by (node, nonce); refused for a run that is over.
    mutating func register(_ registration: Registration) -> CommandResult {
        switch registry.burialPlace(node: registration.node, nonce: registration.nonce) {
        case .run(let run):
            return .registered(NodeProcess(node: registration.node, incarnation: run.incarnation))
        case .grave:
            return .refused(.runIsOver)
        case .unknown:
            guard registration.isAcceptable else { return .refused(.invalidValue) }
            guard registry.hasRoom(for: registration.node) else { return .refused(.limitReached) }
            if registration.isOfFirstFormat { return .registered(registry.begin(registration)) }
            if let refusal = registry.objection(to: registration) { return .refused(refusal) }
            registry.claimName(registration)
            return .registered(registry.begin(registration))
        }
    }

    /// O6: the process is over, and its shards go to heirs.
    mutating func fence(_ process: NodeProcess, candidates: [NodeProcess], cause: FenceCause)
        -> CommandResult
    {
        if registry.fence(process) {
            let shards = bequeath(to: candidates, cause: ChangeCause(cause)) { $0.owner == process }
            return .fenced(process, shards: shards)
        }
        return registry.isFenced(process) ? .fenced(process, shards: 0) : .refused(.unknownProcess)
    }

    /// O7: an obituary names a run by its nonce.
    mutating func bury(node: NodeID, nonce: UInt64, candidates: [NodeProcess]) -> CommandResult {
        switch registry.burialPlace(node: node, nonce: nonce) {
        case .run(let run):
            let process = NodeProcess(node: node, incarnation: run.incarnation)
            return fence(process, candidates: candidates, cause: .obituary)
        case .grave:
            return .barred
        case .unknown:
            registry.remember(node: node, nonce: nonce)
            return .barred
        }
    }

    /// Gives owners to the shards that have none, evenly; those without a candidate go on waiting.
    mutating func appoint(candidates: [NodeProcess]) -> CommandResult {
        var succession = Succession(candidates: candidates, registry: registry, table: table)
        var shards = 0
        for position in table.records.indices where table.records[position].owner == nil {
            guard let heir = succession.take(table.records[position]) else { continue }
            table.give(at: position, to: heir, cause: .appointed)
            shards += 1
        }
        return .appointed(shards: shards)
    }

    /// O8: the owner hands over to a replica, itself included.
    mutating func assign(_ shard: ShardID, expected: Epoch, proposer: NodeProcess, target: NodeProcess)
        -> CommandResult
    {
        guard let position = table.position(of: shard) else { return .refused(.unknownShard) }
        if let refusal = objection(at: position, expected: expected, proposer: proposer) {
            #if PLANTED_BUGS
            if !PlantedBug.isActive(.assignOverLiveOwner) || refusal != .notOwner { return .refused(refusal) }
            #else
            return .refused(refusal)
            #endif
        }
        guard registry.newestLive(of: target.node) == target else { return .refused(.targetNotLive) }
        let record = table.records[position]
        // Settling by oneself needs no log: it only kills an earlier proposal (O8).
        let isSettling = target == proposer && record.replicas.contains(target.node)
        guard isSettling || record.heirs.contains(target.node) else { return .refused(.targetNotReplica) }
        return give(at: position, to: target, cause: .assigned)
    }

    /// O2: the owner gives up; the next replica in rotation has a try.
    mutating func yield(_ shard: ShardID, expected: Epoch, proposer: NodeProcess, reached: [NodeID])
        -> CommandResult
    {
        guard let position = table.position(of: shard) else { return .refused(.unknownShard) }
        if let refusal = objection(at: position, expected: expected, proposer: proposer) {
            return .refused(refusal)
        }
        let next = Rotation.next(
            after: proposer, of: table.records[position], reached: reached, registry: registry)
        return give(at: position, to: next, cause: .yielded)
    }

    /// O1: only the recorded owner, at the recorded epoch, takes a shard from itself.
    func objection(at position: Int, expected: Epoch, proposer: NodeProcess) -> CommandRefusal? {
        let record = table.records[position]
        if record.epoch != expected { return .epochMoved }
        if record.owner != proposer { return .notOwner }
        return nil
    }

    private mutating func give(at position: Int, to owner: NodeProcess?, cause: ChangeCause)
        -> CommandResult
    {
        table.give(at: position, to: owner, cause: cause)
        let record = table.records[position]
        return .moved(record.shard, epoch: record.epoch, owner: record.owner)
    }

    /// Every chosen shard gets its next epoch, with an heir as owner or, lacking one, nobody.
    private mutating func bequeath(
        to candidates: [NodeProcess], cause: ChangeCause, where isChosen: (ShardRecord) -> Bool
    ) -> Int {
        var succession = Succession(candidates: candidates, registry: registry, table: table)
        var shards = 0
        for position in table.records.indices where isChosen(table.records[position]) {
            let heir = succession.take(table.records[position])
            table.give(at: position, to: heir, cause: cause)
            shards += 1
        }
        return shards
    }
}
