/// Writes JSON, member by member. For the edge's own pages, tokens and error bodies; values of items
/// pass through as the text that was sent.
struct JSONOutput {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// The text of one object.
    static func object(_ members: (inout JSONOutput) -> Void) -> [UInt8] {
        var output = JSONOutput()
        output.object(members)
        return output.bytes
    }

    mutating func object(_ members: (inout JSONOutput) -> Void) {
        enclose(UInt8(ascii: "{"), UInt8(ascii: "}"), members)
    }

    mutating func array<Element>(
        _ elements: some Sequence<Element>, _ write: (inout JSONOutput, Element) -> Void
    ) {
        enclose(UInt8(ascii: "["), UInt8(ascii: "]")) { output in
            for element in elements { write(&output, element) }
        }
    }

    /// Begins a member; its value comes next.
    mutating func key(_ name: String) {
        separate()
        appendQuoted(name)
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    mutating func value(_ text: String) {
        separate()
        appendQuoted(text)
        needsComma = true
    }

    mutating func value(_ number: some BinaryInteger) { literal(String(number)) }

    mutating func value(_ flag: Bool) { literal(flag ? "true" : "false") }

    mutating func null() { literal("null") }

    mutating func member(_ name: String, _ text: String) {
        key(name)
        value(text)
    }

    mutating func member(_ name: String, _ number: some BinaryInteger) {
        key(name)
        value(number)
    }

    mutating func member(_ name: String, _ flag: Bool) {
        key(name)
        value(flag)
    }

    private mutating func literal(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsComma = true
    }

    private mutating func enclose(_ open: UInt8, _ close: UInt8, _ content: (inout JSONOutput) -> Void) {
        separate()
        bytes.append(open)
        needsComma = false
        content(&self)
        bytes.append(close)
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = false
    }

    private mutating func appendQuoted(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0..<0x20, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(hexDigits[Int(byte >> 4)])
                bytes.append(hexDigits[Int(byte & 15)])
            default:
                bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

private let hexDigits = Array("0123456789abcdef".utf8)
