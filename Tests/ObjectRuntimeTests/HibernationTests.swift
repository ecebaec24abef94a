import Testing

@testable import ObjectRuntime

/// Objects that leave memory and come back.
@Suite struct HibernationTests {
    private let store = MemoryColdObjects()

    private func owner() -> TestOwner {
        var owner = TestOwner()
        owner.state.keepCold(in: store)
        owner.replica.keepCold(in: store)
        return owner
    }

    /// Two calls, between which nothing was used: everything committed goes.
    @discardableResult
    private func sleep(_ state: inout ShardState, from nowMs: UInt64 = 1000, atMost limit: Int = .max) -> Int {
        _ = state.hibernate(nowMs: nowMs, idleSinceMs: 0, atMost: limit)
        return state.hibernate(nowMs: nowMs + 20, idleSinceMs: nowMs + 10, atMost: limit)
    }

    /// The twin keeps all in memory; states must be equal to the byte after every step.
    @Test(arguments: 1...12)
    func aHibernatingShardEqualsOneThatNeverDoes(seed: UInt64) throws {
        var (owner, twin) = (owner(), TestOwner())
        var operations = RandomOperations(seed: seed &+ 77)
        var clock: UInt64 = 5_000_000
        for round in 1...400 {
            owner.nowMs += UInt64(operations.below(3))
            twin.nowMs = owner.nowMs
            let request = Request(
                object: operations.object(), operation: operations.operation(nowMs: owner.nowMs),
                id: operations.id(counter: UInt64(round)), settledBelow: UInt64(max(0, round - 20)))
            #expect(owner.execute(request).answer == twin.execute(request).answer)
            switch operations.below(6) {
            case 0:
                try owner.commitAll()
                try twin.commitAll()
            case 1: rollBack(&owner, &twin, keeping: operations.below(3))
            case 2, 3:
                clock += UInt64(10 + operations.below(50))
                let idleSince = clock - UInt64(operations.below(60))
                for _ in 0..<2 {
                    _ = owner.state.hibernate(nowMs: clock, idleSinceMs: idleSince, atMost: operations.below(4))
                    _ = owner.replica.hibernate(nowMs: clock, idleSinceMs: idleSince, atMost: 9)
                }
            default: break
            }
            #expect(owner.state.encodeSnapshot() == twin.state.encodeSnapshot())
            #expect(owner.state.objectIDs() == twin.state.objectIDs())
            #expect(store.count == owner.state.coldCount + owner.replica.coldCount)
        }
        #expect(owner.state.itemCount == twin.state.itemCount && owner.state.byteCount == twin.state.byteCount)
        #expect(owner.state.hibernatedTotal > 20 && owner.state.wokenTotal > 10)
        #expect(owner.replica.hibernatedTotal > 20)
    }

    /// Takes back all but the first few speculative entries of both.
    private func rollBack(_ owner: inout TestOwner, _ twin: inout TestOwner, keeping count: Int) {
        let kept = owner.payloads.prefix(count).last?.index ?? owner.state.committedIndex
        for index in 0...1 {
            func takeBack(_ owner: inout TestOwner) {
                owner.state.rollBack(above: kept)
                owner.index = kept
                owner.payloads.removeAll { $0.index > kept }
            }
            if index == 0 { takeBack(&owner) } else { takeBack(&twin) }
        }
        #expect(owner.state.lastIndex == twin.state.lastIndex)
    }

