import Binary
import Testing

@testable import ObjectRuntime

/// What listeners are told of the past: all of it, or that there is a gap (O14).
struct EventHistoryTests {
    /// Runs random writes on a few objects, and knows every event that ever was.
    private struct Twin {
        var owner = TestOwner()
        var random: SplitMix
        /// By object, in order.
        var truth: [Int: [EventPoint]] = [:]
        /// Some object was changed while nobody watched it, at this index.
        var unwatched: [Int: [UInt64]] = [:]

        init(seed: UInt64, limitBytes: Int) {
            random = SplitMix(seed: seed)
            owner.state.eventHistoryBytes = limitBytes
            owner.replica.eventHistoryBytes = limitBytes
        }

        static func object(_ number: Int) -> ObjectID { TestOwner.object("o\(number)") }

        mutating func write(watchedShare: Int) throws {
            let number = Int(random.next() % 4)
            let operation: Operation =
                switch random.next() % 5 {
                case 0: .clear
                case 1: .removeItem("a")
                case 2: .setItems([write("a"), write("b")])
                default: .increment("n", by: 1, WriteOptions())
                }
            let isWatched = random.next() % 100 < UInt64(watchedShare)
            let request = Request(object: Twin.object(number), operation: operation)
            var context = owner.context()
            context.isWatched = isWatched
            guard case .write(let payload, _) = owner.state.execute(request, context) else { return }
            owner.index += 1
            owner.payloads.append((owner.index, payload))
            note(try #require(try ShardState.changes(in: payload)), number, isWatched: isWatched)
            if random.next() % 4 == 0 { try owner.commitAll() }
        }

        private func write(_ name: ItemName) -> ItemWrite { ItemWrite(name: name, value: Array("1".utf8)) }

        private mutating func note(_ entry: OperationEntry, _ number: Int, isWatched: Bool) {
            if !isWatched { unwatched[number, default: []].append(owner.index) }
            let count = entry.changes.filter(\.isEvent).count
            for ordinal in 0..<count {
                truth[number, default: []].append(
                    EventPoint(epoch: 1, index: owner.index, ordinal: UInt32(ordinal)))
            }
        }
    }

