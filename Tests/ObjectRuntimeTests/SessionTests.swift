import Binary
import Testing

@testable import ObjectRuntime

/// Connections that objects remember, and what frames say of them (O15).
struct SessionTests {
    private static let object = TestOwner.object("o")
    private static let ada = ConnectionID(unique: 1, object: object, keyID: "k", secret: TestOwner.hashKey)
    private static let bob = ConnectionID(unique: 2, object: object, keyID: "k", secret: TestOwner.hashKey)
    private static let first = ObjectRuntime.Attachment(incarnation: 5, number: 1)
    private static let second = ObjectRuntime.Attachment(incarnation: 6, number: 1)

    private func join(
        _ connection: ConnectionID, _ attachment: ObjectRuntime.Attachment, _ json: String = "{}"
    ) -> Operation {
        .session(.join(connection, attachment, SocketPayload(json: Array(json.utf8))))
    }

    @Test func theListIsInTheOrderOfJoining() throws {
        var owner = TestOwner()
        try owner.run(join(Self.bob, Self.first, "{\"n\":1}"))
        owner.nowMs += 5
        try owner.run(join(Self.ada, Self.first, "\"secret\""))
        let list = try owner.run(.presenceList).text
        #expect(
            list == "[{\"connectionId\":\"\(Self.bob)\",\"joinedAt\":1000,\"data\":{\"n\":1}},"
                + "{\"connectionId\":\"\(Self.ada)\",\"joinedAt\":1005,\"data\":\"secret\"}]")
        owner.nowMs += 5
        try owner.run(join(Self.bob, Self.first, "{\"n\":2}"))
        #expect(try owner.run(.presenceList).text.hasSuffix("\"joinedAt\":1010,\"data\":{\"n\":2}}]"))
    }

    @Test func aLeaveNamesItsAttachment() throws {
        var owner = TestOwner()
        try owner.run(join(Self.ada, Self.first))
        try owner.run(.session(.resume(Self.ada, Self.second)))
        try owner.run(.session(.leave(Self.ada, Self.first)))
        #expect(try owner.run(.presenceList).text != "[]")
        try owner.run(.session(.leave(Self.ada, Self.second)))
        #expect(try owner.run(.presenceList).text == "[]")
        #expect(owner.state.objectCount == 0)
        #expect(owner.state.sessionIncarnations.isEmpty)
    }

    @Test func aLateJoinOfAnEarlierSocketIsStale() throws {
        var owner = TestOwner()
        try owner.run(.session(.resume(Self.ada, Self.second)))
        try owner.run(join(Self.ada, Self.first))
        #expect(try owner.run(.presenceList).text == "[]")
        try owner.run(join(Self.ada, Self.second))
        #expect(try owner.run(.presenceList).text != "[]")
    }

    @Test func edgesThatAreGoneLoseTheirConnectionsOnce() throws {
        var owner = TestOwner()
        try owner.run(join(Self.ada, Self.first))
        try owner.run(join(Self.bob, Self.second))
        let gone = owner.state.sessions(of: 5)
        #expect(gone.map(\.object) == [Self.object])
        let departure = owner.state.executeDeparture(of: gone[0].records, from: Self.object, owner.context())
        let payload = try #require(departure)
        owner.index += 1
        owner.payloads.append((owner.index, payload))
        #expect(owner.state.executeDeparture(of: gone[0].records, from: Self.object, owner.context()) == nil)
        try owner.commitAll()
        #expect(owner.state.sessionIncarnations == [6])
        let list = try owner.run(.presenceList).text
        #expect(list.contains("\(Self.bob)") && !list.contains("\(Self.ada)"))
    }

    @Test func whatAllHaveJoinedWithIsBounded() throws {
        var owner = TestOwner()
        owner.limits.presenceBytesPerObject = 20
        #expect(try owner.run(join(Self.ada, Self.first, "\"12345678\"")).text == "204")
        #expect(try owner.run(join(Self.bob, Self.first, "\"123456789\"")).text == "413 validationError.presence.tooLarge")
        #expect(try owner.run(join(Self.bob, Self.first, "\"12345678\"")).text == "204")
        #expect(try owner.run(join(Self.bob, Self.first, "\"87654321\"")).text == "204")
    }

    @Test func whatIsTakenBackIsForgotten() throws {
        var owner = TestOwner()
        try owner.run(join(Self.ada, Self.first))
        let before = owner.state.encodeSnapshot()
        _ = owner.state.execute(Request(object: Self.object, operation: join(Self.bob, Self.first)), owner.context())
        owner.state.rollBack(above: owner.index)
        #expect(owner.state.encodeSnapshot() == before)
        #expect(owner.state.sessionCount == 1)
    }

    @Test func tooManyAreRefused() throws {
        var owner = TestOwner()
        owner.limits.sessionsPerObject = 1
        try owner.run(join(Self.ada, Self.first))
        #expect(try owner.run(join(Self.bob, Self.first)).text == "429 rateLimitError.sessions")
        #expect(try owner.run(join(Self.ada, Self.first)).text == "204")
    }

    // MARK: - Ids

    @Test func anIdProvesForWhomItWasMade() {
        let id = Self.ada
        #expect(id.isOf(Self.object, keyID: "k", secret: TestOwner.hashKey))
        #expect(!id.isOf(Self.object, keyID: "l", secret: TestOwner.hashKey))
        #expect(!id.isOf(TestOwner.object("p"), keyID: "k", secret: TestOwner.hashKey))
        #expect(!id.isOf(Self.object, keyID: "k", secret: SipHash(key0: 3, key1: 4)))
        let text = "\(id)"
        #expect(text.utf8.count == 36)
        #expect(ConnectionID(text) == id)
        let damaged = [text + "0", String(text.dropLast()) + "G", "\(text.prefix(8))_\(text.dropFirst(9))"]
        for wrong in ["", "x"] + damaged {
            #expect(ConnectionID(wrong) == nil)
        }
    }

    // MARK: - Frames

    private func frame(_ text: String) -> ClientFrame? { ClientFrame.parse(Array(text.utf8)) }

    @Test func framesAreReadAndJunkIsNot() {
        #expect(frame("{\"event\":\"ping\"}")?.event == .ping)
        #expect(frame("{\"event\":\"presence:leave\",\"keyVersion\":3}")?.event == .leave)
        #expect(
            frame("{\"event\":\"message\",\"payload\":{\"a\" : 1.0},\"keyVersion\":0}")?.event
                == .message(SocketPayload(json: Array("{\"a\" : 1.0}".utf8), keyVersion: 0)))
        #expect(
            frame(
                "{\"event\":\"resume\",\"connectionId\":\"x\",\"after\":{\"epoch\":2,\"index\":7,\"n\":1}}")?.event
                == .resume(connectionID: "x", after: EventPoint(epoch: 2, index: 7, ordinal: 1)))
        #expect(frame("{\"event\":\"whatever\"}")?.event == .unknown)
        let proven = frame(
            "{\"event\":\"presence:join\",\"payload\":{},"
                + "\"auth\":{\"identityToken\":\"t\",\"userIdSignature\":\"s\"}}")
        #expect(proven?.identityToken == "t" && proven?.userIDSignature == "s")
        for junk in [
            "", "x", "[]", "7", "{}", "{\"event\":7}", "{\"event\":\"ping\"", "{\"event\":\"message\"}",
            "{\"event\":\"presence:join\",\"payload\":[1]}", "{\"event\":\"presence:join\",\"payload\":null}",
            "{\"event\":\"message\",\"payload\":1,\"keyVersion\":1.5}",
            "{\"event\":\"message\",\"payload\":1,\"keyVersion\":-1}", "{\"event\":\"resume\"}",
            "{\"event\":\"resume\",\"connectionId\":\"x\",\"after\":{\"epoch\":-1,\"index\":1}}",
            "{\"event\":\"auth\"}",
        ] {
            #expect(frame(junk) == nil, "\(junk)")
        }
    }

    @Test func aVersionIsNeverNull() {
        let plain = FrameRendering.message(SocketPayload(json: Array("1".utf8)))
        #expect(String(decoding: plain, as: UTF8.self) == "{\"event\":\"message\",\"payload\":1}")
        let sealed = FrameRendering.message(SocketPayload(json: Array("\"x\"".utf8), keyVersion: 0))
        #expect(String(decoding: sealed, as: UTF8.self) == "{\"event\":\"message\",\"payload\":\"x\",\"keyVersion\":0}")
    }

    @Test func noFrameTraps() {
        var random = SplitMix(seed: 3)
        let valid = Array(
            "{\"event\":\"resume\",\"connectionId\":\"x\",\"after\":{\"epoch\":2,\"index\":7,\"n\":1}}".utf8)
        for _ in 0..<20_000 {
            var bytes = valid
            for _ in 0...(random.next() % 4) {
                let position = Int(random.next() % UInt64(bytes.count))
                if random.next() % 2 == 0 {
                    bytes[position] = UInt8(truncatingIfNeeded: random.next())
                } else {
                    bytes.remove(at: position)
                }
            }
            _ = ClientFrame.parse(bytes)
        }
    }

    @Test func sessionOperationsAndEventsRoundTrip() throws {
        let operations: [Operation] = [
            join(Self.ada, Self.first, "{\"a\":1}"), .session(.leave(Self.bob, Self.second)),
            .session(.resume(Self.ada, Self.first)), .presenceList,
            .message(SocketPayload(json: Array("1".utf8), keyVersion: 4), sender: Self.bob),
            .listen(
                ListenRequest(
                    after: EventPoint(epoch: 1, index: 2, ordinal: 3), feed: FeedAddress(loop: 1, number: 9),
                    seats: SeatRequest(revision: 5, held: 6, wanted: 7), hasListened: true)),
            .listen(ListenRequest(after: nil, feed: nil, hasListened: false)),
        ]
        for operation in operations {
            var writer = ByteWriter()
            operation.encode(into: &writer)
            var reader = ByteReader(writer.bytes)
            #expect(try Operation(from: &reader) == operation)
            try reader.finish()
        }
        let hearing = Hearing(
            through: .end(epoch: 1, index: 4), isGap: true,
            events: [
                FeedEvent(point: EventPoint(epoch: 1, index: 3), content: .frame([1, 2])),
                FeedEvent(point: EventPoint(epoch: 1, index: 4), content: .moved(Self.ada, Self.first)),
            ], seats: 7)
        var writer = ByteWriter()
        Reply.hearing(hearing).encode(into: &writer)
        var reader = ByteReader(writer.bytes)
        #expect(try Reply(from: &reader) == .hearing(hearing))
    }

    @Test func entriesOfTheFirstVersionAreRead() throws {
        var owner = TestOwner()
        let request = Request(object: Self.object, operation: .increment("n", by: 1, WriteOptions()))
        guard case .write(let payload, _) = owner.execute(request) else {
            Issue.record("an increment writes")
            return
        }
        var old = Array(payload.dropLast())
        old[0] = 1
        var replica = ShardState()
        try replica.apply(payload: old, index: 1, epoch: 1)
        #expect(replica.item("n", of: Self.object) != nil)
    }
}
