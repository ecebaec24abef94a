import Binary

/// The unit that users address: project, class and id, with the key that places it.
///
/// Kept as one byte string, because most code only hashes, compares, sends and stores it; the three
/// texts are cut out when somebody asks.
public struct ObjectID: Sendable {
    public let key: ObjectKey
    /// The three texts as UTF-8, each after its length. Equal objects have equal canonical bytes.
    public let canonical: [UInt8]

    public init(project: String, objectClass: String, id: String, hashKey: SipHash) {
        canonical = ObjectID.canonical(project: project, objectClass: objectClass, id: id)
        key = ObjectKey(rawValue: hashKey.hash(canonical))
    }

    /// For callers that have computed the key already.
    public init(project: String, objectClass: String, id: String, key: ObjectKey) {
        canonical = ObjectID.canonical(project: project, objectClass: objectClass, id: id)
        self.key = key
    }

    private static func canonical(project: String, objectClass: String, id: String) -> [UInt8] {
        let length = project.utf8.count + objectClass.utf8.count + id.utf8.count
        var writer = ByteWriter(reserving: length + 6)
        writer.writeString(project)
        writer.writeString(objectClass)
        writer.writeString(id)
        return writer.bytes
    }

    public var project: String { text(at: 0) }
    public var objectClass: String { text(at: 1) }
    public var id: String { text(at: 2) }

    /// Whether the key is the one that this cluster's hash gives the id.
    public func hasKey(of hashKey: SipHash) -> Bool {
        hashKey.hash(canonical) == key.rawValue
    }

    /// UTF-8 lengths of the class and the id.
    var partLengths: (objectClass: Int, id: Int) {
        (range(at: 1).count, range(at: 2).count)
    }

    private func text(at part: Int) -> String {
        String(decoding: canonical[range(at: part)], as: UTF8.self)
    }

    private func range(at part: Int) -> Range<Int> {
        var reader = ByteReader(canonical)
        for number in 0...2 {
            guard let count = try? reader.readCount(), let range = try? reader.skip(count) else { break }
            if number == part { return range }
        }
        preconditionFailure("canonical bytes are checked when they are made")
    }
}

extension ObjectID: Hashable {
    @inlinable
    public static func == (left: ObjectID, right: ObjectID) -> Bool {
        left.key == right.key && left.canonical == right.canonical
    }

    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(key.rawValue)
    }
}

extension ObjectID: Comparable {
    /// By key, then by id: the order of shards and snapshots.
    public static func < (left: ObjectID, right: ObjectID) -> Bool {
        if left.key != right.key { return left.key < right.key }
        return left.canonical.lexicographicallyPrecedes(right.canonical)
    }
}

extension ObjectID {
    static let canonicalLimitBytes = 1 << 16

    public func encode(into writer: inout ByteWriter) {
        writer.write(key.rawValue)
        writer.writeBytes(canonical)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        key = ObjectKey(rawValue: try reader.readUInt64())
        canonical = try reader.readBytes(limit: ObjectID.canonicalLimitBytes)
        var parts = ByteReader(canonical)
        for _ in 0..<3 { _ = try parts.readString() }
        try parts.finish()
    }
}

extension ObjectID: CustomStringConvertible {
    public var description: String { "\(project)/\(objectClass)/\(id)" }
}
