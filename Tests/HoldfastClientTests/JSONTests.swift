import Testing

@testable import HoldfastClient

@Suite struct JSONTests {
    @Test(arguments: [
        "null", "true", "false", "0", "-0", "1.50", "1e5", "-12.5E-3", "123456789012345678901234567890",
        "\"\"",
        "\"caf\u{e9}\"", "[]", "[1,[2,[]]]", "{}", "{\"b\":1,\"a\":{\"c\":[null]}}",
    ])
    func writesBackWhatItRead(text: String) throws {
        #expect(try JSON(parsing: text).description == text)
    }

    @Test func readsEscapes() throws {
        let text = #""\"\\\/\b\f\n\r\t\u0041\ud83d\ude00\ud800x""#
        #expect(try JSON(parsing: text).text == "\"\\/\u{8}\u{c}\n\r\tA\u{1F600}\u{FFFD}x")
    }

    @Test func quotesWhatItWrites() throws {
        let hard = "a\"b\\c\n\u{1}\u{1F600}"
        #expect(try JSON(parsing: JSON.string(hard).bytes).text == hard)
    }

    @Test(arguments: [
        "", " ", "nul", "tru", "01", "1.", ".5", "+1", "-", "1e", "[1,]", "[1", "{\"a\"}", "{\"a\":}",
        "{a:1}", "\"\u{1}\"",
        "\"abc", "\"\\x\"", "\"\\u12g4\"", "1 2", "[1}", "{\"a\":1,}", "\"\\", "\"\\u1", "NaN",
    ])
    func refusesWhatIsNoDocument(text: String) {
        #expect(throws: JSONFailure.self) { try JSON(parsing: text) }
    }

    @Test func refusesBrokenUTF8AndBottomlessNesting() {
        #expect(throws: JSONFailure.self) { try JSON(parsing: [0x22, 0xFF, 0x22]) }
        #expect(throws: JSONFailure.self) { try JSON(parsing: String(repeating: "[", count: 100_000)) }
        #expect(throws: Never.self) {
            try JSON(parsing: String(repeating: "[", count: 500) + String(repeating: "]", count: 500))
        }
    }

    @Test func survivesEveryCutAndEveryFlippedByte() {
        let bytes = Array(#"{"a":[1,-2.5e3,"x\u00e9\n",true,null],"b":{"c":"\ud83d\ude00"}}"#.utf8)
        for cut in 0..<bytes.count {
            #expect(throws: JSONFailure.self) { try JSON(parsing: Array(bytes[..<cut])) }
        }
        for position in bytes.indices {
            for mask: UInt8 in [0x01, 0x02, 0x20, 0x80] {
                var damaged = bytes
                damaged[position] ^= mask
                if let json = try? JSON(parsing: damaged) {
                    #expect((try? JSON(parsing: json.bytes)) == json)
                }
            }
        }
    }

    @Test func looksUpMembersAndNumbers() throws {
        let json = try JSON(parsing: #"{"n":7,"x":1.5,"s":"t","l":[1]}"#)
        #expect(json["n"]?.int == 7)
        #expect(json["x"]?.int == nil)
        #expect(json["x"]?.double == 1.5)
        #expect(json["s"]?.text == "t")
        #expect(json["l"]?.elements?.count == 1)
        #expect(json["nothing"] == nil)
    }
}
