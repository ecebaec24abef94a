import Raft

/// A wish to hand a shard over. The owner is asked; nobody assigns over its head (O1).
public struct MoveRequest: Sendable, Hashable {
    public let shard: ShardID
    /// The epoch at which the wish was made; it is void at any other.
    public let epoch: Epoch
    public let from: NodeProcess
    public let to: NodeProcess

    public init(shard: ShardID, epoch: Epoch, from: NodeProcess, to: NodeProcess) {
        self.shard = shard
        self.epoch = epoch
        self.from = from
        self.to = to
    }
}

/// What the policy found, for people who ask why shards move or why they do not.
public enum BalanceExplanation: Sendable, Equatable, CustomStringConvertible {
    case nobodyIsLive
    /// Owners differ by less than the smallest improvement worth a move.
    case even(fewest: Int, most: Int)
    /// Uneven, but no chain of replicas leads from a fuller node to an emptier one.
    case heldByReplicas(fewest: Int, most: Int)
    case moving(count: Int, fewest: Int, most: Int)

    public var description: String {
        switch self {
        case .nobodyIsLive:
            "no live node can own a shard"
        case .even(let fewest, let most):
            "even: live nodes own \(fewest) to \(most) shards"
        case .heldByReplicas(let fewest, let most):
            "live nodes own \(fewest) to \(most) shards, and no replica allows a better spread"
        case .moving(let count, let fewest, let most):
            "live nodes own \(fewest) to \(most) shards; asking for \(count) moves"
        }
    }
}

public struct BalanceDecision: Sendable, Equatable {
    public let moves: [MoveRequest]
    public let explanation: BalanceExplanation

    public init(moves: [MoveRequest], explanation: BalanceExplanation) {
        self.moves = moves
        self.explanation = explanation
    }
}

/// How eagerly shards are spread.
public struct BalanceSettings: Sendable, Equatable {
    /// Moves asked for at once: each one pauses a shard for a moment.
    public var movesPerRound: Int
    /// How many shards more the giver must have than the taker. Below 2 a move could be undone by the next.
    public var smallestDifference: Int

    public init(movesPerRound: Int = 4, smallestDifference: Int = 2) {
        precondition(smallestDifference >= 2, "a move must not call for its own reversal")
        self.movesPerRound = movesPerRound
        self.smallestDifference = smallestDifference
    }
}

/// Spreads owners evenly over live nodes, within what the replica sets allow.
///
/// A pure function of its arguments: the leader may call it at any time, and calling it again after the
/// moves were made asks for nothing once the spread is as even as it can be. Each round looks for the
/// shortest chain of replicas from a fuller node to an emptier one (one shard passed on along each
/// link), so an emptier node is reached even if no shard of the fullest has a replica there. A chain
/// takes one from its first node and gives one to its last, which differ by two or more: the spread only
/// ever gets better, and cannot swing back.
public enum BalancePolicy {
    /// - Parameters:
    ///   - live: processes that may own shards now: with a lease, newest run of their node.
    ///   - load: what each shard does, in any unit; used to choose which of several shards to move.
    public static func decide(
        table: Table, live: [NodeProcess], load: [ShardID: UInt64] = [:],
        settings: BalanceSettings = BalanceSettings()
    ) -> BalanceDecision {
        guard !live.isEmpty else { return BalanceDecision(moves: [], explanation: .nobodyIsLive) }
        var spread = Spread(table: table, live: live, load: load)
        let fewest = spread.counts.min() ?? 0
        let most = spread.counts.max() ?? 0
        var moves: [MoveRequest] = []
        while moves.count < settings.movesPerRound,
            let chain = spread.shortestChain(difference: settings.smallestDifference)
        {
            // The taker's end first: no node gets a second shard before it has passed one on.
            let room = settings.movesPerRound - moves.count
            for (from, to) in zip(chain, chain.dropFirst()).reversed().prefix(room) {
                moves.append(spread.move(from: from, to: to))
            }
        }
        if !moves.isEmpty {
            let explanation = BalanceExplanation.moving(count: moves.count, fewest: fewest, most: most)
            return BalanceDecision(moves: moves, explanation: explanation)
        }
        let isEven = most - fewest < settings.smallestDifference
        return BalanceDecision(
            moves: [],
            explanation: isEven
                ? .even(fewest: fewest, most: most) : .heldByReplicas(fewest: fewest, most: most))
    }
}

