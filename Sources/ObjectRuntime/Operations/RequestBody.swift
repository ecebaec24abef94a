/// The members of a request's JSON body, where they lie. Members that nobody asks for are ignored; of
/// several with one name the last counts, as in `JSON.parse`.
struct RequestBody {
    private let scanner: JSONScanner
    private let members: [JSONMember]

    /// Lends the members of a body that is a JSON object.
    static func read<Result>(
        _ body: [UInt8], _ use: (RequestBody) throws(Refusal) -> Result
    ) throws(Refusal) -> Result {
        try body.withUnsafeBufferPointer { (buffer) throws(Refusal) in
            let scanner = JSONScanner(buffer)
            let start = scanner.skipSpace(0)
            let parsed: RequestBody
            do throws(JSONFault) {
                // Checks the whole text: the members first, then that nothing follows.
                guard start < buffer.count else { throw scanner.fault("the text is empty", start) }
                guard buffer[start] == JSONByte.openObject else {
                    _ = try scanner.document(depthLimit: depthLimit)
                    throw JSONFault(reason: "an object is expected", offset: start)
                }
                parsed = try RequestBody(scanner, objectAt: start, isWhole: true)
            } catch {
                throw .body(error)
            }
            return try use(parsed)
        }
    }

    /// A value may use the whole depth limit inside a body, which wraps it once or twice.
    static let depthLimit = JSONScanner.depthLimit + 2

    private init(_ scanner: JSONScanner, objectAt start: Int, isWhole: Bool) throws(JSONFault) {
        self.scanner = scanner
        var members: [JSONMember] = []
        var cursor = JSONMemberCursor(scanner, objectAt: start, depthLimit: RequestBody.depthLimit)
        while let member = try cursor.next() { members.append(member) }
        if isWhole {
            let end = scanner.skipSpace(cursor.end)
            guard end == scanner.bytes.count else {
                throw scanner.fault("there is text after the value", end)
            }
        }
        self.members = members
    }

    /// The body's members with their names, last of each name only, in order of first appearance.
    func namedBodies() throws(Refusal) -> [(name: ItemName, body: RequestBody)] {
        var result: [(name: ItemName, body: RequestBody)] = []
        var positions: [ItemName: Int] = [:]
        for member in members {
            let name = try scanner.itemName(member.name)
            guard let nested = nested(member) else {
                throw .invalid("body.form", "Each member of the body must be an object with a value.")
            }
            if let position = positions[name] {
                result[position].body = nested
            } else {
                positions[name] = result.count
                result.append((name, nested))
            }
        }
        return result
    }

    private func nested(_ member: JSONMember) -> RequestBody? {
        guard scanner.bytes[member.value.lowerBound] == JSONByte.openObject else { return nil }
        return try? RequestBody(scanner, objectAt: member.value.lowerBound, isWhole: false)
    }

    private func find(_ name: StaticString) -> JSONMember? {
        members.last { member in
            let length = member.name.count - 2
            if length == name.utf8CodeUnitCount {
                let content = UnsafeBufferPointer(
                    rebasing: scanner.bytes[member.name.lowerBound + 1..<member.name.upperBound - 1])
                return content.elementsEqual(UnsafeBufferPointer(start: name.utf8Start, count: length))
            }
            return length > name.utf8CodeUnitCount
                && scanner.string(member.name, equals: Array(name.description.utf8))
        }
    }

    private func kind(_ member: JSONMember) -> JSONKind {
        JSONKind(firstByte: scanner.bytes[member.value.lowerBound])
    }

    private func slice(_ range: Range<Int>) -> [UInt8] { Array(scanner.bytes[range]) }
}

extension RequestBody {
    /// A value's text, cut out of the body as it was sent.
    func text(_ name: StaticString, depthLimit: Int = JSONScanner.depthLimit) throws(Refusal) -> [UInt8]? {
        guard let member = find(name) else { return nil }
        guard member.depth <= depthLimit else { throw .tooDeep }
        return slice(member.value)
    }

    func kind(_ name: StaticString) -> JSONKind? { find(name).map(kind) }

    /// The text of a string member; nil if there is none, or it is no Unicode.
    func string(_ name: StaticString) -> String? {
        guard let member = find(name), kind(member) == .string else { return nil }
        let text = scanner.unescaped(member.value)
        return text.hasLoneSurrogate ? nil : String(validating: text.bytes, as: UTF8.self)
    }

    /// A member that is an object itself.
    func object(_ name: StaticString) -> RequestBody? { find(name).flatMap(nested) }

    func number(_ name: StaticString) throws(Refusal) -> Double? {
        guard let member = find(name) else { return nil }
        guard kind(member) == .number else {
            throw .invalid("\(name)", "\(name) must be a number, but is \(kind(member).name).")
        }
        return JSONNumber.parse(scanner.bytes[member.value])
    }

