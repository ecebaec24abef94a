/// Why bytes could not be read. The bytes came from outside; this is never our own bug.
public struct DecodingFailure: Error, Equatable, Sendable, CustomStringConvertible {
    public let reason: String

    public init(_ reason: String) {
        self.reason = reason
    }

    public var description: String { "cannot decode: \(reason)" }

    public static let truncated = DecodingFailure("the bytes end too early")
}

/// Reads values from bytes, front to back. Never traps on any input.
public struct ByteReader: Sendable {
    public let bytes: [UInt8]
    public var position: Int
    public let end: Int

    @inlinable
    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
        position = 0
        end = bytes.count
    }

    /// Reads only `range`, which must lie inside `bytes`.
    @inlinable
    public init(_ bytes: [UInt8], range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    @inlinable
    public var remaining: Int { end - position }

    @inlinable
    public var isAtEnd: Bool { position == end }

    @inlinable
    public mutating func readUInt8() throws(DecodingFailure) -> UInt8 {
        guard position < end else { throw .truncated }
        defer { position += 1 }
        return bytes[position]
    }

    @inlinable
    public mutating func readBool() throws(DecodingFailure) -> Bool {
        switch try readUInt8() {
        case 0: return false
        case 1: return true
        default: throw DecodingFailure("a flag is neither 0 nor 1")
        }
    }

    @inlinable
    public mutating func readUInt16() throws(DecodingFailure) -> UInt16 { try readLittleEndian() }

    @inlinable
    public mutating func readUInt32() throws(DecodingFailure) -> UInt32 { try readLittleEndian() }

    @inlinable
    public mutating func readUInt64() throws(DecodingFailure) -> UInt64 { try readLittleEndian() }

    @inlinable
    public mutating func readVariable() throws(DecodingFailure) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try readUInt8()
            guard shift < 63 || byte <= 1 else { throw DecodingFailure("a variable integer overflows") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
            guard shift < 64 else { throw DecodingFailure("a variable integer is too long") }
        }
    }

    /// A count or length, at most `limit`.
    @inlinable
    public mutating func readCount(limit: Int = Int.max) throws(DecodingFailure) -> Int {
        let value = try readVariable()
        guard value <= UInt64(limit) else { throw DecodingFailure("a length is over its limit") }
        return Int(value)
    }

    @inlinable
    public mutating func readRaw(_ count: Int) throws(DecodingFailure) -> [UInt8] {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    @inlinable
    public mutating func readBytes(limit: Int = Int.max) throws(DecodingFailure) -> [UInt8] {
        let count = try readCount(limit: limit)
        return try readRaw(count)
    }

    /// A length-prefixed string; bytes that are not UTF-8 are refused.
    @inlinable
    public mutating func readString(limit: Int = Int.max) throws(DecodingFailure) -> String {
        let raw = try readBytes(limit: limit)
        guard let text = String(validating: raw, as: UTF8.self) else {
            throw DecodingFailure("a string is not UTF-8")
        }
        return text
    }

    @inlinable
    public mutating func readOptional<Value>(
        _ body: (inout ByteReader) throws(DecodingFailure) -> Value
    ) throws(DecodingFailure) -> Value? {
        try readBool() ? try body(&self) : nil
    }

    /// An array of at most `limit` elements. Each element must take at least one byte, so a forged
    /// count cannot reserve more memory than the bytes that came with it.
    @inlinable
    public mutating func readArray<Element>(
        limit: Int = Int.max, _ body: (inout ByteReader) throws(DecodingFailure) -> Element
    ) throws(DecodingFailure) -> [Element] {
        let count = try readCount(limit: limit)
        guard count <= remaining else { throw .truncated }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        for _ in 0..<count { elements.append(try body(&self)) }
        return elements
    }

    /// Passes over `count` bytes and says where they lie.
    @inlinable
    public mutating func skip(_ count: Int) throws(DecodingFailure) -> Range<Int> {
        guard count >= 0, count <= remaining else { throw .truncated }
        defer { position += count }
        return position..<position + count
    }

    /// Every decoder ends with this: bytes left over mean another format than the one we know.
    @inlinable
    public func finish() throws(DecodingFailure) {
        guard isAtEnd else { throw DecodingFailure("\(remaining) bytes are left over") }
    }

    @inlinable
    mutating func readLittleEndian<Value: FixedWidthInteger>() throws(DecodingFailure) -> Value {
        let size = MemoryLayout<Value>.size
        guard size <= remaining else { throw .truncated }
        defer { position += size }
        let at = position
        return bytes.withUnsafeBytes { Value(littleEndian: $0.loadUnaligned(fromByteOffset: at, as: Value.self)) }
    }
}
