import Cluster
import Placement
import Raft
import TLS

/// Who a node's certificate says that its holder is: a name within a cluster. It stands in the certificate as a URI,
/// `holdfast://CLUSTER/node/NAME`, among the subject's alternative names (RFC 5280, 4.2.1.6).
///
/// `CLUSTER` is what people call the cluster; its number does not exist yet when the certificates are made. Two
/// clusters under one authority are kept apart by it.
public struct PeerIdentity: Sendable, Equatable, CustomStringConvertible {
    public var cluster: String
    public var node: String

    private static let scheme = "holdfast://"

    public init?(cluster: String, node: String) {
        guard Self.isPlain(cluster), Self.isPlain(node) else { return nil }
        self.cluster = cluster
        self.node = node
    }

    public init?(uri: String) {
        guard uri.hasPrefix(Self.scheme) else { return nil }
        let parts = uri.dropFirst(Self.scheme.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[1] == "node" else { return nil }
        self.init(cluster: String(parts[0]), node: String(parts[2]))
    }

    /// The one identity among the URIs of a certificate; nil if there is none, or more than one.
    init?(uris: [String]) {
        let found = uris.compactMap { PeerIdentity(uri: $0) }
        guard found.count == 1 else { return nil }
        self = found[0]
    }

    public var uri: String { "\(Self.scheme)\(cluster)/node/\(node)" }

    public var description: String { "\(node) of \(cluster)" }

    /// As names of nodes are.
    private static func isPlain(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// What the two ends of a link have proven: nothing, where links are in the clear.
enum PeerProof: Equatable {
    case plain
    /// Our certificate, and that of the other end with the time when it was made; both of one authority.
    case certified(own: PeerIdentity, peer: PeerIdentity, madeAtMs: UInt64)

    /// Nil if the certificate names no node.
    init?(own: PeerIdentity, peer certificate: Certificate?) {
        guard let certificate, let peer = PeerIdentity(uris: certificate.uris) else { return nil }
        let madeAt = max(0, certificate.notBefore + CertificateAuthority.backdatedMilliseconds)
        self = .certified(own: own, peer: peer, madeAtMs: UInt64(madeAt))
    }
}

extension ClusterView {
    /// Whether the other end may call itself `node`: its certificate is of our cluster and younger than any removal of a
    /// node of that name, the node was not removed, and the registry knows it by the certificate's name. One that is not
    /// registered may ask to join, by that name.
    func accepts(_ node: NodeID, with proof: PeerProof) -> PeerHelloAnswer.Verdict {
        if let registry = state?.registry, registry.removed.contains(node) { return .removedNode }
        guard case .certified(let own, let peer, let madeAtMs) = proof else { return .welcome }
        guard peer.cluster == own.cluster else { return .otherCluster }
        if let removedAtMs = state?.registry.removal(ofName: peer.node), madeAtMs <= removedAtMs { return .removedNode }
        guard let record = state?.registry.record(of: node) else { return .welcome }
        return record.name == peer.node ? .welcome : .otherNode
    }
}
