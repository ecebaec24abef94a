/// A user event: the handshake is done, and this is with whom and how. Data comes after it.
public struct TLSHandshakeCompleted: Sendable {
    public enum Version: String, Sendable {
        case tls12 = "TLS 1.2"
        case tls13 = "TLS 1.3"
    }

    public let version: Version
    /// OpenSSL's name of the suite.
    public let suite: String
    /// What ALPN chose, if both sides know it.
    public let applicationProtocol: String?
    /// The name that the client asked for.
    public let serverName: String?
    /// Checked against the roots; nil if the peer has shown none.
    public let peerCertificate: Certificate?
    public let resumed: Bool
}
