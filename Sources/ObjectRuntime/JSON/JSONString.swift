extension JSONScanner {
    /// Whether a (valid, quoted) string stands for the text, whatever it escapes.
    func string(_ range: Range<Int>, equals text: [UInt8]) -> Bool {
        let content = UnsafeBufferPointer(rebasing: bytes[range.lowerBound + 1..<range.upperBound - 1])
        if !content.contains(JSONByte.backslash) {
            return content.count == text.count && content.elementsEqual(text)
        }
        return unescaped(range).bytes == text
    }

    /// What a (valid, quoted) string stands for. A surrogate without its other half becomes the three
    /// bytes that UTF-8 would give it, and is told, because such a text is no Unicode.
    func unescaped(_ range: Range<Int>) -> (bytes: [UInt8], hasLoneSurrogate: Bool) {
        let content = bytes[range.lowerBound + 1..<range.upperBound - 1]
        guard content.contains(JSONByte.backslash) else { return (Array(content), false) }
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        var hasLoneSurrogate = false
        var position = range.lowerBound + 1
        while position < range.upperBound - 1 {
            guard bytes[position] == JSONByte.backslash else {
                output.append(bytes[position])
                position += 1
                continue
            }
            if bytes[position + 1] == UInt8(ascii: "u") {
                let scalar = unescapeUnicode(at: &position)
                if 0xD800...0xDFFF ~= scalar { hasLoneSurrogate = true }
                appendScalar(scalar, to: &output)
            } else {
                output.append(simpleEscape(bytes[position + 1]))
                position += 2
            }
        }
        return (output, hasLoneSurrogate)
    }

    /// Lends what a (valid, quoted) string stands for.
    func withContent<Result>(of range: Range<Int>, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
        let content = UnsafeBufferPointer(rebasing: bytes[range.lowerBound + 1..<range.upperBound - 1])
        return content.contains(JSONByte.backslash) ? unescaped(range).bytes.withUnsafeBufferPointer(body) : body(content)
    }

    private func simpleEscape(_ letter: UInt8) -> UInt8 {
        switch letter {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: letter
        }
    }

    /// One `\uXXXX`, or two that make a pair.
    private func unescapeUnicode(at position: inout Int) -> UInt32 {
        let first = hexadecimal(at: position + 2) ?? 0
        position += 6
        guard 0xD800...0xDBFF ~= first, position + 6 <= bytes.count, bytes[position] == JSONByte.backslash,
            bytes[position + 1] == UInt8(ascii: "u"), let second = hexadecimal(at: position + 2),
            0xDC00...0xDFFF ~= second
        else { return first }
        position += 6
        return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }
}

private func appendScalar(_ scalar: UInt32, to output: inout [UInt8]) {
    func continuation(_ shift: UInt32) -> UInt8 { 0x80 | UInt8(scalar >> shift & 0x3F) }
    switch scalar {
    case ..<0x80: output.append(UInt8(scalar))
    case ..<0x800: output += [0xC0 | UInt8(scalar >> 6), continuation(0)]
    case ..<0x10000: output += [0xE0 | UInt8(scalar >> 12), continuation(6), continuation(0)]
    default: output += [0xF0 | UInt8(scalar >> 18), continuation(12), continuation(6), continuation(0)]
    }
}

/// Appends a JSON string that stands for the text, with its quotes: escapes what must be escaped.
func appendJSONString(_ text: some Collection<UInt8>, to output: inout [UInt8]) {
    output.append(JSONByte.quote)
    for byte in text { appendEscaped(byte, to: &output) }
    output.append(JSONByte.quote)
}

private func appendEscaped(_ byte: UInt8, to output: inout [UInt8]) {
    switch byte {
    case JSONByte.quote, JSONByte.backslash: output += [JSONByte.backslash, byte]
    case 0x08: output += [JSONByte.backslash, UInt8(ascii: "b")]
    case 0x09: output += [JSONByte.backslash, UInt8(ascii: "t")]
    case 0x0A: output += [JSONByte.backslash, UInt8(ascii: "n")]
    case 0x0C: output += [JSONByte.backslash, UInt8(ascii: "f")]
    case 0x0D: output += [JSONByte.backslash, UInt8(ascii: "r")]
    case ..<0x20: appendUnicodeEscape(UInt32(byte), to: &output)
    default: output.append(byte)
    }
}

private func appendUnicodeEscape(_ unit: UInt32, to output: inout [UInt8]) {
    output += [JSONByte.backslash, UInt8(ascii: "u")]
    for shift in [UInt32(12), 8, 4, 0] {
        let digit = UInt8(unit >> shift & 0xF)
        output.append(digit < 10 ? JSONByte.zero + digit : UInt8(ascii: "a") + digit - 10)
    }
}
