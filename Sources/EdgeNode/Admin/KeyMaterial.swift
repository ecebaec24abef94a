import Placement
import TLS

/// A key as an admin gives it: `{"algorithm", "key"}` with a text, which is PEM or the secret itself,
/// or `{"algorithm", "keyBase64"}` with bytes. Refused unless it could be used at once.
struct KeyMaterial {
    /// Shorter ones can be guessed by whoever has seen one signature.
    static let secretBytesMin = 16

    var algorithm: SignatureAlgorithm
    /// The secret, or the public key as SubjectPublicKeyInfo in DER.
    var bytes: [UInt8]

    /// `algorithm` is the one that is meant if there is no choice. `member` is what messages call the
    /// input, which may hold the members `alsoKnowing` too.
    init(
        _ input: JSONInput, member: String, alsoKnowing: [String], algorithm fixed: SignatureAlgorithm?
    ) throws(HTTPFault) {
        try input.check(knowing: ["algorithm", "key", "keyBase64"] + alsoKnowing, member: member)
        algorithm = try Self.algorithm(input, member, fixed: fixed)
        let given = try Self.bytes(input, member)
        guard let publicKeyAlgorithm = algorithm.publicKeyAlgorithm else {
            guard (Self.secretBytesMin...PlacementLimits.keyMaterialBytes).contains(given.count) else {
                throw .badKey(
                    member, "a secret has \(Self.secretBytesMin) to \(PlacementLimits.keyMaterialBytes) bytes")
            }
            guard !ClusterKeys.isSealed(given) else { throw .badKey(member, "it begins like one that is sealed") }
            bytes = given
            return
        }
        do throws(PublicKeyFault) {
            bytes = try PublicKey(given, algorithm: publicKeyAlgorithm).derBytes
        } catch {
            throw .badKey(member, "for \(algorithm.name) \(error)")
        }
    }

    private static func algorithm(
        _ input: JSONInput, _ member: String, fixed: SignatureAlgorithm?
    ) throws(HTTPFault) -> SignatureAlgorithm {
        if input["algorithm"] == nil, let fixed { return fixed }
        guard let algorithm = input["algorithm"]?.text.flatMap(SignatureAlgorithm.init(name:)),
            fixed == nil || algorithm == fixed
        else {
            let names = (fixed.map { [$0] } ?? SignatureAlgorithm.allCases).map(\.name)
            throw .validation(
                "\(member).algorithm", "\(member).algorithm must be \(names.joined(separator: ", ")).")
        }
        return algorithm
    }

    private static func bytes(_ input: JSONInput, _ member: String) throws(HTTPFault) -> [UInt8] {
        switch (input["key"], input["keyBase64"]) {
        case (.string(let text)?, nil): return Array(text.utf8)
        case (nil, .string(let text)?):
            guard let bytes = Base64.decode(text.utf8) else {
                throw .badKey(member, "keyBase64 is not base64")
            }
            return bytes
        default:
            throw .badKey(member, "give either key, a text, or keyBase64")
        }
    }
}

extension JSONInput {
    /// Throws unless this is an object whose members are all among `known`.
    func check(knowing known: [String], member: String) throws(HTTPFault) {
        guard case .object(let members) = self else {
            throw .validation(member, "\(member) must be a JSON object.")
        }
        if let stranger = members.first(where: { !known.contains($0.name) }) {
            throw .validation(
                "\(member).member", "\(member) has an unknown member \"\(stranger.name)\".")
        }
    }
}

extension HTTPFault {
    /// What is wrong with a key, without a byte of it.
    fileprivate static func badKey(_ member: String, _ reason: String) -> HTTPFault {
        .validation("\(member).key", "The key is refused: \(reason).")
    }
}
