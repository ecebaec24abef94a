import Testing

@testable import ObjectRuntime

/// A shard whose objects rest in a store is one whose objects are all in memory.
@Suite struct CheckpointTests {
    @Test(arguments: 1...12)
    func aStoredShardEqualsOneInMemory(seed: UInt64) throws {
        var shard = StoredShard(seed: seed)
        for round in 1...600 {
            try shard.step()
            if round % 4 == 0 { try shard.compare() }
        }
        shard.commit(through: .max)
        try shard.endCheckpoint()
        try shard.beginCheckpoint()
        try shard.endCheckpoint()
        #expect(shard.state.dirtyBytes == 0)
        try shard.restart()
        try shard.compare()
        #expect(shard.restarts > 1 && shard.source.loadCount > 50 && shard.state.lastIndex > 50)
    }

    private func set(_ name: ItemName, _ value: String, ttlMs: UInt64? = nil) -> Operation {
        .setItem(ItemWrite(name: name, value: Array(value.utf8), options: WriteOptions(ttlMs: ttlMs)))
    }

    private func owner(_ source: MemoryObjectSource) -> TestOwner {
        var owner = TestOwner()
        owner.state = ShardState(source: source)
        return owner
    }

    private func checkpoint(_ state: inout ShardState, _ source: MemoryObjectSource) throws -> [StoredChange] {
        let begun = state.beginCheckpoint()
        let checkpoint = try #require(begun)
        source.take(checkpoint)
        state.endCheckpoint()
        return checkpoint.changes()
    }

    @Test func aCheckpointHasWhatChangedAndNoMore() throws {
        let source = MemoryObjectSource()
        var owner = owner(source)
        let (first, second) = (TestOwner.object("first"), TestOwner.object("second"))
        try owner.run(set("x", "1", ttlMs: 500), on: first)
        try owner.run(set("y", "1", ttlMs: 300), on: first)
        try owner.run(set("x", "1"), on: second)
        #expect(owner.state.hasUncheckpointed && owner.state.uncheckpointedBytes > 60)
        let changes = try checkpoint(&owner.state, source)
        #expect(changes.map(\.key) == [StoreKey(first), StoreKey(second)].sorted())
        let expiries = changes.map { change -> UInt64? in
            guard case .put(_, let expiresAtMs, _) = change else { return nil }
            return expiresAtMs
        }
        #expect(Set(expiries) == [1300, .max])
        #expect(!owner.state.hasUncheckpointed && owner.state.uncheckpointedBytes == 0)
        #expect(try checkpoint(&owner.state, source).isEmpty)
        try owner.run(.getItem("x"), on: second)
        try owner.run(.removeItem("x"), on: second)
        #expect(try checkpoint(&owner.state, source) == [.remove(StoreKey(second))])
        #expect(try checkpoint(&owner.state, source).isEmpty && source.records.count == 1)
    }

    @Test func whatIsMadeAndGoneBetweenCheckpointsNeverReachesTheStore() throws {
        let source = MemoryObjectSource()
        var owner = owner(source)
        try owner.set("x", #"{"value":1}"#)
        try owner.run(.clear)
        #expect(try checkpoint(&owner.state, source).isEmpty && owner.state.objects.entryCount == 0)
    }

    @Test func speculationIsNotStored() throws {
        let source = MemoryObjectSource()
        var owner = owner(source)
        try owner.set("x", #"{"value":1}"#)
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: set("x", "2")))
        _ = owner.execute(Request(object: TestOwner.object("other"), operation: set("x", "2")))
        let changes = try checkpoint(&owner.state, source)
        let restored = try ShardState(head: try #require(source.head), source: source)
        #expect(changes.count == 1 && restored.committedIndex == 1 && restored.objectCount == 1)
        #expect(restored.item("x", of: TestOwner.object("o"))?.value.description == "1")
        #expect(owner.value("x") == "2", "the owner goes on with what it executed")
        owner.state.rollBack(above: 1)
        owner.index = 1
        owner.payloads = []
        #expect(owner.value("x") == "1")
    }

    /// A large value is written once in a head, however many recent answers hold it.
    @Test func aHeadDoesNotRepeatALargeValue() throws {
        let source = MemoryObjectSource()
        var owner = owner(source)
        owner.comparesEachCommit = false
        let large = "[" + String(repeating: "1234567,", count: 12_000) + "0]"
        try owner.set("x", #"{"value":\#(large)}"#)
        for counter in 0..<50 {
            let id = OperationID.edge(stream: EdgeStream(incarnation: 1, loop: 0), counter: UInt64(counter))
            try owner.run(.push("x", value: [0x31], WriteOptions()), id: id)
        }
        _ = try checkpoint(&owner.state, source)
        let head = try #require(source.head)
        #expect(head.count < large.utf8.count + 10_000)
        #expect(try ShardState(head: head, source: source).window == owner.state.window)
    }

    @Test func everyDamagedHeadIsRefusedOrRead() throws {
        var shard = StoredShard(seed: 5)
        for _ in 1...200 { try shard.step() }
        try shard.endCheckpoint()
        try shard.beginCheckpoint()
        let head = try #require(shard.pending).checkpoint.head()
        var random = SplitMix(seed: 3)
        for _ in 0..<2000 {
            var bytes = head
            bytes[Int(random.next() % UInt64(bytes.count))] ^= UInt8(1 << (random.next() % 8))
            if random.next() % 4 == 0 { bytes.removeLast(Int(random.next() % UInt64(bytes.count))) }
            if let state = try? ShardState(head: bytes, source: shard.source) { _ = state.usage }
        }
        #expect(throws: (any Error).self) { try ShardState(head: [9], source: shard.source) }
    }
}
