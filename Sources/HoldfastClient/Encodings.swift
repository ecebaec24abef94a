/// Text forms that HTTP wants.

/// Percent-encodes one path segment, or a query value: everything but RFC 3986's unreserved characters.
/// `.` and `..` are encoded too, or URL parsers on the way would fold them.
public func percentEncoded(_ text: String) -> String {
    let foldable = text == "." || text == ".."
    var out: [UInt8] = []
    out.reserveCapacity(text.utf8.count)
    for byte in text.utf8 {
        if isUnreserved(byte), !(foldable && byte == UInt8(ascii: ".")) {
            out.append(byte)
        } else {
            out.append(UInt8(ascii: "%"))
            out.append(upperHexDigits[Int(byte >> 4)])
            out.append(upperHexDigits[Int(byte & 15)])
        }
    }
    return String(decoding: out, as: UTF8.self)
}

/// Standard base64 with padding.
public func base64Encoded(_ bytes: [UInt8]) -> String {
    var out: [UInt8] = []
    out.reserveCapacity((bytes.count + 2) / 3 * 4)
    for start in stride(from: 0, to: bytes.count, by: 3) {
        let count = min(3, bytes.count - start)
        var group: UInt32 = 0
        for offset in 0..<3 {
            group = group << 8 | (offset < count ? UInt32(bytes[start + offset]) : 0)
        }
        for position in 0..<4 {
            let digit = base64Digits[Int(group >> UInt32(18 - 6 * position)) & 63]
            out.append(position <= count ? digit : UInt8(ascii: "="))
        }
    }
    return String(decoding: out, as: UTF8.self)
}

/// base64 for URLs and file names, without padding.
public func base64URLEncoded(_ bytes: [UInt8]) -> String {
    String(
        decoding: base64Encoded(bytes).utf8.filter { $0 != UInt8(ascii: "=") }.map { byte in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }, as: UTF8.self)
}

/// Nil if `text` is not what `base64URLEncoded` gives.
public func base64URLDecoded(_ text: some StringProtocol) -> [UInt8]? {
    var out: [UInt8] = []
    var group: UInt32 = 0
    var bits = 0
    for byte in text.utf8 {
        let plain = byte == UInt8(ascii: "-") ? UInt8(ascii: "+") : byte == UInt8(ascii: "_") ? UInt8(ascii: "/") : byte
        guard byte != UInt8(ascii: "+"), byte != UInt8(ascii: "/"),
            let digit = base64Digits.firstIndex(of: plain)
        else { return nil }
        group = group << 6 | UInt32(digit)
        bits += 6
        guard bits >= 8 else { continue }
        bits -= 8
        out.append(UInt8(truncatingIfNeeded: group >> UInt32(bits)))
        group &= (1 << UInt32(bits)) - 1
    }
    return base64URLEncoded(out) == String(text) ? out : nil
}

private let upperHexDigits = Array("0123456789ABCDEF".utf8)
private let base64Digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

private func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
        true
    default:
        false
    }
}
