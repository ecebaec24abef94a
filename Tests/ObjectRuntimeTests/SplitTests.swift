import Testing

@testable import ObjectRuntime

/// Split, freeze, thaw and merge of a shard's state (O13).
@Suite struct SplitTests {
    /// `o0` to `o3` are the objects of random operations; the cut lies between them.
    private func cutBetweenObjects() -> UInt64 {
        RandomOperations(seed: 1).objects.map(\.key.rawValue).sorted()[2]
    }

    private func filled(seed: UInt64, steps: Int) throws -> StoredShard {
        var shard = StoredShard(seed: seed)
        for _ in 0..<steps { try shard.step() }
        shard.commit(through: .max)
        return shard
    }

    /// Owner and replica make the same child, whatever of it is loaded, stored, or in a checkpoint under way, and
    /// though the owner has executed more; merged again they are what was.
    @Test(arguments: 1...12)
    func whatIsSplitAndMergedIsWhatWas(seed: UInt64) throws {
        var shard = try filled(seed: seed, steps: 300)
        if seed % 3 == 0 { try shard.beginCheckpoint() }
        let cut = cutBetweenObjects()
        let before = shard.twin
        var replica = shard.twin
        let context = shard.context
        let made = shard.state.executeSplit(at: cut, child: 9, context)
        let (payload, index) = try #require(made)
        // The owner goes on with what stays.
        let left = try #require(shard.operations.objects.first { $0.key.rawValue < cut })
        var next = shard.context
        next.nowMs += 5_000
        next.windowAgeMs = 0
        // By an edge that the shard has not met: the child must not know of it.
        let set = Request(
            object: left, operation: .setItem(ItemWrite(name: "later", value: [0x31])),
            id: .edge(stream: EdgeStream(incarnation: 99, loop: 0), counter: 1))
        guard case .write(let later, _) = shard.state.execute(set, next) else {
            Issue.record("a write was expected")
            return
        }
        shard.state.committed(through: index)
        let children = shard.state.takeChildren()
        #expect(children.count == 1 && shard.state.takeChildren().isEmpty)
        var child = try #require(children.first).state

        try replica.apply(payload: payload, index: index, epoch: 1)
        let replicaChild = try #require(replica.takeChildren().first)
        #expect(child.encodeSnapshot() == replicaChild.state.encodeSnapshot())
        #expect(child.bounds.range == cut...UInt64.max && child.lastIndex == index && child.committedIndex == index)
        try replica.apply(payload: later, index: index + 1, epoch: 1)
        shard.state.committed(through: index + 1)
        #expect(shard.state.encodeSnapshot() == replica.encodeSnapshot())
        #expect(child.objectIDs() == before.objectIDs().filter { $0.key.rawValue >= cut })
        #expect(child.sessionCount + shard.state.sessionCount == before.sessionCount)

        // What is counted of the store settles the figures.
        shard.endOldCheckpoint()
        try settle(&shard.state, shard.source)
        try settle(&child, shard.source)
        #expect(shard.state.tally == counted(shard.state) && child.tally == counted(child))
        try merge(shard.state, child, replica, replicaChild.state, before: before)
    }

