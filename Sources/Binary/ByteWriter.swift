/// Appends values to a growing byte array.
public struct ByteWriter: Sendable {
    public var bytes: [UInt8]

    @inlinable
    public init(reserving capacity: Int = 0) {
        bytes = []
        if capacity > 0 { bytes.reserveCapacity(capacity) }
    }

    /// Continues in storage that the caller already has, keeping what it holds.
    @inlinable
    public init(continuing bytes: consuming [UInt8]) {
        self.bytes = bytes
    }

    @inlinable
    public var count: Int { bytes.count }

    @inlinable
    public mutating func write(_ value: UInt8) {
        bytes.append(value)
    }

    @inlinable
    public mutating func write(_ value: Bool) {
        bytes.append(value ? 1 : 0)
    }

    @inlinable
    public mutating func write(_ value: UInt16) { appendLittleEndian(value) }

    @inlinable
    public mutating func write(_ value: UInt32) { appendLittleEndian(value) }

    @inlinable
    public mutating func write(_ value: UInt64) { appendLittleEndian(value) }

    /// LEB128: seven bits a byte, lowest first; at most ten bytes.
    @inlinable
    public mutating func writeVariable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    @inlinable
    public mutating func writeVariable(_ value: Int) {
        precondition(value >= 0, "a variable integer is never negative")
        writeVariable(UInt64(value))
    }

    /// Bytes as they are, without a length.
    @inlinable
    public mutating func writeRaw(_ value: some Sequence<UInt8>) {
        bytes.append(contentsOf: value)
    }

    /// A variable length, then the bytes.
    @inlinable
    public mutating func writeBytes(_ value: some Collection<UInt8>) {
        writeVariable(value.count)
        bytes.append(contentsOf: value)
    }

    @inlinable
    public mutating func writeString(_ value: String) {
        writeBytes(value.utf8)
    }

    @inlinable
    public mutating func writeOptional<Value>(
        _ value: Value?, _ body: (inout ByteWriter, Value) -> Void
    ) {
        write(value != nil)
        if let value { body(&self, value) }
    }

    @inlinable
    public mutating func writeArray<Element>(
        _ elements: some Collection<Element>, _ body: (inout ByteWriter, Element) -> Void
    ) {
        writeVariable(elements.count)
        for element in elements { body(&self, element) }
    }

    /// Overwrites four bytes written earlier: for a length known only afterwards.
    @inlinable
    public mutating func patch(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= bytes.count, "patch lies outside what was written")
        for position in 0..<4 {
            bytes[offset + position] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(position)))
        }
    }

    @inlinable
    mutating func appendLittleEndian<Value: FixedWidthInteger>(_ value: Value) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
}
