/// What one side of TLS connections does: certificates, trust, and what is asked of the peer.
///
/// Versions, suites and groups are not to be chosen: TLS 1.3 and 1.2, forward secrecy and authenticated
/// encryption only.
public struct TLSSettings: Sendable {
    public enum Role: Sendable {
        case server
        case client
    }

    /// What a server asks of its clients. With anything but `none` there is no resumption: each connection
    /// shows its certificate anew, and so its end or a new list of roots is noticed.
    public enum ClientCertificates: Sendable {
        case none
        case optional
        case required
    }

    /// PEM with the name of where it came from, for errors.
    public struct Material: Sendable {
        public var pem: [UInt8]
        public var file: String

        public init(pem: [UInt8], file: String) {
            self.pem = pem
            self.file = file
        }
    }

    public var role: Role
    /// This side's own certificate first, then those between it and the root.
    public var certificates: Material?
    public var privateKey: Material?
    /// Whom to trust. A client without it trusts the system's roots.
    public var roots: Material?
    public var clientCertificates = ClientCertificates.none
    /// Protocols inside TLS (ALPN), the best first; each has 1 to 255 bytes.
    public var applicationProtocols: [String] = []

    /// For tests that look at one version.
    var highestVersion = TLSHandshakeCompleted.Version.tls13

    public init(role: Role) {
        self.role = role
    }

    /// A server with its certificate chain and key in PEM.
    public static func server(certificates: [UInt8], privateKey: [UInt8]) -> TLSSettings {
        var settings = TLSSettings(role: .server)
        settings.certificates = Material(pem: certificates, file: "the server's certificate")
        settings.privateKey = Material(pem: privateKey, file: "the server's private key")
        return settings
    }

    /// A client that trusts `roots` in PEM, or the system's.
    public static func client(roots: [UInt8]? = nil) -> TLSSettings {
        var settings = TLSSettings(role: .client)
        settings.roots = roots.map { Material(pem: $0, file: "the trusted roots") }
        return settings
    }
}

/// Whom a client wants to reach, and whom it takes for that.
public enum TLSPeerName: Hashable, Sendable {
    /// The certificate names this host, which is also asked for (SNI).
    case host(String)
    /// The certificate names this address.
    case address(String)
    /// Any certificate that the roots vouch for: the caller looks at its names in `TLSHandshakeCompleted`.
    case anybodyTrusted

    /// A host name or an address in text.
    public init(_ text: String) {
        self = addressBytes(text) == nil ? .host(text) : .address(text)
    }
}
