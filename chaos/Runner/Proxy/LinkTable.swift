import Simulation

/// What the network does to bytes on their way from one node to another. Both directions of a TCP connection are
/// ways of their own.
struct LinkWeather: Equatable, Sendable {
    /// Nothing comes through; bytes wait, as TCP would send them again, until the way is open.
    var isCut = false
    /// Each piece is late by so many milliseconds.
    var delayMs: ClosedRange<Int> = 0...0
    /// Of a hundred pieces, how many are lost. TCP sends them again, so that is a stall of all behind them.
    var lossPercent = 0

    static let fair = LinkWeather()
    /// How long TCP waits before it sends again.
    static let retransmitMs = 200...400

    /// How late a piece is.
    func delayMs(_ generator: inout SeededGenerator) -> Int {
        let late = delayMs == 0...0 ? 0 : generator.within(delayMs)
        guard lossPercent > 0, generator.below(100) < lossPercent else { return late }
        return late + generator.within(Self.retransmitMs)
    }
}

/// The weather of every way between nodes, by their positions.
struct LinkTable: Sendable {
    struct Way: Hashable, Sendable {
        var from: Int
        var to: Int
    }

    private var ways: [Way: LinkWeather] = [:]

    func weather(_ way: Way) -> LinkWeather { ways[way] ?? .fair }

    mutating func set(_ weather: LinkWeather, from: Int, to: Int) { ways[Way(from: from, to: to)] = weather }

    mutating func setBoth(_ weather: LinkWeather, _ one: Int, _ other: Int) {
        set(weather, from: one, to: other)
        set(weather, from: other, to: one)
    }

    static let fair = LinkTable()

    // MARK: Partitions

    private static let cut = LinkWeather(isCut: true)

    /// `node` and the others do not hear of each other.
    static func alone(_ node: Int, of count: Int) -> LinkTable {
        var table = LinkTable()
        for other in 0..<count where other != node { table.setBoth(cut, node, other) }
        return table
    }

    /// The other nodes do not hear `node`, or it does not hear them.
    static func oneWay(_ node: Int, of count: Int, isMute: Bool) -> LinkTable {
        var table = LinkTable()
        for other in 0..<count where other != node {
            if isMute { table.set(cut, from: node, to: other) } else { table.set(cut, from: other, to: node) }
        }
        return table
    }

    static func between(_ one: Int, _ other: Int) -> LinkTable {
        var table = LinkTable()
        table.setBoth(cut, one, other)
        return table
    }

    /// Every node sees a majority, and no two the same one: on a ring, each sees its nearest neighbours only.
    static func majorityRing(_ order: [Int]) -> LinkTable {
        let count = order.count
        // With its neighbours at each side a node sees the smallest majority; of three, one link is cut.
        guard count > 3 else { return between(order[0], order[count - 1]) }
        let reach = (count / 2 + 1) / 2
        var table = LinkTable()
        for one in 0..<count {
            for other in (one + 1)..<max(one + 1, count) where min(other - one, count - other + one) > reach {
                table.setBoth(cut, order[one], order[other])
            }
        }
        return table
    }

    /// The same weather on every way, or on those of one node.
    static func everywhere(_ weather: LinkWeather, around node: Int? = nil, of count: Int) -> LinkTable {
        var table = LinkTable()
        for one in 0..<count {
            for other in (one + 1)..<max(one + 1, count) where node == nil || node == one || node == other {
                table.setBoth(weather, one, other)
            }
        }
        return table
    }
}
