/// Operations on a value as edits of its text: the edit is what goes into the log, so its size is that
/// of the change, not of the value.
enum ValueEdits {
    static func push(_ value: [UInt8], onto text: JSONText) throws(Refusal) -> [TextEdit] {
        guard text.kind == .array else { throw .wrongType("push", wants: "an array", found: text.kind) }
        let closing = text.count - 1
        var position = 1
        while position < closing, text[position] <= 0x20 { position += 1 }
        let isEmpty = position == closing
        return [TextEdit(offset: closing, removed: 0, inserted: isEmpty ? value : [JSONByte.comma] + value)]
    }

    /// `Array.prototype.splice`.
    static func splice(_ splice: Splice, of text: JSONText) throws(Refusal) -> [TextEdit] {
        guard text.kind == .array else { throw .wrongType("splice", wants: "an array", found: text.kind) }
        let elements = try scan(text) { (scanner) throws(JSONFault) in
            var ranges: [Range<Int>] = []
            var cursor = JSONElementCursor(scanner, arrayAt: 0)
            while let element = try cursor.next() { ranges.append(element.range) }
            return ranges
        }
        let count = elements.count
        let start = splice.start < 0 ? max(count + splice.start, 0) : min(splice.start, count)
        let removed = min(max(splice.deleteCount, 0), count - start)
        return spliceEdit(elements, from: start, to: start + removed, inserting: splice.items).map { [$0] }
            ?? []
    }

    private static func spliceEdit(
        _ elements: [Range<Int>], from start: Int, to end: Int, inserting items: [[UInt8]]
    ) -> TextEdit? {
        let inserted = joined(items)
        if items.isEmpty {
            guard end > start else { return nil }
            // The comma goes with the elements: the one after them, or before if they are the last.
            let from =
                end == elements.count && start > 0
                ? elements[start - 1].upperBound : elements[start].lowerBound
            let to = end < elements.count ? elements[end].lowerBound : elements[end - 1].upperBound
            return TextEdit(offset: from, removed: to - from, inserted: [])
        }
        if end > start {
            let from = elements[start].lowerBound
            return TextEdit(offset: from, removed: elements[end - 1].upperBound - from, inserted: inserted)
        }
        if start < elements.count {
            return TextEdit(
                offset: elements[start].lowerBound, removed: 0, inserted: inserted + [JSONByte.comma])
        }
        guard let last = elements.last else { return TextEdit(offset: 1, removed: 0, inserted: inserted) }
        return TextEdit(offset: last.upperBound, removed: 0, inserted: [JSONByte.comma] + inserted)
    }

    static func joined(_ items: [[UInt8]]) -> [UInt8] { Array(items.joined(separator: [JSONByte.comma])) }

    /// Lends a stored text to a scanner. Stored text is valid; a fault would be damage that slipped in,
    /// and is refused rather than trapped on.
    static func scan<Result>(
        _ text: JSONText, _ body: (JSONScanner) throws(JSONFault) -> Result
    ) throws(Refusal) -> Result {
        try scan(text.bytes, body)
    }

    static func scan<Result>(
        _ bytes: [UInt8], _ body: (JSONScanner) throws(JSONFault) -> Result
    ) throws(Refusal) -> Result {
        do throws(JSONFault) {
            return try bytes.withUnsafeBufferPointer { (bytes) throws(JSONFault) in try body(JSONScanner(bytes)) }
        } catch {
            throw .invalid("item.value", "The stored value is no JSON that can be changed: \(error).")
        }
    }
}
