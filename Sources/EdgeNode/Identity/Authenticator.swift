import Cluster
import Placement
import TLS

/// Checks credentials, Basic and Bearer, on every call.
///
/// What has been verified is remembered, see `VerifiedSecrets`.
final class Authenticator {
    /// What a header has proven, and for how long.
    private struct Proof {
        var caller: Caller
        /// Of a token; a little grace is added.
        var expiresAtMs: UInt64 = .max
        /// To the millisecond: of a capability, and of a secret that has a successor.
        var endsAtMs: UInt64 = .max
        var originRule: OriginRule
    }

    private let settings: HTTPSettings
    private let clusterKeys: () -> ClusterKeys
    private let signer: TokenSigner
    private var verified: VerifiedSecrets<Proof>
    /// In which projects a key id exists; made when first needed under the tenants of a view.
    private var projectsOfKeys: [String: [String]]?

    var rememberedCount: Int { verified.count }

    init(settings: HTTPSettings, clusterKeys: @escaping () -> ClusterKeys = { .none }) {
        self.settings = settings
        self.clusterKeys = clusterKeys
        signer = TokenSigner(clusterKeys: clusterKeys)
        verified = VerifiedSecrets(capacity: settings.rememberedCredentials)
    }

    /// The cluster's keys are others now: what former ones have proven is proven anew.
    func forgetProofs() {
        verified.forget()
        signer.forget()
    }

    /// The caller behind `authorization`, if it may use `project`.
    func caller(
        authorization: String?, origin: String?, project: String, view: ClusterView, nowMs: UInt64
    ) throws(HTTPFault) -> Caller {
        guard let authorization else {
            throw .unauthenticated("missing", "Credentials are missing.")
        }
        let proof = try proof(authorization, project: project, view: view, nowMs: nowMs)
        // The client's refresh may have failed once, so a little more than the token says.
        let isExpired = nowMs >= proof.expiresAtMs && nowMs - proof.expiresAtMs >= settings.tokenGraceMs
        guard !isExpired || OpenDoor.isOpen(.expired) else {
            throw .unauthenticated("token.expired", "The access token is not valid anymore.")
        }
        guard nowMs < proof.endsAtMs || OpenDoor.isOpen(.expired) else {
            throw .unauthenticated("expired", "These credentials are not valid anymore.")
        }
        // To the byte: `==` would take look-alikes for the same.
        guard proof.caller.project.isText(project) || OpenDoor.isOpen(.foreignProject) else {
            throw .forbidden("project", "These credentials belong to another project.")
        }
        try proof.originRule.check(origin)
        return proof.caller
    }

    /// The API key behind Basic credentials: what makes others, or changes itself, is no token.
    func keyHolder(
        authorization: String?, origin: String?, project: String, view: ClusterView, nowMs: UInt64
    ) throws(HTTPFault) -> (key: APIKey, caller: Caller) {
        guard let authorization, authorization.hasScheme("basic") else {
            throw .unauthenticated("basic.required", "This is given for an API key and its secret.")
        }
        let caller = try caller(
            authorization: authorization, origin: origin, project: project, view: view, nowMs: nowMs)
        guard let key = view.state?.tenants.key(project: project, keyID: caller.keyID) else { throw .notFormed }
        return (key, caller)
    }

    /// A new token, for Basic credentials only: a token must not prolong itself.
    /// - Parameter wanted: less than the key's rights, if the caller asks for less.
    func makeToken(
        authorization: String?, origin: String?, project: String, wanted: WantedRights = WantedRights(),
        view: ClusterView, nowMs: UInt64
    ) throws(HTTPFault) -> String {
        let (key, caller) = try keyHolder(
            authorization: authorization, origin: origin, project: project, view: view, nowMs: nowMs)
        guard let tenants = view.state?.tenants else { throw .notFormed }
        let claims = TokenClaims(
            keyID: caller.keyID, project: project, issuedAtMs: nowMs,
            expiresAtMs: nowMs + settings.tokenLifetimeMs, origin: key.origins.isEmpty ? nil : origin,
            keyVersion: caller.keyVersion, rights: try wanted.narrowed(key.rights))
        do {
            return try signer.token(claims, key: signingKey(tenants, nowMs: nowMs))
        } catch let fault as SecretFault {
            throw .unavailable("The token could not be signed: \(fault)")
        } catch {
            throw .unavailable("The token could not be signed")
        }
    }

    func signingKey(_ tenants: Tenants, nowMs: UInt64) -> SigningKey {
        tenants.signingKey(nowMs: nowMs, delayMs: settings.signingKeyDelayMs)
    }
}