    private func settle(_ state: inout ShardState, _ source: MemoryObjectSource) throws {
        #expect(!state.isTallySettled)
        let begun = state.beginCheckpoint()
        let checkpoint = try #require(begun)
        source.take(checkpoint)
        var stored = Tally()
        for (key, bytes) in source.records where checkpoint.range.contains(key.object) {
            stored.add(try StoredObject(bytes).tally)
        }
        state.settleTally(stored: stored, of: checkpoint)
        state.endCheckpoint()
        let restored = try ShardState(head: try #require(source.head), source: source)
        #expect(restored.encodeSnapshot() == state.encodeSnapshot() && !restored.isTallySettled)
    }

    private func counted(_ state: ShardState) -> Tally {
        state.objectIDs().reduce(into: Tally()) {
            $0.add(StoredObject(id: $1, state: state.objects[$1] ?? ObjectState()).tally)
        }
    }

    private func merge(
        _ left: ShardState, _ right: ShardState, _ twinLeft: ShardState, _ twinRight: ShardState, before: ShardState
    ) throws {
        var parts = [left, right, twinLeft, twinRight]
        for position in parts.indices {
            let next = parts[position].lastIndex + 1
            let context = ExecutionContext(
                nowMs: 0, windowAgeMs: 0, epoch: 2 + UInt64(position & 1), nextIndex: next, random: (0, 0))
            let frozen = parts[position].executeFreeze(by: 12, context)
            #expect(frozen != nil)
            parts[position].committed(through: next)
        }
        var merged = ShardState.merged(parts[0], parts[1], source: left.source)
        let twin = ShardState.merged(parts[2], parts[3], source: nil)
        #expect(merged.encodeSnapshot() == twin.encodeSnapshot())
        #expect(merged.committedIndex == parts[0].committedIndex && merged.committedEpoch == 3)
        #expect(merged.bounds.range == before.bounds.range && merged.bounds.frozenBy == nil)
        #expect(merged.objectIDs() == twin.objectIDs() && merged.tally == counted(merged))
        #expect(merged.window.clientOrder == before.window.clientOrder)
        let known = merged.window.streams.filter { $0.id.incarnation != 99 }
        #expect(known.map(\.records) == before.window.streams.map(\.records))
        _ = merged.evict(toBytes: 0, atMost: .max)
        #expect(merged.encodeSnapshot() == twin.encodeSnapshot())
    }

    // MARK: What is refused

    private let add = Operation.increment("n", by: 1, WriteOptions())

    @Test func keysOfTheChildAreRefusedFromTheEntryOn() throws {
        var owner = TestOwner()
        let cut = cutBetweenObjects()
        let objects = RandomOperations(seed: 1).objects.sorted()
        try owner.run(add, on: objects[3])
        let context = owner.context()
        let empty = owner.state.executeSplit(at: 0, child: 9, context)
        let made = owner.state.executeSplit(at: cut, child: 9, context)
        #expect(empty == nil && made?.index == 2, "a split leaves something on both sides")
        owner.index += 1
        #expect(owner.execute(Request(object: objects[3], operation: add)) == .unavailable(.outOfRange))
        guard case .write = owner.execute(Request(object: objects[0], operation: add)) else {
            Issue.record("the lower part goes on")
            return
        }
        let another = owner.state.executeSplit(at: cut / 2, child: 10, owner.context())
        #expect(another == nil, "one at a time")
        owner.state.rollBack(above: 1)
        owner.index = 1
        owner.payloads = []
        #expect(owner.state.bounds == .everything)
        #expect(try owner.run(add, on: objects[3]).text.contains(#""value":2"#))
    }

    @Test func aFrozenShardRefusesEverythingUntilItIsThawed() throws {
        var owner = TestOwner()
        try owner.run(add)
        let frozen = owner.state.executeFreeze(by: 4, owner.context())
        owner.index += 1
        owner.state.committed(through: 2)
        #expect(frozen?.index == 2 && owner.state.bounds.frozenBy == 4)
        #expect(owner.execute(Request(object: TestOwner.object("o"), operation: add)) == .unavailable(.frozen))
        let context = owner.context()
        let refused = [
            owner.state.executeRetirement(of: [1], context), owner.state.executeScrub(id: 1, context),
            owner.state.executeExpiry(of: [StoreKey(TestOwner.object("o"))], context) { _ in true },
            owner.state.executeFreeze(by: 4, context), owner.state.executeSplit(at: 5, child: 9, context),
        ]
        #expect(refused.allSatisfy { $0 == nil })
        let thawed = owner.state.executeThaw(context)
        owner.index += 1
        owner.state.committed(through: 3)
        #expect(thawed?.index == 3)
        owner.replica = owner.state
        #expect(try owner.run(add).index == 4)
    }

    /// O10: what an edge has settled for one part says nothing of the other.
    @Test func whatIsSettledStaysApartAfterAMerge() throws {
        let cut = cutBetweenObjects()
        let objects = RandomOperations(seed: 1).objects.sorted()
        let stream = EdgeStream(incarnation: 5, loop: 0)
        func edge(_ counter: UInt64) -> OperationID { .edge(stream: stream, counter: counter) }
        var parts: [ShardState] = []
        for (object, counters, settled) in [(objects[0], [3, 8], 8), (objects[3], [5, 6], 5)] {
            var owner = TestOwner()
            owner.state = ShardState(
                range: object == objects[0] ? 0...(cut - 1) : cut...UInt64.max, source: nil)
            owner.comparesEachCommit = false
            for counter in counters {
                try owner.run(
                    add, on: object, id: edge(UInt64(counter)),
                    settledBelow: UInt64(counter == counters[1] ? settled : 0))
            }
            _ = owner.state.executeFreeze(by: 4, owner.context())
            owner.state.committed(through: 3)
            parts.append(owner.state)
        }
        var owner = TestOwner()
        owner.comparesEachCommit = false
        owner.state = ShardState.merged(parts[0], parts[1], source: nil)
        owner.replica = owner.state
        owner.index = 3
        #expect(try owner.run(add, on: objects[0], id: edge(3)).applied == .unknown, "settled there")
        #expect(try owner.run(add, on: objects[0], id: edge(8)).replayed)
        #expect(try owner.run(add, on: objects[3], id: edge(6)).replayed)
        #expect(try owner.run(add, on: objects[3], id: edge(7)).applied == .yes, "never seen before")
        #expect(try owner.run(add, on: objects[3], id: edge(2)).applied == .unknown)
        try owner.run(add, on: objects[3], id: edge(20), settledBelow: 19)
        #expect(owner.state.window.streams[0].floors.isEmpty)
        #expect(try owner.run(add, on: objects[0], id: edge(18)).applied == .unknown)
    }

    @Test func keysOfClientsAreKeptAsLongAsPromisedAfterAMerge() throws {
        var parts: [ShardState] = []
        let objects = RandomOperations(seed: 1).objects.sorted()
        let cut = cutBetweenObjects()
        for (object, ageMs) in [(objects[0], UInt64(900_000)), (objects[3], 50_000)] {
            var owner = TestOwner()
            owner.state = ShardState(range: object == objects[0] ? 0...(cut - 1) : cut...UInt64.max)
            owner.comparesEachCommit = false
            owner.windowAgeMs = ageMs
            try owner.run(add, on: object, id: .client(apiKey: "a", key: "k", requestHash: 1))
            _ = owner.state.executeFreeze(by: 4, owner.context())
            owner.state.committed(through: 2)
            parts.append(owner.state)
        }
        var owner = TestOwner()
        owner.comparesEachCommit = false
        owner.state = ShardState.merged(parts[0], parts[1], source: nil)
        owner.index = 2
        owner.replica = owner.state
        #expect(owner.state.windowAgeMs == 900_000)
        owner.windowAgeMs = 1_499_999
        let key = OperationID.client(apiKey: "a", key: "k", requestHash: 1)
        try owner.run(add, on: objects[1])
        for object in [objects[0], objects[3]] { #expect(try owner.run(add, on: object, id: key).replayed) }
        owner.windowAgeMs = 1_500_000
        try owner.run(add, on: objects[1])
        for object in [objects[0], objects[3]] { #expect(try !owner.run(add, on: object, id: key).replayed) }
    }

    @Test func aScrubChangesNothing() throws {
        var owner = TestOwner()
        try owner.run(add)
        let before = owner.state.objects[TestOwner.object("o")]
        let made = owner.state.executeScrub(id: 77, owner.context())
        let (payload, index) = try #require(made)
        #expect(try ShardEntry(payload: payload) == .scrub(id: 77) && index == 2)
        owner.state.committed(through: 2)
        try owner.replica.apply(payload: payload, index: 2, epoch: 1)
        #expect(owner.state.encodeSnapshot() == owner.replica.encodeSnapshot())
        #expect(owner.state.committedIndex == 2 && owner.state.objects[TestOwner.object("o")] == before)
        #expect(owner.state.hasUncheckpointed)
    }

    @Test func entriesThatDoNotFitAreRefused() throws {
        var state = ShardState(range: 10...20)
        for entry in [ShardEntry.split(cut: 10, child: 1), .split(cut: 21, child: 1)] {
            #expect(throws: (any Error).self) { try state.apply(payload: entry.encode(), index: 1, epoch: 1) }
        }
        var owner = TestOwner()
        guard case .write(let payload, _) = owner.execute(Request(object: TestOwner.object("o"), operation: add))
        else { return }
        #expect(throws: (any Error).self) { try state.apply(payload: payload, index: 1, epoch: 1) }
    }
}
