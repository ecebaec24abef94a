import Testing

@testable import ObjectRuntime

/// The rows of the protocol's table of atomic operations, each cell a test.
@Suite struct AtomicOperationTests {
    private var owner = TestOwner()

    // MARK: increment and decrement

    @Test mutating func incrementOfAnAbsentItemCountsFromZero() throws {
        #expect(try owner.atomic("increment", "n", #"{"value":1}"#) == item("1", at: 1000))
        #expect(try owner.atomic("decrement", "m", #"{"value":5}"#) == item("-5", at: 1000))
    }

    @Test mutating func incrementIsDoubleAddition() throws {
        try owner.set("n", #"{"value":0.1}"#)
        owner.nowMs = 1010
        #expect(
            try owner.atomic("increment", "n", #"{"value":0.2}"#)
                == item("0.30000000000000004", at: 1000, 1010))
        #expect(try owner.atomic("decrement", "n", #"{"value":1}"#) == item("-0.7", at: 1000, 1011))
    }

    @Test mutating func negativeZeroIsPrintedAsZero() throws {
        try owner.set("n", #"{"value":-1}"#)
        try owner.atomic("increment", "n", #"{"value":1}"#)
        #expect(owner.value("n") == "0")
        try owner.set("n", #"{"value":-0.0}"#)
        try owner.atomic("increment", "n", #"{"value":-0}"#)
        #expect(owner.value("n") == "0")
    }

    @Test(arguments: [#""1""#, "null", "true", "[1]", "{}"])
    mutating func incrementOfAnotherTypeIsRefused(value: String) throws {
        try owner.set("n", #"{"value":\#(value)}"#)
        #expect(try owner.atomic("increment", "n", #"{"value":1}"#) == "400 validationError.item.type")
        #expect(owner.value("n") == value)
    }

    @Test(arguments: [#"{}"#, #"{"value":"1"}"#, #"{"value":null}"#, #"{"value":[1]}"#])
    mutating func incrementByWhatIsNoNumberIsRefused(body: String) throws {
        #expect(try owner.atomic("increment", "n", body).hasPrefix("400 validationError.value"))
        #expect(try owner.get("n") == "404")
    }

    @Test mutating func aResultThatIsNotFiniteIsRefused() throws {
        try owner.set("n", #"{"value":1.7e308}"#)
        #expect(
            try owner.atomic("increment", "n", #"{"value":1.7e308}"#) == "400 validationError.value.notFinite"
        )
        #expect(
            try owner.atomic("increment", "n", #"{"value":1e999}"#) == "400 validationError.value.notFinite")
        #expect(owner.value("n") == "1.7e308")
    }

    // MARK: push

    @Test mutating func pushOnAnAbsentItemMakesAnArray() throws {
        #expect(try owner.atomic("push", "a", #"{"value":{"x":1}}"#) == item(#"[{"x":1}]"#, at: 1000))
    }

    @Test mutating func pushAppendsOneElement() throws {
        try owner.set("a", #"{"value":[ ]}"#)
        try owner.atomic("push", "a", #"{"value":1}"#)
        #expect(owner.value("a") == "[ 1]")
        #expect(try owner.atomic("push", "a", #"{"value":[2, 3]}"#) == item("[ 1,[2, 3]]", at: 1000, 1002))
    }

    @Test mutating func pushWithoutAValuePushesNull() throws {
        #expect(try owner.atomic("push", "a", "{}") == item("[null]", at: 1000))
    }

    @Test(arguments: [#""[]""#, "null", "1", "{}"])
    mutating func pushOnAnotherTypeIsRefused(value: String) throws {
        try owner.set("a", #"{"value":\#(value)}"#)
        #expect(try owner.atomic("push", "a", #"{"value":1}"#) == "400 validationError.item.type")
        #expect(owner.value("a") == value)
    }

    // MARK: splice

    @Test mutating func spliceOfAnAbsentItemMakesAnArray() throws {
        #expect(
            try owner.atomic("splice", "a", #"{"startIndex":3,"deleteCount":1,"items":[1,2]}"#)
                == item("[1,2]", at: 1000))
        #expect(try owner.atomic("splice", "b", "{}") == item("[]", at: 1000))
    }

    @Test(arguments: [
        (#"{"startIndex":1,"deleteCount":1}"#, "[0,2,3]"),
        (#"{"startIndex":-1,"deleteCount":1}"#, "[0,1, 2]"),
        (#"{"startIndex":-9,"deleteCount":2,"items":["x"]}"#, #"["x", 2,3]"#),
        (#"{"startIndex":9,"deleteCount":2,"items":[4]}"#, "[0,1, 2,3,4]"),
        (#"{"startIndex":0,"deleteCount":-3,"items":[9,8]}"#, "[9,8,0,1, 2,3]"),
        (#"{"startIndex":2,"deleteCount":99}"#, "[0,1]"),
        (#"{"startIndex":0,"deleteCount":4}"#, "[]"), (#"{}"#, "[0,1, 2,3]"),
        (#"{"startIndex":1.9,"deleteCount":1.9}"#, "[0,2,3]"),
        (#"{"startIndex":1e300,"items":[5]}"#, "[0,1, 2,3,5]"),
        (#"{"startIndex":-1e300,"deleteCount":1e300}"#, "[]"),
    ])
    mutating func spliceWorksAsInJavaScript(body: String, expected: String) throws {
        try owner.set("a", #"{"value":[0,1, 2,3]}"#)
        try owner.atomic("splice", "a", body)
        #expect(owner.value("a") == expected)
    }

    @Test(arguments: [#"{"startIndex":"1"}"#, #"{"deleteCount":null}"#, #"{"items":1}"#, #"{"items":{}}"#])
    mutating func spliceWithIllTypedMembersIsRefused(body: String) throws {
        try owner.set("a", #"{"value":[0]}"#)
        #expect(try owner.atomic("splice", "a", body).hasPrefix("400 validationError."))
        #expect(owner.value("a") == "[0]")
    }

    @Test mutating func spliceOfAnotherTypeIsRefused() throws {
        try owner.set("a", #"{"value":{}}"#)
        #expect(try owner.atomic("splice", "a", "{}") == "400 validationError.item.type")
    }

    // MARK: merge

    @Test mutating func mergeIntoAnAbsentItemMakesTheObject() throws {
        #expect(try owner.atomic("merge", "o", #"{"value":{"a": 1}}"#) == item(#"{"a": 1}"#, at: 1000))
    }

    @Test mutating func mergeIsShallowAndKeepsTheOrderOfMembers() throws {
        try owner.set("o", #"{"value":{"a":1,"b":{"x":1},"c":3}}"#)
        try owner.atomic("merge", "o", #"{"value":{"d":4,"b":{"y":2}}}"#)
        #expect(owner.value("o") == #"{"a":1,"b":{"y":2},"c":3,"d":4}"#)
        #expect(
            try owner.atomic("merge", "o", #"{"value":{}}"#)
                == item(#"{"a":1,"b":{"y":2},"c":3,"d":4}"#, at: 1000, 1002))
    }

    /// Many edits are gathered; what comes out is what as many small merges make. Members that stay lie between them.
    @Test(arguments: [2, 7, 40]) mutating func aLargeMergeIsAsManySmallOnes(step: Int) throws {
        let text = "{" + (0..<2_000).map { "\"m\($0)\": \($0)" }.joined(separator: ", ") + "}"
        for name in ["all", "each"] { try owner.atomic("merge", name, #"{"value":"# + text + "}") }
        let members = stride(from: 0, to: 2_100, by: step).map { "\"m\($0)\":\"changed \($0)\"" }
        try owner.atomic("merge", "all", #"{"value":{"# + members.joined(separator: ",") + "}}")
        for start in stride(from: 0, to: members.count, by: 8) {
            let some = members[start..<min(start + 8, members.count)].joined(separator: ",")
            try owner.atomic("merge", "each", #"{"value":{"# + some + "}}")
        }
        let values = try ["all", "each"].map { try #require(owner.value($0)) }
        #expect(values[0] == values[1])
        #expect(values[0].contains("\"m0\": \"changed 0\", \"m1\": 1"))
    }

    @Test mutating func mergeMeetsNamesThatAreEscapedDifferently() throws {
        try owner.set("o", #"{"value":{"\u0061":1,"\ud83d\ude00":2}}"#)
        try owner.atomic("merge", "o", #"{"value":{"a":7,"😀":8}}"#)
        #expect(owner.value("o") == #"{"\u0061":7,"\ud83d\ude00":8}"#)
    }

    @Test mutating func mergeWithManyMembersMeetsEachOne() throws {
        let members = (0..<40).map { "\"m\($0)\":\($0)" }.joined(separator: ",")
        try owner.set("o", "{\"value\":{\(members)}}")
        let others = (20..<60).map { "\"m\($0)\":-1" }.joined(separator: ",")
        try owner.atomic("merge", "o", "{\"value\":{\(others)}}")
        let expected = (0..<60).map { "\"m\($0)\":\($0 < 20 ? $0 : -1)" }.joined(separator: ",")
        #expect(owner.value("o") == "{\(expected)}")
    }

    @Test(arguments: ["[]", "1", #""{}""#, "null"])
    mutating func mergeOfAnotherTypeIsRefused(value: String) throws {
        try owner.set("o", #"{"value":\#(value)}"#)
        #expect(try owner.atomic("merge", "o", #"{"value":{"a":1}}"#) == "400 validationError.item.type")
        #expect(try owner.atomic("merge", "p", #"{"value":\#(value)}"#) == "400 validationError.value")
        #expect(try owner.atomic("merge", "p", "{}") == "400 validationError.value")
    }

    // MARK: setIn

    @Test mutating func setInOfAnAbsentItemStartsFromAnEmptyObject() throws {
        #expect(
            try owner.atomic("set-in", "o", #"{"path":"a.b","value":1}"#) == item(#"{"a":{"b":1}}"#, at: 1000)
        )
    }

    @Test(arguments: [
        (#"{"a":{"b":1}}"#, #"{"path":"a.b","value":2}"#, #"{"a":{"b":2}}"#),
        (#"{"a":{"b":1}}"#, #"{"path":"..a...c.","value":2}"#, #"{"a":{"b":1,"c":2}}"#),
        (#"{"a.b":1}"#, #"{"path":["a.b"],"value":2}"#, #"{"a.b":2}"#),
        (#"{"a":null}"#, #"{"path":"a.b.c","value":2}"#, #"{"a":{"b":{"c":2}}}"#),
        (#"{"a":7,"z":1}"#, #"{"path":"a.b","value":[]}"#, #"{"a":{"b":[]},"z":1}"#),
        (#"{"a":[1,2]}"#, #"{"path":"a.1","value":"x"}"#, #"{"a":[1,"x"]}"#),
        (#"{"a":[1]}"#, #"{"path":"a.3","value":4}"#, #"{"a":[1,null,null,4]}"#),
        (#"[]"#, #"{"path":["1","k"],"value":4}"#, #"[null,{"k":4}]"#),
        (#"[[0]]"#, #"{"path":"0.0","value":4}"#, #"[[4]]"#),
        (#"{ }"#, #"{"path":"a\"b"}"#, #"{"a\"b":null }"#),
        (#"{"a":1,"a":{"b":1}}"#, #"{"path":"a.b","value":2}"#, #"{"a":1,"a":{"b":2}}"#),
    ])
    mutating func setInFollowsThePath(value: String, body: String, expected: String) throws {
        try owner.set("o", #"{"value":\#(value)}"#)
        try owner.atomic("set-in", "o", body)
        #expect(owner.value("o") == expected)
    }

    @Test(arguments: ["a.x", "a.-1", "a.01", "a.1e0", "a.99999999999"])
    mutating func setInWithAnotherPartOnAnArrayIsRefused(path: String) throws {
        try owner.set("o", #"{"value":{"a":[1]}}"#)
        #expect(
            try owner.atomic("set-in", "o", #"{"path":"\#(path)","value":1}"#) == "400 validationError.path")
    }

    @Test(arguments: [
        #"{"path":""}"#, #"{"path":"..."}"#, #"{"path":[]}"#, #"{"path":[1]}"#, #"{"path":1}"#, #"{}"#,
        #"{"path":"\ud800"}"#,
    ])
    mutating func setInWithoutAPathIsRefused(body: String) throws {
        #expect(try owner.atomic("set-in", "o", body) == "400 validationError.path")
    }

    @Test(arguments: ["1", "null", #""x""#, "true"])
    mutating func setInOnAScalarIsRefused(value: String) throws {
        try owner.set("o", #"{"value":\#(value)}"#)
        #expect(
            try owner.atomic("set-in", "o", #"{"path":"a","value":1}"#) == "400 validationError.item.type")
        #expect(owner.value("o") == value)
    }

    @Test mutating func setInFarBeyondAnArrayIsRefusedWithoutFillingMemory() throws {
        try owner.set("o", #"{"value":[]}"#)
        #expect(
            try owner.atomic("set-in", "o", #"{"path":"999999999","value":1}"#)
                == "413 validationError.value.tooLarge")
    }

    // MARK: what all have in common

    static let words = ["increment", "decrement", "push", "splice", "merge", "set-in"]

    private static func body(_ word: String, _ more: String = "") -> String {
        switch word {
        case "merge": #"{"value":{}\#(more)}"#
        case "set-in": #"{"path":"a","value":1\#(more)}"#
        case "splice": #"{"items":[1]\#(more)}"#
        default: #"{"value":1\#(more)}"#
        }
    }

    @Test(arguments: words)
    mutating func theVersionMustMatchIfGiven(word: String) throws {
        #expect(
            try owner.atomic(word, "x", Self.body(word, #","updatedAt":1000"#))
                == "409 conflictError.updatedAt.mismatch")
        let made = try owner.atomic(word, "x", Self.body(word))
        #expect(
            try owner.atomic(word, "x", Self.body(word, #","updatedAt":999"#))
                == "409 conflictError.updatedAt.mismatch")
        #expect(try owner.get("x") == made)
        #expect(
            try owner.atomic(word, "x", Self.body(word, #","updatedAt":1000"#)).contains(#""updatedAt":1001"#)
        )
    }

    @Test(arguments: words)
    mutating func anOperationKeepsTheExpiryUnlessItBringsOne(word: String) throws {
        try owner.atomic(word, "x", Self.body(word, #","ttl":500"#))
        owner.nowMs = 1100
        #expect(try owner.atomic(word, "x", Self.body(word)).hasSuffix(#""expiresAt":1500}"#))
        #expect(try owner.atomic(word, "x", Self.body(word, #","ttl":700"#)).hasSuffix(#""expiresAt":1800}"#))
    }

    @Test(arguments: words)
    mutating func anExpiredItemIsAbsentForAnOperation(word: String) throws {
        try owner.set("x", #"{"value":"other type","ttl":10}"#)
        owner.nowMs = 1010
        let answer = try owner.atomic(word, "x", Self.body(word))
        #expect(answer.contains(#""createdAt":1010,"updatedAt":1010,"expiresAt":253402300799999}"#))
    }

    @Test(arguments: words)
    mutating func anOperationOnAnEncryptedValueLeavesNoKeyVersion(word: String) throws {
        _ = try owner.run(.encryptionSettings(saltBytes: 16))
        try owner.set("x", #"{"value":"cipher"}"#, keyVersion: 0)
        #expect(try owner.atomic(word, "x", Self.body(word)) == "400 validationError.item.type")
        let plain = ["increment": "1", "decrement": "1", "push": "[]", "splice": "[]"][word] ?? "{}"
        try owner.set("x", #"{"value":\#(plain)}"#, keyVersion: 0)
        let answer = try owner.atomic(word, "x", Self.body(word))
        #expect(answer.hasPrefix(#"{"value":"#) && !answer.contains("keyVersion"))
    }
}