/// Who owns how much, as it will be after the moves chosen so far. Nodes are positions in `live`.
private struct Spread {
    let records: [ShardRecord]
    let live: [NodeProcess]
    let load: [ShardID: UInt64]
    private(set) var counts: [Int]
    private(set) var loads: [UInt64]
    /// For every shard that may still move in this round, the position of its owner.
    private var owners: [Int?]

    init(table: Table, live: [NodeProcess], load: [ShardID: UInt64]) {
        let sorted = live.sorted()
        self.live = sorted
        self.load = load
        records = table.records
        owners = table.records.map { record in record.owner.flatMap { sorted.firstIndex(of: $0) } }
        counts = Array(repeating: 0, count: sorted.count)
        loads = Array(repeating: 0, count: sorted.count)
        for (position, owner) in owners.enumerated() {
            guard let owner else { continue }
            counts[owner] += 1
            loads[owner] += weight(position)
        }
    }

    private func weight(_ position: Int) -> UInt64 {
        min(load[records[position].shard] ?? 0, UInt64(UInt32.max))
    }

    /// Positions of nodes from a fuller one to an emptier one, such that each owns a shard with a
    /// replica on the next. The fullest node that has one comes first; ties by position.
    func shortestChain(difference: Int) -> [Int]? {
        let links = self.links()
        let byCount = counts.indices.sorted { (-counts[$0], $0) < (-counts[$1], $1) }
        for source in byCount {
            if let chain = chain(from: source, difference: difference, links: links) { return chain }
        }
        return nil
    }

    /// Breadth first: of the nearest nodes that are empty enough, to the emptiest. Taking from the
    /// fullest for the emptiest, no node gets a shard that it has to pass on later.
    private func chain(from source: Int, difference: Int, links: [[Bool]]) -> [Int]? {
        var previous = [Int?](repeating: nil, count: live.count)
        var layer = [source]
        while !layer.isEmpty {
            let emptiest = layer.min { (counts[$0], $0) < (counts[$1], $1) }
            if let emptiest, counts[source] - counts[emptiest] >= difference {
                return path(to: emptiest, previous: previous)
            }
            var next: [Int] = []
            for node in layer {
                for other in live.indices
                where links[node][other] && previous[other] == nil && other != source {
                    previous[other] = node
                    next.append(other)
                }
            }
            layer = next
        }
        return nil
    }

    private func path(to end: Int, previous: [Int?]) -> [Int] {
        var path = [end]
        while let last = path.last, let before = previous[last] { path.append(before) }
        return path.reversed()
    }

    /// Whether node i owns a shard that node j keeps a replica of.
    private func links() -> [[Bool]] {
        var links = [[Bool]](repeating: [Bool](repeating: false, count: live.count), count: live.count)
        for (position, owner) in owners.enumerated() {
            guard let owner else { continue }
            for (other, process) in live.enumerated()
            where other != owner && records[position].replicas.contains(process.node) {
                links[owner][other] = true
            }
        }
        return links
    }

    /// Passes on the shard whose load comes closest to half of what the giver has more than the taker.
    mutating func move(from: Int, to: Int) -> MoveRequest {
        let excess = Int64(loads[from]) - Int64(loads[to])
        var best: (position: Int, remainder: Int64)?
        for (position, owner) in owners.enumerated() where owner == from {
            guard records[position].replicas.contains(live[to].node) else { continue }
            let remainder = abs(excess - 2 * Int64(weight(position)))
            if best.map({ remainder < $0.remainder }) ?? true { best = (position, remainder) }
        }
        guard let best else { preconditionFailure("a chain only has links that a shard can take") }
        // The shard has moved once: its epoch will be another, so it takes no further part.
        owners[best.position] = nil
        counts[from] -= 1
        counts[to] += 1
        loads[from] -= weight(best.position)
        loads[to] += weight(best.position)
        let record = records[best.position]
        return MoveRequest(shard: record.shard, epoch: record.epoch, from: live[from], to: live[to])
    }
}
