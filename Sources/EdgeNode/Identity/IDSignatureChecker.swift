import Placement
import TLS

/// Checks the signature over an object's id, where its class demands one: the user's backend decides
/// who may open which object.
struct IDSignatureChecker {
    /// Text of one signature; an RSA key of 8,192 bits needs 1,368.
    static let signatureBytesMax = 2_048

    let proofs: SignatureProofs

    /// Passes if the class demands nothing. `signature` and `keyVersion` are the texts of the headers
    /// `X-Id-Sig` and `X-Id-Sig-KV`, or of the parameters that stand for them.
    func check(
        objectID: String, signature: String?, keyVersion: String?, settings: ClassSettings, owner: SecretOwner
    ) throws(HTTPFault) {
        guard settings.requiresIDSignature, !OpenDoor.isOpen(.unsignedID) else { return }
        guard let signature, !signature.isEmpty else {
            throw .idSignature("missing", "Objects of this class open only with a signature over their id.")
        }
        let key = try key(keyVersion, settings: settings)
        guard let bytes = decode(signature, key.algorithm) else { throw .wrongIDSignature }
        let isAuthentic = proofs.isAuthentic(
            bytes, of: Array(objectID.utf8), algorithm: key.algorithm, key: key.key, owner: owner)
        guard let isAuthentic else {
            throw .idSignature("unusableKey", "The class's key of this version cannot be used.")
        }
        guard isAuthentic else { throw .wrongIDSignature }
    }

    private func key(_ version: String?, settings: ClassSettings) throws(HTTPFault) -> SignatureKey {
        var number: UInt64?
        if let version, !version.isEmpty {
            guard let parsed = UInt64(digits: version) else { throw .unknownKeyVersion }
            number = parsed
        }
        guard let key = settings.signatureKey(version: number) else { throw .unknownKeyVersion }
        return key
    }

    private func decode(_ signature: String, _ algorithm: SignatureAlgorithm) -> [UInt8]? {
        guard signature.utf8.count <= Self.signatureBytesMax else { return nil }
        // 64 digits would be base64 of 48 bytes, which is no code of this algorithm: no text means both.
        if algorithm == .hmacSHA256, signature.utf8.count == 2 * MessageAuthenticator.byteCount {
            return Hexadecimal.decode(signature.utf8)
        }
        return Base64.decode(signature.utf8)
    }
}

extension HTTPEdge {
    /// For every way to an object: passes if its class demands no signature, or if this is one.
    func checkIDSignature(
        project: String, objectClass: String, objectID: String, signature: String?, keyVersion: String?
    ) throws(HTTPFault) {
        guard let state = gateway.view.state else { throw .notFormed }
        try idSignatures.check(
            objectID: objectID, signature: signature, keyVersion: keyVersion,
            settings: state.classSettings(project: project, class: objectClass),
            owner: SecretOwner(project: project, objectClass: objectClass))
    }
}

extension HTTPFault {
    fileprivate static func idSignature(_ fault: String, _ message: String) -> HTTPFault {
        .forbidden("idSignature.\(fault)", message)
    }

    fileprivate static let wrongIDSignature = idSignature(
        "wrong", "The signature is not one over this object's id.")

    fileprivate static let unknownKeyVersion = idSignature(
        "unknownKeyVersion", "The class has no signature key of this version.")
}
