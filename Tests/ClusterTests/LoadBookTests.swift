import Placement
import Raft
import Testing

@testable import Cluster

/// What the placement leader remembers of loads.
struct LoadBookTests {
    @Test func shardsWhoseMergeWasCalledOffMustBeColdForLongOnceMore() throws {
        var table = TestTable(shards: 1)
        table.give(to: 1)
        let epoch = table.record.epoch
        let owner = try #require(table.record.owner)
        let child = ShardID(home: 0, serial: 1)
        table.apply(.planSplit(table.record.shard, expected: epoch, cut: 1 << 63))
        table.apply(
            .split(
                table.record.shard, expected: epoch, proposer: owner, cut: 1 << 63, child: child,
                index: LogIndex(rawValue: 3)))
        let records = table.state.table.records
        let shards = records.map(\.shard)
        try #require(shards.count == 2)

        var book = LoadBook()
        book.observe(table.state.table, nowMs: 1_000)
        let idle = shards.map {
            LoadReport.Shard(
                shard: $0, load: ShardLoad(operationsPerSecond: 0, bytes: 0, sockets: 0, objects: 0), hottest: [])
        }
        book.take(LoadReport(process: owner, shards: idle), nowMs: 1_000)
        #expect(shards.map { book.coldForMs(nowMs: 9_000)[$0] } == [8_000, 8_000])

        let plan = Command.planMerge(
            left: shards[0], expectedLeft: records[0].epoch, right: shards[1], expectedRight: records[1].epoch)
        table.apply(plan)
        book.observe(table.state.table, nowMs: 9_000)
        #expect(book.coldForMs(nowMs: 9_000)[shards[0]] == 8_000)
        let standing = try #require(table.record.plan)
        table.apply(.cancelPlan(shards[0], expected: records[0].epoch, proposer: owner, plan: standing))
        #expect(table.state.table.records.allSatisfy { $0.plan == nil })
        book.observe(table.state.table, nowMs: 11_000)
        #expect(shards.map { book.coldForMs(nowMs: 12_000)[$0] } == [1_000, 1_000])
    }
}
