import Binary

/// A tenant: what its credentials reach, and nothing else does.
public struct Project: Sendable, Equatable {
    public let id: String
    public let createdAtMs: UInt64
    var keysByID = SharedMap<APIKey>()
    var classesByName = SharedMap<ClassSettings>()
    public internal(set) var quota = Quota.unlimited
    /// The web origins that may reach the project; empty for all.
    public internal(set) var origins: [String] = []

    init(id: String, createdAtMs: UInt64) {
        self.id = id
        self.createdAtMs = createdAtMs
    }

    /// All keys, revoked ones too, by key id.
    public var keys: [APIKey] { keysByID.entries.map(\.value) }

    /// The classes that have settings of their own, by name.
    public var classes: [(name: String, settings: ClassSettings)] {
        classesByName.entries.map { ($0.key.text, $0.value) }
    }
}

/// Projects with their API keys and classes, and the secrets of the cluster itself.
///
/// A revoked key stays, so that its id is never given again.
public struct Tenants: Sendable, Equatable {
    var projectsByID = SharedMap<Project>()
    /// Oldest first; the last one signs. Never empty.
    public internal(set) var signingKeys: [SigningKey]
    /// Whoever knows its secret administers the cluster; nil until one is set.
    public internal(set) var admin: Credential?
    /// By name.
    public internal(set) var administrators: [Administrator] = []
    public internal(set) var objectLimits = ObjectLimits.standard

    init(signingKey: SigningKey) {
        signingKeys = [signingKey]
    }

    /// All projects, by id.
    public var projects: [Project] { projectsByID.entries.map(\.value) }

    public func project(_ id: String) -> Project? {
        projectsByID[ExactText(id)]
    }

    /// Revoked keys are found too: the caller says why it refuses them.
    public func key(project: String, keyID: String) -> APIKey? {
        projectsByID[ExactText(project)]?.keysByID[ExactText(keyID)]
    }

    public func classSettings(project: String, class name: String) -> ClassSettings {
        projectsByID[ExactText(project)]?.classesByName[ExactText(name)] ?? .standard
    }

    public func signingKey(id: UInt64) -> SigningKey? {
        signingKeys.first { $0.id == id }
    }

    /// The key that signs new tokens.
    public var newestSigningKey: SigningKey {
        guard let newest = signingKeys.last else { preconditionFailure("there is always a signing key") }
        return newest
    }
}

extension Project: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeString(id)
        writer.writeVariable(createdAtMs)
        writer.writeAll(keys)
        writer.writeArray(classes) {
            $0.writeString($1.name)
            $0.write($1.settings)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        id = try reader.readString(limit: PlacementLimits.nameBytes)
        createdAtMs = try reader.readVariable()
        let keys: [APIKey] = try reader.readAll(limit: PlacementLimits.keysPerProject)
        guard isStrictlyRising(keys, by: { ExactText($0.keyID) < ExactText($1.keyID) }) else {
            throw DecodingFailure("the keys of a project are out of order")
        }
        for key in keys { keysByID.set(key, for: ExactText(key.keyID)) }
        var last: ExactText?
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.classesPerProject)) {
            let name = ExactText(try reader.readString(limit: PlacementLimits.classNameBytes))
            guard last.map({ $0 < name }) ?? true else {
                throw DecodingFailure("the classes of a project are out of order")
            }
            classesByName.set(try ClassSettings(from: &reader), for: name)
            last = name
        }
    }
}

extension Tenants: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeAll(projects)
        writer.writeAll(signingKeys)
        writer.writePresent(admin)
        encodeBounds(into: &writer)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        try self.init(fromFirstFormat: &reader)
        try readBounds(from: &reader)
    }

    /// As 0.2.0 wrote it: no quotas, and no limits of objects but the standard ones.
    init(fromFirstFormat reader: inout ByteReader) throws(DecodingFailure) {
        let projects: [Project] = try reader.readAll(limit: PlacementLimits.projects)
        guard isStrictlyRising(projects, by: { ExactText($0.id) < ExactText($1.id) }) else {
            throw DecodingFailure("the projects are out of order")
        }
        for project in projects { projectsByID.set(project, for: ExactText(project.id)) }
        signingKeys = try reader.readAll(limit: PlacementLimits.signingKeys)
        guard !signingKeys.isEmpty, isStrictlyRising(signingKeys, by: { $0.id < $1.id }) else {
            throw DecodingFailure("the signing keys are missing or out of order")
        }
        admin = try reader.readPresent()
    }
}
