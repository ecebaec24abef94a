import Binary

/// A secret that is kept as a salted hash only. Hashing is done by whoever checks it.
public struct Credential: Sendable, Equatable {
    public var salt: [UInt8]
    public var secretHash: [UInt8]

    public init(salt: [UInt8], secretHash: [UInt8]) {
        self.salt = salt
        self.secretHash = secretHash
    }

    var isAcceptable: Bool { (8...64).contains(salt.count) && (16...128).contains(secretHash.count) }
}

/// A key with which an application reaches one project.
public struct APIKey: Sendable, Equatable {
    public var keyID: String
    public var project: String
    public var credential: Credential
    /// For people: what the key is for.
    public var label: String
    /// If not empty, the web origins that may use the key.
    public var origins: [String]
    public var createdAtMs: UInt64
    public internal(set) var isRevoked: Bool
    public var rights: Rights
    /// Raised with every new secret; credentials made by the key name theirs.
    public internal(set) var version: UInt64 = 1
    public internal(set) var former: FormerSecret?

    public init(
        keyID: String, project: String, credential: Credential, label: String = "", origins: [String] = [],
        createdAtMs: UInt64, rights: Rights = .standard
    ) {
        self.keyID = keyID
        self.project = project
        self.credential = credential
        self.label = label
        self.origins = origins
        self.createdAtMs = createdAtMs
        self.rights = rights
        isRevoked = false
    }

    var unrevoked: APIKey {
        var key = self
        key.isRevoked = false
        return key
    }

    var isAcceptable: Bool {
        credential.isAcceptable && label.utf8.count <= PlacementLimits.labelBytes
            && areAcceptable(origins: origins, atMost: PlacementLimits.originsPerKey) && rights.isAcceptable
            && (1...PlacementLimits.keyVersions).contains(version) && former?.credential.isAcceptable ?? true
            && (version > 1 || former == nil)
    }
}

/// A secret that signs access tokens. The newest one signs, all of them verify.
public struct SigningKey: Sendable, Equatable {
    /// Rises with every key; names the key inside tokens.
    public var id: UInt64
    public var secret: [UInt8]
    public var createdAtMs: UInt64

    public init(id: UInt64, secret: [UInt8], createdAtMs: UInt64) {
        self.id = id
        self.secret = secret
        self.createdAtMs = createdAtMs
    }

    var isAcceptable: Bool { (16...PlacementLimits.keyMaterialBytes).contains(secret.count) }
}

extension Credential: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeBytes(salt)
        writer.writeBytes(secretHash)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        salt = try reader.readBytes(limit: PlacementLimits.decodedBytes)
        secretHash = try reader.readBytes(limit: PlacementLimits.decodedBytes)
    }
}

/// As 0.3.0 wrote it; what has come since is in `encodeAccess`.
extension APIKey: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeString(keyID)
        writer.writeString(project)
        writer.write(credential)
        writer.writeString(label)
        writer.writeArray(origins) { $0.writeString($1) }
        writer.writeVariable(createdAtMs)
        writer.write(isRevoked)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        keyID = try reader.readString(limit: PlacementLimits.decodedBytes)
        project = try reader.readString(limit: PlacementLimits.decodedBytes)
        credential = try Credential(from: &reader)
        label = try reader.readString(limit: PlacementLimits.decodedBytes)
        origins = []
        for _ in 0..<(try reader.readCount(limit: PlacementLimits.decodedBytes)) {
            origins.append(try reader.readString(limit: PlacementLimits.decodedBytes))
        }
        createdAtMs = try reader.readVariable()
        isRevoked = try reader.readBool()
        rights = .standard
    }
}

extension SigningKey: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(id)
        writer.writeBytes(secret)
        writer.writeVariable(createdAtMs)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        id = try reader.readVariable()
        secret = try reader.readBytes(limit: PlacementLimits.decodedBytes)
        createdAtMs = try reader.readVariable()
    }
}
