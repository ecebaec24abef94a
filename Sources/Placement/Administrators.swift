import Binary

/// How far an administrator may go. The token of a node's settings is above all of them.
public enum AdminRole: UInt8, Sendable, CaseIterable {
    /// Looks on.
    case viewer = 1
    /// Runs nodes and tenants; has no part in other administrators, in backups and in the audit's bounds.
    case `operator` = 2
    /// The token of the settings, and the admin secret that the cluster keeps. Never given to a name.
    case root = 3

    public var name: String { "\(self)" }

    public init?(name: String) {
        guard let role = AdminRole.allCases.first(where: { $0.name == name }) else { return nil }
        self = role
    }
}

/// A named administrator. A revoked one stays, so that its name in the audit means one person.
public struct Administrator: Sendable, Equatable {
    public var name: String
    public var role: AdminRole
    public var credential: Credential
    public var createdAtMs: UInt64
    public internal(set) var isRevoked = false

    public init(name: String, role: AdminRole, credential: Credential, createdAtMs: UInt64) {
        self.name = name
        self.role = role
        self.credential = credential
        self.createdAtMs = createdAtMs
    }

    var isAcceptable: Bool { isPlainName(name) && credential.isAcceptable && role != .root }
}

/// Commands about who may do what: administrators, versions of keys, origins of projects.
extension Tenants {
    public func administrator(named name: String) -> Administrator? {
        administrators.first { ExactText($0.name) == ExactText(name) }
    }

    mutating func applyAccess(_ command: Command) -> CommandResult {
        switch command {
        case .createAdministrator(let administrator): createAdministrator(administrator)
        case .revokeAdministrator(let name): revokeAdministrator(name)
        case .rotateKey(let rotation): rotateKey(rotation)
        case .setOrigins(let project, let origins): setOrigins(origins, of: ExactText(project))
        default: preconditionFailure("not a command about access")
        }
    }

    private mutating func createAdministrator(_ new: Administrator) -> CommandResult {
        if let existing = administrator(named: new.name) {
            return existing.credential == new.credential ? .done : .refused(.conflict)
        }
        guard new.isAcceptable else { return .refused(.invalidValue) }
        guard administrators.count < PlacementLimits.administrators else { return .refused(.limitReached) }
        var fresh = new
        fresh.isRevoked = false
        let place = administrators.firstIndex { ExactText(new.name) < ExactText($0.name) }
        administrators.insert(fresh, at: place ?? administrators.count)
        return .done
    }

    private mutating func revokeAdministrator(_ name: String) -> CommandResult {
        guard let place = administrators.firstIndex(where: { ExactText($0.name) == ExactText(name) }) else {
            return .refused(.unknownAdministrator)
        }
        administrators[place].isRevoked = true
        return .done
    }

    /// Names the version that it replaces: a retry finds its own secret there.
    private mutating func rotateKey(_ rotation: KeyRotation) -> CommandResult {
        let project = ExactText(rotation.project)
        let keyID = ExactText(rotation.keyID)
        guard projectsByID[project] != nil else { return .refused(.unknownProject) }
        guard let key = projectsByID[project]?.keysByID[keyID] else { return .refused(.unknownKey) }
        if key.credential == rotation.credential { return .done }
        guard !key.isRevoked, key.version == rotation.expectedVersion else { return .refused(.conflict) }
        guard rotation.credential.isAcceptable, key.version < PlacementLimits.keyVersions else {
            return .refused(.invalidValue)
        }
        projectsByID.update(project) {
            $0.keysByID.update(keyID) { key in
                key.former = rotation.formerUntilMs.map { FormerSecret(credential: key.credential, untilMs: $0) }
                key.credential = rotation.credential
                key.version += 1
            }
        }
        return .done
    }

    private mutating func setOrigins(_ origins: [String], of project: ExactText) -> CommandResult {
        guard projectsByID[project] != nil else { return .refused(.unknownProject) }
        guard areAcceptable(origins: origins, atMost: PlacementLimits.originsPerProject) else {
            return .refused(.invalidValue)
        }
        projectsByID.update(project) { $0.origins = origins }
        return .done
    }
}

/// A new secret for a key, one version above the expected one.
public struct KeyRotation: Sendable, Equatable {
    public var project: String
    public var keyID: String
    public var expectedVersion: UInt64
    public var credential: Credential
    /// Until then the former secret counts, with what was made by it. Nil: it ends at once.
    public var formerUntilMs: UInt64?

