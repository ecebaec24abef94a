import Placement
import TLS

/// Checks who the user behind a message or a join is, where the class demands it.
struct UserIdentityChecker {
    let proofs: SignatureProofs

    /// Passes if the class demands nothing. `payload` is the JSON text of what would be sent on.
    func check(
        payload: [UInt8], isEncrypted: Bool, identityToken: String?, userIDSignature: String?,
        settings: ClassSettings, owner: SecretOwner, nowMs: UInt64
    ) throws(HTTPFault) {
        switch settings.userIdentity {
        case .off:
            return
        case .signature(let secret):
            try checkSignature(payload, isEncrypted, userIDSignature, secret: secret, owner)
        case .token(let algorithm, let key):
            let token = try checkToken(identityToken, algorithm, key: key, owner, nowMs: nowMs)
            try compare(token, payload, isEncrypted)
        }
    }
}

// MARK: - Signatures over the user's id

extension UserIdentityChecker {
    private func checkSignature(
        _ payload: [UInt8], _ isEncrypted: Bool, _ signature: String?, secret: [UInt8], _ owner: SecretOwner
    ) throws(HTTPFault) {
        guard let signature, !signature.isEmpty else {
            throw .userIdentity("missing", "This class wants a signature over the user's id.")
        }
        guard !isEncrypted else {
            throw .userIdentity("encrypted", "The user's id in an encrypted payload cannot be checked.")
        }
        let userID = try userID(payload)
        guard signature.utf8.count == 2 * MessageAuthenticator.byteCount,
            let code = Hexadecimal.decode(signature.utf8),
            proofs.isAuthentic(code, of: userID, algorithm: .hmacSHA256, key: secret, owner: owner) == true
        else { throw .userIdentity("wrong", "The signature is not one over the user's id.") }
    }

    /// A string's content, or a number as it was written.
    private func userID(_ payload: [UInt8]) throws(HTTPFault) -> [UInt8] {
        var found: [UInt8]?
        let isObject = try PayloadMembers.visit(payload) { member throws(HTTPFault) in
            guard member.name == Array("userId".utf8) else { return }
            // Two of them: whoever reads the payload may take either.
            guard found == nil, let id = plainText(payload[member.value]) else { throw .badUserID }
            found = id
        }
        guard isObject else { throw .payloadIsNoObject }
        guard let found else { throw .badUserID }
        return found
    }

    private func plainText(_ value: ArraySlice<UInt8>) -> [UInt8]? {
        switch JSONInput(Array(value)) {
        case .string(let text) where !text.isEmpty && isExactText(text): Array(text.utf8)
        case .number: Array(value)
        default: nil
        }
    }
}

// MARK: - Tokens

extension UserIdentityChecker {
    private func checkToken(
        _ text: String?, _ algorithm: SignatureAlgorithm, key: [UInt8], _ owner: SecretOwner, nowMs: UInt64
    ) throws(HTTPFault) -> IdentityToken {
        guard let text, !text.isEmpty else {
            throw .userIdentity("missing", "This class wants an identity token.")
        }
        guard let token = IdentityToken(text) else { throw .malformedToken }
        guard token.isFor(algorithm) else {
            throw .userIdentity("token.algorithm", "The token's algorithm is not the one of the class's key.")
        }
        let isAuthentic = proofs.isAuthentic(
            token.signature, of: token.signed, algorithm: algorithm, key: key, owner: owner)
        guard let isAuthentic else {
            throw .userIdentity("unusableKey", "The class's key for identity tokens cannot be used.")
        }
        guard isAuthentic else {
            throw .userIdentity("wrong", "The identity token was not signed by the class's key.")
        }
        switch token.validity(nowMs: nowMs) {
        case .valid: return token
        case .malformed: throw .malformedToken
        case .expired: throw .userIdentity("token.expired", "The identity token has run out.")
        case .notYetValid: throw .userIdentity("token.notYetValid", "The identity token is not valid yet.")
        }
    }

    /// What payload and token both say must be the same. Of an encrypted payload, a string, nothing
    /// can be read; the token alone stands for it.
    private func compare(
        _ token: IdentityToken, _ payload: [UInt8], _ isEncrypted: Bool
    ) throws(HTTPFault) {
        if isEncrypted, PayloadMembers.isString(payload) { return }
        var seen: Set<[UInt8]> = []
        let isObject = try PayloadMembers.visit(payload) { member throws(HTTPFault) in
            guard let claim = token.claims[member.name] else { return }
            guard seen.insert(member.name).inserted,
                let value = JSONInput(Array(payload[member.value])), claim.isSame(as: value)
            else {
                throw .userIdentity("mismatch", "The payload says something else than the identity token.")
            }
        }
        guard isObject else { throw .payloadIsNoObject }
    }
}

extension HTTPFault {
    fileprivate static func userIdentity(_ fault: String, _ message: String) -> HTTPFault {
        .forbidden("userIdentity.\(fault)", message)
    }

    fileprivate static let malformedToken = userIdentity("token.malformed", "This is no identity token.")

    fileprivate static let payloadIsNoObject = userIdentity("payload", "The payload must be a JSON object.")

    fileprivate static let badUserID = userIdentity(
        "userId", "The payload must have one userId, a string or a number.")
}
