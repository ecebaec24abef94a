/// What a public key signs with.
public enum PublicKeyAlgorithm: Sendable, CaseIterable {
    case ed25519
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    case rsaSHA256
    /// ECDSA over P-256 with SHA-256.
    case ecdsaP256SHA256
}

/// Why bytes are not taken as a public key.
public enum PublicKeyFault: Error, Equatable, Sendable {
    /// No public key in any form that is known.
    case unreadable
    /// A private key: it belongs to whoever signs, and nowhere else.
    case privateKey
    /// A key of another kind of signature.
    case wrongType
    /// An elliptic curve other than P-256.
    case wrongCurve
    /// An RSA modulus of this length is too short to be safe, or too long to be checked in time.
    case wrongSize(bits: Int)
    /// An Ed25519 point of small order: anybody can make signatures for it.
    case weak
}

extension PublicKeyFault: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreadable:
            "it is no public key in PEM (PUBLIC KEY, RSA PUBLIC KEY) or DER, nor the 32 bytes of an Ed25519 key"
        case .privateKey: "it is a private key; give the public one"
        case .wrongType: "it is a key for another algorithm"
        case .wrongCurve: "its curve is not P-256"
        case .wrongSize(let bits):
            "it has \(bits) bits; RSA keys have \(PublicKey.rsaBits.lowerBound) to \(PublicKey.rsaBits.upperBound)"
        case .weak: "everybody can sign for this key"
        }
    }
}
