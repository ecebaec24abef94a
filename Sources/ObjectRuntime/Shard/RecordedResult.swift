import Binary

/// The first answer to an operation, as the window keeps it. It shares the items' texts.
enum RecordedResult: Sendable, Equatable {
    case noContent
    case item(NamedItem)
    case items([NamedItem])
    case settings([EncryptionSettings])
    case refused(Refusal)

    var reply: Reply {
        switch self {
        case .noContent: .noContent
        case .item(let named): .json(Rendering.item(named.item))
        case .items(let items): .json(Rendering.map(items))
        case .settings(let history): .json(Rendering.settings(history))
        case .refused(let refusal): .refused(refusal)
        }
    }

    /// Texts are written as what differs from those that they lean on, so that a large value is not repeated for
    /// every recent operation on it.
    func encode(into writer: inout ByteWriter, leaning base: (ItemName) -> JSONText?) {
        switch self {
        case .noContent: writer.write(UInt8(1))
        case .item(let named):
            writer.write(UInt8(2))
            named.encode(into: &writer, leaning: base)
        case .items(let items):
            writer.write(UInt8(3))
            writer.writeArray(items) { $1.encode(into: &$0, leaning: base) }
        case .settings(let history):
            writer.write(UInt8(4))
            writer.writeArray(history) { $1.encode(into: &$0) }
        case .refused(let refusal):
            writer.write(UInt8(5))
            refusal.encode(into: &writer)
        }
    }

    init(from reader: inout ByteReader, leaning base: (ItemName) -> JSONText?) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 1: self = .noContent
        case 2: self = .item(try NamedItem(from: &reader, leaning: base))
        case 3:
            self = .items(
                try reader.readArray { (reader) throws(DecodingFailure) in
                    try NamedItem(from: &reader, leaning: base)
                })
        case 4:
            self = .settings(
                try reader.readArray { (reader) throws(DecodingFailure) in
                    try EncryptionSettings(from: &reader)
                })
        case 5: self = .refused(try Refusal(from: &reader))
        default: throw DecodingFailure("a recorded result is of an unknown kind")
        }
    }
}

extension NamedItem {
    /// Without anything to lean on, the text is written whole.
    func encode(into writer: inout ByteWriter, leaning base: (ItemName) -> JSONText?) {
        name.encode(into: &writer)
        item.encodeTimes(into: &writer, origin: 0)
        guard let base = base(name) else {
            writer.write(false)
            item.value.encode(into: &writer)
            return
        }
        writer.write(true)
        base.difference(to: item.value).encode(into: &writer)
    }

    init(from reader: inout ByteReader, leaning base: (ItemName) -> JSONText?) throws(DecodingFailure) {
        name = try ItemName(from: &reader)
        item = try Item(value: JSONText([]), timesFrom: &reader, origin: 0)
        guard try reader.readBool() else {
            item.value = try JSONText(from: &reader)
            return
        }
        let edit = try TextEdit(from: &reader)
        guard let base = base(name) else {
            throw DecodingFailure("a recorded result leans on an item that is not there")
        }
        if edit.removed == 0, edit.inserted.isEmpty {
            item.value = base
        } else if let value = base.applying([edit]) {
            item.value = value
        } else {
            throw DecodingFailure("an edit lies outside its text")
        }
    }
}
