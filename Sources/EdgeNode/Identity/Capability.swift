import Placement
import TLS

/// A signed string for one object, which its holder can narrow without asking anybody.
///
///     hfc1.IDENTIFIER.CAVEAT.….SIGNATURE      each part in base64url without padding
///
/// The first signature is an HMAC of `hfc1.IDENTIFIER` under the root key; each caveat replaces the
/// signature by an HMAC of the caveat's part under it (Birgisson et al., "Macaroons", 2014). Signatures
/// are over the parts as they are written: nothing needs a canonical form.
struct Capability {
    static let version = "hfc1"
    static let bytesMax = 4_096
    static let caveatsMax = 16
    static let lifetimeMs: ClosedRange<UInt64> = 1_000...2_592_000_000
    static let standardLifetimeMs: UInt64 = 3_600_000

    enum Fault: Error {
        case malformed, unknownSigningKey, wrongSignature
    }

    /// What the cluster says in the first part.
    struct Identifier: Equatable {
        var signingKeyID: UInt64
        var project: String
        var keyID: String
        var keyVersion: UInt64
        var object: Grant.Object
        var expiresAtMs: UInt64
        var nonce: String
    }

    /// One restriction. Unknown ones are refused: who does not understand them cannot keep them.
    enum Caveat: Equatable {
        case scopes(Scopes)
        case itemPrefix(String)
        /// The one web origin that may use it.
        case audience(String)
        case expires(UInt64)
    }

    var identifier: Identifier
    var caveats: [Caveat]
}

// MARK: - Reading

extension Capability {
    static func isOne(_ token: some Collection<UInt8>) -> Bool { token.starts(with: (version + ".").utf8) }

    /// Proven to be what one of the kept keys signed, and what its holders have added.
    init(_ token: [UInt8], tenants: Tenants, clusterKeys: ClusterKeys) throws {
        guard token.count <= Capability.bytesMax else { throw Fault.malformed }
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) }
        guard (3...3 + Capability.caveatsMax).contains(parts.count), parts[0] == Array(Capability.version.utf8),
            let signature = parts.last.flatMap(Base64.decode), signature.count == MessageAuthenticator.byteCount,
            let identifier = Base64.decode(parts[1]).flatMap(JSONInput.init).flatMap(Identifier.init)
        else { throw Fault.malformed }
        guard let key = tenants.signingKey(id: identifier.signingKeyID) else { throw Fault.unknownSigningKey }
        let caveats = parts[2..<parts.count - 1]
        var code = try Capability.firstSignature(parts[1], key: try identifier.rootKey(key, clusterKeys))
        for caveat in caveats { code = try MessageAuthenticator(key: code).authenticate(caveat) }
        guard equalInConstantTime(code, signature) else { throw Fault.wrongSignature }
        self.identifier = identifier
        self.caveats = try caveats.map { part in
            guard let caveat = Base64.decode(part).flatMap(Caveat.init) else { throw Fault.malformed }
            return caveat
        }
    }

    /// What is left of the key's rights, until when, and for which origin.
    func narrowed(_ rights: Rights) -> (grant: Grant, expiresAtMs: UInt64, audience: Audience) {
        var grant = Grant(rights)
        grant.scopes.remove(.admin)
        grant.object = identifier.object
        var expiresAtMs = identifier.expiresAtMs
        var audience = Audience.anybody
        for caveat in caveats {
            switch caveat {
            case .scopes(let scopes): grant.narrow(scopes: scopes)
            case .itemPrefix(let prefix): grant.narrow(\.itemPrefix, to: prefix)
            case .expires(let atMs): expiresAtMs = min(expiresAtMs, atMs)
            case .audience(let origin): audience.narrow(to: origin)
            }
        }
        return (grant, expiresAtMs, audience)
    }

    enum Audience: Equatable {
        case anybody
        case origin(String)
        /// Two caveats name two origins.
        case nobody

        mutating func narrow(to origin: String) {
            switch self {
            case .anybody: self = .origin(origin)
            case .origin(let other) where other.isText(origin): break
            default: self = .nobody
            }
        }
    }
}

extension Capability.Identifier {
    init?(_ json: JSONInput) {
        guard let signingKeyID = json["kid"]?.text.flatMap({ UInt64(digits: $0) }), let project = json["project"]?.text,
            let keyID = json["key"]?.text, let version = json["ver"]?.count, let objectClass = json["class"]?.text,
            let id = json["id"]?.text, let expires = json["exp"]?.count, let nonce = json["nonce"]?.text
        else { return nil }
        self.init(
            signingKeyID: signingKeyID, project: project, keyID: keyID, keyVersion: version,
            object: Grant.Object(objectClass: objectClass, id: id), expiresAtMs: expires, nonce: nonce)
    }

    fileprivate var json: [UInt8] {
        JSONOutput.object {
            $0.member("kid", String(signingKeyID))
            $0.member("project", project)
            $0.member("key", keyID)
            $0.member("ver", keyVersion)
            $0.member("class", object.objectClass)
            $0.member("id", object.id)
            $0.member("exp", expiresAtMs)
            $0.member("nonce", nonce)
        }
    }

    /// Of one version of one API key; derived, so that nobody learns the cluster's own key by it.
    fileprivate func rootKey(_ key: SigningKey, _ clusterKeys: ClusterKeys) throws -> [UInt8] {
        let label = ["holdfast capability 1", project, keyID, String(keyVersion)].joined(separator: "\0")
        return try MessageAuthenticator(key: try clusterKeys.secret(of: key)).authenticate(label.utf8)
    }
}

extension Capability.Caveat {
    /// `name=value`, of the few that are known.
    init?(_ bytes: [UInt8]) {
        guard let text = String(validating: bytes, as: UTF8.self), let sign = text.firstIndex(of: "=") else {
            return nil
        }
        let value = String(text[text.index(after: sign)...])
        switch text[..<sign] {
        case "scopes":
            guard let scopes = Scopes(names: value.split(separator: ",")) else { return nil }
            self = .scopes(scopes)
        case "itemPrefix": self = .itemPrefix(value)
        case "audience": self = .audience(value)
        case "expires":
            guard let atMs = UInt64(digits: value) else { return nil }
            self = .expires(atMs)
        default: return nil
        }
    }

    fileprivate var text: String {
        switch self {
        case .scopes(let scopes): "scopes=" + scopes.names.joined(separator: ",")
        case .itemPrefix(let prefix): "itemPrefix=" + prefix
        case .audience(let origin): "audience=" + origin
        case .expires(let atMs): "expires=\(atMs)"
        }
    }
}

// MARK: - Making

extension Capability {
    /// The string, signed with `key`.
    func text(key: SigningKey, clusterKeys: ClusterKeys) throws -> String {
        let first = Base64.encodeURL(identifier.json)
        var text = Capability.version + "." + first
        var code = try Capability.firstSignature(Array(first.utf8), key: try identifier.rootKey(key, clusterKeys))
        for caveat in caveats {
            let part = Base64.encodeURL(Array(caveat.text.utf8))
            code = try MessageAuthenticator(key: code).authenticate(part.utf8)
            text += "." + part
        }
        return text + "." + Base64.encodeURL(code)
    }

    private static func firstSignature(_ identifier: [UInt8], key: [UInt8]) throws -> [UInt8] {
        try MessageAuthenticator(key: key).authenticate(Array((version + ".").utf8) + identifier)
    }
}