    @Test func whatIsNotCommittedStays() throws {
        var owner = owner()
        try owner.set("x", #"{"value":1}"#)
        let set = Operation.setItem(ItemWrite(name: "x", value: [0x32]))
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: set))
        sleep(&owner.state)
        #expect(owner.state.coldCount == 0)
        try owner.commitAll()
        sleep(&owner.state, from: 2000)
        #expect(owner.state.coldCount == 1)
    }

    @Test func aReadWakesAndALookDoesNot() throws {
        var owner = owner()
        try owner.set("x", #"{"value":1}"#)
        sleep(&owner.state)
        let object = TestOwner.object("o")
        #expect(owner.state.touchedIndex(of: object) == 1 && owner.state.objectCount == 1)
        #expect(owner.state.item("x", of: object) != nil && owner.state.objectIDs() == [object])
        #expect(owner.state.coldCount == 1 && owner.state.wokenTotal == 0)
        #expect(try owner.get("x") == item("1", at: 1000))
        #expect(owner.state.coldCount == 0 && owner.state.wokenTotal == 1 && store.count == 0)
    }

    @Test func theLongestUnusedGoFirstAndNoMoreThanAsked() throws {
        var owner = owner()
        let objects = (0..<10).map { TestOwner.object("o\($0)") }
        for object in objects {
            try owner.run(.setItem(ItemWrite(name: "x", value: [0x31])), on: object)
        }
        _ = owner.state.hibernate(nowMs: 1000, idleSinceMs: 0, atMost: 100)
        _ = owner.state.hibernate(nowMs: 2000, idleSinceMs: 0, atMost: 100)
        try owner.run(.getItem("x"), on: objects[0])
        #expect(owner.state.hibernate(nowMs: 3000, idleSinceMs: 1500, atMost: 4) == 4)
        #expect(owner.state.hibernate(nowMs: 3000, idleSinceMs: 1500, atMost: 100) == 5)
        #expect(owner.state.coldCount == 9)
        try owner.run(.getItem("x"), on: objects[0])
        #expect(owner.state.wokenTotal == 0, "it was used in between")
    }

    @Test func whatFindsNoPlaceStaysInMemoryAndIsCounted() throws {
        var owner = owner()
        for number in 0..<5 {
            try owner.run(
                .setItem(ItemWrite(name: "x", value: [0x31])), on: TestOwner.object("o\(number)"))
        }
        store.isFull = true
        #expect(sleep(&owner.state) == 1, "a full store is not asked again in the same call")
        #expect(owner.state.coldCount == 0 && owner.state.failedHibernationTotal == 1)
        #expect(try owner.run(.getItem("x"), on: TestOwner.object("o0")).text == item("1", at: 1000))
        store.isFull = false
        sleep(&owner.state, from: 9000)
        #expect(owner.state.coldCount == 5)
    }

    @Test func objectsOfOneKeyAreToldApartWhileCold() throws {
        var owner = owner()
        let objects = (0..<3).map {
            ObjectID(project: "p", objectClass: "c", id: "o\($0)", key: ObjectKey(rawValue: 7))
        }
        for (number, object) in objects.enumerated() {
            try owner.run(.setItem(ItemWrite(name: "x", value: [UInt8(0x30 + number)])), on: object)
        }
        for round in 1...4 {
            sleep(&owner.state, from: UInt64(round) * 1000)
            #expect(owner.state.coldCount == owner.state.objectCount)
            let snapshot = owner.state.encodeSnapshot()
            #expect(try ShardState(snapshot: snapshot).encodeSnapshot() == snapshot)
            for number in (round - 1)..<3 {
                let answer = try owner.run(.getItem("x"), on: objects[number])
                #expect(answer.text == item("\(number)", at: 1000))
            }
            if round < 4 { try owner.run(.clear, on: objects[round - 1]) }
        }
        #expect(owner.state.objectCount == 0 && store.count == 0)
    }

    @Test func aSnapshotOfSpeculationLeavesColdObjectsAlone() throws {
        var owner = owner()
        try owner.set("x", #"{"value":1}"#)
        sleep(&owner.state)
        let committed = owner.state.encodeSnapshot()
        let other = TestOwner.object("other")
        _ = owner.execute(
            Request(object: other, operation: .setItem(ItemWrite(name: "x", value: [0x32]))))
        #expect(owner.state.encodeSnapshot() == committed)
        #expect(owner.state.coldCount == 1 && store.count == 1)
    }

    @Test func aStateThatIsReplacedGivesItsSlotsBack() throws {
        var owner = owner()
        try owner.set("x", #"{"value":1}"#)
        let snapshot = owner.state.encodeSnapshot()
        sleep(&owner.state)
        owner.state.replace(with: try ShardState(snapshot: snapshot))
        #expect(store.count == 0 && owner.state.hibernatedTotal == 1)
        sleep(&owner.state)
        #expect(owner.state.coldCount == 1 && owner.state.encodeSnapshot() == snapshot)
    }

    @Test func damageStopsTheProcess() async {
        await #expect(processExitsWith: .failure) {
            let store = MemoryColdObjects()
            var owner = TestOwner()
            owner.state.keepCold(in: store)
            try owner.set("x", #"{"value":1}"#)
            _ = owner.state.hibernate(nowMs: 1000, idleSinceMs: 0, atMost: 9)
            _ = owner.state.hibernate(nowMs: 1020, idleSinceMs: 1010, atMost: 9)
            // The first byte is one of the object's key.
            store.damage(ColdSlot(rawValue: 1), at: 0)
            _ = owner.state.encodeSnapshot().count
            _ = try owner.get("x")
        }
    }

    /// 100,000 objects must fit into 120 MB: a hot one has 8 bytes more than its state.
    @Test func anObjectsPlaceIsSmall() {
        #expect(MemoryLayout<ObjectTable.Entry>.stride <= MemoryLayout<ObjectState>.size + 16 + 12 + 8)
    }
}
