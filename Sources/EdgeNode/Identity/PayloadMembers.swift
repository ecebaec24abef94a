import ObjectRuntime

/// The members of a message's payload, where they lie in its text, duplicates too. Payloads are not
/// built as trees: they may be large, and few members are looked at.
struct PayloadMembers {
    struct Member {
        var name: [UInt8]
        /// The text of the value.
        var value: Range<Int>
    }

    /// A payload that has none of its own: a string.
    static func isString(_ text: [UInt8]) -> Bool {
        text.first { !isSpace($0) } == UInt8(ascii: "\"") && (try? JSONScanner.check(text)) != nil
    }

    /// Calls `visit` for each member, in order; false, with nothing visited, unless `text` is one object.
    static func visit(
        _ text: [UInt8], _ visit: (Member) throws(HTTPFault) -> Void
    ) throws(HTTPFault) -> Bool {
        guard (try? JSONScanner.check(text)) != nil else { return false }
        var walker = MemberWalker(text: text)
        guard walker.enterObject() else { return false }
        while let member = walker.next() { try visit(member) }
        return true
    }

    fileprivate static func isSpace(_ byte: UInt8) -> Bool { byte <= 0x20 }
}

/// Walks text that is known to be JSON.
private struct MemberWalker {
    let text: [UInt8]
    private var position = 0

    init(text: [UInt8]) {
        self.text = text
    }

    mutating func enterObject() -> Bool {
        skipSpace()
        guard text[position] == UInt8(ascii: "{") else { return false }
        position += 1
        return true
    }

    mutating func next() -> PayloadMembers.Member? {
        skipSpace()
        if text[position] == UInt8(ascii: ",") {
            position += 1
            skipSpace()
        }
        guard text[position] != UInt8(ascii: "}"), let name = value() else { return nil }
        skipSpace()
        position += 1
        skipSpace()
        guard let value = value(), let text = JSONInput(Array(text[name]))?.text else { return nil }
        return PayloadMembers.Member(name: Array(text.utf8), value: value)
    }

    private mutating func value() -> Range<Int>? {
        let start = position
        let range = text.withUnsafeBufferPointer { try? JSONScanner($0).value(at: start).range }
        position = range?.upperBound ?? text.count
        return range
    }

    private mutating func skipSpace() {
        while PayloadMembers.isSpace(text[position]) { position += 1 }
    }
}
