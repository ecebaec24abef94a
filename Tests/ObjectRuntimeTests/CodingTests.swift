import Binary
import Testing

@testable import ObjectRuntime

/// Everything that is sent or stored comes back as it was, and no bytes trap a decoder.
@Suite struct CodingTests {
    private func encoded(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        body(&writer)
        return writer.bytes
    }

    /// Cuts and flips: only errors or values may come out, no trap.
    private func damage(_ bytes: [UInt8], seed: UInt64, _ decode: ([UInt8]) throws -> Void) {
        var random = SplitMix(seed: seed)
        for end in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 300)) {
            #expect(throws: DecodingFailure.self) { try decode(Array(bytes[..<end])) }
        }
        for _ in 0..<300 where !bytes.isEmpty {
            var broken = bytes
            for _ in 0...random.next() % 3 {
                broken[Int(random.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = try? decode(broken)
        }
        let noise = (0..<200).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        _ = try? decode(noise)
    }

    @Test func requestsComeBackAndDamagedOnesAreRefused() throws {
        var operations = RandomOperations(seed: 51)
        for round in 0..<300 {
            let request = Request(
                object: operations.object(), operation: operations.operation(nowMs: 1000),
                id: operations.id(counter: UInt64(round)),
                settledBelow: UInt64(round / 2), isRetry: round % 2 == 0, knownIndex: UInt64(round) << 20)
            let bytes = encoded { request.encode(into: &$0) }
            var reader = ByteReader(bytes)
            #expect(try Request(from: &reader) == request)
            #expect(reader.isAtEnd)
            if round % 10 == 0 {
                damage(bytes, seed: UInt64(round)) { bytes in
                    var reader = ByteReader(bytes)
                    _ = try Request(from: &reader)
                    try reader.finish()
                }
            }
        }
    }

    @Test func answersComeBackAndDamagedOnesAreRefused() throws {
        let replies: [Reply] = [.json(Array("{}".utf8)), .noContent, .absent, .refused(.versionMismatch)]
        for reply in replies {
            for applied in [Applied.yes, .no, .unknown] {
                let answer = Answer(reply: reply, index: 77, replayed: applied == .no, applied: applied)
                let bytes = encoded { answer.encode(into: &$0) }
                var reader = ByteReader(bytes)
                #expect(try Answer(from: &reader) == answer)
                damage(bytes, seed: 5) { bytes in
                    var reader = ByteReader(bytes)
                    _ = try Answer(from: &reader)
                    try reader.finish()
                }
            }
        }
    }

    @Test func entriesComeBackAndDamagedOnesAreRefusedByTheReplica() throws {
        var owner = TestOwner()
        var operations = RandomOperations(seed: 52)
        for round in 0..<200 {
            owner.nowMs += UInt64(operations.below(4))
            let before = owner.replica
            _ = owner.execute(
                Request(
                    object: operations.object(), operation: operations.operation(nowMs: owner.nowMs),
                    id: operations.id(counter: UInt64(round))))
            if let (index, payload) = owner.payloads.first {
                #expect(try ShardEntry(payload: payload).encode() == payload)
                damage(payload, seed: UInt64(round)) { payload in
                    var replica = before
                    try replica.apply(payload: payload, index: index, epoch: 1)
                }
            }
            try owner.commitAll()
        }
    }

    @Test func snapshotsComeBackAndDamagedOnesAreRefused() throws {
        var owner = TestOwner()
        var operations = RandomOperations(seed: 53)
        for round in 0..<300 {
            owner.nowMs += UInt64(operations.below(4))
            let request = Request(
                object: operations.object(), operation: operations.operation(nowMs: owner.nowMs),
                id: operations.id(counter: UInt64(round)), settledBelow: UInt64(max(0, round - 30)))
            _ = owner.execute(request)
        }
        let context = owner.context()
        let retirement = owner.state.executeRetirement(of: [9, 2], context)
        let (payload, index) = try #require(retirement)
        owner.payloads.append((index, payload))
        owner.index = index
        try owner.commitAll()
        let snapshot = owner.state.encodeSnapshot()
        let restored = try ShardState(snapshot: snapshot)
        #expect(restored.encodeSnapshot() == snapshot)
        #expect(restored.itemCount == owner.state.itemCount && restored.byteCount == owner.state.byteCount)
        #expect(restored.objectIDs() == owner.state.objectIDs() && restored.window == owner.state.window)
        damage(snapshot, seed: 6) { _ = try ShardState(snapshot: $0) }
    }

    @Test func aSnapshotDoesNotRepeatALargeValueForEveryRecentAnswer() throws {
        var owner = TestOwner()
        owner.comparesEachCommit = false
        let large = "[" + String(repeating: "1234567,", count: 12_000) + "0]"
        try owner.set("x", #"{"value":\#(large)}"#)
        for counter in 0..<50 {
            let id = OperationID.edge(stream: EdgeStream(incarnation: 1, loop: 0), counter: UInt64(counter))
            _ = try owner.run(.push("x", value: [0x31], WriteOptions()), id: id)
        }
        let snapshot = owner.state.encodeSnapshot()
        #expect(snapshot.count < large.utf8.count + 10_000)
        #expect(try ShardState(snapshot: snapshot).window == owner.state.window)
    }

    @Test func objectIDsKeepTheirPartsApart() throws {
        let id = ObjectID(project: "p/1", objectClass: "ü", id: "", hashKey: TestOwner.hashKey)
        #expect(
            id.project == "p/1" && id.objectClass == "ü" && id.id == "" && id.hasKey(of: TestOwner.hashKey))
        let other = ObjectID(project: "p", objectClass: "/1ü", id: "", hashKey: TestOwner.hashKey)
        #expect(id != other && id.canonical != other.canonical)
        var reader = ByteReader(encoded { id.encode(into: &$0) })
        #expect(try ObjectID(from: &reader) == id)
    }

    @Test func objectsWithTheSameKeyAreStillTwo() throws {
        let key = ObjectKey(rawValue: 5)
        let objects = ["a", "b"].map { ObjectID(project: "p", objectClass: "c", id: $0, key: key) }
        var owner = TestOwner()
        for (number, object) in objects.enumerated() {
            try owner.run(.setItem(ItemWrite(name: "x", value: [UInt8(0x30 + number)])), on: object)
        }
        #expect(try owner.run(.getItem("x"), on: objects[0]).text == item("0", at: 1000))
        #expect(try owner.run(.getItem("x"), on: objects[1]).text == item("1", at: 1000))
        #expect(owner.state.objectIDs() == objects)
    }

    @Test func namesCompareAsTheirBytes() {
        var random = SplitMix(seed: 54)
        let texts = (0..<300).map { _ in (0..<random.next() % 20).map { _ in UInt8(random.next() % 3) &* 97 }
        }
        for first in texts {
            for second in texts {
                #expect((ItemName(first) < ItemName(second)) == first.lexicographicallyPrecedes(second))
                #expect((ItemName(first) == ItemName(second)) == (first == second))
            }
            #expect(ItemName(first).bytes == first && ItemName(first).count == first.count)
        }
    }
}
