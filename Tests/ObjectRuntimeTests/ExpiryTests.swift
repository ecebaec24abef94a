import Testing

@testable import ObjectRuntime

/// Items that the store's index says are over.
@Suite struct ExpiryTests {
    private let source = MemoryObjectSource()
    private var owner = TestOwner()

    init() {
        owner.state = ShardState(source: source)
    }

    private mutating func set(_ name: ItemName, ttlMs: UInt64?, on id: String) throws {
        let write = ItemWrite(name: name, value: [0x31], options: WriteOptions(ttlMs: ttlMs))
        try owner.run(.setItem(write), on: TestOwner.object(id))
    }

    private mutating func checkpoint() throws {
        let checkpoint = owner.state.beginCheckpoint()
        source.take(try #require(checkpoint))
        owner.state.endCheckpoint()
        _ = owner.state.evict(toBytes: 0, atMost: .max)
    }

    private mutating func expire(_ keys: [StoreKey]? = nil, isWatched: Bool = false) -> ExpiryEntry? {
        let due = keys ?? source.due(atMs: owner.nowMs, limit: 1_000)
        guard let (payload, index) = owner.state.executeExpiry(of: due, owner.context(), isWatched: { _ in isWatched })
        else { return nil }
        owner.index = index
        owner.payloads.append((index, payload))
        guard case .expiry(let entry)? = try? ShardEntry(payload: payload) else { return nil }
        return entry
    }

    @Test mutating func whatIsDueGoesInOneEntryWithoutEvents() throws {
        try set("a", ttlMs: 100, on: "first")
        try set("b", ttlMs: 200, on: "first")
        try set("c", ttlMs: nil, on: "first")
        try set("a", ttlMs: 150, on: "second")
        try set("a", ttlMs: 5_000, on: "third")
        try checkpoint()
        owner.nowMs = 1_200
        let expired = expire()
        let entry = try #require(expired)
        #expect(entry.objects.map(\.object.id).sorted() == ["first", "second"])
        #expect(entry.objects.first { $0.object.id == "first" }?.names == ["b", "a"])
        try owner.commitAll()
        #expect(owner.state.objectCount == 2 && owner.state.itemCount == 2)
        #expect(owner.state.usage == [ProjectUsage(project: "p", objects: 2, bytes: 4)])
        let again = expire()
        #expect(again == nil, "the store has not heard of it yet, and nothing is due any more")
        try checkpoint()
        #expect(source.due(atMs: 1_200, limit: 9).isEmpty && source.records.count == 2)
    }

    @Test mutating func itIsTakenBackLikeAnyEntry() throws {
        try set("a", ttlMs: 100, on: "first")
        try set("a", ttlMs: 100, on: "second")
        try checkpoint()
        owner.nowMs = 1_200
        let before = (owner.state.encodeSnapshot(), owner.state.tally)
        let made = expire()
        #expect(made?.objects.count == 2)
        #expect(owner.state.objectCount == 0 && owner.state.encodeSnapshot() == before.0)
        owner.state.rollBack(above: 2)
        #expect(owner.state.tally == before.1 && owner.state.lastIndex == 2 && owner.state.speculativeCount == 0)
        #expect(owner.state.encodeSnapshot() == before.0)
    }

    @Test mutating func oneEntryIsBounded() throws {
        owner.comparesEachCommit = false
        for number in 0..<(ShardState.expiryObjectsMax + 10) { try set("a", ttlMs: 1, on: "o\(number)") }
        try checkpoint()
        owner.nowMs += 10
        let first = expire()
        #expect(first?.objects.count == ShardState.expiryObjectsMax)
        try owner.commitAll()
        try checkpoint()
        let second = expire()
        #expect(second?.objects.count == 10)
    }

    @Test mutating func keysThatAreNotThereAreNothing() throws {
        try set("a", ttlMs: 100, on: "first")
        owner.nowMs = 5_000
        let absent = StoreKey(object: 1, fingerprint: 2)
        let key = StoreKey(TestOwner.object("first"))
        let (none, one) = (expire([absent]), expire([absent, key, key]))
        #expect(none == nil && one?.objects.count == 1, "in memory only, and named twice")
    }

    /// O14: a listener is not told that it missed something.
    @Test mutating func listenersOfAWatchedObjectMissNothing() throws {
        try set("a", ttlMs: 100, on: "first")
        try set("b", ttlMs: nil, on: "first")
        owner.nowMs = 1_200
        _ = expire([StoreKey(TestOwner.object("first"))], isWatched: true)
        let records = owner.state.committed(through: 3)
        #expect(records.map(\.index) == [3] && records.map(\.events) == [[]])
        let after = EventPoint.end(epoch: 1, index: 2)
        let replay = owner.state.replay(of: TestOwner.object("first"), after: after, isUnwatchedPossible: false)
        #expect(replay == .records(records))
    }
}
