extension JSONScanner {
    /// The end of the string whose opening quote is at `start`.
    public func string(at start: Int) throws(JSONFault) -> Int {
        var position = start + 1
        while true {
            position = skipPlain(position)
            guard position < bytes.count else { throw fault("the text ends inside a string", position) }
            switch bytes[position] {
            case JSONByte.quote: return position + 1
            case JSONByte.backslash: position = try escape(at: position)
            case 0x80...: position = try multibyte(at: position)
            case 0x20...: position += 1
            default: throw fault("a control character in a string", position)
            }
        }
    }

    /// Passes over characters that stand for themselves, eight at a time.
    @inline(__always)
    private func skipPlain(_ start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        guard let base = bytes.baseAddress else { return start }
        var position = start
        while position + 8 <= bytes.count {
            let word = UnsafeRawPointer(base + position).loadUnaligned(as: UInt64.self)
            let quotes = word ^ (ones &* UInt64(JSONByte.quote))
            let backslashes = word ^ (ones &* UInt64(JSONByte.backslash))
            let special =
                (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes | (word &- ones &* 0x20)
                | word
            guard special & highs == 0 else { break }
            position += 8
        }
        return position
    }

    private func escape(at position: Int) throws(JSONFault) -> Int {
        guard position + 1 < bytes.count else { throw fault("the text ends inside an escape", position) }
        switch bytes[position + 1] {
        case JSONByte.quote, JSONByte.backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            return position + 2
        case UInt8(ascii: "u"):
            guard hexadecimal(at: position + 2) != nil else { throw fault("a broken \\u escape", position) }
            return position + 6
        default:
            throw fault("an unknown escape", position)
        }
    }

    /// The four hexadecimal digits at `start` as a number.
    func hexadecimal(at start: Int) -> UInt32? {
        guard start + 4 <= bytes.count else { return nil }
        var value: UInt32 = 0
        for position in start..<start + 4 {
            let byte = bytes[position]
            switch byte {
            case JSONByte.zero...JSONByte.nine: value = value << 4 | UInt32(byte - JSONByte.zero)
            case UInt8(ascii: "a")...UInt8(ascii: "f"):
                value = value << 4 | UInt32(byte - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"):
                value = value << 4 | UInt32(byte - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        return value
    }

    /// The end of the UTF-8 sequence at `position`; no overlong form, no surrogate, nothing over U+10FFFF.
    private func multibyte(at position: Int) throws(JSONFault) -> Int {
        let lead = bytes[position]
        let length: Int
        var second: ClosedRange<UInt8> = 0x80...0xBF
        switch lead {
        case 0xC2...0xDF: length = 2
        case 0xE0...0xEF:
            length = 3
            if lead == 0xE0 { second = 0xA0...0xBF } else if lead == 0xED { second = 0x80...0x9F }
        case 0xF0...0xF4:
            length = 4
            if lead == 0xF0 { second = 0x90...0xBF } else if lead == 0xF4 { second = 0x80...0x8F }
        default: throw fault("a byte that is not UTF-8", position)
        }
        guard position + length <= bytes.count, second.contains(bytes[position + 1]) else {
            throw fault("a broken UTF-8 sequence", position)
        }
        for offset in 2..<max(length, 2) where bytes[position + offset] & 0xC0 != 0x80 {
            throw fault("a broken UTF-8 sequence", position)
        }
        return position + length
    }

    /// The end of the number at `start`.
    public func number(at start: Int) throws(JSONFault) -> Int {
        var position = start
        if position < bytes.count, bytes[position] == JSONByte.minus { position += 1 }
        let integer = position
        position = skipDigits(position)
        guard position > integer else { throw fault("a value is expected", start) }
        guard position == integer + 1 || bytes[integer] != JSONByte.zero else {
            throw fault("a number with a leading zero", start)
        }
        if position < bytes.count, bytes[position] == JSONByte.point {
            position = try digits(position + 1)
        }
        if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < bytes.count, bytes[position] == JSONByte.plus || bytes[position] == JSONByte.minus {
                position += 1
            }
            position = try digits(position)
        }
        return position
    }

    private func digits(_ start: Int) throws(JSONFault) -> Int {
        let end = skipDigits(start)
        guard end > start else { throw fault("a digit is expected", start) }
        return end
    }

    @inline(__always)
    private func skipDigits(_ start: Int) -> Int {
        var position = start
        while position < bytes.count, bytes[position] &- JSONByte.zero <= 9 { position += 1 }
        return position
    }
}
