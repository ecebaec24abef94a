import Testing

@testable import ObjectRuntime

/// What an owner refuses for a project's quota, and what it never does.
@Suite struct QuotaTests {
    private var owner = TestOwner()
    private static let full = ProjectRoom.Bound(used: 5, limit: 5)
    private static let connection = ConnectionID(
        unique: 1, object: TestOwner.object("o"), keyID: "k", secret: TestOwner.hashKey)
    private static let attachment = Attachment(incarnation: 1, number: 1)

    private mutating func set(_ name: String, _ value: String, on object: String = "o") throws -> String {
        let write = ItemWrite(name: ItemName(name), value: Array(value.utf8))
        return try owner.run(.setItem(write), on: TestOwner.object(object)).text
    }

    private static func join(_ json: String) -> Operation {
        .session(.join(connection, attachment, SocketPayload(json: Array(json.utf8), keyVersion: nil)))
    }

    @Test mutating func theLastObjectFitsAndTheNextDoesNot() throws {
        owner.room = ProjectRoom(objects: .init(used: 4, limit: 5))
        #expect(try set("a", "1").hasPrefix("{"))
        owner.room = ProjectRoom(objects: Self.full)
        #expect(try set("a", "2", on: "new") == "429 rateLimitError.quota.objects")
        #expect(try set("b", "2").hasPrefix("{"), "the object is there already")
        #expect(owner.state.objectCount == 1)
        let makers: [Operation] = [
            Self.join("1"), .encryptionSettings(saltBytes: 16), .increment("n", by: 1, WriteOptions()),
        ]
        for operation in makers {
            let answer = try owner.run(operation, on: TestOwner.object("new"))
            #expect(answer.text == "429 rateLimitError.quota.objects", "\(operation)")
            #expect(answer.applied == .no)
        }
    }

    @Test mutating func bytesCountNamesAndValuesToTheByte() throws {
        owner.room = ProjectRoom(bytes: .init(used: 90, limit: 100))
        #expect(try set("ab", "12345678").hasPrefix("{"))
        #expect(try set("cd", "123456789") == "429 rateLimitError.quota.bytes")
        owner.room = ProjectRoom(bytes: .init(used: 100, limit: 100))
        #expect(try owner.atomic("push", "e", #"{"value":1}"#) == "429 rateLimitError.quota.bytes")
        #expect(try set("ab", "87654321").hasPrefix("{"), "as long as before")
        #expect(try set("ab", "1").hasPrefix("{"), "shorter than before")
    }

