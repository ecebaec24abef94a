import Binary

public enum SignatureAlgorithm: UInt8, Sendable, CaseIterable {
    case hmacSHA256 = 1
    case ed25519 = 2
    case rsaSHA256 = 3
    case ecdsaP256SHA256 = 4
}

/// One version of the key with which a user's backend signs object ids.
public struct SignatureKey: Sendable, Equatable {
    public var version: UInt64
    public var algorithm: SignatureAlgorithm
    /// The shared secret, or the public key as its algorithm's checker wants it.
    public var key: [UInt8]

    public init(version: UInt64, algorithm: SignatureAlgorithm, key: [UInt8]) {
        self.version = version
        self.algorithm = algorithm
        self.key = key
    }
}

/// How the user behind a message or a join proves who it is.
public enum UserIdentity: Sendable, Equatable {
    case off
    /// HMAC-SHA256 over the user's id with this secret.
    case signature(secret: [UInt8])
    /// A token of the user's backend, checked with this key.
    case token(SignatureAlgorithm, key: [UInt8])
}

/// What holds for all objects of a class. Classes need no declaration; these are the defaults.
public struct ClassSettings: Sendable, Equatable {
    /// Lifetime of items written without one; nil: they stay.
    public var defaultTTLMs: UInt64?
    /// Whether objects open only with a signature over their id.
    public var requiresIDSignature: Bool
    /// By rising version; the last one is meant when a request names none.
    public var signatureKeys: [SignatureKey]
    public var userIdentity: UserIdentity

    public init(
        defaultTTLMs: UInt64? = nil, requiresIDSignature: Bool = false, signatureKeys: [SignatureKey] = [],
        userIdentity: UserIdentity = .off
    ) {
        self.defaultTTLMs = defaultTTLMs
        self.requiresIDSignature = requiresIDSignature
        self.signatureKeys = signatureKeys
        self.userIdentity = userIdentity
    }

    public static let standard = ClassSettings()

    /// The key that a request means which names `version`, or none.
    public func signatureKey(version: UInt64?) -> SignatureKey? {
        guard let version else { return signatureKeys.last }
        return signatureKeys.first { $0.version == version }
    }

    var isAcceptable: Bool {
        let sizes = 1...PlacementLimits.keyMaterialBytes
        return defaultTTLMs != 0 && signatureKeys.count <= PlacementLimits.signatureKeysPerClass
            && isStrictlyRising(signatureKeys) { $0.version < $1.version }
            && signatureKeys.allSatisfy { sizes.contains($0.key.count) }
            && (!requiresIDSignature || !signatureKeys.isEmpty)
            && (userIdentity.key.map { sizes.contains($0.count) } ?? true)
    }
}

extension UserIdentity {
    var key: [UInt8]? {
        switch self {
        case .off: nil
        case .signature(let secret): secret
        case .token(_, let key): key
        }
    }
}

extension SignatureAlgorithm: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.write(rawValue)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        guard let algorithm = SignatureAlgorithm(rawValue: try reader.readUInt8()) else {
            throw DecodingFailure("an unknown signature algorithm")
        }
        self = algorithm
    }
}

extension SignatureKey: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        writer.writeVariable(version)
        writer.write(algorithm)
        writer.writeBytes(key)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        version = try reader.readVariable()
        algorithm = try SignatureAlgorithm(from: &reader)
        key = try reader.readBytes(limit: PlacementLimits.decodedBytes)
    }
}

extension UserIdentity: BinaryCoded {
    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .off:
            writer.write(UInt8(0))
        case .signature(let secret):
            writer.write(UInt8(1))
            writer.writeBytes(secret)
        case .token(let algorithm, let key):
            writer.write(UInt8(2))
            writer.write(algorithm)
            writer.writeBytes(key)
        }
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        switch try reader.readUInt8() {
        case 0:
            self = .off
        case 1:
            self = .signature(secret: try reader.readBytes(limit: PlacementLimits.decodedBytes))
        case 2:
            let algorithm = try SignatureAlgorithm(from: &reader)
            self = .token(algorithm, key: try reader.readBytes(limit: PlacementLimits.decodedBytes))
        default:
            throw DecodingFailure("an unknown proof of identity")
        }
    }
}

extension ClassSettings: BinaryCoded {
    static let formatVersion: UInt8 = 1

    public func encode(into writer: inout ByteWriter) {
        writer.write(Self.formatVersion)
        writer.writeOptional(defaultTTLMs) { $0.writeVariable($1) }
        writer.write(requiresIDSignature)
        writer.writeAll(signatureKeys)
        writer.write(userIdentity)
    }

    public init(from reader: inout ByteReader) throws(DecodingFailure) {
        try reader.readVersion(Self.formatVersion, of: "a class's settings")
        defaultTTLMs = try reader.readBool() ? try reader.readVariable() : nil
        requiresIDSignature = try reader.readBool()
        signatureKeys = try reader.readAll(limit: PlacementLimits.decodedBytes)
        userIdentity = try UserIdentity(from: &reader)
    }
}
