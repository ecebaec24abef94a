import Glibc
import TLS

/// Where a node's certificates are.
public struct CertificateFiles: Sendable, Equatable {
    /// Holds `ca.pem`, `node.pem`, `node.key` and `cluster.key`.
    public var directory: String
    /// The client port's own pair; without it the node's serves there too.
    public var clientCertificate: String?
    public var clientKey: String?
    /// Authorities of clients' certificates.
    public var clientCA: String?

    public init(directory: String) {
        self.directory = directory
    }

    /// Nil for a node that runs without certificates.
    init?(_ configuration: NodeConfiguration) {
        guard let directory = configuration.tlsDirectory else { return nil }
        self.init(directory: directory)
        clientCertificate = configuration.clientCertificate
        clientKey = configuration.clientKey
        clientCA = configuration.clientCA
    }

    /// One authority, or several while they change.
    public var authorities: String { directory + "/ca.pem" }
    public var nodeCertificate: String { directory + "/node.pem" }
    public var nodeKey: String { directory + "/node.key" }
    /// What the table's secrets are sealed under; the same at all nodes.
    public var clusterKeys: String { directory + "/cluster.key" }

    var paths: [String] {
        [authorities, nodeCertificate, nodeKey, clusterKeys] + [clientCertificate, clientKey, clientCA].compactMap { $0 }
    }

    var stamps: [FileStamp?] { paths.map { FileStamp(path: $0) } }
}

/// Reads files of certificates and keys as a node does: no longer than such files are, and keys only if they are
/// their owner's secret.
enum PEMFile {
    static func read(_ path: String) throws(TLSMaterialFault) -> TLSSettings.Material {
        try read(path, isSecret: false)
    }

    static func readKey(_ path: String) throws(TLSMaterialFault) -> TLSSettings.Material {
        try read(path, isSecret: true)
    }

    private static let bytesMax = 1 << 20

    private static func read(_ path: String, isSecret: Bool) throws(TLSMaterialFault) -> TLSSettings.Material {
        let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else { throw .unreadableFile(path: path, reason: String(cString: strerror(errno))) }
        defer { close(file) }
        var info = stat()
        guard fstat(file, &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size <= bytesMax else {
            throw .unreadableFile(path: path, reason: "it is no file of certificates or of a key")
        }
        if isSecret, info.st_mode & 0o077 != 0 {
            let mode = String(info.st_mode & 0o777, radix: 8)
            throw .refused(file: path, reason: "its mode is 0\(mode), and a key is for its owner only: chmod 600")
        }
        var bytes = [UInt8](repeating: 0, count: Int(info.st_size))
        let count = Glibc.read(file, &bytes, bytes.count)
        guard count == bytes.count else { throw .unreadableFile(path: path, reason: "it was cut short") }
        return TLSSettings.Material(pem: bytes, file: path)
    }
}
