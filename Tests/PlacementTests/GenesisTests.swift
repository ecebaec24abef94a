import Binary
import Placement
import Raft
import Testing

@Suite("Genesis and first table")
struct GenesisTests {
    @Test("the first table covers the key space in even ranges without owners")
    func evenRanges() throws {
        for count in [1, 2, 3, 7, 64, 1000] {
            let table = PlacementState(genesis: genesis(shards: count)).table
            #expect(table.records.count == count)
            #expect(table.records[0].start == 0)
            #expect(table.records.allSatisfy { $0.owner == nil && $0.epoch == .zero })
            let widths = try table.records.map {
                let range = try #require(table.range(of: $0.shard))
                return range.upperBound - range.lowerBound
            }
            #expect((widths.max() ?? 0) - (widths.min() ?? 0) <= 1)
            #expect(table.range(of: shard(count - 1))?.upperBound == .max)
        }
    }

    @Test("replicas are dealt out round robin, at most one per member")
    func replicasRoundRobin() {
        let five = PlacementState(genesis: genesis(nodes: 5, shards: 5)).table
        #expect(five.records[3].replicas == [node(4), node(5), node(1)])
        for number in 1...5 {
            #expect(five.records.count { $0.replicas.contains(node(number)) } == 3)
        }
        let two = PlacementState(genesis: genesis(nodes: 2, shards: 4)).table
        #expect(two.records.allSatisfy { $0.replicas.count == 2 })
    }

    @Test("every key belongs to the one shard whose range holds it")
    func lookup() {
        let table = PlacementState(genesis: genesis(shards: 37)).table
        var dice = Dice(seed: 1)
        var keys: [UInt64] = [0, .max]
        for record in table.records { keys += [record.start, record.start &- 1] }
        for _ in 0..<500 { keys.append(dice.draw()) }
        for key in keys {
            let holders = table.records.filter { table.range(of: $0.shard)?.contains(key) ?? false }
            #expect(holders.map(\.shard) == [table.shard(forKey: key).shard])
        }
    }

    @Test("a table with a gap at the front, a repeat or disorder is none")
    func badTables() {
        let records = PlacementState(genesis: genesis(shards: 4)).table.records
        #expect(Table(records: records) != nil)
        #expect(Table(records: []) == nil)
        #expect(Table(records: Array(records.dropFirst())) == nil)
        #expect(Table(records: records + [records[3]]) == nil)
        #expect(Table(records: [records[0], records[2], records[1]]) == nil)
        let twin = ShardRecord(shard: shard(0), start: 5, replicas: [node(1)])
        #expect(Table(records: [records[0], twin]) == nil)
    }

    @Test("wrong values are named")
    func faults() throws {
        func fault(_ change: (inout Genesis) -> Void) -> String? {
            var changed = genesis()
            change(&changed)
            return changed.fault
        }
        #expect(genesis().fault == nil)
        #expect(fault { $0.members = [] } != nil)
        #expect(fault { $0.members[1].node = node(1) } != nil)
        #expect(fault { $0.members[1].name = "n1" } != nil)
        #expect(fault { $0.members[1].name = "n 2" } != nil)
        #expect(fault { $0.members[1].peerAddress = "" } != nil)
        #expect(fault { $0.shardCount = 0 } != nil)
        #expect(fault { $0.replicasPerShard = 0 } != nil)
        #expect(fault { $0.leaseDurationMs = 100 } != nil)
        #expect(fault { $0.signingKey = [1, 2, 3] } != nil)
        var broken = genesis()
        broken.shardCount = 0
        #expect(throws: DecodingFailure.self) { try Genesis.decode(broken.encode()) }
    }

    @Test("an epoch is the term of its shard's log, generation first")
    func epochs() {
        let epoch = Epoch(generation: 3, counter: 9)
        #expect(epoch.next == Epoch(generation: 3, counter: 10))
        #expect(epoch.term == Term(rawValue: epoch.rawValue))
        #expect(Epoch(generation: 1, counter: 0) > Epoch(generation: 0, counter: 1 << 40))
        #expect(epoch.generation == 3 && epoch.counter == 9)
    }
}
