/// Random JSON texts, with all the freedom that the grammar leaves: white space, escapes, number forms.
struct RandomJSON {
    var random: SplitMix
    /// Foundation refuses halves of surrogate pairs, so documents for it have none.
    var names = ["a", "b", "c", "key", "ü", "\u{1F600}", "a\"b", "x\\y", "", "tab\t", "0", "1", "z/z"]

    init(seed: UInt64) {
        random = SplitMix(seed: seed)
    }

    mutating func below(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    mutating func value(depth: Int = 4, repeatsNames: Bool = true) -> [UInt8] {
        let kind = below(depth > 0 ? 9 : 6)
        switch kind {
        case 0: return Array("null".utf8)
        case 1: return Array((below(2) == 0 ? "true" : "false").utf8)
        case 2, 3: return number()
        case 4, 5: return string(names[below(names.count)])
        case 6: return array(depth: depth, repeatsNames: repeatsNames)
        default: return object(depth: depth, repeatsNames: repeatsNames)
        }
    }

    mutating func array(depth: Int = 4, repeatsNames: Bool = true) -> [UInt8] {
        let elements = (0..<below(5)).map { _ in
            space() + value(depth: depth - 1, repeatsNames: repeatsNames) + space()
        }
        return Array("[".utf8) + (elements.isEmpty ? space() : joined(elements)) + Array("]".utf8)
    }

    mutating func object(depth: Int = 4, repeatsNames: Bool = true) -> [UInt8] {
        var taken: Set<String> = []
        var members: [[UInt8]] = []
        for _ in 0..<below(5) {
            let name = names[below(names.count)]
            if !repeatsNames, !taken.insert(name).inserted { continue }
            let member = value(depth: depth - 1, repeatsNames: repeatsNames)
            members.append(space() + string(name) + space() + Array(":".utf8) + space() + member + space())
        }
        return Array("{".utf8) + (members.isEmpty ? space() : joined(members)) + Array("}".utf8)
    }

    private func joined(_ parts: [[UInt8]]) -> [UInt8] { Array(parts.joined(separator: [UInt8(ascii: ",")])) }

    mutating func space() -> [UInt8] {
        switch below(8) {
        case 0: Array(" ".utf8)
        case 1: Array("\n\t ".utf8)
        default: []
        }
    }

    mutating func number() -> [UInt8] {
        let forms = [
            "0", "-0", "1", "-17", "1.5", "2e3", "1E-2", "123456789012", "0.1", "-1.25e+10",
            "9007199254740993",
        ]
        if below(2) == 0 { return Array(forms[below(forms.count)].utf8) }
        return Array("\(Int64(truncatingIfNeeded: random.next() >> 20))".utf8)
    }

    /// The text with some characters escaped that need not be.
    mutating func string(_ text: String) -> [UInt8] {
        var output: [UInt8] = [UInt8(ascii: "\"")]
        for unit in text.utf16 {
            let mustEscape = unit < 0x20 || unit == 0x22 || unit == 0x5C || unit >= 0x80
            if mustEscape || below(4) == 0 {
                let digits = String(unit, radix: 16, uppercase: below(2) == 0)
                output +=
                    Array("\\u".utf8) + Array(String(repeating: "0", count: 4 - digits.count).utf8)
                    + Array(digits.utf8)
            } else {
                output.append(UInt8(unit))
            }
        }
        return output + [UInt8(ascii: "\"")]
    }
}
