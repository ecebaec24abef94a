import NIOHTTP1
import Placement
import TLS

// What holds for the objects of a class. No answer shows a secret.

extension AdminCall {
    func classes(project: String) throws(HTTPFault) {
        guard let project = try state().tenants.project(project) else { throw .unknownProject }
        answer(
            .json(
                JSONOutput.object { page in
                    page.key("classes")
                    page.array(project.classes) { page, entry in
                        page.object { write(entry.settings, of: entry.name, into: &$0) }
                    }
                }))
    }

    func classPage(project: String, name: String) throws(HTTPFault) {
        switch request.method {
        case .GET:
            let state = try state()
            guard state.tenants.project(project) != nil else { throw .unknownProject }
            answer(page(state.classSettings(project: project, class: name), project: project, name: name))
        case .POST: try setClass(project: project, name: name)
        default: throw .wrongMethod(allow: "GET, POST, OPTIONS")
        }
    }

    /// Settings that the body leaves out stay as they are.
    private func setClass(project: String, name: String) throws(HTTPFault) {
        let body = try body(
            knowing: [
                "defaultTTL", "requireIdSignature", "addSignatureKey", "removeSignatureKey", "userIdentity",
            ])
        let state = try state()
        guard state.tenants.project(project) != nil else { throw .unknownProject }
        // The same secret under the same version again is known for what it is only when it is open.
        let (keys, owner) = (edge.gateway.clusterKeys, SecretOwner(project: project, objectClass: name))
        var settings = state.classSettings(project: project, class: name).opened(by: keys, for: owner)
        try settings.change(by: body)
        settings = try seal(settings, for: owner)
        propose(.setClass(project: project, name: name, settings: settings)) {
            page(settings, project: project, name: name)
        }
    }

    private func page(_ settings: ClassSettings, project: String, name: String) -> HTTPResponse {
        .json(
            JSONOutput.object {
                $0.member("project", project)
                write(settings, of: name, into: &$0)
            })
    }

    private func write(_ settings: ClassSettings, of name: String, into page: inout JSONOutput) {
        page.member("class", name)
        page.member("defaultTTL", settings.defaultTTLMs ?? 0)
        page.member("requireIdSignature", settings.requiresIDSignature)
        page.key("signatureKeys")
        page.array(settings.signatureKeys) { page, key in
            page.object {
                $0.member("version", key.version)
                write(key.algorithm, key.key, into: &$0)
            }
        }
        page.key("userIdentity")
        page.object { page in
            switch settings.userIdentity {
            case .off: page.member("mode", "off")
            case .signature: page.member("mode", "signature")
            case .token(let algorithm, let key):
                page.member("mode", "token")
                write(algorithm, key, into: &page)
            }
        }
    }

    /// A shared secret gets no fingerprint: whoever saw it could try secrets against it.
    private func write(_ algorithm: SignatureAlgorithm, _ key: [UInt8], into page: inout JSONOutput) {
        page.member("algorithm", algorithm.name)
        guard algorithm.publicKeyAlgorithm != nil, let digest = try? SHA256.hash(key) else { return }
        page.member("sha256", Hexadecimal.encode(digest))
    }
}

extension ClassSettings {
    fileprivate mutating func change(by body: JSONInput) throws(HTTPFault) {
        if let lifetime = body["defaultTTL"] { try setLifetime(lifetime) }
        // Removed before added: a full list can be rotated in one call.
        if let version = body["removeSignatureKey"] { try removeKey(version) }
        if let key = body["addSignatureKey"] { try addKey(key) }
        if let flag = body["requireIdSignature"] {
            guard let flag = flag.flag else {
                throw .validation("requireIdSignature", "requireIdSignature must be true or false.")
            }
            requiresIDSignature = flag
        }
        if let identity = body["userIdentity"] { userIdentity = try UserIdentity(identity) }
        guard !requiresIDSignature || !signatureKeys.isEmpty else {
            throw .validation(
                "signatureKeys", "A class that requires signatures needs a key: add one with the same call.")
        }
    }

    private mutating func setLifetime(_ lifetime: JSONInput) throws(HTTPFault) {
        guard let milliseconds = lifetime == .null ? 0 : lifetime.count else {
            throw .validation("defaultTTL", "defaultTTL must be milliseconds, or 0 for no expiry.")
        }
        defaultTTLMs = milliseconds == 0 ? nil : milliseconds
    }

    private mutating func removeKey(_ version: JSONInput) throws(HTTPFault) {
        guard let version = version.count else {
            throw .validation("removeSignatureKey", "removeSignatureKey must be the version of a key.")
        }
        guard let position = signatureKeys.firstIndex(where: { $0.version == version }) else {
            throw HTTPFault(
                status: 404, name: "NotFoundError", code: "notFoundError.unknownKeyVersion",
                message: "The class has no signature key of version \(version).")
        }
        signatureKeys.remove(at: position)
    }

    /// The same key under the same version again changes nothing: a call may be repeated.
    private mutating func addKey(_ input: JSONInput) throws(HTTPFault) {
        let material = try KeyMaterial(
            input, member: "addSignatureKey", alsoKnowing: ["version"], algorithm: nil)
        let version = try newVersion(input)
        let key = SignatureKey(version: version, algorithm: material.algorithm, key: material.bytes)
        if let existing = signatureKey(version: version) {
            guard existing == key else {
                throw HTTPFault(
                    status: 409, name: "ConflictError", code: "conflictError.keyVersion",
                    message: "The class has another signature key of version \(version).")
            }
            return
        }
        guard signatureKeys.count < PlacementLimits.signatureKeysPerClass else {
            throw .validation(
                "signatureKeys",
                "A class has at most \(PlacementLimits.signatureKeysPerClass) signature keys; remove one.")
        }
        let position = signatureKeys.firstIndex { $0.version > version } ?? signatureKeys.endIndex
        signatureKeys.insert(key, at: position)
    }

    private func newVersion(_ input: JSONInput) throws(HTTPFault) -> UInt64 {
        guard let version = input["version"] else { return (signatureKeys.last?.version ?? 0) + 1 }
        guard let number = version.count else {
            throw .validation("addSignatureKey.version", "version must be a whole number.")
        }
        return number
    }
}

extension UserIdentity {
    fileprivate init(_ input: JSONInput) throws(HTTPFault) {
        switch input["mode"]?.text {
        case "off":
            try input.check(knowing: ["mode"], member: "userIdentity")
            self = .off
        case "signature":
            let material = try KeyMaterial(
                input, member: "userIdentity", alsoKnowing: ["mode"], algorithm: .hmacSHA256)
            self = .signature(secret: material.bytes)
        case "token":
            let material = try KeyMaterial(
                input, member: "userIdentity", alsoKnowing: ["mode"], algorithm: nil)
            self = .token(material.algorithm, key: material.bytes)
        default:
            throw .validation("userIdentity.mode", "userIdentity.mode must be off, signature or token.")
        }
    }
}
