import Placement

/// A token of a user's backend (JWT, RFC 7519), taken apart. Whether its signature is right is not
/// looked at here.
struct IdentityToken {
    static let textBytesMax = 8_192

    var algorithm: String
    /// By the UTF-8 of their names: texts that merely look alike are different names.
    var claims: [[UInt8]: JSONInput]
    /// What the signature is over.
    var signed: [UInt8]
    var signature: [UInt8]

    init?(_ text: String) {
        guard text.utf8.count <= Self.textBytesMax else { return nil }
        let bytes = Array(text.utf8)
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, let header = Base64.decode(parts[0]).flatMap(IdentityToken.members),
            let claims = Base64.decode(parts[1]).flatMap(IdentityToken.members),
            let signature = Base64.decode(parts[2]), let algorithm = header[Array("alg".utf8)]?.text,
            // RFC 7515: whoever does not know the extensions named there must refuse.
            header[Array("crit".utf8)] == nil
        else { return nil }
        self.algorithm = algorithm
        self.claims = claims
        self.signature = signature
        signed = Array(bytes[..<parts[1].endIndex])
    }

    /// `nil` for anything but an object, and for one that names a member twice.
    private static func members(_ text: [UInt8]) -> [[UInt8]: JSONInput]? {
        guard case .object(let list)? = JSONInput(text) else { return nil }
        var members: [[UInt8]: JSONInput] = [:]
        for member in list {
            guard members.updateValue(member.value, forKey: Array(member.name.utf8)) == nil else { return nil }
        }
        return members
    }

    /// Whether the header names the algorithm that belongs to a class's key. The key decides, never
    /// the token: else a public key would serve as a secret that everybody knows.
    func isFor(_ key: SignatureAlgorithm) -> Bool {
        switch key {
        case .hmacSHA256: algorithm == "HS256"
        case .rsaSHA256: algorithm == "RS256"
        // The two numbers in 64 bytes are the only form that RFC 7518 knows.
        case .ecdsaP256SHA256: algorithm == "ES256" && signature.count == 64
        // RFC 9864 gave it a second name.
        case .ed25519: algorithm == "EdDSA" || algorithm == "Ed25519"
        }
    }
}

// MARK: - Times

extension IdentityToken {
    /// Clocks of backends may differ from ours by as much.
    static let leewayMs = 60_000.0

    enum Validity {
        case valid, malformed, expired, notYetValid
    }

    /// By `exp` and `nbf`, each of which may be absent.
    func validity(nowMs: UInt64) -> Validity {
        let now = Double(nowMs)
        if let claim = claims[Array("exp".utf8)] {
            guard let end = milliseconds(claim) else { return .malformed }
            guard now < end + Self.leewayMs else { return .expired }
        }
        if let claim = claims[Array("nbf".utf8)] {
            guard let begin = milliseconds(claim) else { return .malformed }
            guard now + Self.leewayMs >= begin else { return .notYetValid }
        }
        return .valid
    }

    /// Seconds, as the standard has it; what would lie beyond the year 5138 is milliseconds.
    private func milliseconds(_ claim: JSONInput) -> Double? {
        guard case .number(let number) = claim, number.isFinite else { return nil }
        return number > 1e11 ? number : number * 1_000
    }
}
