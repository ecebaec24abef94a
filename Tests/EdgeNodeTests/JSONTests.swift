import Testing

@testable import EdgeNode

struct JSONTests {
    @Test func outputIsEscapedAndSeparated() {
        let text = JSONOutput.object { page in
            page.member("a\"b\\", "line\nbreak\u{1}\u{7F}é")
            page.member("n", -5)
            page.member("f", false)
            page.key("list")
            page.array([1, 2]) { $0.value($1) }
            page.key("empty")
            page.array([Int]()) { $0.value($1) }
            page.key("o")
            page.object { $0.member("x", true) }
            page.key("none")
            page.null()
        }
        let wanted =
            #"{"a\"b\\":"line\u000abreak\u0001\u007fé","n":-5,"f":false,"list":[1,2],"empty":[],"#
            + #""o":{"x":true},"none":null}"#
        #expect(String(decoding: text, as: UTF8.self) == wanted)
    }

    @Test func inputIsTakenApart() {
        let text =
            #" { "a" : [ 1 , -2.5e1 , [ ] , { } ] , "b\u0041\n" : "x\"\\\/\u20ac\ud83d\ude00é" ,"#
            + #" "c":[true,false,null] } "#
        let wanted = JSONInput.object([
            .init(name: "a", value: .array([.number(1), .number(-25), .array([]), .object([])])),
            .init(name: "bA\n", value: .string("x\"\\/€😀é")),
            .init(name: "c", value: .array([.boolean(true), .boolean(false), .null])),
        ])
        #expect(JSONInput(Array(text.utf8)) == wanted)
    }

    @Test(arguments: ["", " ", "{", "[1,]", "{\"a\"}", "01", "nul", "\"\\x\"", "1 2", "\"\u{1}\""])
    func whatIsNoJSONIsRefused(_ text: String) {
        #expect(JSONInput(Array(text.utf8)) == nil)
    }

    @Test func deepNestingIsRefused() {
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        #expect(JSONInput(Array(deep.utf8)) == nil)
    }

    @Test func theLastOfSeveralMembersCounts() {
        #expect(JSONInput(Array(#"{"a":1,"a":2}"#.utf8))?["a"]?.count == 2)
    }

    @Test(arguments: ["-1", "1.5", "1e30", "\"1\"", "null"])
    func onlyWholeNumbersAreCounts(_ text: String) {
        #expect(JSONInput(Array(text.utf8))?.count == nil)
    }

    @Test func randomBytesNeverTrap() {
        var random = TestRandom(seed: 11)
        let alphabet = Array(#"{}[]",:\u0123456789eE+-.truefalsn \#n"#.utf8)
        for _ in 0..<20_000 {
            let text = (0..<Int(random.next(below: 24))).map { _ in
                alphabet[Int(random.next(below: UInt64(alphabet.count)))]
            }
            _ = JSONInput(text)
        }
    }
}
