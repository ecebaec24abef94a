/// Answers as JSON. Maps and lists are in the order of the items' names (by byte), always.
enum Rendering {
    static func item(_ item: Item) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(item.value.count + 96)
        append(item, to: &output)
        return output
    }

    static func append(_ item: Item, to output: inout [UInt8]) {
        output.append(JSONByte.openObject)
        appendMembers(item, to: &output)
        output.append(JSONByte.closeObject)
    }

    static func appendMembers(_ item: Item, to output: inout [UInt8]) {
        append("\"value\":", to: &output)
        item.value.append(to: &output)
        append(",\"createdAt\":", to: &output)
        appendDecimal(item.createdAt, to: &output)
        append(",\"updatedAt\":", to: &output)
        appendDecimal(item.updatedAt, to: &output)
        append(",\"expiresAt\":", to: &output)
        appendDecimal(item.expiresAt, to: &output)
        if let keyVersion = item.keyVersion {
            append(",\"keyVersion\":", to: &output)
            appendDecimal(UInt64(keyVersion), to: &output)
        }
    }

    /// `{name: item, …}`.
    static func map(_ items: some Sequence<NamedItem>) -> [UInt8] {
        var output: [UInt8] = [JSONByte.openObject]
        for named in items {
            if output.count > 1 { output.append(JSONByte.comma) }
            appendJSONString(named.name.bytes, to: &output)
            output.append(JSONByte.colon)
            append(named.item, to: &output)
        }
        output.append(JSONByte.closeObject)
        return output
    }

    /// `["name", …]`.
    static func names(_ items: some Sequence<NamedItem>) -> [UInt8] {
        var output: [UInt8] = [JSONByte.openArray]
        for named in items {
            if output.count > 1 { output.append(JSONByte.comma) }
            appendJSONString(named.name.bytes, to: &output)
        }
        output.append(JSONByte.closeArray)
        return output
    }

    /// The last settings of the history are the current ones.
    static func settings(_ history: [EncryptionSettings]) -> [UInt8] {
        var output: [UInt8] = []
        append("{\"encryptionSettings\":", to: &output)
        if let current = history.last { append(current, to: &output) } else { append("null", to: &output) }
        append(",\"previousEncryptionSettings\":[", to: &output)
        for (position, previous) in history.dropLast().enumerated() {
            if position > 0 { output.append(JSONByte.comma) }
            append(previous, to: &output)
        }
        append("]}", to: &output)
        return output
    }

    private static func append(_ settings: EncryptionSettings, to output: inout [UInt8]) {
        append("{\"salt\":\"", to: &output)
        appendBase64(settings.salt, to: &output)
        append("\",\"keyVersion\":", to: &output)
        appendDecimal(UInt64(settings.keyVersion), to: &output)
        append(",\"createdAt\":", to: &output)
        appendDecimal(settings.createdAt, to: &output)
        output.append(JSONByte.closeObject)
    }

    @inline(__always)
    private static func append(_ text: StaticString, to output: inout [UInt8]) {
        output.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

/// Standard base64 with padding (RFC 4648).
func appendBase64(_ input: [UInt8], to output: inout [UInt8]) {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var position = 0
    while position < input.count {
        let taken = min(3, input.count - position)
        var group: UInt32 = 0
        for offset in 0..<3 {
            group = group << 8 | (offset < taken ? UInt32(input[position + offset]) : 0)
        }
        for digit in 0..<4 {
            output.append(
                digit <= taken ? alphabet[Int(group >> UInt32(18 - 6 * digit) & 63)] : UInt8(ascii: "="))
        }
        position += taken
    }
}
