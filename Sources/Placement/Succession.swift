import Raft

/// Who takes over shards that have lost their owner (O6).
///
/// The leader names candidates; the choice among them is made here, when the command is applied, from
/// the log alone. Counting shards in the table and not load figures keeps every replica's answer the
/// same; counting what has been given in this very command keeps the spread even.
struct Succession {
    private struct Heir {
        let process: NodeProcess
        /// Of a node that is being emptied: the last to be chosen.
        let isDraining: Bool
        var shards: Int
    }

    private var heirs: [Heir] = []

    /// Of `candidates`, those who may own a shard: registered, not fenced, newest run of their node.
    init(candidates: [NodeProcess], registry: Registry, table: Table) {
        for candidate in candidates where registry.newestLive(of: candidate.node) == candidate {
            if heirs.contains(where: { $0.process == candidate }) { continue }
            let isDraining = registry.isDraining(candidate.node)
            heirs.append(Heir(process: candidate, isDraining: isDraining, shards: 0))
        }
        for record in table.records {
            guard let owner = record.owner else { continue }
            if let heir = heirs.firstIndex(where: { $0.process == owner }) { heirs[heir].shards += 1 }
        }
    }

    /// The heir with the fewest shards who may own this one, ties by order; it counts as given.
    mutating func take(_ record: ShardRecord) -> NodeProcess? {
        let nodes = record.heirs
        var best: Int?
        for (position, heir) in heirs.enumerated() where nodes.contains(heir.process.node) {
            if best.map({ isBetter(heir, than: heirs[$0]) }) ?? true { best = position }
        }
        guard let best else { return nil }
        heirs[best].shards += 1
        return heirs[best].process
    }

    private func isBetter(_ heir: Heir, than other: Heir) -> Bool {
        heir.isDraining == other.isDraining ? heir.shards < other.shards : other.isDraining
    }
}

/// Who gets a shard whose owner gives it up without naming a target (O2).
enum Rotation {
    /// The next replica after the owner that has a live newest run, one of `reached` before the others.
    ///
    /// An owner that came by a yield itself passes the shard on in plain rotation: otherwise two
    /// replicas that reach only each other would hand it to and fro past one that could lead it. If
    /// there is no other, the owner's own node tries again; if not even that has a live newest run, the
    /// shard waits without an owner, as after a fence without candidates (O6). Nodes that are being
    /// emptied come after all others.
    static func next(
        after owner: NodeProcess, of record: ShardRecord, reached: [NodeID], registry: Registry
    ) -> NodeProcess? {
        let own = record.replicas.firstIndex(of: owner.node)
        let start = own.map { $0 + 1 } ?? 0
        let heirs = record.heirs
        let rotated = (record.replicas[start...] + record.replicas[..<start])
            .filter { $0 != owner.node && heirs.contains($0) }
        let inOrder =
            rotated.filter { !registry.isDraining($0) } + rotated.filter { registry.isDraining($0) }
        let others = inOrder.compactMap { registry.newestLive(of: $0) }
        let cameByYield = record.history.last?.cause == .yielded
        let preferred = cameByYield ? nil : others.first { reached.contains($0.node) }
        if let next = preferred ?? others.first { return next }
        return own == nil ? nil : registry.newestLive(of: owner.node)
    }
}
