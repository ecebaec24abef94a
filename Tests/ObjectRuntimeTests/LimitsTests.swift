import Testing

@testable import ObjectRuntime

@Suite struct LimitsTests {
    private var owner = TestOwner()

    private func refusal(_ answer: Answer) -> Refusal? {
        if case .refused(let refusal) = answer.reply { return refusal }
        return nil
    }

    @Test mutating func longIDsAreRefusedByName() throws {
        let long = String(repeating: "x", count: 257)
        let byClass = refusal(try owner.run(.getItem("x"), on: TestOwner.object("o", objectClass: long)))
        #expect(
            byClass?.status == 400 && byClass?.message.contains("class") == true
                && byClass?.message.contains("256") == true)
        let byID = refusal(try owner.run(.clear, on: TestOwner.object(long)))
        #expect(byID?.status == 400 && byID?.message.contains("object id") == true)
        #expect(refusal(try owner.run(.clear, on: TestOwner.object(String(long.dropLast())))) == nil)
    }

    @Test mutating func longItemNamesAreRefusedEverywhere() throws {
        let name = ItemName(String(repeating: "é", count: 513))
        let options = WriteOptions()
        let operations: [Operation] = [
            .getItem(name), .getItems([name]), .removeItem(name), .removeItems(["a", name]),
            .setItem(ItemWrite(name: name, value: [0x31])), .setItems([ItemWrite(name: name, value: [0x31])]),
            .increment(name, by: 1, options), .push(name, value: [0x31], options),
            .merge(name, members: [0x7B, 0x7D], options),
            .splice(name, Splice(start: 0, deleteCount: 0), options),
            .setIn(name, path: [[0x61]], value: [0x31], options),
        ]
        for operation in operations {
            #expect(try owner.run(operation).text == "400 validationError.name.tooLong", "\(operation)")
        }
    }

    @Test mutating func aValueOverTheLimitIsRefusedHoweverItGrows() throws {
        owner.limits.valueBytes = 20
        #expect(
            try owner.set("x", #"{"value":"\#(String(repeating: "x", count: 19))"}"#)
                == "413 validationError.value.tooLarge")
        #expect(try owner.set("x", #"{"value":["\#(String(repeating: "x", count: 16))"]}"#).hasPrefix("{"))
        #expect(try owner.atomic("push", "x", #"{"value":1}"#) == "413 validationError.value.tooLarge")
        #expect(try owner.atomic("splice", "x", #"{"items":[1]}"#) == "413 validationError.value.tooLarge")
        #expect(
            try owner.atomic("set-in", "x", #"{"path":"1","value":1}"#)
                == "413 validationError.value.tooLarge")
        #expect(
            try owner.atomic("merge", "y", #"{"value":{"a":"\#(String(repeating: "x", count: 16))"}}"#)
                == "413 validationError.value.tooLarge")
        #expect(
            try owner.atomic("splice", "x", #"{"deleteCount":1,"items":[1]}"#).hasPrefix(#"{"value":[1],"#))
    }

    @Test mutating func tooManyItemsAreRefusedAndExpiredOnesMakeRoom() throws {
        owner.limits.itemsPerObject = 3
        _ = try owner.setAll(#"{"a":{"value":1,"ttl":10},"b":{"value":1},"c":{"value":1}}"#)
        #expect(try owner.set("d", #"{"value":1}"#) == "413 validationError.object.tooManyItems")
        #expect(try owner.set("a", #"{"value":2,"ttl":10}"#).hasPrefix("{"))
        owner.nowMs = 1010
        #expect(
            try owner.setAll(#"{"d":{"value":1},"e":{"value":1}}"#)
                == "413 validationError.object.tooManyItems")
        #expect(try owner.set("d", #"{"value":1}"#).hasPrefix("{"))
        #expect(try owner.run(.keys(prefix: "")).text == #"["b","c","d"]"#)
    }

    @Test mutating func anObjectOverItsBytesIsRefused() throws {
        owner.limits.objectBytes = 40
        #expect(try owner.set("a", #"{"value":"\#(String(repeating: "x", count: 30))"}"#).hasPrefix("{"))
        #expect(try owner.set("b", #"{"value":"1234567"}"#) == "413 validationError.object.tooLarge")
        #expect(try owner.set("a", #"{"value":1}"#).hasPrefix("{"))
        #expect(try owner.set("b", #"{"value":"1234567"}"#).hasPrefix("{"))
        #expect(owner.state.byteCount == 12)
    }

    @Test mutating func valuesNestedTooDeepAreRefusedHoweverTheyAreMade() throws {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(try owner.set("x", #"{"value":\#(nested(513))}"#).hasPrefix("400 "))
        #expect(try owner.set("x", #"{"value":\#(nested(512))}"#).hasPrefix("{"))
        #expect(
            try owner.atomic("push", "y", #"{"value":\#(nested(512))}"#) == "400 validationError.value.depth")
        #expect(try owner.atomic("push", "y", #"{"value":\#(nested(511))}"#).hasPrefix("{"))
        #expect(
            try owner.atomic("splice", "y", #"{"items":[\#(nested(512))]}"#)
                == "400 validationError.value.depth")
        let path = (0..<510).map { _ in #""p""# }.joined(separator: ",")
        #expect(
            try owner.atomic("set-in", "z", #"{"path":[\#(path)],"value":\#(nested(3))}"#)
                == "400 validationError.value.depth")
        #expect(try owner.atomic("set-in", "z", #"{"path":[\#(path)],"value":\#(nested(2))}"#).hasPrefix("{"))
        let value = try #require(owner.value("z"))
        #expect(try JSONScanner.check(Array(value.utf8)).depth == 512)
    }

    @Test mutating func noRefusalUsesWordsThatTheClientWouldRetryOn() throws {
        let all: [Refusal] = [
            .versionMismatch, .keyVersionMismatch, .keyReused, .windowFull, .outcomeUnknown, .emptyName,
            .tooDeep,
            .wrongType("push", wants: "an array", found: .null), .invalid("x", "x"), .tooLarge("x", "x"),
        ]
        for refusal in all {
            let text = refusal.message.lowercased()
            for word in [
                "internal server error", "please try again", "please retry", "temporarily unavailable",
                "try again later",
            ] {
                #expect(!text.contains(word))
            }
            #expect(
                !refusal.code.contains("retry") && refusal.status < 500 && !refusal.message.hasPrefix("5"))
        }
    }
}
