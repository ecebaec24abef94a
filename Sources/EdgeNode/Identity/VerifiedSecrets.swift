import Cluster
import Placement
import TLS

/// What `Authorization` headers have proven, so that the next request with the same one costs a code and a look-up.
///
/// The headers themselves are not kept: a copy of this memory gives no secret away. They are known by their
/// HMAC-SHA256 under a key that nobody outside of this object has, not by a hash table's hash, which does not tell
/// one secret from another. Everything is forgotten when the cluster's tenants change: a key may have been revoked.
/// What else changes a view (leases, members, moves) takes nothing back.
struct VerifiedSecrets<Proof> {
    /// A code, which stands for the header it was made of.
    struct Name: Hashable {
        fileprivate var words: SIMD4<UInt64>

        // Codes are as good as random, and no one outside can choose them.
        func hash(into hasher: inout Hasher) { hasher.combine(words[0]) }
    }

    private let capacity: Int
    private let codes: MessageAuthenticator?
    private var proofs: [Name: Proof] = [:]
    private var view: ClusterView?

    var count: Int { proofs.count }

    /// Beyond `capacity` all are forgotten.
    init(capacity: Int) {
        self.capacity = capacity
        var key = (try? secureRandomBytes(32)) ?? []
        // Without a key nothing is remembered, and each request is checked anew.
        codes = key.isEmpty ? nil : try? MessageAuthenticator(key: key)
        erase(&key)
    }

    /// Forgets what `view` may have taken back; whether it did.
    mutating func observe(_ view: ClusterView) -> Bool {
        guard self.view !== view else { return false }
        let isAsBefore = self.view.map { $0.state?.tenants == view.state?.tenants } ?? false
        self.view = view
        guard !isAsBefore else { return false }
        proofs.removeAll(keepingCapacity: true)
        return true
    }

    mutating func forget() { proofs.removeAll(keepingCapacity: true) }

    func name(of header: String) -> Name? {
        guard let code = try? codes?.authenticate(header.utf8) else { return nil }
        return code.withUnsafeBytes { Name(words: $0.loadUnaligned(as: SIMD4<UInt64>.self)) }
    }

    subscript(name: Name) -> Proof? { proofs[name] }

    mutating func remember(_ proof: Proof, as name: Name) {
        if proofs.count >= capacity { proofs.removeAll(keepingCapacity: true) }
        proofs[name] = proof
    }
}
