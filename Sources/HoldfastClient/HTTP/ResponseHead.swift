/// What the parser needs of a response's head: the status and how its body ends.
struct ResponseHead {
    enum Framing: Equatable {
        case none
        case length(Int)
        case chunked
        case untilClose
    }

    enum Scan {
        case incomplete
        case malformed(String)
        case complete(ResponseHead, length: Int)
    }

    var status: Int
    var framing: Framing
    var keepsAlive: Bool

    private static let contentLength = Array("content-length".utf8)
    private static let transferEncoding = Array("transfer-encoding".utf8)
    private static let connection = Array("connection".utf8)

    /// Reads the head at the start of `bytes`; looks at nothing behind its empty line.
    static func scan(_ bytes: UnsafeRawBufferPointer) -> Scan {
        guard let length = headLength(bytes) else {
            return startsLikeHTTP(bytes) ? .incomplete : .malformed("no HTTP/1 status line")
        }
        guard let status = status(bytes) else { return .malformed("no HTTP/1 status line") }
        var head = ResponseHead(
            status: status, framing: .untilClose, keepsAlive: bytes[7] == UInt8(ascii: "1"))
        var lines = HeaderLines(UnsafeRawBufferPointer(rebasing: bytes[..<length]))
        lines.skipLine()
        while let line = lines.next() {
            if let fault = head.take(line) { return .malformed(fault) }
        }
        guard lines.position == length else { return .malformed("header line without a colon") }
        if status < 200 || status == 204 || status == 304 { head.framing = .none }
        if head.framing == .untilClose { head.keepsAlive = false }
        return .complete(head, length: length)
    }

    /// Takes one header line into account; returns what is wrong with it, if anything.
    private mutating func take(_ line: HeaderLines.Line) -> String? {
        if line.isNamed(Self.contentLength) {
            guard let length = Self.decimal(line.value) else { return "bad Content-Length" }
            switch framing {
            case .chunked: break
            case .length(let earlier) where earlier != length: return "two different Content-Length"
            default: framing = .length(length)
            }
        } else if line.isNamed(Self.transferEncoding) {
            let value = String(decoding: line.value, as: UTF8.self).lowercased()
            guard value == "chunked" else { return "unknown Transfer-Encoding" }
            framing = .chunked
        } else if line.isNamed(Self.connection) {
            switch String(decoding: line.value, as: UTF8.self).lowercased() {
            case "close": keepsAlive = false
            case "keep-alive": keepsAlive = true
            default: break
            }
        }
        return nil
    }

    /// Length up to and including the empty line.
    private static func headLength(_ bytes: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        let newline = UInt8(ascii: "\n")
        while index < bytes.count {
            if bytes[index] == newline {
                if index + 1 < bytes.count, bytes[index + 1] == newline { return index + 2 }
                if index + 2 < bytes.count, bytes[index + 1] == UInt8(ascii: "\r"),
                    bytes[index + 2] == newline
                {
                    return index + 3
                }
            }
            index += 1
        }
        return nil
    }

    private static func startsLikeHTTP(_ bytes: UnsafeRawBufferPointer) -> Bool {
        zip(bytes, "HTTP/1.".utf8).allSatisfy { $0 == $1 }
    }

    private static func status(_ bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 13, startsLikeHTTP(bytes), bytes[8] == UInt8(ascii: " "),
            bytes[12] == UInt8(ascii: " ") || bytes[12] == UInt8(ascii: "\r")
                || bytes[12] == UInt8(ascii: "\n"),
            let status = decimal(bytes[9..<12]), status >= 100
        else { return nil }
        return status
    }

    private static func decimal(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard (1...15).contains(digits.count) else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
