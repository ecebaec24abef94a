import Foundation
import Testing

@testable import ObjectRuntime

@Suite struct JSONScannerTests {
    private func extent(_ text: String) throws -> JSONScanner.Extent {
        try JSONScanner.check(Array(text.utf8))
    }

    @Test func theExtentOfAValueLeavesTheSpaceAroundItOut() throws {
        #expect(try extent("  [1, {}]\n") == JSONScanner.Extent(range: 2..<9, depth: 2))
        #expect(try extent("7") == JSONScanner.Extent(range: 0..<1, depth: 0))
    }

    @Test func randomDocumentsReadAsFoundationReadsThem() throws {
        var json = RandomJSON(seed: 11)
        for _ in 0..<3000 {
            let text = json.value(repeatsNames: false)
            #expect(
                try JSONTree.scanned(text) == JSONTree.foundation(text),
                "\(String(decoding: text, as: UTF8.self))")
        }
    }

    /// A text is accepted if and only if Foundation accepts it, where both read the same grammar: ASCII
    /// without escapes of single units, no number out of range.
    @Test func damagedDocumentsAreJudgedAsByFoundation() {
        var json = RandomJSON(seed: 12)
        var refused = 0
        for _ in 0..<6000 {
            var text = json.value()
            for _ in 0...json.below(2) where !text.isEmpty {
                let at = json.below(text.count)
                let bytes = Array(#"{}[]",:0.eE-+ntf\ 1"#.utf8) + [0x0A, 0x01]
                switch json.below(3) {
                case 0: text.remove(at: at)
                case 1: text[at] = bytes[json.below(bytes.count)]
                default: text.insert(bytes[json.below(bytes.count)], at: at)
                }
            }
            let asText = String(decoding: text, as: UTF8.self)
            guard !asText.contains("\\u"), !mayBeOutOfRange(asText) else { continue }
            let ours = (try? JSONScanner.check(text)) != nil
            let theirs = (try? JSONTree.foundation(text)) != nil
            #expect(ours == theirs, "\(asText)")
            if !ours { refused += 1 }
        }
        #expect(refused > 500)
    }

    /// An exponent of three digits or more, or very many digits.
    private func mayBeOutOfRange(_ text: String) -> Bool {
        var digits = 0
        var inExponent = false
        for byte in text.utf8 {
            if byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
                inExponent = true
                digits = 0
            } else if UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte {
                digits += 1
                if digits > (inExponent ? 2 : 30) { return true }
            } else if byte != UInt8(ascii: "+"), byte != UInt8(ascii: "-") {
                inExponent = false
                digits = 0
            }
        }
        return false
    }

    @Test func everyBytePatternIsSurvived() {
        var json = RandomJSON(seed: 13)
        for _ in 0..<4000 {
            var text = json.value()
            for _ in 0..<3 {
                text.insert(UInt8(truncatingIfNeeded: json.random.next()), at: json.below(text.count + 1))
            }
            _ = try? JSONTree.scanned(text)
            for end in 0..<min(text.count, 40) { _ = try? JSONScanner.check(Array(text[..<end])) }
        }
    }

    @Test func nestingIsAcceptedUpToTheLimit() {
        func nested(_ depth: Int) -> [UInt8] {
            Array(repeating: UInt8(ascii: "["), count: depth)
                + Array(repeating: UInt8(ascii: "]"), count: depth)
        }
        #expect(throws: Never.self) { try JSONScanner.check(nested(512)) }
        #expect(throws: JSONFault.self) { try JSONScanner.check(nested(513)) }
        #expect(throws: JSONFault.self) { try JSONScanner.check(nested(100_000)) }
    }

    @Test func deepMixedContainersKeepTheirKindsApart() throws {
        for depth in [63, 64, 65, 127, 128, 129, 300] {
            var kinds = RandomJSON(seed: UInt64(depth))
            var open = ""
            var close = ""
            for _ in 0..<depth {
                let isObject = kinds.below(2) == 0
                open += isObject ? #"{"a":"# : "["
                close = (isObject ? "}" : "]") + close
            }
            #expect(try extent(open + "1" + close).depth == depth)
            let wrong = close.first == "}" ? "]" : "}"
            #expect(throws: JSONFault.self) { try extent(open + "1" + wrong + close.dropFirst()) }
        }
    }

    @Test func invalidUTF8IsRefused() {
        let broken: [[UInt8]] = [
            [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xC3], [0xE0, 0x9F, 0x80], [0xE2, 0x82], [0xED, 0xA0, 0x80],
            [0xF0, 0x8F, 0x80, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xFF],
            [0xE2, 0x28, 0xA1],
        ]
        for bytes in broken {
            #expect(throws: JSONFault.self) { try JSONScanner.check([0x22] + bytes + [0x22]) }
        }
        for scalar in ["é", "€", "\u{FFFF}", "\u{10000}", "\u{10FFFF}", "\u{D7FF}", "\u{E000}"] {
            #expect(throws: Never.self) { try extent("\"\(scalar)\"") }
        }
    }

    @Test func membersAreFoundByWhatTheirNamesStandFor() throws {
        let text = Array(#"{"a":1,"\u0062":2,"a":3,"\ud83d\ude00":4,"\ud83d":5}"#.utf8)
        let values = try text.withUnsafeBufferPointer { buffer in
            let scanner = JSONScanner(buffer)
            return try ["a", "b", "\u{1F600}", "c"].map { name in
                try scanner.member(Array(name.utf8), ofObjectAt: 0).found.map {
                    String(decoding: text[$0.value], as: UTF8.self)
                }
            }
        }
        #expect(values == ["3", "2", "4", nil])
    }

    @Test func aFaultTellsWhereItIs() {
        #expect(throws: JSONFault(reason: "an unknown word", offset: 5)) { try extent("[1,2,tru]") }
        #expect(throws: JSONFault(reason: "a number with a leading zero", offset: 1)) { try extent("[01]") }
    }
}
