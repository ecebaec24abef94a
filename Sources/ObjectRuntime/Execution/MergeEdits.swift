/// Shallow merge as edits: a member of the argument replaces the value of the member of that name, or
/// is put behind the last one. Of several members with one name the last counts, on both sides.
struct MergeEdits {
    /// What the argument brings, in order of first appearance.
    private struct Incoming {
        let name: ItemName
        /// Where the name, with its quotes, and the value lie in the argument.
        let nameRange: Range<Int>
        var value: Range<Int>
    }

    private let members: [UInt8]
    private var incoming: [Incoming] = []
    /// By name.
    private var positions: [ItemName: Int] = [:]

    static func merge(_ members: [UInt8], into text: JSONText) throws(Refusal) -> [TextEdit] {
        guard text.kind == .object else { throw .wrongType("merge", wants: "an object", found: text.kind) }
        return try MergeEdits(members).edits(of: text)
    }

    private init(_ members: [UInt8]) throws(Refusal) {
        self.members = members
        (incoming, positions) = try ValueEdits.scan(members) { (scanner) throws(JSONFault) in
            guard JSONKind(firstByte: members.first ?? 0) == .object else {
                throw JSONFault(reason: "an object is expected", offset: 0)
            }
            var incoming: [Incoming] = []
            var positions: [ItemName: Int] = [:]
            var cursor = JSONMemberCursor(scanner, objectAt: 0)
            while let member = try cursor.next() {
                let name = scanner.memberName(member.name)
                if let position = positions[name] {
                    incoming[position].value = member.value
                } else {
                    positions[name] = incoming.count
                    incoming.append(Incoming(name: name, nameRange: member.name, value: member.value))
                }
            }
            return (incoming, positions)
        }
    }

    private func edits(of text: JSONText) throws(Refusal) -> [TextEdit] {
        var places: [Range<Int>?] = Array(repeating: nil, count: incoming.count)
        let bytes = text.bytes
        let end = try ValueEdits.scan(bytes) { (scanner) throws(JSONFault) in
            var cursor = JSONMemberCursor(scanner, objectAt: 0)
            var end: Int?
            while let member = try cursor.next() {
                if let position = positions[scanner.memberName(member.name)] { places[position] = member.value }
                end = member.value.upperBound
            }
            return end
        }
        var edits: [TextEdit] = []
        var appended: [UInt8] = []
        for (position, member) in incoming.enumerated() {
            if let place = places[position] {
                edits.append(
                    TextEdit(
                        offset: place.lowerBound, removed: place.count, inserted: Array(members[member.value])))
            } else {
                if end != nil || !appended.isEmpty { appended.append(JSONByte.comma) }
                appended += members[member.nameRange]
                appended.append(JSONByte.colon)
                appended += members[member.value]
            }
        }
        edits.sort { $0.offset < $1.offset }
        if !appended.isEmpty { edits.append(TextEdit(offset: end ?? 1, removed: 0, inserted: appended)) }
        return edits.count > Self.fewEdits ? Self.gathered(edits, over: bytes) : edits
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
}
