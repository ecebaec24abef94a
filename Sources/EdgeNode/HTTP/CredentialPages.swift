import NIOHTTP1
import Placement

// What the holder of an API key makes of it: capabilities, and a new secret.

extension HTTPEdge {
    func serveCapability(
        project: String, request: HTTPRequest, answer: (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        let (key, caller) = try authenticator.keyHolder(
            authorization: request.headers.authorization, origin: request.headers.origin, project: project,
            view: gateway.view, nowMs: gateway.wallMs())
        let wish = try CapabilityWish(request)
        answer(.text(try makeCapability(wish, key: key, version: caller.keyVersion)))
    }

    /// For whoever has proven to hold the key, or to administer the cluster.
    func makeCapability(_ wish: CapabilityWish, key: APIKey, version: UInt64) throws(HTTPFault) -> String {
        let grant = Grant(key.rights)
        try grant.checkObject(objectClass: wish.object.objectClass, id: wish.object.id)
        for caveat in wish.caveats {
            if case .scopes(let scopes) = caveat { try grant.require(scopes) }
        }
        guard let tenants = gateway.view.state?.tenants else { throw .notFormed }
        let nowMs = gateway.wallMs()
        let signingKey = authenticator.signingKey(tenants, nowMs: nowMs)
        let identifier = Capability.Identifier(
            signingKeyID: signingKey.id, project: key.project, keyID: key.keyID, keyVersion: version,
            object: wish.object, expiresAtMs: nowMs + wish.lifetimeMs,
            nonce: Base64.encodeURL(gateway.randomBytes(12)))
        do {
            return try Capability(identifier: identifier, caveats: wish.caveats)
                .text(key: signingKey, clusterKeys: gateway.clusterKeys)
        } catch let fault as SecretFault {
            throw .unavailable("The capability could not be signed: \(fault)")
        } catch {
            throw .unavailable("The capability could not be signed")
        }
    }

    /// With the scope `admin`, a key's holder changes its secret without an administrator.
    func serveRotation(
        project: String, request: HTTPRequest, answer: @escaping (HTTPResponse) -> Void
    ) throws(HTTPFault) {
        let (key, caller) = try authenticator.keyHolder(
            authorization: request.headers.authorization, origin: request.headers.origin, project: project,
            view: gateway.view, nowMs: gateway.wallMs())
        try caller.grant.require(.admin)
        let actor = AdminActor(name: "key " + key.keyID, role: .operator, address: request.clientText)
        let call = AdminCall(
            edge: self, request: request, target: RequestTarget(segments: []), actor: actor, answer: answer)
        try call.rotate(key)
    }
}

/// What is asked of a new capability.
struct CapabilityWish {
    var object: Grant.Object
    var caveats: [Capability.Caveat] = []
    var lifetimeMs = Capability.standardLifetimeMs

    static let members = ["class", "id", "scopes", "itemPrefix", "audience", "expiresInMs"]

    init(_ request: HTTPRequest) throws(HTTPFault) {
        guard let body = JSONInput(request.bodyBytes), case .object(let members) = body,
            members.allSatisfy({ CapabilityWish.members.contains($0.name) })
        else {
            throw .validation(
                "body", "The body must be a JSON object of \(CapabilityWish.members.joined(separator: ", ")).")
        }
        guard let id = body["id"]?.text, !id.isEmpty else {
            throw .validation("id", "The body must name an object id.")
        }
        let objectClass = try CapabilityWish.text(body, "class", atMost: PlacementLimits.classNameBytes)
        object = Grant.Object(objectClass: objectClass ?? ObjectRoute.defaultClass, id: id)
        guard id.utf8.count <= PlacementLimits.classNameBytes else {
            throw .validation("id", "An object id has at most \(PlacementLimits.classNameBytes) bytes.")
        }
        if let scopes = body["scopes"] { caveats.append(.scopes(try Scopes(scopes))) }
        if let prefix = try CapabilityWish.text(body, "itemPrefix", atMost: 1_024) {
            caveats.append(.itemPrefix(prefix))
        }
        if let origin = try CapabilityWish.text(body, "audience", atMost: PlacementLimits.labelBytes) {
            caveats.append(.audience(origin))
        }
        guard let lifetime = body["expiresInMs"] else { return }
        guard let milliseconds = lifetime.count, Capability.lifetimeMs.contains(milliseconds) else {
            throw .validation("expiresInMs", "A capability lasts 1000 to 2592000000 ms.")
        }
        lifetimeMs = milliseconds
    }

    private static func text(_ body: JSONInput, _ name: String, atMost bytes: Int) throws(HTTPFault) -> String? {
        guard let value = body[name] else { return nil }
        guard let text = value.text, (1...bytes).contains(text.utf8.count) else {
            throw .validation(name, "\(name) must be a string of 1 to \(bytes) bytes.")
        }
        return text
    }
}
