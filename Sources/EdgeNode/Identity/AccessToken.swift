import Placement
import TLS

/// What an access token says. JWT in form (HS256), with one peculiarity that the client SDK demands:
/// `exp` is in milliseconds. So `exp` is checked by hand, never by a library.
struct TokenClaims: Equatable {
    /// The API key for which the token was made.
    var keyID: String
    var project: String
    var issuedAtMs: UInt64
    var expiresAtMs: UInt64
    /// The web origin for which the token was made, if its key is restricted to origins.
    var origin: String?
    /// Of the key's secret; tokens of 0.3.0 name none, and are of the first.
    var keyVersion: UInt64 = 1
    /// If less than the key's was asked for.
    var rights: Rights?
}

/// Makes and checks tokens. Keeps one prepared HMAC per signing key; not `Sendable`.
final class TokenSigner {
    enum Fault: Error {
        case malformed, unknownSigningKey, wrongSignature
    }

    private let clusterKeys: () -> ClusterKeys
    private var authenticators: [(key: SigningKey, hmac: MessageAuthenticator)] = []

    init(clusterKeys: @escaping () -> ClusterKeys) {
        self.clusterKeys = clusterKeys
    }

    /// The cluster's keys are others now.
    func forget() { authenticators = [] }

    /// A token signed with `key`.
    func token(_ claims: TokenClaims, key: SigningKey) throws -> String {
        let header = JSONOutput.object { header in
            header.member("alg", "HS256")
            header.member("typ", "JWT")
            header.member("kid", String(key.id))
        }
        let payload = JSONOutput.object { payload in
            payload.member("sub", claims.keyID)
            payload.member("id", claims.keyID)
            payload.member("projectId", claims.project)
            payload.member("iat", claims.issuedAtMs / 1_000)
            payload.member("exp", claims.expiresAtMs)
            if let origin = claims.origin { payload.member("origin", origin) }
            payload.member("ver", claims.keyVersion)
            if let rights = claims.rights {
                payload.member("scopes", rights.scopes.names.joined(separator: ","))
                payload.member("classPrefix", rights.classPrefix)
                payload.member("idPrefix", rights.idPrefix)
            }
        }
        let signed = Base64.encodeURL(header) + "." + Base64.encodeURL(payload)
        let code = try authenticator(key).authenticate(signed.utf8)
        return signed + "." + Base64.encodeURL(code)
    }

    /// The claims of a token that one of the kept keys signed. Whether it has run out is not looked at.
    func claims(of token: some Collection<UInt8>, tenants: Tenants) throws -> TokenClaims {
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decode(parts[0]).flatMap(JSONInput.init),
            let code = Base64.decode(parts[2]), header["alg"]?.text == "HS256"
        else { throw Fault.malformed }
        guard let id = header["kid"]?.text.flatMap(UInt64.init), let key = tenants.signingKey(id: id) else {
            throw Fault.unknownSigningKey
        }
        let signed = token[token.startIndex..<parts[1].endIndex]
        guard try authenticator(key).isAuthentic(code, of: Array(signed)) else {
            throw Fault.wrongSignature
        }
        guard let payload = Base64.decode(parts[1]).flatMap(JSONInput.init),
            let keyID = payload["sub"]?.text, let project = payload["projectId"]?.text,
            let issued = payload["iat"]?.count, let expires = payload["exp"]?.count
        else { throw Fault.malformed }
        return TokenClaims(
            keyID: keyID, project: project, issuedAtMs: issued * 1_000, expiresAtMs: expires,
            origin: payload["origin"]?.text, keyVersion: payload["ver"]?.count ?? 1,
            rights: rights(payload))
    }

    private func rights(_ payload: JSONInput) -> Rights? {
        guard let names = payload["scopes"]?.text else { return nil }
        // Names that a later version knows give nothing here.
        return Rights(
            scopes: Scopes(names: names.split(separator: ",")) ?? [],
            classPrefix: payload["classPrefix"]?.text ?? "", idPrefix: payload["idPrefix"]?.text ?? "")
    }

    private func authenticator(_ key: SigningKey) throws -> MessageAuthenticator {
        if let known = authenticators.first(where: { $0.key == key }) { return known.hmac }
        let hmac = try MessageAuthenticator(key: try clusterKeys().secret(of: key))
        // As many as the placement state keeps; the one made longest ago goes first.
        if authenticators.count >= PlacementLimits.signingKeys { authenticators.removeFirst() }
        authenticators.append((key, hmac))
        return hmac
    }
}

extension Tenants {
    /// The newest key that has been known for `delayMs`; while there is none, the oldest.
    func signingKey(nowMs: UInt64, delayMs: UInt64) -> SigningKey {
        let known = signingKeys.last { $0.createdAtMs <= nowMs && nowMs - $0.createdAtMs >= delayMs }
        return known ?? signingKeys.first ?? newestSigningKey
    }
}