// MARK: - Proofs

extension Authenticator {
    private func proof(
        _ authorization: String, project: String, view: ClusterView, nowMs: UInt64
    ) throws(HTTPFault) -> Proof {
        if verified.observe(view) { projectsOfKeys = nil }
        let name = verified.name(of: authorization)
        if let name, let known = verified[name] { return known }
        // Before its process is registered a node may have an old table, without the newest keys and what was revoked.
        guard let tenants = view.state?.tenants, view.process != nil else { throw .notFormed }
        let fresh = try verify(authorization, project: project, tenants: tenants, nowMs: nowMs)
        if let name { verified.remember(fresh, as: name) }
        return fresh
    }

    private func verify(
        _ authorization: String, project: String, tenants: Tenants, nowMs: UInt64
    ) throws(HTTPFault) -> Proof {
        guard let space = authorization.utf8.firstIndex(of: UInt8(ascii: " ")) else {
            throw .unauthenticated("malformed", "The Authorization header names no scheme.")
        }
        let rest = authorization[space...].utf8.drop { $0 == UInt8(ascii: " ") }
        if authorization.hasScheme("bearer") {
            return Capability.isOne(rest)
                ? try verifyCapability(rest, tenants: tenants, nowMs: nowMs)
                : try verifyToken(rest, tenants: tenants, nowMs: nowMs)
        }
        if authorization.hasScheme("basic") {
            return try verifyBasic(rest, project: project, tenants: tenants, nowMs: nowMs)
        }
        throw .unauthenticated("scheme", "Only Basic and Bearer credentials are known.")
    }

    private func verifyToken(
        _ token: Substring.UTF8View, tenants: Tenants, nowMs: UInt64
    ) throws(HTTPFault) -> Proof {
        guard let claims = try? signer.claims(of: token, tenants: tenants) else {
            throw .unauthenticated("token.invalid", "The access token is not one of ours.")
        }
        let key = try key(claims.project, claims.keyID, version: claims.keyVersion, tenants, nowMs: nowMs)
        var grant = Grant(key.rights)
        if let rights = claims.rights {
            grant.narrow(scopes: rights.scopes)
            grant.narrow(\.classPrefix, to: rights.classPrefix)
            grant.narrow(\.idPrefix, to: rights.idPrefix)
        }
        return Proof(
            caller: Caller(
                project: claims.project, keyID: claims.keyID, keyVersion: claims.keyVersion, grant: grant),
            expiresAtMs: claims.expiresAtMs, endsAtMs: key.end(ofVersion: claims.keyVersion),
            originRule: .token(claims.origin))
    }

    private func verifyCapability(
        _ text: Substring.UTF8View, tenants: Tenants, nowMs: UInt64
    ) throws(HTTPFault) -> Proof {
        guard let capability = try? Capability(Array(text), tenants: tenants, clusterKeys: clusterKeys()) else {
            throw .unauthenticated("capability.invalid", "The capability is not one of ours.")
        }
        let named = capability.identifier
        let key = try key(named.project, named.keyID, version: named.keyVersion, tenants, nowMs: nowMs)
        let (grant, expiresAtMs, audience) = capability.narrowed(key.rights)
        let endsAtMs = min(expiresAtMs, key.end(ofVersion: named.keyVersion))
        return Proof(
            caller: Caller(
                project: named.project, keyID: named.keyID, keyVersion: named.keyVersion, grant: grant,
                capability: named.nonce, endsAtMs: endsAtMs),
            endsAtMs: endsAtMs, originRule: .capability(audience, key: key.origins))
    }

    /// The key that a signed credential names; only asked when the signature is right.
    private func key(
        _ project: String, _ keyID: String, version: UInt64, _ tenants: Tenants, nowMs: UInt64
    ) throws(HTTPFault) -> APIKey {
        guard let key = tenants.key(project: project, keyID: keyID),
            !key.isRevoked || OpenDoor.isOpen(.revokedKey)
        else {
            throw .unauthenticated("apiKey.revoked", "The API key of these credentials is revoked.")
        }
        guard key.accepts(version: version, nowMs: nowMs) else { throw .outdated }
        return key
    }

