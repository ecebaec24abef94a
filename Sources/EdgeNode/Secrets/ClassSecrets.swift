import Placement

/// The shared secrets among the keys of a class; public keys are nobody's secret.
extension ClassSettings {
    /// What can be opened is; the rest stays as it is.
    func opened(by keys: ClusterKeys, for owner: SecretOwner) -> ClassSettings {
        mappingSecrets { (try? keys.open($0, for: owner)) ?? $0 }
    }

    /// Sealed under the newest key, but for what could not be opened.
    func sealed(by keys: ClusterKeys, for owner: SecretOwner) throws(SecretFault) -> ClassSettings {
        try mappingSecrets { (secret) throws(SecretFault) in
            ClusterKeys.isSealed(secret) ? secret : try keys.seal(secret, for: owner)
        }
    }

    var secrets: [[UInt8]] {
        var found: [[UInt8]] = []
        _ = mappingSecrets {
            found.append($0)
            return $0
        }
        return found
    }

    private func mappingSecrets<Fault>(_ change: ([UInt8]) throws(Fault) -> [UInt8]) throws(Fault) -> ClassSettings {
        var changed = self
        for (position, key) in signatureKeys.enumerated() where key.algorithm.publicKeyAlgorithm == nil {
            changed.signatureKeys[position].key = try change(key.key)
        }
        switch userIdentity {
        case .signature(let secret): changed.userIdentity = .signature(secret: try change(secret))
        case .token(let algorithm, let key) where algorithm.publicKeyAlgorithm == nil:
            changed.userIdentity = .token(algorithm, key: try change(key))
        case .off, .token: break
        }
        return changed
    }
}
