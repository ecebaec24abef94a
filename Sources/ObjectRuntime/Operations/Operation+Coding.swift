import Binary

extension Operation {
    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .setItem(let write):
            writer.write(UInt8(1))
            write.encode(into: &writer)
        case .setItems(let writes):
            writer.write(UInt8(2))
            writer.writeArray(writes) { $1.encode(into: &$0) }
        case .getItem(let name): writer.write(3, name)
        case .getItems(let names): writer.write(4, names)
        case .getAll(let prefix): writer.write(5, prefix)
        case .keys(let prefix): writer.write(6, prefix)
        case .removeItem(let name): writer.write(7, name)
        case .removeItems(let names): writer.write(8, names)
        case .clear: writer.write(UInt8(9))
        case .increment(let name, let amount, let options):
            writer.write(10, name, options)
            writer.write(amount.bitPattern)
        case .decrement(let name, let amount, let options):
            writer.write(11, name, options)
            writer.write(amount.bitPattern)
        case .push(let name, let value, let options):
            writer.write(12, name, options)
            writer.writeBytes(value)
        case .splice(let name, let splice, let options):
            writer.write(13, name, options)
            splice.encode(into: &writer)
        case .merge(let name, let members, let options):
            writer.write(14, name, options)
            writer.writeBytes(members)
        case .setIn(let name, let path, let value, let options):
            writer.write(15, name, options)
            writer.writeArray(path) { $0.writeBytes($1) }
            writer.writeBytes(value)
        case .encryptionSettings(let saltBytes):
            writer.write(UInt8(16))
            writer.writeVariable(saltBytes)
        case .rotateEncryption(let saltBytes):
            writer.write(UInt8(17))
            writer.writeVariable(saltBytes)
        case .presenceList: writer.write(UInt8(18))
        case .message(let payload, let sender):
            writer.write(UInt8(19))
            payload.encode(into: &writer)
            writer.writeOptional(sender) { $1.encode(into: &$0) }
        case .session(let operation):
            writer.write(UInt8(20))
            operation.encode(into: &writer)
        case .listen(let request):
            writer.write(UInt8(21))
            request.encode(into: &writer)
        case .restore(let part):
            writer.write(UInt8(22))
            part.encode(into: &writer)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        let kind = try reader.readUInt8()
        switch kind {
        case 1: self = .setItem(try ItemWrite(from: &reader))
        case 2:
            self = .setItems(
                try reader.readArray { (reader) throws(DecodingFailure) in try ItemWrite(from: &reader) })
        case 3: self = .getItem(try ItemName(from: &reader))
        case 4: self = .getItems(try reader.readNames())
        case 5: self = .getAll(prefix: try ItemName(from: &reader))
        case 6: self = .keys(prefix: try ItemName(from: &reader))
        case 7: self = .removeItem(try ItemName(from: &reader))
        case 8: self = .removeItems(try reader.readNames())
        case 9: self = .clear
        case 10...15: self = try Operation.readAtomic(kind, from: &reader)
        case 16:
            self = .encryptionSettings(
                saltBytes: try reader.readCount(limit: EncryptionSettings.saltLimitBytes))
        case 17:
            self = .rotateEncryption(
                saltBytes: try reader.readCount(limit: EncryptionSettings.saltLimitBytes))
        case 18: self = .presenceList
        case 19:
            let payload = try SocketPayload(from: &reader)
            self = .message(
                payload,
                sender: try reader.readOptional { (reader) throws(DecodingFailure) in
                    try ConnectionID(from: &reader)
                })
        case 20: self = .session(try SessionOperation(from: &reader))
        case 21: self = .listen(try ListenRequest(from: &reader))
        case 22: self = .restore(try Restoration(from: &reader))
        default: throw DecodingFailure("an operation is of an unknown kind")
        }
    }

    private static func readAtomic(
        _ kind: UInt8, from reader: inout ByteReader
    ) throws(DecodingFailure) -> Operation {
        let name = try ItemName(from: &reader)
        let options = try WriteOptions(from: &reader)
        switch kind {
        case 10: return .increment(name, by: Double(bitPattern: try reader.readUInt64()), options)
        case 11: return .decrement(name, by: Double(bitPattern: try reader.readUInt64()), options)
        case 12: return .push(name, value: try reader.readValue(), options)
        case 13: return .splice(name, try Splice(from: &reader), options)
        case 14: return .merge(name, members: try reader.readValue(), options)
        default:
            let path = try reader.readArray { (reader) throws(DecodingFailure) in try reader.readBytes() }
            return .setIn(name, path: path, value: try reader.readValue(), options)
        }
    }
}

extension ItemWrite {
    func encode(into writer: inout ByteWriter) {
        name.encode(into: &writer)
        options.encode(into: &writer)
        writer.write(ifAbsent)
        writer.writeOptional(keyVersion) { $0.writeVariable($1) }
        writer.writeBytes(value)
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        name = try ItemName(from: &reader)
        options = try WriteOptions(from: &reader)
        ifAbsent = try reader.readBool()
        keyVersion = try reader.readOptional { (reader) throws(DecodingFailure) in try reader.readVariable() }
        value = try reader.readValue()
    }
}

extension WriteOptions {
    func encode(into writer: inout ByteWriter) {
        writer.write((ttlMs == nil ? 0 : 1) | (updatedAt == nil ? 0 : 2) as UInt8)
        if let ttlMs { writer.writeVariable(ttlMs) }
        if let updatedAt { writer.writeVariable(updatedAt) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        let flags = try reader.readUInt8()
        guard flags < 4 else { throw DecodingFailure("write options carry unknown flags") }
        ttlMs = flags & 1 == 0 ? nil : try reader.readVariable()
        updatedAt = flags & 2 == 0 ? nil : try reader.readVariable()
    }
}

extension Splice {
    func encode(into writer: inout ByteWriter) {
        writer.writeSigned(Int64(start))
        writer.writeSigned(Int64(deleteCount))
        writer.writeArray(items) { $0.writeBytes($1) }
    }

    init(from reader: inout ByteReader) throws(DecodingFailure) {
        start = Int(try reader.readSigned())
        deleteCount = Int(try reader.readSigned())
        items = try reader.readArray { (reader) throws(DecodingFailure) in try reader.readValue() }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ kind: UInt8, _ name: ItemName) {
        write(kind)
        name.encode(into: &self)
    }

    fileprivate mutating func write(_ kind: UInt8, _ names: [ItemName]) {
        write(kind)
        writeArray(names) { $1.encode(into: &$0) }
    }

    fileprivate mutating func write(_ kind: UInt8, _ name: ItemName, _ options: WriteOptions) {
        write(kind)
        name.encode(into: &self)
        options.encode(into: &self)
    }
}

extension ByteReader {
    fileprivate mutating func readNames() throws(DecodingFailure) -> [ItemName] {
        try readArray { (reader) throws(DecodingFailure) in try ItemName(from: &reader) }
    }

    /// JSON text. The edge that sent it has checked it; this only keeps an empty one out.
    fileprivate mutating func readValue() throws(DecodingFailure) -> [UInt8] {
        let value = try readBytes()
        guard !value.isEmpty else { throw DecodingFailure("a value is empty") }
        return value
    }
}
