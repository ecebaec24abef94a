// Percent escapes of paths and queries, by the rules of the client protocol: decoded once, as UTF-8;
// what is not an escape of valid UTF-8 stays as it came. `+` is a plus.

/// `raw` with its escapes decoded.
func percentDecoded(_ raw: Substring.UTF8View) -> String {
    guard raw.contains(UInt8(ascii: "%")) else { return String(Substring(raw)) }
    let source = Array(raw)
    var decoded: [UInt8] = []
    decoded.reserveCapacity(source.count)
    var position = 0
    while position < source.count {
        if let character = escapedCharacter(in: source, at: position) {
            decoded.append(contentsOf: character)
            position += 3 * character.count
        } else {
            decoded.append(source[position])
            position += 1
        }
    }
    return String(decoding: decoded, as: UTF8.self)
}

/// The UTF-8 bytes of the one character whose escapes begin at `position`; `nil` if there is none.
private func escapedCharacter(in source: [UInt8], at position: Int) -> [UInt8]? {
    guard let first = escapedByte(in: source, at: position) else { return nil }
    guard let length = utf8Length(lead: first) else { return nil }
    var bytes = [first]
    while bytes.count < length {
        guard let next = escapedByte(in: source, at: position + 3 * bytes.count) else { return nil }
        bytes.append(next)
    }
    // Leads and counts alone do not exclude overlong forms, surrogates and wrong continuations.
    return length == 1 || String(validating: bytes, as: UTF8.self) != nil ? bytes : nil
}

private func escapedByte(in source: [UInt8], at position: Int) -> UInt8? {
    guard position + 2 < source.count, source[position] == UInt8(ascii: "%") else { return nil }
    guard let high = hexDigit(source[position + 1]), let low = hexDigit(source[position + 2]) else {
        return nil
    }
    return high << 4 | low
}

private func utf8Length(lead: UInt8) -> Int? {
    switch lead {
    case 0x00...0x7F: 1
    case 0xC2...0xDF: 2
    case 0xE0...0xEF: 3
    case 0xF0...0xF4: 4
    default: nil
    }
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
}

/// A request's target, split: the path's segments, decoded, and the query as it came.
struct RequestTarget {
    var segments: [String]
    /// Never logged: it may carry credentials.
    var query: Substring?

    init(segments: [String]) {
        self.segments = segments
    }

    /// Takes the origin form (`/a/b?q`) and the absolute form (`http://host/a/b?q`). `nil` for
    /// anything else, and for bytes that were not UTF-8, which the parser has replaced: two names
    /// must not become one.
    init?(_ uri: String) {
        guard !RequestTarget.holdsReplacement(uri) else { return nil }
        guard var rest = RequestTarget.originForm(uri) else { return nil }
        if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
            query = rest[rest.utf8.index(after: mark)...]
            rest = rest[..<mark]
        }
        segments = rest.utf8.dropFirst()
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map(percentDecoded)
    }

    /// The value of the first parameter `name`, percent-decoded.
    func parameter(_ name: String) -> String? { rawParameter(name).map(percentDecoded) }

    /// The same by the rules of forms: `+` is a blank. For what the socket's URL carries.
    func formParameter(_ name: String) -> String? {
        rawParameter(name).map { value in
            percentDecoded(Substring(String(Substring(value).map { $0 == "+" ? " " : $0 })).utf8)
        }
    }

    private func rawParameter(_ name: String) -> Substring.UTF8View? {
        guard let query else { return nil }
        for pair in query.utf8.split(separator: UInt8(ascii: "&")) {
            let separator = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            guard percentDecoded(pair[..<separator]) == name else { continue }
            return separator == pair.endIndex ? pair[separator...] : pair[pair.index(after: separator)...]
        }
        return nil
    }

    /// Whether the query names `name`, with or without a value.
    func hasParameter(_ name: String) -> Bool { parameter(name) != nil }

    private static func originForm(_ uri: String) -> Substring? {
        if uri.utf8.first == UInt8(ascii: "/") { return uri[...] }
        guard uri.hasPrefix("http://") || uri.hasPrefix("https://") else { return nil }
        let authority = uri.utf8.firstIndex(of: UInt8(ascii: ":")).map { uri.utf8.index($0, offsetBy: 3) }
        guard let authority, let slash = uri[authority...].utf8.firstIndex(of: UInt8(ascii: "/")) else {
            return nil
        }
        return uri[slash...]
    }

    private static func holdsReplacement(_ uri: String) -> Bool {
        guard uri.utf8.contains(0xEF) else { return false }
        return uri.unicodeScalars.contains("\u{FFFD}")
    }
}
