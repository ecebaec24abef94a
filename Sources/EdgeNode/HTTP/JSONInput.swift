import ObjectRuntime

/// A small JSON document as a tree: admin bodies and the claims of tokens. Values of items never
/// come here.
enum JSONInput: Equatable {
    case object([Member])
    case array([JSONInput])
    case string(String)
    case number(Double)
    case boolean(Bool)
    case null

    struct Member: Equatable {
        var name: String
        var value: JSONInput
    }

    /// `nil` if `text` is not JSON, or nested deeper than anything asked for here.
    init?(_ text: [UInt8]) {
        // The scanner has checked every byte afterwards, so the reader below only takes apart.
        guard (try? JSONScanner.check(text, depthLimit: 16)) != nil else { return nil }
        var reader = CheckedReader(text: text)
        self = reader.value()
    }

    /// The last member of that name, as `JSON.parse` has it.
    subscript(_ name: String) -> JSONInput? {
        guard case .object(let members) = self else { return nil }
        return members.last { $0.name == name }?.value
    }

    var text: String? {
        if case .string(let text) = self { text } else { nil }
    }

    var flag: Bool? {
        if case .boolean(let flag) = self { flag } else { nil }
    }

    /// A whole number that a double holds exactly.
    var count: UInt64? {
        guard case .number(let number) = self, number >= 0, number <= 9_007_199_254_740_991 else {
            return nil
        }
        return UInt64(exactly: number)
    }

    var elements: [JSONInput]? {
        if case .array(let elements) = self { elements } else { nil }
    }
}

/// Reads text that is known to be JSON, of little depth.
private struct CheckedReader {
    let text: [UInt8]
    var position = 0

    mutating func value() -> JSONInput {
        skipSpace()
        switch text[position] {
        case UInt8(ascii: "{"): return .object(members())
        case UInt8(ascii: "["): return .array(elements())
        case UInt8(ascii: "\""): return .string(string())
        case UInt8(ascii: "t"): return word(4, .boolean(true))
        case UInt8(ascii: "f"): return word(5, .boolean(false))
        case UInt8(ascii: "n"): return word(4, .null)
        default: return .number(number())
        }
    }

    private mutating func word(_ length: Int, _ meaning: JSONInput) -> JSONInput {
        position += length
        return meaning
    }

    private mutating func members() -> [JSONInput.Member] {
        var members: [JSONInput.Member] = []
        while nextElement(closing: UInt8(ascii: "}")) {
            let name = string()
            skipSpace()
            position += 1
            members.append(JSONInput.Member(name: name, value: value()))
        }
        return members
    }

    private mutating func elements() -> [JSONInput] {
        var elements: [JSONInput] = []
        while nextElement(closing: UInt8(ascii: "]")) { elements.append(value()) }
        return elements
    }

    /// Passes the opening bracket or a comma; false once the closing bracket is passed.
    private mutating func nextElement(closing: UInt8) -> Bool {
        skipSpace()
        if text[position] == closing {
            position += 1
            return false
        }
        let first = text[position]
        if first == UInt8(ascii: ",") || first == closing - 2 { position += 1 }
        skipSpace()
        guard text[position] == closing else { return true }
        position += 1
        return false
    }

    private mutating func number() -> Double {
        let start = position
        while position < text.count, !isEndOfNumber(text[position]) { position += 1 }
        return JSONNumber.parse(text[start..<position])
    }

    private func isEndOfNumber(_ byte: UInt8) -> Bool {
        byte <= 0x20 || byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") || byte == UInt8(ascii: "}")
    }

    private mutating func string() -> String {
        position += 1
        var units: [UInt16] = []
        var plain: [UInt8] = []
        var result = ""
        while text[position] != UInt8(ascii: "\"") {
            if text[position] == UInt8(ascii: "\\") {
                result += String(decoding: plain, as: UTF8.self)
                plain.removeAll(keepingCapacity: true)
                units.append(escape())
            } else {
                flush(&units, into: &result)
                plain.append(text[position])
                position += 1
            }
        }
        position += 1
        flush(&units, into: &result)
        return result + String(decoding: plain, as: UTF8.self)
    }

    /// Escapes are UTF-16 units; two of them may make one character.
    private func flush(_ units: inout [UInt16], into result: inout String) {
        guard !units.isEmpty else { return }
        result += String(decoding: units, as: UTF16.self)
        units.removeAll(keepingCapacity: true)
    }

    private mutating func escape() -> UInt16 {
        let letter = text[position + 1]
        position += 2
        switch letter {
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "f"): return 0x0C
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "u"):
            position += 4
            let digits = String(decoding: text[position - 4..<position], as: UTF8.self)
            return UInt16(digits, radix: 16) ?? 0xFFFD
        default: return UInt16(letter)
        }
    }

    private mutating func skipSpace() {
        while position < text.count, text[position] <= 0x20 { position += 1 }
    }
}
