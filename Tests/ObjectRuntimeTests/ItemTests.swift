import Testing

@testable import ObjectRuntime

/// Items and calls, by the details of the protocol's sections 5 and 6.
@Suite struct ItemTests {
    private var owner = TestOwner()

    @Test mutating func theValueIsKeptAsItWasSent() throws {
        let value = #"{ "b":1.50,"a" : [1e2, "\ud800", "\u00e9é"],"a":-0}"#
        #expect(
            try owner.set("x", #" { "ttl" : 5 , "value" : \#(value) , "other":{} } "#).hasPrefix(
                #"{"value":\#(value),"createdAt""#))
    }

    @Test(arguments: ["0", #""""#, "false", "null", "[]", "{}"])
    mutating func everyValueCanBeStored(value: String) throws {
        try owner.set("x", #"{"value":\#(value)}"#)
        #expect(try owner.get("x") == item(value, at: 1000))
    }

    @Test mutating func aMissingItemHasNoBody() throws {
        let execution = owner.execute(Request(object: TestOwner.object("o"), operation: .getItem("x")))
        #expect(execution == .read(Answer(reply: .absent, index: 0, applied: .yes), restsOn: 0))
    }

    @Test mutating func theVersionRisesStrictlyInOneMillisecond() throws {
        try owner.set("x", #"{"value":1}"#)
        #expect(try owner.set("x", #"{"value":1}"#) == item("1", at: 1000, 1001))
        #expect(try owner.set("x", #"{"value":1}"#) == item("1", at: 1000, 1002))
    }

    @Test mutating func theVersionRisesWhenTheClockFallsBack() throws {
        try owner.set("x", #"{"value":1}"#)
        owner.nowMs = 10
        #expect(try owner.set("x", #"{"value":1}"#) == item("1", at: 1000, 1001))
        #expect(try owner.set("y", #"{"value":1}"#) == item("1", at: 1000))
    }

    @Test mutating func theVersionRisesOverRemovalAndExpiry() throws {
        for _ in 0..<5 { try owner.set("x", #"{"value":1,"ttl":1}"#) }
        _ = try owner.run(.removeItem("x"))
        #expect(try owner.set("x", #"{"value":2,"ttl":1}"#).contains(#""createdAt":1005,"updatedAt":1005"#))
        owner.nowMs = 1001
        #expect(try owner.set("x", #"{"value":3}"#) == item("3", at: 1006))
    }

    @Test mutating func createdAtStaysWhileTheItemLives() throws {
        try owner.set("x", #"{"value":1}"#)
        owner.nowMs = 2000
        #expect(try owner.set("x", #"{"value":2}"#) == item("2", at: 1000, 2000))
        _ = try owner.run(.removeItem("x"))
        owner.nowMs = 3000
        #expect(try owner.set("x", #"{"value":3}"#) == item("3", at: 3000))
    }

    // MARK: ttl

    @Test(
        arguments: [
            ("1", 1001), ("1.9", 1001), ("0.2", 1001), ("500", 1500), ("315360000000", 315_360_001_000),
            ("315360000001", Item.never), ("1e30", Item.never), ("1e999", Item.never),
        ] as [(String, UInt64)])
    mutating func theExpiryIsTheTimeOfTheWritePlusTTL(ttl: String, expected: UInt64) throws {
        #expect(try owner.set("x", #"{"value":1,"ttl":\#(ttl)}"#) == item("1", at: 1000, until: expected))
    }

    @Test(arguments: ["0", "-1", "null", #""5""#, "true", "[]", "-1e999", "0e5"])
    mutating func aTTLThatIsNoPositiveNumberIsRefused(ttl: String) throws {
        #expect(try owner.set("x", #"{"value":1,"ttl":\#(ttl)}"#) == "400 validationError.ttl")
        #expect(
            try owner.setAll(#"{"a":{"value":1},"x":{"value":1,"ttl":\#(ttl)}}"#) == "400 validationError.ttl"
        )
        #expect(try owner.get("a") == "404")
    }

    @Test mutating func theClassMaySetADefaultTTL() throws {
        owner.defaultTTLMs = 100
        #expect(try owner.set("x", #"{"value":1}"#) == item("1", at: 1000, until: 1100))
        #expect(try owner.atomic("increment", "n", #"{"value":1}"#) == item("1", at: 1000, until: 1100))
        #expect(try owner.set("x", #"{"value":1,"ttl":5}"#) == item("1", at: 1000, 1001, until: 1005))
        owner.nowMs = 1002
        #expect(try owner.atomic("increment", "x", #"{"value":1}"#) == item("2", at: 1000, 1002, until: 1005))
        #expect(try owner.set("x", #"{"value":1}"#) == item("1", at: 1000, 1003, until: 1102))
    }

    @Test mutating func anExpiredItemIsAbsentForEverything() throws {
        func fresh() throws {
            owner = TestOwner()
            _ = try owner.setAll(#"{"x":{"value":1,"ttl":10},"y":{"value":2}}"#)
            owner.nowMs = 1010
        }
        try fresh()
        #expect(try owner.get("x") == "404")
        try fresh()
        #expect(try owner.run(.getItems(["x", "y"])).text == #"{"y":\#(item("2", at: 1000))}"#)
        try fresh()
        #expect(try owner.run(.getAll(prefix: "")).text == #"{"y":\#(item("2", at: 1000))}"#)
        try fresh()
        #expect(try owner.run(.keys(prefix: "")).text == #"["y"]"#)
        try fresh()
        #expect(try owner.set("x", #"{"value":1,"ifAbsent":true}"#) == item("1", at: 1010))
        try fresh()
        #expect(
            try owner.set("x", #"{"value":1,"updatedAt":1000}"#) == "409 conflictError.updatedAt.mismatch")
        #expect(owner.state.item("x", of: TestOwner.object("o")) == nil)
    }

    @Test mutating func aReadThatMeetsAnExpiredItemMakesTheEntryThatRemovesIt() throws {
        try owner.set("x", #"{"value":1,"ttl":10}"#)
        owner.nowMs = 1010
        let object = TestOwner.object("o")
        for operation in [Operation.getItem("x"), .getItems(["x"]), .getAll(prefix: "x"), .keys(prefix: "")] {
            var copy = owner
            guard
                case .write(let payload, let answer) = copy.execute(
                    Request(object: object, operation: operation))
            else {
                Issue.record("\(operation) wrote nothing")
                continue
            }
            #expect(answer.applied == .yes && answer.index == 2)
            #expect(try ShardState.changes(in: payload)?.changes == [.expire("x")])
        }
        owner.nowMs = 1009
        #expect(try owner.get("x") == item("1", at: 1000, until: 1010))
        // Time in the log never goes back: once expired, always expired.
        owner.nowMs = 1010
        #expect(try owner.get("x") == "404")
        owner.nowMs = 1000
        #expect(try owner.set("z", #"{"value":1}"#).contains(#""createdAt":1010"#))
    }

    // MARK: ifAbsent and updatedAt

    @Test mutating func ifAbsentLosesWithoutAnAnswer() throws {
        #expect(try owner.set("x", #"{"value":1,"ifAbsent":true}"#) == item("1", at: 1000))
        #expect(try owner.set("x", #"{"value":2,"ifAbsent":true}"#) == "204")
        #expect(try owner.set("x", #"{"value":2,"ifAbsent":true,"updatedAt":5}"#) == "204")
        #expect(
            try owner.set("z", #"{"value":2,"ifAbsent":true,"updatedAt":5}"#)
                == "409 conflictError.updatedAt.mismatch")
        #expect(owner.value("x") == "1")
    }

    @Test(arguments: [
        #""ifAbsent":1"#, #""ifAbsent":null"#, #""updatedAt":"5""#, #""updatedAt":null"#, #""updatedAt":1.5"#,
        #""updatedAt":-1"#,
    ])
    mutating func illTypedOptionsAreRefused(option: String) throws {
        #expect(try owner.set("x", #"{"value":1,\#(option)}"#).hasPrefix("400 validationError."))
    }

    @Test mutating func theVersionOfAnotherItemIsAMismatch() throws {
        try owner.set("x", #"{"value":1}"#)
        #expect(try owner.set("x", #"{"value":2,"updatedAt":1000}"#) == item("2", at: 1000, 1001))
        #expect(
            try owner.set("x", #"{"value":3,"updatedAt":1000}"#) == "409 conflictError.updatedAt.mismatch")
        #expect(
            try owner.set("absent", #"{"value":3,"updatedAt":1000}"#)
                == "409 conflictError.updatedAt.mismatch")
    }

    // MARK: several items

    @Test mutating func setItemsAnswersWithAllThatWereSet() throws {
        try owner.set("b", #"{"value":0}"#)
        let answer = try owner.setAll(#"{"c":{"value":3},"b":{"value":2,"ifAbsent":true},"a":{"value":1}}"#)
        #expect(answer == #"{"a":\#(item("1", at: 1000)),"c":\#(item("3", at: 1000))}"#)
        #expect(try owner.setAll("{}") == "{}")
        #expect(try owner.setAll(#"{"b":{"value":2,"ifAbsent":true}}"#) == "{}")
    }

    @Test(arguments: [
        (#"{"a":{"value":1},"b":{"value":1,"updatedAt":5}}"#, "409 conflictError.updatedAt.mismatch"),
        (#"{"a":{"value":1},"b":{"ttl":1}}"#, "400 validationError.value.missing"),
        (#"{"a":{"value":1},"b":1}"#, "400 validationError.body.form"),
        (#"{"a":{"value":1},"":{"value":1}}"#, "400 validationError.name"),
        (#"{"a":{"value":1},"\ud800":{"value":1}}"#, "400 validationError.name"),
        (#"[1]"#, "400 validationError.body.json"), (#"{"a":{"value":1}}x"#, "400 validationError.body.json"),
    ])
    mutating func setItemsIsAllOrNothing(body: String, expected: String) throws {
        #expect(try owner.setAll(body) == expected)
        #expect(try owner.run(.getAll(prefix: "")).text == "{}")
    }

    @Test mutating func ofRepeatedMembersTheLastCounts() throws {
        #expect(
            try owner.set("x", #"{"value":1,"ttl":"no","ttl":5,"value":2}"#)
                == item("2", at: 1000, until: 1005))
        #expect(
            try owner.setAll(#"{"a":{"value":1},"\u0061":{"value":2}}"#) == #"{"a":\#(item("2", at: 1000))}"#)
    }

    @Test mutating func namesInBodiesMeetNamesInPaths() throws {
        for name in [
            "é ü", "e\u{301}", "a/b", "q\"\\", "\u{1F600}", "tab\tnew\n", "nul\u{0}", "%41",
            String(repeating: "n", count: 300),
        ] {
            var body: [UInt8] = Array("{".utf8)
            appendJSONString(name.utf8, to: &body)
            _ = try owner.setAll(String(decoding: body, as: UTF8.self) + #":{"value":1}}"#)
            #expect(try owner.get(name) == item("1", at: 1000), "\(name)")
            owner = TestOwner()
        }
        // Composed and decomposed are two names.
        try owner.set("\u{e9}", #"{"value":1}"#)
        #expect(try owner.get("e\u{301}") == "404")
    }

    @Test mutating func listsAndPrefixesAreInTheOrderOfNames() throws {
        for name in [
            "b", "ab", "a", "abc", "", "ü", "averylongnamethatislong", "averylongname", "averylongnamex\u{1}",
        ] where !name.isEmpty {
            try owner.set(name, #"{"value":0}"#)
        }
        #expect(
            try owner.run(.keys(prefix: "")).text
                == #"["a","ab","abc","averylongname","averylongnamethatislong","averylongnamex\u0001","b","ü"]"#
        )
        #expect(try owner.run(.keys(prefix: "ab")).text == #"["ab","abc"]"#)
        #expect(try owner.run(.keys(prefix: "averylongnamet")).text == #"["averylongnamethatislong"]"#)
        #expect(try owner.run(.keys(prefix: "zz")).text == "[]")
        #expect(try owner.run(.getAll(prefix: "abc")).text == #"{"abc":\#(item("0", at: 1000))}"#)
        #expect(try owner.run(.getAll(prefix: "x")).text == "{}")
    }

    @Test mutating func getItemsGivesThoseThatAreThereOnce() throws {
        try owner.set("b", #"{"value":2}"#)
        #expect(try owner.run(.getItems(["b", "a", "b"])).text == #"{"b":\#(item("2", at: 1000))}"#)
        #expect(try owner.run(.getItems([])).text == "{}")
        #expect(try owner.run(.getItems(["a"])).text == "{}")
    }

    // MARK: removing

    @Test mutating func removingIsDoneAlsoWhenNothingIsThere() throws {
        #expect(try owner.run(.removeItem("x")).text == "204")
        try owner.set("x", #"{"value":1}"#)
        #expect(try owner.run(.removeItems(["x", "y"])).text == "204")
        #expect(try owner.get("x") == "404")
        #expect(owner.state.objectCount == 0)
    }

    @Test mutating func removalIsAnEventAlsoWhenNothingIsThere() throws {
        let request = Request(object: TestOwner.object("o"), operation: .removeItems(["x", "y"]))
        guard case .write(let payload, _) = owner.execute(request) else {
            throw DecodingProblem.nothingWritten
        }
        let entry = try #require(try ShardState.changes(in: payload))
        #expect(entry.changes == [.remove("x"), .remove("y")] && entry.changes.allSatisfy(\.isEvent))
    }

    @Test mutating func clearRemovesEachLivingItem() throws {
        _ = try owner.setAll(#"{"a":{"value":1},"b":{"value":2,"ttl":5},"c":{"value":3}}"#)
        owner.nowMs = 1005
        let request = Request(object: TestOwner.object("o"), operation: .clear)
        guard case .write(let payload, let answer) = owner.execute(request) else {
            throw DecodingProblem.nothingWritten
        }
        #expect(answer.text == "204")
        #expect(try ShardState.changes(in: payload)?.changes == [.expire("b"), .remove("c"), .remove("a")])
        #expect(try owner.run(.keys(prefix: "")).text == "[]")
    }

    @Test mutating func clearingNothingAndRemovingNoneWriteNothing() throws {
        for operation in [Operation.clear, .removeItems([])] {
            let execution = owner.execute(Request(object: TestOwner.object("o"), operation: operation))
            #expect(execution == .read(Answer(reply: .noContent, index: 0, applied: .yes), restsOn: 0))
        }
    }

    enum DecodingProblem: Error { case nothingWritten }
}
