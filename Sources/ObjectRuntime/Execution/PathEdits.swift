/// setIn as one edit: walks down the path as far as containers exist, then replaces or adds there.
struct PathEdits {
    let path: [[UInt8]]
    let value: [UInt8]
    /// No gap in an array may be wider than a value may be long.
    let limitBytes: Int

    func edit(_ text: JSONText) throws(Refusal) -> TextEdit {
        guard text.kind == .object || text.kind == .array else {
            throw .wrongType("setIn", wants: "an object or array", found: text.kind)
        }
        let step = try ValueEdits.scan(text) { (scanner) throws(JSONFault) in
            var start = 0
            for depth in path.indices {
                let step =
                    scanner.bytes[start] == JSONByte.openObject
                    ? try inObject(scanner, at: start, depth: depth)
                    : try inArray(scanner, at: start, depth: depth)
                guard case .descend(let next) = step else { return step }
                start = next
            }
            return .refuse(.invalid("path", "path must not be empty."))
        }
        switch step {
        case .edit(let edit): return edit
        case .refuse(let refusal): throw refusal
        case .descend: preconditionFailure("the last part of a path never descends")
        }
    }

    private enum Step {
        case descend(Int)
        case edit(TextEdit)
        case refuse(Refusal)
    }

    private func inObject(_ scanner: JSONScanner, at start: Int, depth: Int) throws(JSONFault) -> Step {
        var cursor = JSONMemberCursor(scanner, objectAt: start)
        var found: Range<Int>?
        var end: Int?
        while let member = try cursor.next() {
            if scanner.string(member.name, equals: path[depth]) { found = member.value }
            end = member.value.upperBound
        }
        if let found { return replace(found, scanner, depth: depth) }
        var inserted: [UInt8] = end == nil ? [] : [JSONByte.comma]
        appendJSONString(path[depth], to: &inserted)
        inserted.append(JSONByte.colon)
        inserted += nested(below: depth)
        return .edit(TextEdit(offset: end ?? start + 1, removed: 0, inserted: inserted))
    }

    private func inArray(_ scanner: JSONScanner, at start: Int, depth: Int) throws(JSONFault) -> Step {
        guard let index = PathEdits.index(path[depth]) else {
            return .refuse(.invalid("path", "path enters an array with a part that is no index."))
        }
        var cursor = JSONElementCursor(scanner, arrayAt: start)
        var end: Int?
        var count = 0
        while let element = try cursor.next() {
            if count == index { return replace(element.range, scanner, depth: depth) }
            end = element.range.upperBound
            count += 1
        }
        guard index - count <= limitBytes / 5 else {
            return .refuse(
                .tooLarge(
                    "value.tooLarge", "The index is so far out that the value would pass \(limitBytes) bytes."
                ))
        }
        let gap = Array(repeating: Array("null".utf8), count: index - count)
        let inserted = (end == nil ? [] : [JSONByte.comma]) + ValueEdits.joined(gap + [nested(below: depth)])
        return .edit(TextEdit(offset: end ?? start + 1, removed: 0, inserted: inserted))
    }

    /// What stands at the path so far: the place itself, a container to go into, or something that
    /// gives way to an object.
    private func replace(_ range: Range<Int>, _ scanner: JSONScanner, depth: Int) -> Step {
        let first = scanner.bytes[range.lowerBound]
        let isContainer = first == JSONByte.openObject || first == JSONByte.openArray
        if depth < path.count - 1, isContainer { return .descend(range.lowerBound) }
        return .edit(TextEdit(offset: range.lowerBound, removed: range.count, inserted: nested(below: depth)))
    }

    /// The value inside the objects that the rest of the path makes.
    func nested(below depth: Int) -> [UInt8] {
        var output: [UInt8] = []
        for part in path[(depth + 1)...] {
            output.append(JSONByte.openObject)
            appendJSONString(part, to: &output)
            output.append(JSONByte.colon)
        }
        output += value
        output += repeatElement(JSONByte.closeObject, count: path.count - depth - 1)
        return output
    }

    /// A non-negative integer as JavaScript writes it: digits without leading zeros.
    static func index(_ part: [UInt8]) -> Int? {
        guard !part.isEmpty, part.count <= 10, part.allSatisfy({ $0 &- JSONByte.zero <= 9 }) else {
            return nil
        }
        guard part.count == 1 || part[0] != JSONByte.zero else { return nil }
        return Int(String(decoding: part, as: UTF8.self))
    }
}