    public init(
        project: String, keyID: String, expectedVersion: UInt64, credential: Credential, formerUntilMs: UInt64?
    ) {
        self.project = project
        self.keyID = keyID
        self.expectedVersion = expectedVersion
        self.credential = credential
        self.formerUntilMs = formerUntilMs
    }
}

func areAcceptable(origins: [String], atMost count: Int) -> Bool {
    origins.count <= count && origins.allSatisfy { (1...PlacementLimits.labelBytes).contains($0.utf8.count) }
}

// MARK: - Bytes

extension Tenants {
    /// What 0.3.0 did not have, behind all that it had.
    func encodeAccess(into writer: inout ByteWriter) {
        writer.writeAll(administrators)
        let bound = projects.filter { !$0.origins.isEmpty }
        writer.writeArray(bound) { writer, project in
            writer.writeString(project.id)
            writer.writeArray(project.origins) { $0.writeString($1) }
        }
        let keys = projects.flatMap(\.keys).filter(\.hasAccess)
        writer.writeArray(keys) { writer, key in
            writer.writeString(key.project)
            writer.writeString(key.keyID)
            key.encodeAccess(into: &writer)
        }
    }

    mutating func readAccess(from reader: inout ByteReader) throws(DecodingFailure) {
        administrators = try reader.readAll(limit: PlacementLimits.administrators)
        guard isStrictlyRising(administrators, by: { ExactText($0.name) < ExactText($1.name) }),
            administrators.allSatisfy(\.isAcceptable)
        else { throw DecodingFailure("the administrators are out of order or broken") }
        try readOrigins(from: &reader)
        try readKeyAccess(from: &reader)
    }

    private mutating func readOrigins(from reader: inout ByteReader) throws(DecodingFailure) {
        var last: ExactText?
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.projects)) {
            let project = ExactText(try reader.readString(limit: PlacementLimits.nameBytes))
            let origins = try reader.readTexts(limit: PlacementLimits.originsPerProject)
            guard last.map({ $0 < project }) ?? true, projectsByID[project] != nil, !origins.isEmpty,
                areAcceptable(origins: origins, atMost: PlacementLimits.originsPerProject)
            else { throw DecodingFailure("the origins are out of order, empty, or of no project") }
            projectsByID.update(project) { $0.origins = origins }
            last = project
        }
    }

    private mutating func readKeyAccess(from reader: inout ByteReader) throws(DecodingFailure) {
        var last: (project: ExactText, key: ExactText)?
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.projects * PlacementLimits.keysPerProject)) {
            let project = ExactText(try reader.readString(limit: PlacementLimits.nameBytes))
            let keyID = ExactText(try reader.readString(limit: PlacementLimits.decodedBytes))
            let isLater = last.map { $0.project < project || $0.project == project && $0.key < keyID } ?? true
            guard isLater, var key = projectsByID[project]?.keysByID[keyID] else {
                throw DecodingFailure("the rights of keys are out of order, or of no key")
            }
            try key.readAccess(from: &reader)
            guard key.hasAccess, key.isAcceptable else { throw DecodingFailure("the rights of a key are broken") }
            let read = key
            projectsByID.update(project) { $0.keysByID.set(read, for: keyID) }
            last = (project, keyID)
        }
    }
}

extension ByteReader {
    mutating func readTexts(limit: Int) throws(DecodingFailure) -> [String] {
        var texts: [String] = []
        for _ in 0..<(try readCount(limit: limit)) {
            texts.append(try readString(limit: PlacementLimits.decodedBytes))
        }
        return texts
    }
}

extension Administrator: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeString(name)
        writer.write(role.rawValue)
        writer.write(credential)
        writer.writeVariable(createdAtMs)
        writer.write(isRevoked)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        name = try reader.readString(limit: PlacementLimits.decodedBytes)
        guard let role = AdminRole(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown role of an administrator")
        }
        self.role = role
        credential = try Credential(from: &reader)
        createdAtMs = try reader.readVariable()
        isRevoked = try reader.readBool()
    }
}

extension KeyRotation: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeString(project)
        writer.writeString(keyID)
        writer.writeVariable(expectedVersion)
        writer.write(credential)
        writer.writeOptional(formerUntilMs) { $0.writeVariable($1) }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        project = try reader.readString(limit: PlacementLimits.decodedBytes)
        keyID = try reader.readString(limit: PlacementLimits.decodedBytes)
        expectedVersion = try reader.readVariable()
        credential = try Credential(from: &reader)
        formerUntilMs = try reader.readOptional { (reader) throws(DecodingFailure) in try reader.readVariable() }
    }
}
