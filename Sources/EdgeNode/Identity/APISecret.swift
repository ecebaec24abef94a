import Placement
import TLS

/// A new API key: the id that is stored and the secret that is shown once.
public struct NewAPIKey: Sendable {
    public var key: APIKey
    public var secret: String

    /// `random` gives as many unguessable bytes as asked for.
    public static func make(
        project: String, label: String, origins: [String], rights: Rights = .standard, nowMs: UInt64,
        random: (Int) -> [UInt8]
    ) throws(CryptographyFailure) -> NewAPIKey {
        let keyID = "hk" + Base64.encodeURL(random(15))
        let made = try NewSecret.make(random: random)
        let key = APIKey(
            keyID: keyID, project: project, credential: made.credential, label: label, origins: origins,
            createdAtMs: nowMs, rights: rights)
        return NewAPIKey(key: key, secret: made.text)
    }
}

/// A secret that is shown once, and what is kept of it.
struct NewSecret {
    var text: String
    var credential: Credential

    static func make(random: (Int) -> [UInt8]) throws(CryptographyFailure) -> NewSecret {
        let text = Base64.encodeURL(random(32))
        let salt = random(16)
        let hash = try secretHash(Array(text.utf8), salt: salt)
        return NewSecret(text: text, credential: Credential(salt: salt, secretHash: hash))
    }
}

/// What is kept of a secret: SHA-256 over salt and secret.
///
/// No password stretching: stretching makes guessing dear where people choose the secret. Ours has
/// 256 random bits, which nobody guesses at any speed, and a slow hash would be paid by every request
/// that comes with Basic credentials.
func secretHash(_ secret: [UInt8], salt: [UInt8]) throws(CryptographyFailure) -> [UInt8] {
    try SHA256.hash(salt + secret)
}

/// Whether `secret` is the one that `credential` was made of.
func isSecret(_ secret: [UInt8], of credential: Credential) -> Bool {
    guard let hash = try? secretHash(secret, salt: credential.salt) else { return false }
    return equalInConstantTime(hash, credential.secretHash)
}
