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
