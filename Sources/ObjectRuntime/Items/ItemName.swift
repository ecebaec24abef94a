import Binary

/// An item's name: UTF-8 bytes, compared as bytes (no Unicode folding, so that `é` written in two
/// ways is two items, as in the clients).
///
/// Up to 15 bytes lie inside the value itself: most names are short, and a heap block for each would
/// be a good part of what a small object costs. The first 15 bytes are packed with the highest byte
/// first and the length in the last byte, so comparing two words is comparing the texts.
public struct ItemName: Sendable, Hashable {
    private let high: UInt64
    private let low: UInt64
    /// All bytes, if there are more than fit inside.
    private let long: [UInt8]?

    private static let inlineLimitBytes = 15

    public init(_ text: String) {
        var text = text
        self = text.withUTF8 { ItemName(utf8: $0) }
    }

    public init(_ bytes: [UInt8]) {
        self = bytes.withUnsafeBufferPointer { ItemName(utf8: $0) }
    }

    public init(utf8 buffer: UnsafeBufferPointer<UInt8>) {
        var words: (UInt64, UInt64) = (0, 0)
        for position in 0..<min(buffer.count, ItemName.inlineLimitBytes) {
            let shift = UInt64(56 - 8 * (position & 7))
            let byte = UInt64(buffer[position])
            if position < 8 { words.0 |= byte << shift } else { words.1 |= byte << shift }
        }
        let isLong = buffer.count > ItemName.inlineLimitBytes
        high = words.0
        low = words.1 | UInt64(isLong ? ItemName.inlineLimitBytes + 1 : buffer.count)
        long = isLong ? Array(buffer) : nil
    }

    public var count: Int { long?.count ?? Int(low & 0xFF) }
    public var isEmpty: Bool { count == 0 }

    public var bytes: [UInt8] {
        if let long { return long }
        var result: [UInt8] = []
        result.reserveCapacity(count)
        appendInline(to: &result)
        return result
    }

    public var text: String { String(decoding: bytes, as: UTF8.self) }

    func append(to output: inout [UInt8]) {
        if let long { output.append(contentsOf: long) } else { appendInline(to: &output) }
    }

    private func appendInline(to output: inout [UInt8]) {
        withUnsafeBytes(of: (high.bigEndian, low.bigEndian)) { output.append(contentsOf: $0.prefix(count)) }
    }

    func hasPrefix(_ prefix: ItemName) -> Bool {
        if prefix.isEmpty { return true }
        return prefix.count <= count && bytes.starts(with: prefix.bytes)
    }

    /// Bytes that the name takes beside the item itself.
    var heapBytes: Int { long.map { $0.count + 32 } ?? 0 }

    public static func == (left: ItemName, right: ItemName) -> Bool {
        left.high == right.high && left.low == right.low && left.long == right.long
    }

    /// The long ones in one piece: an array would be hashed byte by byte.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(high)
        hasher.combine(low)
        long?.withUnsafeBytes { hasher.combine(bytes: $0) }
    }

    func encode(into writer: inout ByteWriter) {
        writer.writeVariable(count)
        append(to: &writer.bytes)
    }

    static let encodedLimitBytes = 1 << 20

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let count = try reader.readCount(limit: ItemName.encodedLimitBytes)
        let range = try reader.skip(count)
        self = reader.bytes.withUnsafeBufferPointer {
            ItemName(utf8: UnsafeBufferPointer(rebasing: $0[range]))
        }
    }
}

extension ItemName: Comparable {
    public static func < (left: ItemName, right: ItemName) -> Bool {
        if left.high != right.high { return left.high < right.high }
        if left.long == nil || right.long == nil || left.low != right.low { return left.low < right.low }
        return (left.long ?? []).lexicographicallyPrecedes(right.long ?? [])
    }
}

extension ItemName: ExpressibleByStringLiteral, CustomStringConvertible {
    public init(stringLiteral value: String) {
        self.init(value)
    }

    public var description: String { text }
}
