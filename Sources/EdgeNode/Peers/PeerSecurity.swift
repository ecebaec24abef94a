import NIOCore
import TLS

/// How links between nodes are secured: mutual TLS, with the certificates that are in force when a link begins.
struct PeerSecurity: Sendable {
    let certificates: NodeCertificates

    var own: PeerIdentity { certificates.own }

    /// For a link that another node dials.
    func acceptingHandler() -> TLSHandler { TLSHandler(context: certificates.current.peerServer) }

    /// For a link of our own. Nodes are known by their certificates, not by the names of their hosts.
    func dialingHandler() -> TLSHandler {
        TLSHandler(context: certificates.current.peerClient, peerName: .anybodyTrusted)
    }
}

/// A user event: the authorities are others now.
struct AuthoritiesChanged {
    var authorities: [Certificate]

    /// Whether they still vouch for a certificate that was good when its link began. Times were looked at then.
    func vouch(for certificate: Certificate) -> Bool {
        do throws(TLSError) {
            try Certificate.check([certificate], roots: authorities, at: certificate.notAfter - 1_000)
            return true
        } catch {
            return false
        }
    }
}
