import Binary

/// What a credential lets its holder do.
public struct Scopes: OptionSet, Sendable, Hashable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Items, listening, and what a listener has missed.
    public static let read = Scopes(rawValue: 1)
    /// Items are set and removed; encryption keys change.
    public static let write = Scopes(rawValue: 2)
    /// Joining, leaving, and the list of those who have joined.
    public static let presence = Scopes(rawValue: 4)
    public static let message = Scopes(rawValue: 8)
    /// The key's holder may rotate it.
    public static let admin = Scopes(rawValue: 16)

    public static let all: Scopes = [.read, .write, .presence, .message, .admin]
    /// Of keys that were made without a word about scopes, and of all that there were before scopes.
    public static let standard: Scopes = [.read, .write, .presence, .message]

    private static let named: [(name: String, scope: Scopes)] = [
        ("read", .read), ("write", .write), ("presence", .presence), ("message", .message), ("admin", .admin),
    ]

    /// As pages and credentials call them, in one order.
    public var names: [String] { Scopes.named.filter { contains($0.scope) }.map(\.name) }

    /// Nil if one of the names is unknown.
    public init?(names: some Sequence<some StringProtocol>) {
        self = []
        for name in names {
            guard let known = Scopes.named.first(where: { $0.name == name }) else { return nil }
            insert(known.scope)
        }
    }
}

/// What an API key may reach: scopes, and the beginnings of classes and object ids.
public struct Rights: Sendable, Hashable {
    public var scopes: Scopes
    /// Of every class, and of every object id, that the credential may name. Empty: no restriction.
    public var classPrefix: String
    public var idPrefix: String

    public init(scopes: Scopes = .standard, classPrefix: String = "", idPrefix: String = "") {
        self.scopes = scopes
        self.classPrefix = classPrefix
        self.idPrefix = idPrefix
    }

    public static let standard = Rights()

    var isAcceptable: Bool {
        !scopes.isEmpty && Scopes.all.contains(scopes) && classPrefix.utf8.count <= PlacementLimits.classNameBytes
            && idPrefix.utf8.count <= PlacementLimits.classNameBytes
    }
}

/// The secret before the newest one, while it still counts.
public struct FormerSecret: Sendable, Equatable {
    public var credential: Credential
    public var untilMs: UInt64

    public init(credential: Credential, untilMs: UInt64) {
        self.credential = credential
        self.untilMs = untilMs
    }
}

extension APIKey {
    /// Whether credentials of `version` count at `nowMs`: the newest, and for a time the one before.
    public func accepts(version: UInt64, nowMs: UInt64) -> Bool {
        if version == self.version { return true }
        guard let former, version + 1 == self.version else { return false }
        return nowMs < former.untilMs
    }

    /// What keys of 0.3.0 did not have.
    var hasAccess: Bool { rights != .standard || version != 1 || former != nil }

    func encodeAccess(into writer: inout ByteWriter) {
        writer.write(rights)
        writer.writeVariable(version)
        writer.writePresent(former)
    }

    mutating func readAccess(from reader: inout ByteReader) throws(DecodingFailure) {
        rights = try Rights(from: &reader)
        version = try reader.readVariable()
        former = try reader.readPresent()
    }
}

extension Rights: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(scopes.rawValue)
        writer.writeString(classPrefix)
        writer.writeString(idPrefix)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        scopes = Scopes(rawValue: try reader.readUInt8())
        classPrefix = try reader.readString(limit: PlacementLimits.decodedBytes)
        idPrefix = try reader.readString(limit: PlacementLimits.decodedBytes)
    }
}

extension FormerSecret: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(credential)
        writer.writeVariable(untilMs)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        credential = try Credential(from: &reader)
        untilMs = try reader.readVariable()
    }
}
