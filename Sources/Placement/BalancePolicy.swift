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

/// Why a shard is to move.
public enum MoveReason: Sendable, Equatable, CustomStringConvertible {
    /// Its owner's node is being drained, or has no room.
    case emptying
    /// Its owner has more shards than others.
    case count
    /// Its owner carries more of the load than others; the same number of shards goes each way.
    case load

    public var description: String {
        switch self {
        case .emptying: "its node shall own nothing"
        case .count: "its owner has more shards than others"
        case .load: "its owner carries more load than others"
        }
    }
}

/// What the policy found, for people who ask why shards move or why they do not.
public enum BalanceExplanation: Sendable, Equatable, CustomStringConvertible {
    case nobodyIsLive
    /// Owners differ by less than the smallest improvement worth a move.
    case even(fewest: Int, most: Int)
    /// Uneven, but no chain of replicas leads from a fuller node to an emptier one, or the shards that
    /// could move have moved a moment ago or are being changed.
    case heldByReplicas(fewest: Int, most: Int)
    case moving(count: Int, fewest: Int, most: Int)
    /// Counts are even, loads are not; no exchange makes them better by enough.
    case unevenLoad(leastPerMille: UInt64, mostPerMille: UInt64)

    public var description: String {
        switch self {
        case .nobodyIsLive:
            "no live node can own a shard"
        case .even(let fewest, let most):
            "even: live nodes own \(fewest) to \(most) shards"
        case .heldByReplicas(let fewest, let most):
            "live nodes own \(fewest) to \(most) shards, and no shard that may move allows a better spread"
        case .moving(let count, let fewest, let most):
            "live nodes own \(fewest) to \(most) shards; asking for \(count) moves"
        case .unevenLoad(let least, let most):
            "live nodes carry \(least) to \(most) ‰ of the load, and no exchange of shards would help enough"
        }
    }
}

public struct BalanceDecision: Sendable, Equatable {
    public let moves: [MoveRequest]
    /// One for each move.
    public let reasons: [MoveReason]
    public let explanation: BalanceExplanation

    public init(moves: [MoveRequest], reasons: [MoveReason] = [], explanation: BalanceExplanation) {
        self.moves = moves
        self.reasons = reasons
        self.explanation = explanation
    }
}

/// How eagerly shards are spread.
public struct BalanceSettings: Sendable, Equatable {
    /// Moves asked for at once: each one pauses a shard for a moment.
    public var movesPerRound: Int
    /// How many shards more the giver must have than the taker. Below 2 a move could be undone by the next.
    public var smallestDifference: Int
    /// By what part of the mean load of a node an exchange must lower the higher of the two loads.
    public var smallestGainPerMille: UInt64
    /// A shard that has moved stays for so long, unless its node is to be emptied.
    public var restMs: UInt64

    public init(
        movesPerRound: Int = 4, smallestDifference: Int = 2, smallestGainPerMille: UInt64 = 100,
        restMs: UInt64 = 60_000
    ) {
        precondition(smallestDifference >= 2, "a move must not call for its own reversal")
        precondition(smallestGainPerMille > 0, "an exchange must not call for its own reversal")
        self.movesPerRound = movesPerRound
        self.smallestDifference = smallestDifference
        self.smallestGainPerMille = smallestGainPerMille
        self.restMs = restMs
    }
}

