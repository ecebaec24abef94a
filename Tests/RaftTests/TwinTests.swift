import Testing
@testable import Raft

/// Fast code beside slow, obvious code, on random inputs.
@Suite struct TwinTests {
    private func randomNodes(_ random: inout Generator, atMost count: Int) -> [NodeID] {
        (1...7).map { NodeID($0) }.shuffled(using: &random).prefix(Int.random(in: 0...count, using: &random))
            .sorted()
    }

    private func hasMajority(_ nodes: [NodeID], _ agreeing: Set<NodeID>) -> Bool {
        2 * nodes.filter(agreeing.contains).count > nodes.count
    }

    @Test func quorumsEqualCounting() {
        var random = Generator(seed: 1)
        for _ in 0..<3000 {
            let voters = randomNodes(&random, atMost: 7), outgoing = randomNodes(&random, atMost: 5)
            guard !voters.isEmpty else { continue }
            let configuration = Configuration(voters: voters, outgoing: outgoing)
            let agreeing = Set(randomNodes(&random, atMost: 7))
            let expected =
                hasMajority(voters, agreeing) && (outgoing.isEmpty || hasMajority(outgoing, agreeing))
            #expect(configuration.hasQuorum { agreeing.contains($0) } == expected)
            #expect(configuration.isBlocked { !agreeing.contains($0) } == !expected)
        }
    }

    @Test func theQuorumIndexIsTheHighestThatAQuorumHolds() {
        var random = Generator(seed: 2)
        for _ in 0..<3000 {
            let voters = randomNodes(&random, atMost: 7), outgoing = randomNodes(&random, atMost: 5)
            guard !voters.isEmpty else { continue }
            let configuration = Configuration(voters: voters, outgoing: outgoing)
            var match: [NodeID: LogIndex] = [:]
            for node in 1...7 as ClosedRange<UInt64> {
                match[NodeID(node)] = LogIndex(UInt64.random(in: 0...12, using: &random))
            }
            let slow = (0...12 as ClosedRange<UInt64>).last { index in
                let holding = Set(match.filter { $0.value.rawValue >= index }.map(\.key))
                return hasMajority(voters, holding) && (outgoing.isEmpty || hasMajority(outgoing, holding))
            }
            #expect(configuration.quorumIndex { match[$0]! } == LogIndex(slow!))
        }
    }

    @Test func anEmptyConfigurationHasNoQuorum() {
        let configuration = Configuration(voters: [])
        #expect(!configuration.hasQuorum { _ in true })
        #expect(configuration.quorumIndex { _ in LogIndex(9) } == .zero)
    }

    /// The log beside a plain array of all entries that ever were in it.
    @Test(arguments: 1...30 as ClosedRange<UInt64>)
    func theLogEqualsAPlainArray(seed: UInt64) {
        var random = Generator(seed: seed)
        var log = RaftLog(boundary: .zero)
        var array: [Entry] = []
        var boundary = 0
        var term: UInt64 = 1
        for _ in 0..<3000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                term += chance(&random, 10) ? 1 : 0
                let size = Int.random(in: 0...9, using: &random)
                let entry = Entry(
                    term: Term(term), index: LogIndex(UInt64(array.count + 1)), kind: .command,
                    payload: [UInt8](repeating: UInt8(truncatingIfNeeded: array.count), count: size))
                log.append(entry)
                array.append(entry)
            case 6 where array.count > boundary:
                let index = Int.random(in: max(boundary + 1, array.count - 3)...array.count, using: &random)
                log.truncate(from: LogIndex(UInt64(index)))
                array.removeSubrange((index - 1)...)
            case 7 where array.count > boundary:
                let index = Int.random(in: boundary...min(array.count, boundary + 40), using: &random)
                log.compact(through: LogIndex(UInt64(index)))
                boundary = index
            default: compareReads(log, array, boundary: boundary, &random)
            }
            #expect(log.lastIndex == LogIndex(UInt64(array.count)))
        }
        #expect(log.bytes == array[boundary...].reduce(0) { $0 + $1.footprintBytes })
    }

    private func chance(_ random: inout Generator, _ percent: Int) -> Bool {
        Int.random(in: 0..<100, using: &random) < percent
    }

    private func compareReads(_ log: RaftLog, _ array: [Entry], boundary: Int, _ random: inout Generator) {
        let index = Int.random(in: 0...array.count + 1, using: &random)
        let isKnown = index >= boundary && index <= array.count
        let term = isKnown ? (index == 0 ? Term.zero : array[index - 1].term) : nil
        #expect(log.term(at: LogIndex(UInt64(index))) == term)
        guard index > boundary, index <= array.count else { return }
        let (bytesMax, countMax) = (
            Int.random(in: 0...200, using: &random), Int.random(in: 1...6, using: &random)
        )
        var slow: [Entry] = []
        for entry in array[(index - 1)...] {
            let size = (slow + [entry]).reduce(0) { $0 + $1.footprintBytes }
            if slow.count == countMax || (!slow.isEmpty && size > bytesMax) { break }
            slow.append(entry)
        }
        #expect(log.entries(from: LogIndex(UInt64(index)), bytesMax: bytesMax, countMax: countMax) == slow)
        let hint = Position(
            term: Term(UInt64.random(in: 0...50, using: &random)), index: LogIndex(UInt64(index)))
        let found = (boundary...index).last { $0 == boundary || array[$0 - 1].term <= hint.term }!
        #expect(log.lastPosition(notAbove: hint).index == LogIndex(UInt64(found)))
    }

    /// `indexToKeep` beside dropping entry by entry.
    @Test func compactionKeepsTheBytesAskedFor() {
        var log = RaftLog(boundary: .zero)
        for index in 1...100 as ClosedRange<UInt64> {
            log.append(
                Entry(
                    term: Term(1), index: LogIndex(index), kind: .command,
                    payload: [UInt8](repeating: 0, count: Int(index) % 7)))
        }
        for keeping in stride(from: 0, through: 4000, by: 37) {
            let index = log.indexToKeep(bytes: keeping, through: LogIndex(90))
            var rest = log
            rest.compact(through: index)
            #expect(rest.bytes >= min(keeping, log.bytes))
            #expect(index <= LogIndex(90))
        }
    }
}
