import Testing

@testable import ObjectRuntime

/// Owner and replica, speculation and taking back.
@Suite struct ReplicaTests {
    /// Runs random requests with commits now and then, and checks owner against replica at each.
    @Test(arguments: 1...12)
    func aReplicaThatAppliesTheLogEqualsItsOwner(seed: UInt64) throws {
        var owner = TestOwner()
        var operations = RandomOperations(seed: seed)
        owner.limits.itemsPerObject = 5
        for round in 1...400 {
            owner.nowMs += UInt64(operations.below(3))
            owner.windowAgeMs += UInt64(operations.below(20_000))
            let id = operations.id(counter: UInt64(round))
            let settled = UInt64(max(0, round - operations.below(50)))
            _ = owner.execute(
                Request(
                    object: operations.object(), operation: operations.operation(nowMs: owner.nowMs), id: id,
                    settledBelow: settled))
            if operations.below(5) == 0 { try owner.commitAll() }
        }
        try owner.commitAll()
        #expect(
            owner.state.itemCount == owner.replica.itemCount
                && owner.state.byteCount == owner.replica.byteCount)
        #expect(owner.state.lastIndex > 150)
    }

    /// Every index is a point to go back to, and what was there comes back to the byte.
    @Test(arguments: 1...12)
    func rollingBackRestoresWhatWas(seed: UInt64) throws {
        var owner = TestOwner()
        var operations = RandomOperations(seed: seed &+ 1000)
        for round in 1...30 {
            var states: [(index: UInt64, state: ShardState)] = [(owner.index, owner.state)]
            for step in 0..<25 {
                owner.nowMs += UInt64(operations.below(4))
                owner.windowAgeMs += UInt64(operations.below(50_000))
                let request = Request(
                    object: operations.object(), operation: operations.operation(nowMs: owner.nowMs),
                    id: operations.id(counter: UInt64(round * 100 + step)),
                    settledBelow: UInt64(round * 100 - 50))
                _ = owner.execute(request)
                if owner.index > states[states.count - 1].index { states.append((owner.index, owner.state)) }
            }
            let target = states[operations.below(states.count)]
            owner.state.rollBack(above: target.index)
            #expect(owner.state.lastIndex == target.state.lastIndex)
            #expect(visible(owner.state) == visible(target.state))
            #expect(
                owner.state.encodeSnapshot() == states[0].state.encodeSnapshot(),
                "a snapshot never shows speculation")
            owner.index = target.index
            owner.payloads.removeAll { $0.index > target.index }
            try owner.commitAll()
        }
    }

    /// The whole state, speculation taken for committed.
    private func visible(_ state: ShardState) -> [UInt8] {
        var copy = state
        copy.committed(through: .max)
        return copy.encodeSnapshot()
    }

    @Test func aSnapshotTakenAmidSpeculationHoldsWhatIsCommitted() throws {
        var owner = TestOwner()
        try owner.set("x", #"{"value":1}"#)
        let committed = owner.state.encodeSnapshot()
        _ = owner.execute(
            Request(object: TestOwner.object("o"), operation: .setItem(ItemWrite(name: "x", value: [0x32]))))
        _ = owner.execute(
            Request(
                object: TestOwner.object("other"), operation: .setItem(ItemWrite(name: "x", value: [0x32]))))
        #expect(owner.state.encodeSnapshot() == committed)
        #expect(owner.state.speculativeCount == 2)
        try owner.commitAll()
        #expect(owner.state.encodeSnapshot() != committed)
    }

    @Test func aReadRestsOnTheNewestUncommittedEntryOfItsObject() throws {
        var owner = TestOwner()
        let (first, second) = (TestOwner.object("first"), TestOwner.object("second"))
        let set = Operation.setItem(ItemWrite(name: "x", value: [0x31]))
        _ = owner.execute(Request(object: first, operation: set))
        _ = owner.execute(Request(object: second, operation: set))
        func restsOn(_ object: ObjectID, _ operation: Operation = .getItem("x")) -> UInt64? {
            guard
                case .read(let answer, let restsOn) = owner.execute(
                    Request(object: object, operation: operation))
            else { return nil }
            #expect(answer.index == (object == first ? 1 : 2))
            return restsOn
        }
        #expect(restsOn(first) == 1)
        #expect(restsOn(second) == 2)
        owner.state.committed(through: 1)
        #expect(restsOn(first) == 0)
        #expect(restsOn(second) == 2)
        // A refusal rests on what it saw, too.
        #expect(
            restsOn(
                second, .setItem(ItemWrite(name: "x", value: [0x31], options: WriteOptions(updatedAt: 7))))
                == 2)
        #expect(restsOn(second, .setItem(ItemWrite(name: "x", value: [0x31], ifAbsent: true))) == 2)
    }

    @Test func anObjectsIndexNeverFallsWhenItIsEmptied() throws {
        var owner = TestOwner()
        try owner.set("x", #"{"value":1}"#)
        let removed = try owner.run(.removeItem("x"))
        #expect(removed.index == 2)
        #expect(try owner.run(.getItem("x")).index >= 2)
        #expect(owner.state.objectCount == 0)
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: .removeItem("y")))
        guard
            case .read(_, let restsOn) = owner.execute(
                Request(object: TestOwner.object("o"), operation: .getItem("x")))
        else {
            Issue.record("a read was expected")
            return
        }
        #expect(restsOn == 3)
    }

    @Test func anEntryThatDoesNotFitTheStateIsRefusedByTheReplica() throws {
        var owner = TestOwner()
        try owner.atomic("push", "a", #"{"value":1}"#)
        let push = Request(
            object: TestOwner.object("o"), operation: .push("a", value: [0x32], WriteOptions()))
        guard case .write(let payload, _) = owner.execute(push) else { return }
        var empty = ShardState()
        #expect(throws: (any Error).self) { try empty.apply(payload: payload, index: 1, epoch: 1) }
    }

    @Test func eventsFollowFromAnEntry() throws {
        var owner = TestOwner()
        _ = try owner.setAll(#"{"a":{"value":[1]},"b":{"value":2,"ttl":1}}"#)
        owner.nowMs = 2000
        _ = owner.execute(
            Request(object: TestOwner.object("o"), operation: .push("a", value: [0x32], WriteOptions())))
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: .removeItems(["b", "c"])))
        let changes = try owner.payloads.map { try #require(try ShardState.changes(in: $0.payload)).changes }
        #expect(
            changes[0] == [
                .edit(
                    "a", edits: [TextEdit(offset: 2, removed: 0, inserted: Array(",2".utf8))],
                    updatedAt: 2000, expiresAt: Item.never)
            ])
        #expect(changes[1] == [.expire("b"), .remove("b"), .remove("c")])
        #expect(changes[1].map(\.isEvent) == [false, true, true])
        #expect(try ShardState.changes(in: ShardState.retirePayload(incarnations: [1])) == nil)
    }
}
