import Binary

/// A value with one binary form: equal values give equal bytes, and reading never traps.
public protocol BinaryCoded {
    func encode(into writer: inout ByteWriter)
    init(from reader: inout ByteReader) throws(DecodingFailure)
}

extension BinaryCoded {
    public func encode() -> [UInt8] {
        var writer = ByteWriter()
        encode(into: &writer)
        return writer.bytes
    }

    /// Reads exactly one value; bytes left over are a fault.
    public static func decode(_ bytes: [UInt8]) throws(DecodingFailure) -> Self {
        var reader = ByteReader(bytes)
        let value = try Self(from: &reader)
        try reader.finish()
        return value
    }
}

extension ByteWriter {
    mutating func write(_ value: some BinaryCoded) {
        value.encode(into: &self)
    }

    mutating func writeAll<Value: BinaryCoded>(_ values: [Value]) {
        writeVariable(values.count)
        for value in values { value.encode(into: &self) }
    }

    mutating func writePresent<Value: BinaryCoded>(_ value: Value?) {
        write(value != nil)
        if let value { value.encode(into: &self) }
    }
}

extension ByteReader {
    mutating func readAll<Value: BinaryCoded>(limit: Int) throws(DecodingFailure) -> [Value] {
        let count = try readCount(limit: limit)
        guard count <= remaining else { throw .truncated }
        var values: [Value] = []
        for _ in 0..<count { values.append(try Value(from: &self)) }
        return values
    }

    mutating func readPresent<Value: BinaryCoded>() throws(DecodingFailure) -> Value? {
        try readBool() ? try Value(from: &self) : nil
    }

    mutating func readVersion(_ known: UInt8, of what: String) throws(DecodingFailure) {
        let version = try readUInt8()
        guard version == known else { throw DecodingFailure("\(what) has version \(version), not \(known)") }
    }
}

/// Elements in strictly rising order: the only form in which sets and maps are stored.
func isStrictlyRising<Element>(
    _ elements: some Collection<Element>, by precedes: (Element, Element) -> Bool
) -> Bool {
    zip(elements, elements.dropFirst()).allSatisfy(precedes)
}