    private func verifyBasic(
        _ encoded: Substring.UTF8View, project: String, tenants: Tenants, nowMs: UInt64
    ) throws(HTTPFault) -> Proof {
        guard let pair = Base64.decode(encoded), let colon = pair.firstIndex(of: UInt8(ascii: ":")),
            let keyID = String(validating: pair[..<colon], as: UTF8.self)
        else { throw .unauthenticated("malformed", "These are no Basic credentials.") }
        let secret = Array(pair[(colon + 1)...])
        let candidates = keys(keyID, project: project, tenants: tenants)
        guard let (key, version) = candidates.lazy.compactMap({ $0.proven(by: secret) }).first else {
            // As much work as for a key that exists: time must not tell which keys exist.
            if candidates.isEmpty { _ = isSecret(secret, of: nobodysCredential) }
            throw .unauthenticated("apiKey.invalid", "The API key or its secret is wrong.")
        }
        guard !key.isRevoked || OpenDoor.isOpen(.revokedKey) else {
            throw .unauthenticated("apiKey.revoked", "The API key is revoked.")
        }
        guard key.accepts(version: version, nowMs: nowMs) else { throw .outdated }
        return Proof(
            caller: Caller(
                project: key.project, keyID: keyID, keyVersion: version, grant: Grant(key.rights)),
            endsAtMs: key.end(ofVersion: version), originRule: .key(key.origins))
    }

    /// The key in its project, or else those of the same id in others: they prove who is calling, and
    /// the caller learns that it is in the wrong project.
    private func keys(_ keyID: String, project: String, tenants: Tenants) -> [APIKey] {
        if let key = tenants.key(project: project, keyID: keyID) { return [key] }
        let index = projectsOfKeys ?? Self.index(tenants)
        projectsOfKeys = index
        return (index[keyID] ?? []).compactMap { tenants.key(project: $0, keyID: keyID) }
    }

    private static func index(_ tenants: Tenants) -> [String: [String]] {
        var index: [String: [String]] = [:]
        for project in tenants.projects {
            for key in project.keys { index[key.keyID, default: []].append(project.id) }
        }
        return index
    }
}

private let nobodysCredential = Credential(
    salt: [UInt8](repeating: 0, count: 16), secretHash: [UInt8](repeating: 0, count: SHA256.byteCount))

extension APIKey {
    /// The version whose secret this is.
    fileprivate func proven(by secret: [UInt8]) -> (key: APIKey, version: UInt64)? {
        if isSecret(secret, of: credential) { return (self, version) }
        if let former, isSecret(secret, of: former.credential) { return (self, version - 1) }
        return nil
    }

    fileprivate func end(ofVersion version: UInt64) -> UInt64 {
        version == self.version ? .max : former?.untilMs ?? 0
    }
}

/// Which web origins may use a credential.
enum OriginRule: Equatable {
    /// The origins of an API key; empty for a key without restriction.
    case key([String])
    /// The origin in a token.
    case token(String?)
    /// The audience of a capability, and the origins of its key.
    case capability(Capability.Audience, key: [String])

    func check(_ origin: String?) throws(HTTPFault) {
        if OpenDoor.isOpen(.anyOrigin) { return }
        switch self {
        case .key(let allowed):
            guard !allowed.isEmpty else { return }
            guard let origin else {
                throw .forbidden(
                    "origin.server.notFound", "This API key is restricted to origins; none was given.")
            }
            guard allowed.contains(origin) else { throw .wrongOrigin }
        case .token(let bound):
            // Programs that are no browsers send no origin; they had to give it for the token.
            guard let bound, let origin else { return }
            guard bound == origin else { throw .wrongOrigin }
        case .capability(let audience, let allowed):
            switch audience {
            case .anybody: break
            case .origin(let wanted):
                guard let origin, wanted.isText(origin) else { throw .wrongAudience }
            case .nobody: throw .wrongAudience
            }
            try OriginRule.key(allowed).check(origin)
        }
    }
}

extension HTTPFault {
    fileprivate static let wrongOrigin = forbidden(
        "origin.mismatch", "This origin may not use these credentials.")

    fileprivate static let wrongAudience = forbidden(
        "audience", "This capability is for another origin.")

    fileprivate static let outdated = unauthenticated(
        "apiKey.version", "The API key has a newer secret; these credentials are of an earlier one.")

    static let notFormed = unavailable("This node has not joined its cluster yet")
}

extension String {
    /// Whether a header begins with this scheme, in any case, and a blank.
    func hasScheme(_ scheme: String) -> Bool {
        let length = scheme.utf8.count
        guard utf8.count > length, utf8[utf8.index(utf8.startIndex, offsetBy: length)] == UInt8(ascii: " ")
        else {
            return false
        }
        return zip(utf8, scheme.utf8).allSatisfy { $0 | 0x20 == $1 }
    }
}
