import Testing

@testable import ObjectRuntime

@Suite struct OperationParserTests {
    private func code(_ parse: () throws(Refusal) -> Operation) -> String {
        do throws(Refusal) {
            _ = try parse()
            return "accepted"
        } catch {
            return "\(error.status) \(error.code)"
        }
    }

    @Test(arguments: [
        "", " ", "x", "[]", "1", "null", "{", #"{"value":1"#, #"{"value":1}}"#, #"{"value":1} {}"#,
        #"{"value":01}"#,
        #"{"value":1,}"#, "{\"value\":\"\u{1}\"}",
    ])
    func aBodyThatIsNoJSONObjectIsRefused(body: String) {
        let bytes = Array(body.utf8)
        #expect(
            code { () throws(Refusal) in try OperationParser.setItem(body: bytes, name: "x", keyVersion: nil)
            } == "400 validationError.body.json")
        #expect(
            code { () throws(Refusal) in try OperationParser.push(body: bytes, name: "x") }
                == "400 validationError.body.json")
        #expect(
            code { () throws(Refusal) in try OperationParser.encryptionSettings(body: bytes) }
                == "400 validationError.body.json")
    }

    @Test(arguments: ["", "{}", "1", "[1]", #"["a",null]"#, #"["a"#, #"["a"]]"#, #"["\udc00"]"#])
    func aBodyThatIsNoListOfNamesIsRefused(body: String) {
        #expect(
            code { () throws(Refusal) in try OperationParser.getItems(body: Array(body.utf8)) }.hasPrefix(
                "400 validationError."))
        #expect(
            code { () throws(Refusal) in try OperationParser.removeItems(body: Array(body.utf8)) }.hasPrefix(
                "400 validationError."))
    }

    @Test func aMissingValueIsRefused() {
        #expect(
            code { () throws(Refusal) in
                try OperationParser.setItem(body: Array("{}".utf8), name: "x", keyVersion: nil)
            }
                == "400 validationError.value.missing")
    }

    @Test func emptyNamesAreRefused() {
        let body = Array(#"{"value":1}"#.utf8)
        #expect(
            code { () throws(Refusal) in try OperationParser.setItem(body: body, name: "", keyVersion: nil) }
                == "400 validationError.name")
        #expect(
            code { () throws(Refusal) in try OperationParser.getItem(name: "") } == "400 validationError.name"
        )
        #expect(
            code { () throws(Refusal) in try OperationParser.increment(body: body, name: "") }
                == "400 validationError.name")
    }

    @Test func membersAreFoundAlsoWhenEscapedAndUnknownOnesIgnored() throws {
        let body = #"{"valuf":0,"v\u0061lue":[1],"extra":{"value":2},"tt":1}"#
        let operation = try OperationParser.setItem(body: Array(body.utf8), name: "x", keyVersion: 3)
        #expect(operation == .setItem(ItemWrite(name: "x", value: Array("[1]".utf8), keyVersion: 3)))
    }

    @Test func wordsOfOperationsAreKnownAndOthersAreNot() throws {
        for word in ["increment", "decrement", "push"] {
            #expect(
                try OperationParser.atomic(word: word, body: Array(#"{"value":1}"#.utf8), name: "x") != nil)
        }
        #expect(try OperationParser.atomic(word: "setIn", body: Array("{}".utf8), name: "x") == nil)
    }

    @Test func bodiesOfAllKindsNeverTrap() {
        var json = RandomJSON(seed: 31)
        json.names = [
            "value", "ttl", "updatedAt", "ifAbsent", "path", "items", "startIndex", "deleteCount",
            "saltLength", "a",
        ]
        var accepted = 0
        for round in 0..<3000 {
            var body = json.object(depth: 3)
            if round % 3 == 0 { body.remove(at: json.below(body.count)) }
            if round % 3 == 1 { body[json.below(body.count)] = UInt8(truncatingIfNeeded: json.random.next()) }
            for word in AtomicOperationTests.words {
                if (try? OperationParser.atomic(word: word, body: body, name: "x")) != nil { accepted += 1 }
            }
            _ = try? OperationParser.setItem(body: body, name: "x", keyVersion: nil)
            _ = try? OperationParser.setItems(body: body, keyVersion: nil)
            _ = try? OperationParser.getItems(body: json.array(depth: 2))
            _ = try? OperationParser.encryptionSettings(body: body)
        }
        #expect(accepted > 100)
    }

    @Test func aMessageThatEscapesMakeTooLongIsRefused() throws {
        let text = [UInt8](repeating: 1, count: Limits.messageBytes / 6)
        #expect(throws: Refusal.self) { try OperationParser.message(body: text, isText: true, keyVersion: nil) }
        let plain = [UInt8](repeating: 0x61, count: 2 << 20)
        #expect(throws: Never.self) { try OperationParser.message(body: plain, isText: true, keyVersion: nil) }
    }
}