    /// A number without its fraction, as JavaScript's integer conversion has it.
    func truncated(_ name: StaticString) throws(Refusal) -> Int {
        guard let value = try number(name) else { return 0 }
        return Int(max(-9e15, min(9e15, value)).rounded(.towardZero))
    }

    func boolean(_ name: StaticString) throws(Refusal) -> Bool {
        guard let member = find(name) else { return false }
        guard kind(member) == .boolean else {
            throw .invalid("\(name)", "\(name) must be true or false, but is \(kind(member).name).")
        }
        return scanner.bytes[member.value.lowerBound] == UInt8(ascii: "t")
    }

    func options() throws(Refusal) -> WriteOptions {
        WriteOptions(ttlMs: try ttl(), updatedAt: try version())
    }

    private func ttl() throws(Refusal) -> UInt64? {
        guard let value = try number("ttl") else { return nil }
        guard value > 0 else { throw .invalid("ttl", "ttl must be a positive number of milliseconds.") }
        if value > Double(WriteOptions.longestTTLMs) { return WriteOptions.longestTTLMs + 1 }
        return max(1, UInt64(value))
    }

    private func version() throws(Refusal) -> UInt64? {
        guard let value = try number("updatedAt") else { return nil }
        guard let version = UInt64(exactly: value) else {
            throw .invalid("updatedAt", "updatedAt must be a whole number of milliseconds.")
        }
        return version
    }

    /// The elements of an array member.
    func elements(_ name: StaticString, depthLimit: Int) throws(Refusal) -> [[UInt8]] {
        guard let member = find(name) else { return [] }
        guard kind(member) == .array else {
            throw .invalid("\(name)", "\(name) must be an array, but is \(kind(member).name).")
        }
        var cursor = JSONElementCursor(
            scanner, arrayAt: member.value.lowerBound, depthLimit: RequestBody.depthLimit)
        var result: [[UInt8]] = []
        while let element = try? cursor.next() {
            guard element.depth <= depthLimit else { throw .tooDeep }
            result.append(slice(element.range))
        }
        return result
    }

    /// The parts of a path: a text split at its points with empty parts dropped, or an array of texts.
    func path() throws(Refusal) -> [[UInt8]] {
        let form = Refusal.invalid("path", "path must be a string or an array of strings, and not empty.")
        guard let member = find("path") else { throw form }
        var parts: [[UInt8]] = []
        switch kind(member) {
        case .string:
            let text = try pathPart(member.value)
            parts = text.split(separator: JSONByte.point).map { Array($0) }
        case .array:
            var cursor = JSONElementCursor(
                scanner, arrayAt: member.value.lowerBound, depthLimit: RequestBody.depthLimit)
            while let element = try? cursor.next() {
                guard scanner.bytes[element.range.lowerBound] == JSONByte.quote else { throw form }
                parts.append(try pathPart(element.range))
            }
        default: throw form
        }
        guard !parts.isEmpty else { throw form }
        return parts
    }

    private func pathPart(_ range: Range<Int>) throws(Refusal) -> [UInt8] {
        let part = scanner.unescaped(range)
        guard !part.hasLoneSurrogate else {
            throw .invalid("path", "path contains half of a surrogate pair, which is no Unicode text.")
        }
        return part.bytes
    }
}

extension JSONScanner {
    /// An item name in a body. Half a surrogate pair cannot arrive in a path, so it is no name.
    func itemName(_ range: Range<Int>) throws(Refusal) -> ItemName {
        let text = unescaped(range)
        guard !text.hasLoneSurrogate else {
            throw .invalid(
                "name", "An item name contains half of a surrogate pair, which is no Unicode text.")
        }
        return ItemName(text.bytes)
    }

    /// A body that is an array of item names.
    static func itemNames(_ body: [UInt8]) throws(Refusal) -> [ItemName] {
        try body.withUnsafeBufferPointer { (buffer) throws(Refusal) in
            let scanner = JSONScanner(buffer)
            var names: [ItemName] = []
            do throws(JSONFault) {
                _ = try scanner.document()
            } catch {
                throw .body(error)
            }
            let start = scanner.skipSpace(0)
            let form = Refusal.invalid("body.form", "The body must be an array of item names.")
            guard buffer[start] == JSONByte.openArray else { throw form }
            var cursor = JSONElementCursor(scanner, arrayAt: start)
            while let element = try? cursor.next() {
                guard buffer[element.range.lowerBound] == JSONByte.quote else { throw form }
                names.append(try scanner.itemName(element.range))
            }
            return names
        }
    }
}

extension Refusal {
    static func body(_ fault: JSONFault) -> Refusal {
        .invalid("body.json", "The body is not the JSON that this call takes: \(fault).")
    }

    static let tooDeep = invalid(
        "value.depth", "The value is nested deeper than \(JSONScanner.depthLimit) levels.")
}
