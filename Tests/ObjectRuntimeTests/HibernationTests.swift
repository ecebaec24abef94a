import Testing

@testable import ObjectRuntime

/// Objects that leave memory and come back.
@Suite struct HibernationTests {
    private let source = MemoryObjectSource()
    private var owner: TestOwner

    init() {
        owner = TestOwner()
        owner.state = ShardState(source: source)
    }

    /// Two calls, between which nothing was used: everything committed goes, once it is stored.
    @discardableResult
    private mutating func sleep(from nowMs: UInt64 = 1000, atMost limit: Int = .max) throws -> Int {
        _ = owner.state.hibernate(nowMs: nowMs, idleSinceMs: 0, atMost: limit)
        let looked = owner.state.hibernate(nowMs: nowMs + 20, idleSinceMs: nowMs + 10, atMost: limit)
        try checkpoint()
        return looked
    }

    private mutating func checkpoint() throws {
        let checkpoint = owner.state.beginCheckpoint()
        source.take(try #require(checkpoint))
        owner.state.endCheckpoint()
    }

    private mutating func fill(_ count: Int) throws -> [ObjectID] {
        let objects = (0..<count).map { TestOwner.object("o\($0)") }
        for object in objects { try owner.run(.setItem(ItemWrite(name: "x", value: [0x31])), on: object) }
        return objects
    }

    @Test mutating func whatIsNotCommittedStays() throws {
        try owner.set("x", #"{"value":1}"#)
        let set = Operation.setItem(ItemWrite(name: "x", value: [0x32]))
        _ = owner.execute(Request(object: TestOwner.object("o"), operation: set))
        try sleep()
        #expect(owner.state.coldCount == 0 && owner.state.loadedCount == 1)
        try owner.commitAll()
        try sleep(from: 2000)
        #expect(owner.state.coldCount == 1 && owner.state.loadedCount == 0 && owner.state.loadedBytes == 0)
    }

    @Test mutating func aReadWakesAndALookDoesNot() throws {
        try owner.set("x", #"{"value":1}"#)
        try sleep()
        let object = TestOwner.object("o")
        #expect(owner.state.touchedIndex(of: object) == 1 && owner.state.objectCount == 1)
        #expect(owner.state.item("x", of: object) != nil && owner.state.objectIDs() == [object])
        #expect(owner.state.coldCount == 1 && owner.state.wokenTotal == 0)
        #expect(try owner.get("x") == item("1", at: 1000))
        #expect(owner.state.coldCount == 0 && owner.state.wokenTotal == 1)
    }

    @Test mutating func theLongestUnusedGoFirstAndNoMoreThanAsked() throws {
        let objects = try fill(10)
        try checkpoint()
        _ = owner.state.hibernate(nowMs: 1000, idleSinceMs: 0, atMost: 100)
        _ = owner.state.hibernate(nowMs: 2000, idleSinceMs: 0, atMost: 100)
        try owner.run(.getItem("x"), on: objects[0])
        #expect(owner.state.hibernate(nowMs: 3000, idleSinceMs: 1500, atMost: 4) == 4)
        #expect(owner.state.hibernate(nowMs: 3000, idleSinceMs: 1500, atMost: 100) == 5)
        #expect(owner.state.coldCount == 9)
        try owner.run(.getItem("x"), on: objects[0])
        #expect(owner.state.wokenTotal == 0, "it was used in between")
    }

    @Test mutating func dirtyObjectsLeaveWithTheNextCheckpointUnlessTheyAreUsed() throws {
        let objects = try fill(4)
        _ = owner.state.hibernate(nowMs: 1000, idleSinceMs: 0, atMost: 100)
        #expect(owner.state.hibernate(nowMs: 3000, idleSinceMs: 2000, atMost: 100) == 4)
        #expect(owner.state.hibernate(nowMs: 4000, idleSinceMs: 3500, atMost: 100) == 0, "none is looked at twice")
        #expect(owner.state.loadedCount == 4 && owner.state.dirtyBytes == owner.state.loadedBytes)
        try owner.run(.getItem("x"), on: objects[2])
        try checkpoint()
        #expect(owner.state.loadedCount == 1 && owner.state.dirtyBytes == 0 && owner.state.hibernatedTotal == 3)
        try owner.run(.getItem("x"), on: objects[2])
        #expect(owner.state.wokenTotal == 0)
    }

    @Test mutating func forWantOfMemoryTheLeastRecentlyUsedLeave() throws {
        let objects = try fill(10)
        try checkpoint()
        _ = owner.state.hibernate(nowMs: 1000, idleSinceMs: 0, atMost: 0)
        try owner.run(.getItem("x"), on: objects[0])
        let half = owner.state.loadedBytes / 2
        #expect(owner.state.evict(toBytes: half, atMost: 2) == 2)
        #expect(owner.state.evict(toBytes: half, atMost: 100) == 3)
        #expect(owner.state.loadedCount == 5 && owner.state.loadedBytes <= half)
        #expect(owner.state.evict(toBytes: 0, atMost: 100) == 5)
        #expect(owner.state.loadedBytes == 0 && owner.state.objectCount == 10)
        #expect(try owner.run(.getItem("x"), on: objects[0]).text == item("1", at: 1000))
    }

    @Test mutating func objectsOfOneKeyAreToldApartWhileStored() throws {
        let objects = (0..<3).map {
            ObjectID(project: "p", objectClass: "c", id: "o\($0)", key: ObjectKey(rawValue: 7))
        }
        for (number, object) in objects.enumerated() {
            try owner.run(.setItem(ItemWrite(name: "x", value: [UInt8(0x30 + number)])), on: object)
        }
        for round in 1...4 {
            try sleep(from: UInt64(round) * 1000)
            #expect(owner.state.coldCount == owner.state.objectCount && source.records.count == 4 - round)
            for number in (round - 1)..<3 {
                let answer = try owner.run(.getItem("x"), on: objects[number])
                #expect(answer.text == item("\(number)", at: 1000))
            }
            if round < 4 { try owner.run(.clear, on: objects[round - 1]) }
        }
        #expect(owner.state.objectCount == 0)
    }

    @Test mutating func withoutASourceEverythingStays() throws {
        owner.state = ShardState()
        try owner.set("x", #"{"value":1}"#)
        _ = owner.state.hibernate(nowMs: 1000, idleSinceMs: 0, atMost: 9)
        #expect(owner.state.hibernate(nowMs: 9000, idleSinceMs: 8000, atMost: 9) == 0)
        #expect(owner.state.evict(toBytes: 0, atMost: 9) == 0 && owner.state.loadedCount == 1)
    }

    /// Beside what objects took of a process's memory, measured by its growth (x86-64 Linux, glibc).
    @Test(arguments: [(64, 1, 443), (10_240, 1, 12_541), (64, 10, 2_442), (1_000, 2, 2_556)])
    func whatIsLoadedIsEstimatedWell(valueBytes: Int, items: Int, measuredBytes: Int) throws {
        var owner = TestOwner()
        owner.comparesEachCommit = false
        let value = Array("\"\(String(repeating: "v", count: valueBytes - 2))\"".utf8)
        for number in 0..<50 {
            let object = TestOwner.object("object-\(number)", project: "demo", objectClass: "counter")
            for item in 0..<items {
                try owner.run(.setItem(ItemWrite(name: ItemName("item\(item)"), value: value)), on: object)
            }
        }
        let estimate = owner.state.loadedBytes / 50
        #expect(measuredBytes * 85 / 100...measuredBytes * 115 / 100 ~= estimate)
    }

    // MARK: Damage

    private mutating func damaged() throws -> Request {
        try owner.set("x", #"{"value":1}"#)
        try sleep()
        let object = TestOwner.object("o")
        source.damage(StoreKey(object), at: 3)
        return Request(object: object, operation: .increment("x", by: 1, WriteOptions()))
    }

    @Test mutating func whatCannotBeReadIsNeitherExecutedNorTakenForAbsent() throws {
        let request = try damaged()
        #expect(owner.state.execute(request, owner.context()) == .unavailable(.damaged))
        #expect(owner.state.isDamaged && owner.state.damage != nil && owner.state.lastIndex == 1)
    }

    @Test mutating func anEntryForWhatCannotBeReadIsNotApplied() throws {
        let request = try damaged()
        var twin = owner.replica
        guard case .write(let payload, _) = twin.execute(request, owner.context()) else {
            Issue.record("a write was expected")
            return
        }
        try owner.state.apply(payload: payload, index: 2, epoch: 1)
        #expect(owner.state.isDamaged && owner.state.committedIndex == 1)
    }

    @Test func aDamagedStateIsNotUsed() async {
        await #expect(processExitsWith: .failure) {
            var tests = HibernationTests()
            let request = try tests.damaged()
            _ = tests.owner.state.execute(request, tests.owner.context())
            _ = tests.owner.state.execute(request, tests.owner.context())
        }
    }

    /// Very many objects must fit: a loaded one has little more than its state.
    @Test func anObjectsPlaceIsSmall() {
        #expect(MemoryLayout<ObjectTable.Entry>.stride <= 80)
    }
}
