/// Turns what arrives over HTTP into operations. Values are cut out of the body as they were sent;
/// everything that can be refused without looking at the object is refused here.
public enum OperationParser {
    public static func setItem(body: [UInt8], name: String, keyVersion: UInt64?) throws(Refusal) -> Operation
    {
        let name = try itemName(name)
        return try RequestBody.read(body) { (body) throws(Refusal) in
            .setItem(try write(body, name: name, keyVersion: keyVersion))
        }
    }

    public static func setItems(body: [UInt8], keyVersion: UInt64?) throws(Refusal) -> Operation {
        try RequestBody.read(body) { (body) throws(Refusal) in
            var writes: [ItemWrite] = []
            for (name, member) in try body.namedBodies() {
                guard !name.isEmpty else { throw .emptyName }
                writes.append(try write(member, name: name, keyVersion: keyVersion))
            }
            return .setItems(writes)
        }
    }

    private static func write(
        _ body: RequestBody, name: ItemName, keyVersion: UInt64?
    ) throws(Refusal) -> ItemWrite {
        guard let value = try body.text("value") else { throw .invalid("value.missing", "value is missing.") }
        return ItemWrite(
            name: name, value: value, options: try body.options(), ifAbsent: try body.boolean("ifAbsent"),
            keyVersion: keyVersion)
    }

    public static func getItem(name: String) throws(Refusal) -> Operation { .getItem(try itemName(name)) }

    public static func removeItem(name: String) throws(Refusal) -> Operation {
        .removeItem(try itemName(name))
    }

    public static func getItems(body: [UInt8]) throws(Refusal) -> Operation {
        .getItems(try JSONScanner.itemNames(body))
    }

    public static func removeItems(body: [UInt8]) throws(Refusal) -> Operation {
        .removeItems(try JSONScanner.itemNames(body))
    }

    public static func getAll(prefix: String) -> Operation { .getAll(prefix: ItemName(prefix)) }

    public static func keys(prefix: String) -> Operation { .keys(prefix: ItemName(prefix)) }

    public static func clear() -> Operation { .clear }

    /// A message over HTTP. What comes as text is the payload itself, a ciphertext that may look like JSON;
    /// anything else must be JSON.
    public static func message(body: [UInt8], isText: Bool, keyVersion: UInt64?) throws(Refusal) -> Operation {
        guard let version = keyVersion.map({ UInt32(exactly: $0) }) ?? .some(nil) else {
            throw .invalid("keyVersion", "X-Enc-KV is too large.")
        }
        if isText {
            guard String(validating: body, as: UTF8.self) != nil else {
                throw .invalid("body.text", "The text is not UTF-8.")
            }
            var json: [UInt8] = []
            appendJSONString(body, to: &json)
            guard json.count <= Limits.messageBytes else {
                throw .tooLarge(
                    "message.tooLarge",
                    "As a JSON string the message has \(json.count) bytes; the limit is \(Limits.messageBytes).")
            }
            return .message(SocketPayload(json: json, keyVersion: version), sender: nil)
        }
        do throws(JSONFault) {
            let extent = try JSONScanner.check(body)
            return .message(SocketPayload(json: Array(body[extent.range]), keyVersion: version), sender: nil)
        } catch {
            throw .body(error)
        }
    }

    private static func itemName(_ text: String) throws(Refusal) -> ItemName {
        let name = ItemName(text)
        guard !name.isEmpty else { throw .emptyName }
        return name
    }
}

extension OperationParser {
    /// The six operations that are a word after the item's name; nil if the word is none of them.
    public static func atomic(word: String, body: [UInt8], name: String) throws(Refusal) -> Operation? {
        switch word {
        case "increment": try increment(body: body, name: name)
        case "decrement": try decrement(body: body, name: name)
        case "push": try push(body: body, name: name)
        case "splice": try splice(body: body, name: name)
        case "merge": try merge(body: body, name: name)
        case "set-in": try setIn(body: body, name: name)
        default: nil
        }
    }

    public static func increment(body: [UInt8], name: String) throws(Refusal) -> Operation {
        let (name, amount, options) = try counting(body, name)
        return .increment(name, by: amount, options)
    }

    public static func decrement(body: [UInt8], name: String) throws(Refusal) -> Operation {
        let (name, amount, options) = try counting(body, name)
        return .decrement(name, by: amount, options)
    }

    private static func counting(
        _ body: [UInt8], _ name: String
    ) throws(Refusal) -> (ItemName, Double, WriteOptions) {
        let name = try itemName(name)
        return try RequestBody.read(body) { (body) throws(Refusal) in
            guard let amount = try body.number("value") else {
                throw .invalid("value.missing", "value is missing.")
            }
            return (name, amount, try body.options())
        }
    }

    public static func push(body: [UInt8], name: String) throws(Refusal) -> Operation {
        let name = try itemName(name)
        return try RequestBody.read(body) { (body) throws(Refusal) in
            let value = try body.text("value", depthLimit: JSONScanner.depthLimit - 1) ?? Array("null".utf8)
            return .push(name, value: value, try body.options())
        }
    }

    public static func splice(body: [UInt8], name: String) throws(Refusal) -> Operation {
        let name = try itemName(name)
        return try RequestBody.read(body) { (body) throws(Refusal) in
            let splice = Splice(
                start: try body.truncated("startIndex"), deleteCount: try body.truncated("deleteCount"),
                items: try body.elements("items", depthLimit: JSONScanner.depthLimit - 1))
            return .splice(name, splice, try body.options())
        }
    }

    public static func merge(body: [UInt8], name: String) throws(Refusal) -> Operation {
        let name = try itemName(name)
        return try RequestBody.read(body) { (body) throws(Refusal) in
            guard body.kind("value") == .object, let members = try body.text("value") else {
                throw .invalid("value", "merge needs an object as its value.")
            }
            return .merge(name, members: members, try body.options())
        }
    }

    public static func setIn(body: [UInt8], name: String) throws(Refusal) -> Operation {
        let name = try itemName(name)
        return try RequestBody.read(body) { (body) throws(Refusal) in
            let path = try body.path()
            guard path.count <= JSONScanner.depthLimit else { throw .tooDeep }
            let value = try body.text("value", depthLimit: JSONScanner.depthLimit - path.count)
            return .setIn(name, path: path, value: value ?? Array("null".utf8), try body.options())
        }
    }

    public static func encryptionSettings(body: [UInt8]) throws(Refusal) -> Operation {
        .encryptionSettings(saltBytes: try saltBytes(body))
    }

    public static func rotateEncryption(body: [UInt8]) throws(Refusal) -> Operation {
        .rotateEncryption(saltBytes: try saltBytes(body))
    }

    private static func saltBytes(_ body: [UInt8]) throws(Refusal) -> Int {
        try RequestBody.read(body) { (body) throws(Refusal) in
            guard let asked = try body.number("saltLength") else {
                return EncryptionSettings.defaultSaltBytes
            }
            guard let count = Int(exactly: asked), 1...EncryptionSettings.saltLimitBytes ~= count else {
                throw .invalid(
                    "saltLength",
                    "saltLength must be a whole number from 1 to \(EncryptionSettings.saltLimitBytes).")
            }
            return count
        }
    }
}

extension Refusal {
    static let emptyName = invalid("name", "An item name must not be empty.")
}