    private func points(_ replay: EventReplay, after: EventPoint) -> [EventPoint]? {
        guard case .records(let records) = replay else { return nil }
        let all = records.flatMap { record in record.events.indices.map { record.point($0) } }
        return all.filter { $0 > after }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
    func nothingIsLostSilentlyAndNothingToldTwice(_ seed: UInt64) throws {
        var twin = Twin(seed: seed, limitBytes: seed % 2 == 0 ? 2_000 : 100_000)
        for step in 0..<400 {
            try twin.write(watchedShare: 80)
            if step % 100 == 99 {
                twin.owner.state.ageEventHistory()
                twin.owner.replica.ageEventHistory()
            }
            guard step % 7 == 0 else { continue }
            try twin.owner.commitAll()
            let number = Int(twin.random.next() % 4)
            let events = twin.truth[number] ?? []
            let chosen = Int(twin.random.next() % UInt64(max(1, events.count)))
            let after = events.isEmpty ? EventPoint.end(epoch: 1, index: 0) : events[chosen]
            for state in [twin.owner.state, twin.owner.replica] {
                let replay = state.replay(of: Twin.object(number), after: after, isUnwatchedPossible: true)
                guard let told = points(replay, after: after) else { continue }
                #expect(told == events.filter { $0 > after })
            }
        }
    }

    @Test(arguments: [UInt64(1), 2, 3, 4]) func whatWasWatchedAllAlongHasNoGap(_ seed: UInt64) throws {
        var twin = Twin(seed: seed, limitBytes: 10 << 20)
        for _ in 0..<300 { try twin.write(watchedShare: 100) }
        try twin.owner.commitAll()
        for number in 0..<4 {
            for after in (twin.truth[number] ?? []) + [.end(epoch: 1, index: 0)] {
                let replay = twin.owner.replica.replay(
                    of: Twin.object(number), after: after, isUnwatchedPossible: false)
                #expect(points(replay, after: after) == (twin.truth[number] ?? []).filter { $0 > after })
            }
        }
    }

    @Test func owedOnceMeansWhatIsCommittedOnly() throws {
        var owner = TestOwner()
        var context = owner.context()
        context.isWatched = true
        let request = Request(object: TestOwner.object("o"), operation: .increment("n", by: 1, WriteOptions()))
        guard case .write = owner.state.execute(request, context) else {
            Issue.record("an increment writes")
            return
        }
        let start = EventPoint.end(epoch: 1, index: 0)
        let object = TestOwner.object("o")
        #expect(owner.state.replay(of: object, after: start, isUnwatchedPossible: true) == .records([]))
        let records = owner.state.committed(through: 1)
        #expect(records.count == 1)
        #expect(owner.state.replay(of: object, after: start, isUnwatchedPossible: true) == .records(records))
    }

    /// What a full history drops is the same whatever is in it: the oldest large one first, else the oldest.
    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6]) func aFullHistoryDropsWhatASimpleOneDrops(_ seed: UInt64) {
        var random = SplitMix(seed: seed)
        var history = EventHistory()
        history.limitBytes = 8_000
        var twin: [EventRecord] = []
        for index in UInt64(1)...400 {
            let length = random.next() % 20 == 0 ? 2_000 : Int(random.next() % 200)
            let item = Item(
                value: JSONText(Array(repeating: UInt8(ascii: "1"), count: length + 1)), createdAt: 1, updatedAt: index,
                expiresAt: Item.never, keyVersion: nil)
            let record = EventRecord(
                object: TestOwner.object("o"), epoch: 1, index: index, previousTouched: index - 1, previousEvents: 1,
                wasPresent: true, leavesEmpty: false, events: [.set(NamedItem(name: "n", item: item))])
            if index == 200 { history.limitBytes = 5_000 }
            history.append(record)
            twin.append(record)
            let limit = history.limitBytes
            let newestBytes = twin.suffix(4).reduce(0) { $0 + $1.byteCount }
            while twin.reduce(0, { $0 + $1.byteCount }) > limit + newestBytes {
                twin.remove(at: twin.dropLast(4).firstIndex { $0.byteCount > limit / 8 } ?? 0)
            }
            #expect(history.records.map(\.index) == twin.map(\.index))
        }
    }

    /// A value of a megabyte of one object costs the listeners of others nothing.
    @Test func aLargeEventDoesNotDriveOutThoseOfOtherObjectsO14() throws {
        var owner = TestOwner()
        let text = Array("\"\(String(repeating: "x", count: 1_000_000))\"".utf8)
        let start = EventPoint.end(epoch: 1, index: 0)
        for _ in 0..<6 { try watch(&owner, "small", .increment("n", by: 1, WriteOptions())) }
        for _ in 0..<5 { try watch(&owner, "large", .setItems([ItemWrite(name: "a", value: text)])) }
        let small = owner.state.replay(of: TestOwner.object("small"), after: start, isUnwatchedPossible: false)
        #expect(points(small, after: start)?.count == 6)
        let object = TestOwner.object("large")
        #expect(owner.state.replay(of: object, after: start, isUnwatchedPossible: false) == .gap)
        // The four newest stay, however large.
        let late = EventPoint.end(epoch: 1, index: owner.index - 4)
        let newest = owner.state.replay(of: object, after: late, isUnwatchedPossible: false)
        #expect(points(newest, after: late)?.count == 4)
    }

    private func watch(_ owner: inout TestOwner, _ name: String, _ operation: Operation) throws {
        var context = owner.context()
        context.isWatched = true
        guard case .write(let payload, _) = owner.state.execute(
            Request(object: TestOwner.object(name), operation: operation), context)
        else {
            Issue.record("no write")
            return
        }
        owner.index += 1
        owner.payloads.append((owner.index, payload))
        try owner.commitAll()
    }

