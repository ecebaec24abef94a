import NIOCore
import TLS

/// How links between nodes are secured: mutual TLS, with the certificates that are in force now.
struct PeerSecurity: Sendable {
    let own: PeerIdentity
    let certificates: NodeCertificates

    /// For a link that another node dials.
    func acceptingHandler() throws -> TLSHandler { TLSHandler(context: certificates.peerServer.current) }

    /// For a link of our own. Nodes are known by their certificates, not by the names of their hosts.
    func dialingHandler() throws -> TLSHandler { TLSHandler(context: certificates.peerClient.current) }
}
