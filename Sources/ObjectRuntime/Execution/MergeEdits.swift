/// Shallow merge as edits: a member of the argument replaces the value of the member of that name, or
/// is put behind the last one. Of several members with one name the last counts, on both sides.
struct MergeEdits {
    /// What the argument brings: where the name, with its quotes, and the value lie in it.
    private struct Incoming {
        let name: Range<Int>
        var value: Range<Int>
    }

    /// A value of the text that the incoming member of this number replaces.
    private struct Place {
        var number: Int
        var value: Range<Int>
    }

    private let members: [UInt8]
    /// By number of their name.
    private let incoming: [Incoming]
    private let names: NameTable

    static func merge(_ members: [UInt8], into text: JSONText) throws(Refusal) -> [TextEdit] {
        guard text.kind == .object else { throw .wrongType("merge", wants: "an object", found: text.kind) }
        return try MergeEdits(members).edits(of: text.bytes)
    }

    private init(_ members: [UInt8]) throws(Refusal) {
        self.members = members
        (incoming, names) = try ValueEdits.scan(members) { (scanner) throws(JSONFault) in
            guard JSONKind(firstByte: members.first ?? 0) == .object else {
                throw JSONFault(reason: "an object is expected", offset: 0)
            }
            var incoming: [Incoming] = []
            var names = NameTable()
            var cursor = JSONMemberCursor(scanner, objectAt: 0)
            while let member = try cursor.next() {
                let number = scanner.withContent(of: member.name) { names.insert($0) }
                if number < incoming.count {
                    incoming[number].value = member.value
                } else {
                    incoming.append(Incoming(name: member.name, value: member.value))
                }
            }
            return (incoming, names)
        }
    }

    private func edits(of text: [UInt8]) throws(Refusal) -> [TextEdit] {
        let (places, end) = try places(in: text)
        var newest: [Int?] = Array(repeating: nil, count: incoming.count)
        for (position, place) in places.enumerated() { newest[place.number] = position }
        let appended = appended { newest[$0] == nil }
        let count = newest.count { $0 != nil } + (appended.isEmpty ? 0 : 1)
        var edits = GatheredEdits(of: text, isMany: count > GatheredEdits.fewCount)
        for (position, place) in places.enumerated() where newest[place.number] == position {
            edits.replace(place.value, by: members[incoming[place.number].value])
        }
        if !appended.isEmpty {
            let comma = end == nil ? [] : [JSONByte.comma]
            edits.replace((end ?? 1)..<(end ?? 1), by: (comma + appended)[...])
        }
        return edits.edits
    }

    /// In order; and where the last member ends, if there is one.
    private func places(in text: [UInt8]) throws(Refusal) -> (places: [Place], end: Int?) {
        try ValueEdits.scan(text) { (scanner) throws(JSONFault) in
            var cursor = JSONMemberCursor(scanner, objectAt: 0)
            var places: [Place] = []
            var end: Int?
            while let member = try cursor.next() {
                if let number = scanner.withContent(of: member.name, { names.number(of: $0) }) {
                    places.append(Place(number: number, value: member.value))
                }
                end = member.value.upperBound
            }
            return (places, end)
        }
    }

    /// The members that the text does not have, with commas between them.
    private func appended(where isNew: (Int) -> Bool) -> [UInt8] {
        var appended: [UInt8] = []
        for (number, member) in incoming.enumerated() where isNew(number) {
            if !appended.isEmpty { appended.append(JSONByte.comma) }
            appended += members[member.name]
            appended.append(JSONByte.colon)
            appended += members[member.value]
        }
        return appended
    }
}

/// Edits in order of offset. If they are many, those with little between them become one, which has that too: each costs
/// more than so many bytes, at every replica, and one client's value of a megabyte must not hold up the others.
private struct GatheredEdits {
    /// Up to so many stay as they are.
    static let fewCount = 16
    private static let gapBytes = 256

    private let text: [UInt8]
    private let gapBytes: Int
    private(set) var edits: [TextEdit] = []

    init(of text: [UInt8], isMany: Bool) {
        self.text = text
        gapBytes = isMany ? Self.gapBytes : 0
    }

    mutating func replace(_ range: Range<Int>, by inserted: ArraySlice<UInt8>) {
        guard let last = edits.indices.last, range.lowerBound - edits[last].end < gapBytes else {
            edits.append(TextEdit(offset: range.lowerBound, removed: range.count, inserted: Array(inserted)))
            return
        }
        edits[last].inserted += text[edits[last].end..<range.lowerBound]
        edits[last].inserted += inserted
        edits[last].removed = range.upperBound - edits[last].offset
    }
}

extension TextEdit {
    fileprivate var end: Int { offset + removed }
}
