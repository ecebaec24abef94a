import Cluster
import Placement
import TLS

/// Who is calling, proven.
struct Caller: Equatable {
    var project: String
    var keyID: String
}

/// Checks credentials, Basic and Bearer, on every call.
///
/// What has been verified is remembered, see `VerifiedSecrets`.
final class Authenticator {
    /// What a header has proven, and for how long.
    private struct Proof {
        var caller: Caller
        var expiresAtMs: UInt64
        var originRule: OriginRule
    }

    private let settings: HTTPSettings
    private let signer = TokenSigner()
    private var verified: VerifiedSecrets<Proof>
    /// In which projects a key id exists; made when first needed under the tenants of a view.
    private var projectsOfKeys: [String: [String]]?

    var rememberedCount: Int { verified.count }

    init(settings: HTTPSettings) {
        self.settings = settings
        verified = VerifiedSecrets(capacity: settings.rememberedCredentials)
    }

    /// The caller behind `authorization`, if it may use `project`.
    func caller(
        authorization: String?, origin: String?, project: String, view: ClusterView, nowMs: UInt64
    ) throws(HTTPFault) -> Caller {
        guard let authorization else {
            throw .unauthenticated("missing", "Credentials are missing.")
        }
        let proof = try proof(authorization, project: project, view: view)
        // The client's refresh may have failed once, so a little more than the token says.
        guard nowMs < proof.expiresAtMs || nowMs - proof.expiresAtMs < settings.tokenGraceMs else {
            throw .unauthenticated("token.expired", "The access token is not valid anymore.")
        }
        // To the byte: `==` would take look-alikes for the same.
        guard proof.caller.project.utf8.elementsEqual(project.utf8) else {
            throw .forbidden("project", "These credentials belong to another project.")
        }
        try proof.originRule.check(origin)
        return proof.caller
    }

    /// A new token, for Basic credentials only: a token must not prolong itself.
    func makeToken(
        authorization: String?, origin: String?, project: String, view: ClusterView, nowMs: UInt64
    ) throws(HTTPFault) -> String {
        guard let authorization, authorization.hasScheme("basic") else {
            throw .unauthenticated("basic.required", "A token is given for an API key and its secret.")
        }
        let caller = try caller(
            authorization: authorization, origin: origin, project: project, view: view, nowMs: nowMs)
        guard let tenants = view.state?.tenants else { throw .notFormed }
        let isRestricted = tenants.key(project: project, keyID: caller.keyID)?.origins.isEmpty == false
        let claims = TokenClaims(
            keyID: caller.keyID, project: project, issuedAtMs: nowMs,
            expiresAtMs: nowMs + settings.tokenLifetimeMs, origin: isRestricted ? origin : nil)
        do {
            let key = tenants.signingKey(nowMs: nowMs, delayMs: settings.signingKeyDelayMs)
            return try signer.token(claims, key: key)
        } catch {
            throw .unavailable("The token could not be signed")
        }
    }
}

// MARK: - Proofs

extension Authenticator {
    private func proof(_ authorization: String, project: String, view: ClusterView) throws(HTTPFault)
        -> Proof
    {
        if verified.observe(view) { projectsOfKeys = nil }
        let name = verified.name(of: authorization)
        if let name, let known = verified[name] { return known }
        guard let tenants = view.state?.tenants else { throw .notFormed }
        let fresh = try verify(authorization, project: project, tenants: tenants)
        if let name { verified.remember(fresh, as: name) }
        return fresh
    }

    private func verify(_ authorization: String, project: String, tenants: Tenants) throws(HTTPFault)
        -> Proof
    {
        guard let space = authorization.utf8.firstIndex(of: UInt8(ascii: " ")) else {
            throw .unauthenticated("malformed", "The Authorization header names no scheme.")
        }
        let rest = authorization[space...].utf8.drop { $0 == UInt8(ascii: " ") }
        if authorization.hasScheme("bearer") { return try verifyToken(rest, tenants: tenants) }
        if authorization.hasScheme("basic") {
            return try verifyBasic(rest, project: project, tenants: tenants)
        }
        throw .unauthenticated("scheme", "Only Basic and Bearer credentials are known.")
    }

    private func verifyToken(_ token: Substring.UTF8View, tenants: Tenants) throws(HTTPFault) -> Proof {
        guard let claims = try? signer.claims(of: token, tenants: tenants) else {
            throw .unauthenticated("token.invalid", "The access token is not one of ours.")
        }
        guard let key = tenants.key(project: claims.project, keyID: claims.keyID), !key.isRevoked else {
            throw .unauthenticated("apiKey.revoked", "The API key of this token is revoked.")
        }
        return Proof(
            caller: Caller(project: claims.project, keyID: claims.keyID), expiresAtMs: claims.expiresAtMs,
            originRule: .token(claims.origin))
    }

    private func verifyBasic(
        _ encoded: Substring.UTF8View, project: String, tenants: Tenants
    ) throws(HTTPFault) -> Proof {
        guard let pair = Base64.decode(encoded), let colon = pair.firstIndex(of: UInt8(ascii: ":")),
            let keyID = String(validating: pair[..<colon], as: UTF8.self)
        else { throw .unauthenticated("malformed", "These are no Basic credentials.") }
        let secret = Array(pair[(colon + 1)...])
        let candidates = keys(keyID, project: project, tenants: tenants)
        guard let key = candidates.first(where: { isSecret(secret, of: $0.credential) }) else {
            // As much work as for a key that exists: time must not tell which keys exist.
            if candidates.isEmpty { _ = isSecret(secret, of: nobodysCredential) }
            throw .unauthenticated("apiKey.invalid", "The API key or its secret is wrong.")
        }
        guard !key.isRevoked else { throw .unauthenticated("apiKey.revoked", "The API key is revoked.") }
        return Proof(
            caller: Caller(project: key.project, keyID: keyID), expiresAtMs: .max,
            originRule: .key(key.origins))
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

/// Which web origins may use a credential.
enum OriginRule: Equatable {
    /// The origins of an API key; empty for a key without restriction.
    case key([String])
    /// The origin in a token.
    case token(String?)

    func check(_ origin: String?) throws(HTTPFault) {
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
        }
    }
}

extension HTTPFault {
    fileprivate static let wrongOrigin = forbidden(
        "origin.mismatch", "This origin may not use these credentials.")

    static let notFormed = unavailable("This node does not belong to a cluster yet")
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
