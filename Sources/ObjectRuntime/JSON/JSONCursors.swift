/// A member of an object: its name with the quotes, and its value.
struct JSONMember {
    var name: Range<Int>
    var value: Range<Int>
    var depth: Int
}

/// Goes through the members of an object, in order, duplicates too.
struct JSONMemberCursor {
    private let scanner: JSONScanner
    private var position: Int
    private let depthLimit: Int
    private var isFirst = true

    /// `start` is where the opening bracket lies.
    init(_ scanner: JSONScanner, objectAt start: Int, depthLimit: Int = JSONScanner.depthLimit) {
        self.scanner = scanner
        self.depthLimit = depthLimit - 1
        position = start + 1
    }

    /// The next member; nil after the last, when `end` tells where the object ends.
    mutating func next() throws(JSONFault) -> JSONMember? {
        guard let start = try scanner.nextSlot(&position, &isFirst, closing: JSONByte.closeObject) else {
            return nil
        }
        guard start < scanner.bytes.count, scanner.bytes[start] == JSONByte.quote else {
            throw scanner.fault("a member's name is expected", start)
        }
        let nameEnd = try scanner.string(at: start)
        let colon = scanner.skipSpace(nameEnd)
        guard colon < scanner.bytes.count, scanner.bytes[colon] == JSONByte.colon else {
            throw scanner.fault("a colon is expected", colon)
        }
        let extent = try scanner.value(at: scanner.skipSpace(colon + 1), depthLimit: depthLimit)
        position = extent.range.upperBound
        return JSONMember(name: start..<nameEnd, value: extent.range, depth: extent.depth)
    }

    /// Just after the closing bracket, once `next` has returned nil.
    var end: Int { position }
}

/// Goes through the elements of an array.
struct JSONElementCursor {
    private let scanner: JSONScanner
    private var position: Int
    private let depthLimit: Int
    private var isFirst = true

    init(_ scanner: JSONScanner, arrayAt start: Int, depthLimit: Int = JSONScanner.depthLimit) {
        self.scanner = scanner
        self.depthLimit = depthLimit - 1
        position = start + 1
    }

    mutating func next() throws(JSONFault) -> JSONScanner.Extent? {
        guard let start = try scanner.nextSlot(&position, &isFirst, closing: JSONByte.closeArray) else {
            return nil
        }
        let extent = try scanner.value(at: start, depthLimit: depthLimit)
        position = extent.range.upperBound
        return extent
    }

    var end: Int { position }
}

extension JSONScanner {
    /// Where the next member or element starts; nil at the closing bracket, which is passed over.
    fileprivate func nextSlot(
        _ position: inout Int, _ isFirst: inout Bool, closing: UInt8
    ) throws(JSONFault) -> Int? {
        position = skipSpace(position)
        guard position < bytes.count else { throw fault("the text ends inside a container", position) }
        if bytes[position] == closing {
            position += 1
            return nil
        }
        if isFirst {
            isFirst = false
            return position
        }
        guard bytes[position] == JSONByte.comma else {
            throw fault("a comma or a closing bracket is expected", position)
        }
        return skipSpace(position + 1)
    }

    /// The value of the object's member of that name (compared after unescaping). As in `JSON.parse`,
    /// the last of several wins.
    func member(_ name: [UInt8], ofObjectAt start: Int) throws(JSONFault) -> (found: JSONMember?, end: Int) {
        var cursor = JSONMemberCursor(self, objectAt: start)
        var found: JSONMember?
        while let member = try cursor.next() {
            if string(member.name, equals: name) { found = member }
        }
        return (found, cursor.end)
    }
}