/// Spreads owners evenly over live nodes, within what the replica sets allow.
///
/// A pure function of its arguments: the leader may call it at any time, and calling it again after the
/// moves were made asks for nothing once the spread is as even as it can be. Nodes that shall own nothing
/// are emptied first. Then counts: each round looks for the shortest chain of replicas from a fuller node
/// to an emptier one (one shard passed on along each link), so an emptier node is reached even if no
/// shard of the fullest has a replica there. A chain takes one from its first node and gives one to its
/// last, which differ by two or more: the spread only ever gets better, and cannot swing back. Last,
/// loads: two nodes exchange shards if that lowers the higher of their loads by a margin. An exchange
/// leaves counts as they are, so the two never undo each other.
public enum BalancePolicy {
    /// - Parameters:
    ///   - live: processes with a lease, newest run of their node.
    ///   - load: what each shard does, smoothed, in any unit (`LoadWeights.shares`).
    ///   - unwilling: nodes that shall own nothing: drained, or with a full disk.
    ///   - sinceMoveMs: how long ago shards have moved, by the leader's clock; without a time, long ago.
    public static func decide(
        table: Table, live: [NodeProcess], load: [ShardID: UInt64] = [:], unwilling: [NodeID] = [],
        sinceMoveMs: [ShardID: UInt64] = [:], settings: BalanceSettings = BalanceSettings()
    ) -> BalanceDecision {
        let willing = live.filter { !unwilling.contains($0.node) }
        guard !willing.isEmpty else { return BalanceDecision(moves: [], explanation: .nobodyIsLive) }
        var moves: [MoveRequest] = []
        var reasons: [MoveReason] = []
        func take(_ more: [MoveRequest], _ reason: MoveReason) {
            moves += more
            reasons += more.map { _ in reason }
        }
        var spread = Spread(table: table, live: willing, load: load)
        take(spread.empty(live.filter { unwilling.contains($0.node) }, limit: settings.movesPerRound), .emptying)
        spread.hold { sinceMoveMs[$0] ?? .max < settings.restMs }
        let fewest = spread.counts.min() ?? 0
        let most = spread.counts.max() ?? 0
        while moves.count < settings.movesPerRound,
            let chain = spread.shortestChain(difference: settings.smallestDifference)
        {
            // The taker's end first: no node gets a second shard before it has passed one on.
            let room = settings.movesPerRound - moves.count
            for (from, to) in zip(chain, chain.dropFirst()).reversed().prefix(room) {
                take([spread.move(from: from, to: to)], .count)
            }
        }
        let isEven = most - fewest < settings.smallestDifference
        while isEven, moves.count + 2 <= settings.movesPerRound,
            let exchange = spread.exchange(gainPerMille: settings.smallestGainPerMille)
        {
            take(exchange, .load)
        }
        let explanation = spread.explanation(moves: moves.count, fewest: fewest, most: most, settings)
        return BalanceDecision(moves: moves, reasons: reasons, explanation: explanation)
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
    /// For every shard, the nodes that may own it.
    private let heirs: [[NodeID]]

    init(table: Table, live: [NodeProcess], load: [ShardID: UInt64]) {
        let sorted = live.sorted()
        self.live = sorted
        self.load = load
        records = table.records
        heirs = table.records.map(\.heirs)
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
            where other != owner && heirs[position].contains(process.node) {
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
            guard heirs[position].contains(live[to].node) else { continue }
            let remainder = abs(excess - 2 * Int64(weight(position)))
            if best.map({ remainder < $0.remainder }) ?? true { best = (position, remainder) }
        }
        guard let best else { preconditionFailure("a chain only has links that a shard can take") }
        return pass(best.position, from: from, to: to)
    }

    private mutating func pass(_ position: Int, from: Int, to: Int) -> MoveRequest {
        // The shard has moved once: its epoch will be another, so it takes no further part.
        owners[position] = nil
        counts[from] -= 1
        counts[to] += 1
        loads[from] -= weight(position)
        loads[to] += weight(position)
        let record = records[position]
        return MoveRequest(shard: record.shard, epoch: record.epoch, from: live[from], to: live[to])
    }

    /// Shards for which `isHeld`, and those that are being changed, stay where they are in this round.
    mutating func hold(_ isHeld: (ShardID) -> Bool) {
        for (position, record) in records.enumerated() {
            if isHeld(record.shard) || record.plan != nil || !record.replicaSet.isSettled { owners[position] = nil }
        }
    }

    /// Gives what `processes`, which are not among `live`, own to whoever has least of those that may.
    mutating func empty(_ processes: [NodeProcess], limit: Int) -> [MoveRequest] {
        var moves: [MoveRequest] = []
        for (position, record) in records.enumerated() where moves.count < limit {
            guard let owner = record.owner, processes.contains(owner) else { continue }
            let takers = live.indices.filter { heirs[position].contains(live[$0].node) }
            guard let taker = takers.min(by: { (counts[$0], $0) < (counts[$1], $1) }) else { continue }
            counts[taker] += 1
            loads[taker] += weight(position)
            moves.append(MoveRequest(shard: record.shard, epoch: record.epoch, from: owner, to: live[taker]))
        }
        return moves
    }

    /// One shard from a node with a high load to one with a low one, and another back (or none, if the
    /// giver has one more): the exchange that lowers the higher load most, if by enough.
    mutating func exchange(gainPerMille: UInt64) -> [MoveRequest]? {
        let mean = loads.reduce(0, +) / UInt64(loads.count)
        let least = Int64(mean / 1_000 * gainPerMille + 1)
        let byLoad = loads.indices.sorted { (loads[$0], $0) < (loads[$1], $1) }
        for from in byLoad.reversed() {
            for to in byLoad where loads[to] < loads[from] {
                guard let (given, taken) = bestExchange(from: from, to: to, least: least) else { continue }
                var moves = [pass(given, from: from, to: to)]
                if let taken { moves.append(pass(taken, from: to, to: from)) }
                return moves
            }
        }
        return nil
    }

    private func bestExchange(from: Int, to: Int, least: Int64) -> (given: Int, taken: Int?)? {
        let given = movable(from: from, to: to).suffix(Self.candidates)
        var back: [Int?] = Array(movable(from: to, to: from).prefix(Self.candidates))
        if counts[from] > counts[to] { back.append(nil) }
        var best: (given: Int, taken: Int?, gain: Int64)?
        for one in given {
            for other in back {
                let shift = Int64(weight(one)) - (other.map { Int64(weight($0)) } ?? 0)
                let higher = max(Int64(loads[from]) - shift, Int64(loads[to]) + shift)
                let gain = Int64(loads[from]) - higher
                if gain >= least, best.map({ gain > $0.gain }) ?? true { best = (one, other, gain) }
            }
        }
        return best.map { ($0.given, $0.taken) }
    }

    /// Of so many of the heaviest on one side and of the lightest on the other an exchange is chosen.
    private static var candidates: Int { 128 }

    /// By weight, lightest first.
    private func movable(from: Int, to: Int) -> [Int] {
        let positions = owners.indices.filter { owners[$0] == from && heirs[$0].contains(live[to].node) }
        return positions.sorted { (weight($0), $0) < (weight($1), $1) }
    }

    func explanation(moves: Int, fewest: Int, most: Int, _ settings: BalanceSettings) -> BalanceExplanation {
        if moves > 0 { return .moving(count: moves, fewest: fewest, most: most) }
        if most - fewest >= settings.smallestDifference { return .heldByReplicas(fewest: fewest, most: most) }
        let total = loads.reduce(0, +)
        let mean = total / UInt64(loads.count)
        guard let low = loads.min(), let high = loads.max(), high - low > mean / 1_000 * settings.smallestGainPerMille
        else { return .even(fewest: fewest, most: most) }
        let perMille = { (load: UInt64) in LoadWeights.millionths(load, of: max(total, 1)) / 1_000 }
        return .unevenLoad(leastPerMille: low == 0 ? 0 : perMille(low), mostPerMille: perMille(high))
    }
}
