/// Shallow merge as edits: a member of the argument replaces the value of the member of that name, or
/// is put behind the last one. Of several members with one name the last counts, on both sides.
struct MergeEdits {
    /// What the argument brings, in order of first appearance.
    private struct Incoming {
        var name: [UInt8]
        /// The name as it was sent, with its quotes.
        var nameText: [UInt8]
        var value: [UInt8]
    }

    private var incoming: [Incoming] = []
    private var positions: [[UInt8]: Int] = [:]

    static func merge(_ members: [UInt8], into text: JSONText) throws(Refusal) -> [TextEdit] {
        guard text.kind == .object else { throw .wrongType("merge", wants: "an object", found: text.kind) }
        var merge = MergeEdits()
        try merge.read(members)
        return try merge.edits(of: text)
    }

    private mutating func read(_ members: [UInt8]) throws(Refusal) {
        let found = try ValueEdits.scan(JSONText(members)) { (scanner) throws(JSONFault) in
            var found: [Incoming] = []
            guard JSONKind(firstByte: members.first ?? 0) == .object else {
                throw JSONFault(reason: "an object is expected", offset: 0)
            }
            var cursor = JSONMemberCursor(scanner, objectAt: 0)
            while let member = try cursor.next() {
                found.append(
                    Incoming(
                        name: scanner.unescaped(member.name).bytes, nameText: Array(members[member.name]),
                        value: Array(members[member.value])))
            }
            return found
        }
        for member in found {
            if let position = positions[member.name] {
                incoming[position].value = member.value
            } else {
                positions[member.name] = incoming.count
                incoming.append(member)
            }
        }
    }

    private func edits(of text: JSONText) throws(Refusal) -> [TextEdit] {
        var places: [Range<Int>?] = Array(repeating: nil, count: incoming.count)
        let end = try ValueEdits.scan(text) { (scanner) throws(JSONFault) in
            var cursor = JSONMemberCursor(scanner, objectAt: 0)
            var end: Int?
            while let member = try cursor.next() {
                if let position = self.position(of: member.name, scanner) { places[position] = member.value }
                end = member.value.upperBound
            }
            return end
        }
        var edits: [TextEdit] = []
        var appended: [UInt8] = []
        for (position, member) in incoming.enumerated() {
            if let place = places[position] {
                edits.append(TextEdit(offset: place.lowerBound, removed: place.count, inserted: member.value))
            } else {
                if end != nil || !appended.isEmpty { appended.append(JSONByte.comma) }
                appended += member.nameText + [JSONByte.colon] + member.value
            }
        }
        edits.sort { $0.offset < $1.offset }
        if !appended.isEmpty { edits.append(TextEdit(offset: end ?? 1, removed: 0, inserted: appended)) }
        return edits.count > Self.fewEdits ? Self.gathered(edits, over: text.bytes) : edits
    }

    /// Up to so many stay as they are.
    private static let fewEdits = 16
    /// Edits with less between them become one, which has that too: each costs more than so many bytes, at every
    /// replica, and one client's value of a megabyte must not hold up the others.
    private static let gapBytes = 256

    /// The same change by as few edits as a text of this size can need.
    private static func gathered(_ edits: [TextEdit], over bytes: [UInt8]) -> [TextEdit] {
        var gathered: [TextEdit] = []
        for edit in edits {
            guard let last = gathered.last, edit.offset - (last.offset + last.removed) < gapBytes else {
                gathered.append(edit)
                continue
            }
            let between = bytes[last.offset + last.removed..<edit.offset]
            gathered[gathered.count - 1].inserted += between + edit.inserted
            gathered[gathered.count - 1].removed += between.count + edit.removed
        }
        return gathered
    }

    private func position(of name: Range<Int>, _ scanner: JSONScanner) -> Int? {
        if incoming.count <= 8 {
            return incoming.firstIndex { scanner.string(name, equals: $0.name) }
        }
        return positions[scanner.unescaped(name).bytes]
    }
}