    @Test func whatWasRolledBackIsNeverTold() throws {
        var owner = TestOwner()
        var context = owner.context()
        context.isWatched = true
        let request = Request(object: TestOwner.object("o"), operation: .increment("n", by: 1, WriteOptions()))
        _ = owner.state.execute(request, context)
        owner.state.rollBack(above: 0)
        #expect(owner.state.committed(through: 1).isEmpty)
    }

    @Test func behindASnapshotNothingIsKnown() throws {
        var owner = TestOwner()
        owner.index = 0
        try owner.run(.increment("n", by: 1, WriteOptions()))
        try owner.run(.increment("n", by: 1, WriteOptions()))
        let restored = try ShardState(snapshot: owner.state.encodeSnapshot())
        let object = TestOwner.object("o")
        let early = EventPoint(epoch: 1, index: 1)
        #expect(restored.replay(of: object, after: early, isUnwatchedPossible: false) == .gap)
        let now = EventPoint(epoch: 1, index: 2)
        #expect(restored.replay(of: object, after: now, isUnwatchedPossible: false) == .records([]))
    }

    @Test func aPointAboveWhatIsCommittedIsAGap() throws {
        var owner = TestOwner()
        try owner.run(.increment("n", by: 1, WriteOptions()))
        let ahead = EventPoint(epoch: 1, index: 9)
        let object = TestOwner.object("o")
        #expect(owner.state.replay(of: object, after: ahead, isUnwatchedPossible: false) == .gap)
    }

    /// Entries count their events up to 254; of longer ones nobody knows whether all were told.
    @Test func aPointWithinALongEntryIsNotTakenForItsEndO14() throws {
        var owner = TestOwner()
        var context = owner.context()
        context.isWatched = true
        let writes = (0..<300).map { ItemWrite(name: ItemName(stringLiteral: "n\($0)"), value: Array("1".utf8)) }
        let request = Request(object: TestOwner.object("o"), operation: .setItems(writes))
        guard case .write(let payload, _) = owner.state.execute(request, context) else {
            Issue.record("no write")
            return
        }
        owner.index += 1
        owner.payloads.append((owner.index, payload))
        try owner.commitAll()
        for _ in 0..<2 { owner.state.ageEventHistory() }
        for ordinal: UInt32 in [0, 253, 254, 255, 298] {
            let point = EventPoint(epoch: 1, index: owner.index, ordinal: ordinal)
            #expect(owner.state.replay(of: request.object, after: point, isUnwatchedPossible: true) == .gap)
        }
        let end = EventPoint.end(epoch: 1, index: owner.index)
        #expect(owner.state.replay(of: request.object, after: end, isUnwatchedPossible: true) == .records([]))
    }

    /// The logs of neighbours count for themselves: what is put together has no one order of indexes (O13).
    @Test func aMergedHistoryCanBeReadBack() throws {
        func history(_ name: String, aged: [UInt64], fresh: [UInt64]) -> EventHistory {
            var history = EventHistory()
            for index in aged + fresh {
                let record = EventRecord(
                    object: TestOwner.object(name), epoch: 1, index: index, previousTouched: index - 1,
                    previousEvents: 1, wasPresent: true, leavesEmpty: false, events: [.removed("a")])
                history.adopt(record, aged.contains(index))
            }
            return history
        }
        var merged = history("left", aged: [50, 60], fresh: [70, 80])
        merged.merge(history("right", aged: [5, 6], fresh: [7]))
        var writer = ByteWriter()
        merged.encode(into: &writer)
        var reader = ByteReader(writer.bytes)
        let read = try EventHistory(from: &reader)
        var again = ByteWriter()
        read.encode(into: &again)
        #expect(again.bytes == writer.bytes)
    }
}