    @Test mutating func overItsQuotaAProjectReadsAndRemoves() throws {
        _ = try owner.setAll(#"{"a":{"value":1},"b":{"value":2},"c":{"value":3}}"#)
        _ = try owner.run(Self.join("1"))
        let over = ProjectRoom.Bound(used: 9, limit: 5)
        owner.room = ProjectRoom(objects: over, bytes: over)
        #expect(try owner.run(.keys(prefix: "")).text == #"["a","b","c"]"#)
        #expect(try owner.run(.getItem("a")).text.hasPrefix("{"))
        #expect(try owner.run(.presenceList).text.hasPrefix("["))
        #expect(try owner.run(.removeItem("a")).text == "204")
        #expect(try owner.run(.session(.leave(Self.connection, Self.attachment))).text == "204")
        #expect(try owner.run(.session(.resume(Self.connection, Self.attachment))).text == "204")
        #expect(try owner.run(.clear).text == "204")
        #expect(owner.state.itemCount == 0)
    }

    @Test mutating func aRefusalForAQuotaIsNotRememberedForAKey() throws {
        let id = OperationID.client(apiKey: "k", key: "once", requestHash: 1)
        owner.room = ProjectRoom(objects: Self.full)
        let refused = try owner.run(.increment("n", by: 1, WriteOptions()), id: id)
        #expect(refused.text == "429 rateLimitError.quota.objects")
        #expect(owner.index == 0, "nothing is written")
        owner.room = nil
        let done = try owner.run(.increment("n", by: 1, WriteOptions()), id: id)
        #expect(done.applied == .yes && !done.replayed)
        owner.room = ProjectRoom(objects: Self.full, bytes: Self.full)
        #expect(try owner.run(.increment("n", by: 1, WriteOptions()), id: id).replayed)
    }

    @Test mutating func oneCallIsRefusedAsAWhole() throws {
        owner.room = ProjectRoom(bytes: .init(used: 0, limit: 4))
        #expect(
            try owner.setAll(#"{"a":{"value":1},"b":{"value":2},"c":{"value":3}}"#)
                == "429 rateLimitError.quota.bytes")
        #expect(owner.state.itemCount == 0)
        #expect(try owner.setAll(#"{"a":{"value":1},"b":{"value":2}}"#).hasPrefix("{"))
    }

    @Test func noRefusalForAQuotaUsesWordsThatTheClientWouldRetryOn() throws {
        for kind in QuotaKind.allCases {
            let refusal = Refusal.quota(kind, "x")
            #expect(refusal.status == 429 && refusal.quotaKind == kind && !refusal.code.contains("retry"))
        }
        for room in [ProjectRoom(objects: Self.full), ProjectRoom(bytes: Self.full)] {
            let refusal = #expect(throws: Refusal.self) { try room.check(newObjects: 1, newBytes: 1) }
            let message = try #require(refusal?.message)
            #expect(message.contains("5") && !message.hasPrefix("5"))
            for word in ["please", "try again", "temporarily", "internal"] {
                #expect(!message.lowercased().contains(word))
            }
        }
        #expect(Refusal.windowFull.quotaKind == nil)
    }

    @Test mutating func usageIsByProjectAndGoesWithWhatIsRemoved() throws {
        for (project, object) in [("p", "a"), ("p", "b"), ("q", "a"), ("r", "a")] {
            let write = ItemWrite(name: "name", value: Array("12345".utf8))
            _ = try owner.run(.setItem(write), on: TestOwner.object(object, project: project))
        }
        #expect(
            owner.state.usage == [
                ProjectUsage(project: "p", objects: 2, bytes: 18), ProjectUsage(project: "q", objects: 1, bytes: 9),
                ProjectUsage(project: "r", objects: 1, bytes: 9),
            ])
        for object in ["a", "b"] { _ = try owner.run(.clear, on: TestOwner.object(object, project: "p")) }
        #expect(owner.state.usage.map(\.project) == ["q", "r"])
    }

    @Test func seatsAreGrantedUpToTheLimitAndNeverTakenAway() {
        func granted(_ held: UInt64, _ wanted: UInt64, others: UInt64, limit: UInt64) -> UInt64 {
            SeatRequest(held: held, wanted: wanted).granted(others: others, limit: limit)
        }
        #expect(granted(0, 1, others: 0, limit: 1) == 1)
        #expect(granted(0, 1, others: 1, limit: 1) == 0)
        #expect(granted(1, 5, others: 2, limit: 6) == 4)
        #expect(granted(3, 5, others: 9, limit: 6) == 3)
        #expect(granted(3, 0, others: 0, limit: 6) == 3)
        let most = UInt64(SeatRequest.countMax)
        #expect(granted(most, most, others: most * 4_096, limit: .max) == most)
    }

    @Test func timesToLiveAreBoundedOnBothSides() throws {
        func ttl(_ text: String) throws -> UInt64? {
            let body = Array(#"{"value":1,"ttl":\#(text)}"#.utf8)
            guard case .setItem(let write) = try OperationParser.setItem(body: body, name: "n", keyVersion: nil)
            else { return nil }
            return write.options.ttlMs
        }
        #expect(try ttl("1") == 1)
        #expect(try ttl("0.25") == 1)
        #expect(try ttl("315360000000") == WriteOptions.longestTTLMs)
        #expect(try ttl("315360000001") == WriteOptions.longestTTLMs + 1, "which is never")
        #expect(try ttl("1e300") == WriteOptions.longestTTLMs + 1)
        for wrong in ["0", "-1", "-0.5", "\"1\"", "null", "true"] {
            #expect(throws: Refusal.self) { try ttl(wrong) }
        }
    }
}
