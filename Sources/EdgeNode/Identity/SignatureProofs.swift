import Binary
import Cluster
import Placement
import TLS

/// Checks signatures by the keys of classes, of any algorithm.
///
/// Keys are prepared once. Signatures by public keys, which cost a tenth of a millisecond, are
/// remembered by a digest once they have proven right. All of it is forgotten when the cluster's view
/// changes: a key may have been taken back. One for each loop.
final class SignatureProofs {
    /// Keys prepared and signatures remembered, per loop; beyond, all are forgotten.
    static let keysMax = 256
    static let rememberedMax = 4_096

    private enum Verifier {
        case code(MessageAuthenticator)
        case publicKey(PublicKey)
        /// The bytes are no key. Remembered too, since finding that out costs as much.
        case unusable
    }

    private struct Key: Hashable {
        var algorithm: SignatureAlgorithm
        var bytes: [UInt8]
        /// For whom shared secrets are sealed.
        var owner: SecretOwner?
    }

    private let currentView: () -> ClusterView
    private let clusterKeys: () -> ClusterKeys
    private var view: ClusterView?
    private var verifiers: [Key: Verifier] = [:]
    private var remembered: Set<[UInt8]> = []

    var preparedCount: Int { verifiers.count }
    var rememberedCount: Int { remembered.count }

    init(
        currentView: @escaping () -> ClusterView, clusterKeys: @escaping () -> ClusterKeys = { .none }
    ) {
        self.currentView = currentView
        self.clusterKeys = clusterKeys
    }

    /// Whether `signature` is one of `message`; `nil` if the key cannot be used at all. `key` is as the table has
    /// it: a shared secret may be sealed for its class, `owner`.
    func isAuthentic(
        _ signature: [UInt8], of message: [UInt8], algorithm: SignatureAlgorithm, key: [UInt8], owner: SecretOwner
    ) -> Bool? {
        forgetIfViewChanged()
        let isSecret = algorithm.publicKeyAlgorithm == nil
        switch verifier(Key(algorithm: algorithm, bytes: key, owner: isSecret ? owner : nil)) {
        case .unusable: return nil
        case .code(let authenticator): return try? authenticator.isAuthentic(signature, of: message)
        case .publicKey(let publicKey):
            let proof = digest(signature, of: message, by: publicKey)
            if let proof, remembered.contains(proof) { return true }
            guard publicKey.isAuthentic(signature, of: message) else { return false }
            if let proof { remember(proof) }
            return true
        }
    }

    private func forgetIfViewChanged() {
        let current = currentView()
        guard view !== current else { return }
        view = current
        forget()
    }

    func forget() {
        verifiers.removeAll(keepingCapacity: true)
        remembered.removeAll(keepingCapacity: true)
    }

    private func verifier(_ key: Key) -> Verifier {
        if let known = verifiers[key] { return known }
        if verifiers.count >= Self.keysMax { verifiers.removeAll(keepingCapacity: true) }
        let fresh = prepare(key)
        verifiers[key] = fresh
        return fresh
    }

    private func prepare(_ key: Key) -> Verifier {
        guard let algorithm = key.algorithm.publicKeyAlgorithm else {
            return (try? authenticator(key)).map(Verifier.code) ?? .unusable
        }
        return (try? PublicKey(key.bytes, algorithm: algorithm)).map(Verifier.publicKey) ?? .unusable
    }

    private func authenticator(_ key: Key) throws -> MessageAuthenticator {
        guard let owner = key.owner else { return try MessageAuthenticator(key: key.bytes) }
        return try MessageAuthenticator(key: try clusterKeys().open(key.bytes, for: owner))
    }

    /// Names key, message and signature; a digest, because tokens are long.
    private func digest(_ signature: [UInt8], of message: [UInt8], by key: PublicKey) -> [UInt8]? {
        var writer = ByteWriter(reserving: signature.count + message.count + key.derBytes.count + 12)
        writer.writeBytes(key.derBytes)
        writer.writeBytes(message)
        writer.writeBytes(signature)
        return try? SHA256.hash(writer.bytes)
    }

    private func remember(_ proof: [UInt8]) {
        if remembered.count >= Self.rememberedMax { remembered.removeAll(keepingCapacity: true) }
        remembered.insert(proof)
    }
}

extension SignatureAlgorithm {
    /// `nil` for the one with a shared secret.
    var publicKeyAlgorithm: PublicKeyAlgorithm? {
        switch self {
        case .hmacSHA256: nil
        case .ed25519: .ed25519
        case .rsaSHA256: .rsaSHA256
        case .ecdsaP256SHA256: .ecdsaP256SHA256
        }
    }

    /// As settings and pages call it.
    var name: String {
        switch self {
        case .hmacSHA256: "hmac-sha256"
        case .ed25519: "ed25519"
        case .rsaSHA256: "rsa-sha256"
        case .ecdsaP256SHA256: "ecdsa-p256-sha256"
        }
    }

    init?(name: String) {
        guard let algorithm = SignatureAlgorithm.allCases.first(where: { $0.name == name }) else { return nil }
        self = algorithm
    }
}
