import NIOCore

/// Where a node listens for clients: `http://host:port`, `https://host:port`, or just `host:port`, which is in the clear.
public struct Endpoint: Sendable, Hashable, CustomStringConvertible {
    public let host: String
    public let port: Int
    public let usesTLS: Bool
    /// PEM of the authorities that vouch for the node; nil: those of the system.
    public var authorityFile: String?
    /// What to show to a node that asks for a certificate.
    public var ownCertificate: OwnCertificate?

    /// PEM: a chain, the own certificate first, and its key.
    public struct OwnCertificate: Sendable, Hashable {
        public var file: String
        public var keyFile: String

        public init(file: String, keyFile: String) {
            self.file = file
            self.keyFile = keyFile
        }
    }

    public init(host: String, port: Int, usesTLS: Bool = false) {
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
    }

    /// `nil` for anything that is not `[http[s]://]host:port[/]` with a port of 1 to 65535.
    public init?(_ text: String) {
        var rest = Substring(text)
        let isSecure = rest.hasPrefix("https://")
        if isSecure { rest = rest.dropFirst(8) } else if rest.hasPrefix("http://") { rest = rest.dropFirst(7) }
        if rest.hasSuffix("/") { rest = rest.dropLast() }
        guard let colon = rest.lastIndex(of: ":") else { return nil }
        var host = rest[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        let digits = rest[rest.index(after: colon)...]
        guard !host.isEmpty, !host.contains(where: { $0 == "/" || $0 == "@" || $0.isWhitespace }),
            digits.allSatisfy({ $0.isASCII && $0.isNumber }),
            let port = Int(digits), (1...65_535).contains(port)
        else { return nil }
        self.init(host: String(host), port: port, usesTLS: isSecure)
    }

    /// Host and port as a `Host` header wants them.
    public var authority: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    public var description: String { (usesTLS ? "https://" : "http://") + authority }
}
