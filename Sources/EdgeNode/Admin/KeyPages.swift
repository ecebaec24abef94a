import NIOHTTP1
import Placement

// What changes about a key, what is made by it, and from where its project may be reached.

extension AdminCall {
    /// The longest time for which a former secret may live on.
    static let graceMaxMs: UInt64 = 2_592_000_000

    /// `POST /projects/P/keys/K/rotate` and `…/capabilities`.
    func keyPage(project: String, keyID: String, word: String) throws(HTTPFault) {
        try only(.POST)
        let tenants = try state().tenants
        guard tenants.project(project) != nil else { throw .unknownProject }
        guard let key = tenants.key(project: project, keyID: keyID) else { throw .unknownKey }
        guard !key.isRevoked else { throw .conflict("key.revoked", "The key is revoked.") }
        switch word {
        case "rotate": try rotate(key)
        case "capabilities":
            let wish = try CapabilityWish(request)
            let text = try edge.makeCapability(wish, key: key, version: key.version)
            let object = wish.object
            noted("capability.create", "\(project)/\(keyID) \(object.objectClass)/\(object.id)") {
                self.answer(.json(JSONOutput.object { $0.member("capability", text) }))
            }
        default: throw .unknownRoute
        }
    }

    /// The new secret is in this answer and nowhere else.
    func rotate(_ key: APIKey) throws(HTTPFault) {
        let grace = try graceMs()
        let gateway = edge.gateway
        guard let secret = try? NewSecret.make(random: { gateway.randomBytes($0) }) else {
            throw .unavailable("A secret could not be made")
        }
        let untilMs = grace == 0 ? nil : gateway.wallMs() + grace
        let rotation = KeyRotation(
            project: key.project, keyID: key.keyID, expectedVersion: key.version, credential: secret.credential,
            formerUntilMs: untilMs)
        propose(.rotateKey(rotation)) {
            .json(
                JSONOutput.object { page in
                    page.member("apiKey", key.keyID)
                    page.member("apiSecret", secret.text)
                    page.member("version", key.version + 1)
                    if let untilMs { page.member("formerUntil", untilMs) }
                })
        }
    }

    private func graceMs() throws(HTTPFault) -> UInt64 {
        guard let value = try body(knowing: ["graceMs"])["graceMs"] else { return 0 }
        guard let grace = value.count, grace <= Self.graceMaxMs else {
            throw .validation("graceMs", "graceMs must be a whole number up to \(Self.graceMaxMs).")
        }
        return grace
    }

    func origins(project: String) throws(HTTPFault) {
        guard let known = try state().tenants.project(project) else { throw .unknownProject }
        switch request.method {
        case .GET: answer(Self.page(origins: known.origins))
        case .POST:
            guard let origins = try texts(body(knowing: ["origins"]), "origins") else {
                throw .validation(
                    "origins", "origins must be an array of strings; an empty one opens the project to all.")
            }
            propose(.setOrigins(project: project, origins)) { Self.page(origins: origins) }
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    private static func page(origins: [String]) -> HTTPResponse {
        .json(
            JSONOutput.object { page in
                page.key("origins")
                page.array(origins) { $0.value($1) }
            })
    }

    func texts(_ body: JSONInput, _ name: String) throws(HTTPFault) -> [String]? {
        guard let value = body[name] else { return nil }
        let texts = value.elements?.compactMap(\.text)
        guard let texts, texts.count == value.elements?.count else {
            throw .validation(name, "\(name) must be an array of strings.")
        }
        return texts
    }

    /// Rights of a new key; those of before scopes if nothing is said.
    func rights(_ body: JSONInput) throws(HTTPFault) -> Rights {
        var rights = Rights.standard
        if let scopes = body["scopes"] { rights.scopes = try Scopes(scopes) }
        if let prefix = body["classPrefix"] { rights.classPrefix = try text(prefix, "classPrefix") }
        if let prefix = body["idPrefix"] { rights.idPrefix = try text(prefix, "idPrefix") }
        return rights
    }

    private func text(_ value: JSONInput, _ name: String) throws(HTTPFault) -> String {
        guard let text = value.text, text.utf8.count <= PlacementLimits.classNameBytes else {
            throw .validation(name, "\(name) must be a string of at most \(PlacementLimits.classNameBytes) bytes.")
        }
        return text
    }
}

extension HTTPFault {
    fileprivate static let unknownKey = HTTPFault(
        status: 404, name: "NotFoundError", code: "notFoundError.unknownKey", message: "There is no such key.")
}
