/// Walks JSON text where it lies: finds where values begin and end, and checks every byte on the way
/// (RFC 8259 and UTF-8). It builds nothing and allocates nothing, except for nesting over 64 levels.
///
/// A scanner borrows the bytes: use it only inside the closure that lends them.
public struct JSONScanner {
    /// Values nested deeper are refused, so that whoever reads them may recurse.
    public static let depthLimit = 512

    @usableFromInline
    let bytes: UnsafeBufferPointer<UInt8>

    public init(_ bytes: UnsafeBufferPointer<UInt8>) {
        self.bytes = bytes
    }

    /// A value's bytes and how deep its containers are nested (0 for a scalar).
    public struct Extent: Equatable, Sendable {
        public var range: Range<Int>
        public var depth: Int
    }

    /// The whole text as one value with white space around it.
    public func document(depthLimit: Int = JSONScanner.depthLimit) throws(JSONFault) -> Extent {
        let extent = try value(at: skipSpace(0), depthLimit: depthLimit)
        let end = skipSpace(extent.range.upperBound)
        guard end == bytes.count else { throw fault("there is text after the value", end) }
        return extent
    }

    /// The value that starts at `start`, where no white space is skipped.
    public func value(at start: Int, depthLimit: Int = JSONScanner.depthLimit) throws(JSONFault) -> Extent {
        var containers = ContainerStack()
        var position = start
        while true {
            let opened = containers.depth
            position = try valueStart(at: position, containers: &containers, depthLimit: depthLimit)
            if containers.depth > opened, try !closesAtOnce(&position, &containers) { continue }
            let wantsValue = try close(&position, &containers)
            if !wantsValue { return Extent(range: start..<position, depth: containers.deepest) }
        }
    }

    /// Passes over a scalar, or over the bracket that opens a container.
    @inline(__always)
    private func valueStart(
        at position: Int, containers: inout ContainerStack, depthLimit: Int
    ) throws(JSONFault) -> Int {
        guard position < bytes.count else { throw fault("the text ends where a value is expected", position) }
        switch bytes[position] {
        case JSONByte.quote: return try string(at: position)
        case JSONByte.openObject, JSONByte.openArray:
            guard containers.depth < depthLimit else {
                throw fault("values are nested deeper than \(depthLimit) levels", position)
            }
            containers.push(isObject: bytes[position] == JSONByte.openObject)
            return skipSpace(position + 1)
        case UInt8(ascii: "t"): return try literal("true", at: position)
        case UInt8(ascii: "f"): return try literal("false", at: position)
        case UInt8(ascii: "n"): return try literal("null", at: position)
        default: return try number(at: position)
        }
    }

    /// After an opening bracket: closes an empty container, or moves on to its first value.
    private func closesAtOnce(
        _ position: inout Int, _ containers: inout ContainerStack
    ) throws(JSONFault) -> Bool {
        let closing = containers.isObject ? JSONByte.closeObject : JSONByte.closeArray
        if position < bytes.count, bytes[position] == closing {
            containers.pop()
            position += 1
            return true
        }
        if containers.isObject { position = try memberStart(at: position) }
        return false
    }

    /// After a value: closes what ends here. True if a comma asks for another value.
    @inline(__always)
    private func close(
        _ position: inout Int, _ containers: inout ContainerStack
    ) throws(JSONFault) -> Bool {
        while containers.depth > 0 {
            position = skipSpace(position)
            guard position < bytes.count else { throw fault("the text ends inside a container", position) }
            let byte = bytes[position]
            if byte == JSONByte.comma {
                position = skipSpace(position + 1)
                if containers.isObject { position = try memberStart(at: position) }
                return true
            }
            guard byte == (containers.isObject ? JSONByte.closeObject : JSONByte.closeArray) else {
                throw fault("a comma or a closing bracket is expected", position)
            }
            containers.pop()
            position += 1
        }
        return false
    }

    /// Passes over a member's name and colon, to its value.
    private func memberStart(at position: Int) throws(JSONFault) -> Int {
        guard position < bytes.count, bytes[position] == JSONByte.quote else {
            throw fault("a member's name is expected", position)
        }
        let colon = skipSpace(try string(at: position))
        guard colon < bytes.count, bytes[colon] == JSONByte.colon else {
            throw fault("a colon is expected", colon)
        }
        return skipSpace(colon + 1)
    }

    @inline(__always)
    public func skipSpace(_ start: Int) -> Int {
        var position = start
        while position < bytes.count {
            let byte = bytes[position]
            guard byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 else { break }
            position += 1
        }
        return position
    }

    private func literal(_ text: StaticString, at position: Int) throws(JSONFault) -> Int {
        let end = position + text.utf8CodeUnitCount
        guard end <= bytes.count else { throw fault("the text ends inside a word", position) }
        for offset in 0..<text.utf8CodeUnitCount where bytes[position + offset] != text.utf8Start[offset] {
            throw fault("an unknown word", position)
        }
        return end
    }

    func fault(_ reason: String, _ offset: Int) -> JSONFault {
        JSONFault(reason: reason, offset: offset)
    }
}

extension JSONScanner {
    /// Checks a whole text and says where its value lies.
    public static func check(
        _ text: [UInt8], depthLimit: Int = JSONScanner.depthLimit
    ) throws(JSONFault) -> Extent {
        let result = text.withUnsafeBufferPointer { buffer -> Result<Extent, JSONFault> in
            do throws(JSONFault) {
                return .success(try JSONScanner(buffer).document(depthLimit: depthLimit))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }
}

/// Which open containers are objects: one bit each, 64 of them without a heap block.
struct ContainerStack {
    private var bits: UInt64 = 0
    private var spilled: [UInt64] = []
    private(set) var depth = 0
    private(set) var deepest = 0

    @inline(__always)
    var isObject: Bool { bits & 1 == 1 }

    @inline(__always)
    mutating func push(isObject: Bool) {
        if depth > 0, depth & 63 == 0 { spilled.append(bits) }
        bits = bits << 1 | (isObject ? 1 : 0)
        depth += 1
        if depth > deepest { deepest = depth }
    }

    @inline(__always)
    mutating func pop() {
        depth -= 1
        bits >>= 1
        if depth > 0, depth & 63 == 0 { bits = spilled.removeLast() }
    }
}
