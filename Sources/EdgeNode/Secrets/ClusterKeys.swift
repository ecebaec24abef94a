import Binary
import TLS

/// The keys under which a cluster's table keeps secrets, newest first. All nodes have the same, in `cluster.key`
/// beside their certificates; the table, its log, its snapshots and backups never hold them.
///
/// What the cluster makes up itself, keys that sign tokens, is in the table as a salt: the secret is derived
/// from it. What others bring, the shared secrets of classes, is sealed, for one class of one project.
///
/// Immutable; any thread.
public final class ClusterKeys: Sendable {
    struct Key: Sendable, Equatable {
        static let byteCount = 32
        static let fingerprintByteCount = 8

        let bytes: [UInt8]
        /// Names the key, and says nothing of it.
        let fingerprint: [UInt8]

        /// Nil if these are not 32 bytes, or OpenSSL fails.
        init?(_ bytes: [UInt8]) {
            guard bytes.count == Self.byteCount,
                let name = try? HKDFSHA256.derive(
                    secret: bytes, info: Array("holdfast cluster key name 1".utf8), count: Self.fingerprintByteCount)
            else { return nil }
            self.bytes = bytes
            fingerprint = name
        }
    }

    /// A node without certificates has none: its table holds secrets as they are.
    public static let none = ClusterKeys([])

    let keys: [Key]

    init(_ keys: [Key]) {
        self.keys = keys
    }

    var isEmpty: Bool { keys.isEmpty }
    var newest: Key? { keys.first }

    func key(_ fingerprint: some Collection<UInt8>) -> Key? {
        keys.first { $0.fingerprint.elementsEqual(fingerprint) }
    }
}

/// Why a secret of the table cannot be had.
enum SecretFault: Error, Equatable {
    /// The cluster key of this fingerprint is not in `cluster.key`.
    case unknownClusterKey(String)
    /// It is not what was sealed for this class.
    case notAuthentic
    case cryptography(CryptographyFailure)
}

extension SecretFault: CustomStringConvertible {
    var description: String {
        switch self {
        case .unknownClusterKey(let name): "this node's cluster.key lacks the key \(name)"
        case .notAuthentic: "it was not sealed for this class, or has been changed"
        case .cryptography(let failure): "\(failure)"
        }
    }
}
