import NIOCore

/// One answer. The head stays as bytes; a header is looked for only when somebody asks.
public struct HTTPResponse: Sendable {
    public let status: Int
    /// Status line and header lines, up to and including the empty line.
    public let head: ByteBuffer
    public let body: ByteBuffer
    /// The server keeps the connection open after this answer.
    public let keepsAlive: Bool

    public init(status: Int, head: ByteBuffer, body: ByteBuffer, keepsAlive: Bool) {
        self.status = status
        self.head = head
        self.body = body
        self.keepsAlive = keepsAlive
    }

    public var isSuccess: Bool { (200..<300).contains(status) }

    public var bodyBytes: [UInt8] { Array(body.readableBytesView) }

    public var bodyText: String { String(decoding: body.readableBytesView, as: UTF8.self) }

    /// Value of the first header of that name, whatever its case; `nil` if there is none.
    public func header(_ name: String) -> String? {
        let wanted = Array(name.utf8)
        return head.withUnsafeReadableBytes { bytes in
            var lines = HeaderLines(bytes)
            lines.skipLine()
            while let line = lines.next() {
                if line.isNamed(wanted) { return String(decoding: line.value, as: UTF8.self) }
            }
            return nil
        }
    }
}

/// Walks over header lines in place.
struct HeaderLines {
    struct Line {
        let name: Slice<UnsafeRawBufferPointer>
        let value: Slice<UnsafeRawBufferPointer>

        /// `wanted` may be in any case.
        func isNamed(_ wanted: [UInt8]) -> Bool {
            name.count == wanted.count && zip(name, wanted).allSatisfy { lowercased($0) == lowercased($1) }
        }
    }

    private let bytes: UnsafeRawBufferPointer
    private(set) var position: Int

    init(_ bytes: UnsafeRawBufferPointer, from position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    mutating func skipLine() {
        _ = nextLine()
    }

    /// `nil` at the empty line, at the end, and at a line without a colon (see `atEmptyLine`).
    mutating func next() -> Line? {
        let start = position
        guard let line = nextLine(), !line.isEmpty else { return nil }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            position = start
            return nil
        }
        var first = colon + 1
        var last = line.endIndex
        while first < last, line[first] == UInt8(ascii: " ") { first += 1 }
        while last > first, line[last - 1] == UInt8(ascii: " ") { last -= 1 }
        return Line(name: line[line.startIndex..<colon], value: line[first..<last])
    }

    /// The next line without its CRLF; `nil` if no line end is left.
    private mutating func nextLine() -> Slice<UnsafeRawBufferPointer>? {
        var end = position
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") { end += 1 }
        guard end < bytes.count else { return nil }
        let start = position
        position = end + 1
        let hasReturn = end > start && bytes[end - 1] == UInt8(ascii: "\r")
        return bytes[start..<(hasReturn ? end - 1 : end)]
    }
}

@inline(__always)
private func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
}
