import Glibc
import TLS

/// What the administrator of a cluster keeps, away from its nodes: the authority's key, and a directory for each node,
/// to be copied to its machine.
///
/// `ca.pem` (the newest authority first), `ca.key`, `cluster` (the name), `cluster.key`, and for each node
/// `NAME/ca.pem`, `NAME/node.pem`, `NAME/node.key`, `NAME/cluster.key`. Files are replaced whole, so that a node may
/// use its directory where it is.
public struct AuthorityDirectory {
    public static let authorityLifetimeMs: Int64 = 10 * 365 * 86_400_000
    /// Long enough not to be a chore, short enough that a key that was lost in silence does not serve for ever.
    public static let nodeLifetimeMs: Int64 = 365 * 86_400_000
    /// Under these a node is reached on its own machine.
    static let localHosts: [SubjectName] = [.dns("localhost"), .ip("127.0.0.1"), .ip("::1")]

    public let path: String
    public let cluster: String
    /// Signs; its certificate is the first of `roots`.
    public private(set) var authority: CertificateAuthority
    /// Whom nodes believe.
    public private(set) var roots: [Certificate]

    /// Makes an authority where there is none.
    public static func make(path: String, cluster: String, nowMs: Int64) throws(TLSMaterialFault) -> AuthorityDirectory {
        guard PeerIdentity(cluster: cluster, node: "n") != nil, cluster.utf8.count <= 40 else {
            throw .refused(file: cluster, reason: "a cluster's name has 1 to 40 letters, digits, '.', '_' or '-'")
        }
        guard access(path + "/ca.pem", F_OK) != 0, access(path + "/ca.key", F_OK) != 0 else {
            throw .refused(file: path, reason: "there is an authority already; 'tls node' and 'tls renew' use it")
        }
        try makeDirectory(path)
        let made = AuthorityDirectory(path: path, cluster: cluster, try makeAuthority(of: cluster, nowMs), [])
        try PEMFile.write(Array((cluster + "\n").utf8), to: path + "/cluster", mode: 0o644)
        try ClusterKeyFile.write(ClusterKeys([try ClusterKeyFile.makeKey()]), to: path + "/cluster.key")
        try made.writeAuthority()
        return try AuthorityDirectory(path: path)
    }

    private init(path: String, cluster: String, _ authority: CertificateAuthority, _ formers: [Certificate]) {
        self.path = path
        self.cluster = cluster
        self.authority = authority
        roots = [authority.certificate] + formers
    }

    /// Reads one that was made before.
    public init(path: String) throws(TLSMaterialFault) {
        self.path = path
        let name = try PEMFile.read(path + "/cluster").pem
        cluster = String(decoding: name.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let certificates = try PEMFile.read(path + "/ca.pem")
        roots = try Certificate.chain(pem: certificates.pem, from: certificates.file)
        authority = try CertificateAuthority(
            certificatePEM: roots[0].pem, keyPEM: try PEMFile.readKey(path + "/ca.key").pem)
    }

    /// Those that have a directory here.
    public var nodes: [String] {
        directoryEntries(path).filter { access("\(path)/\($0)/node.pem", F_OK) == 0 }.sorted()
    }

    /// - Parameter hosts: names and addresses under which clients reach the node, its own machine aside.
    public func add(node: String, hosts: [String], nowMs: Int64, lifetimeMs: Int64) throws(TLSMaterialFault) {
        guard access("\(path)/\(node)/node.pem", F_OK) != 0 else {
            throw .refused(file: "\(path)/\(node)", reason: "the node has a certificate already; 'tls renew' makes another")
        }
        let names = hosts.map { PeerName.isAddress($0) ? SubjectName.ip($0) : .dns($0) }
        try issue(node, hosts: Self.localHosts + names, nowMs, lifetimeMs)
    }

    /// A new key and a new certificate with the names of the former.
    public func renew(node: String, nowMs: Int64, lifetimeMs: Int64) throws(TLSMaterialFault) {
        let former = try certificate(of: node)
        let hosts = former.names.filter { if case .uri = $0 { false } else { true } }
        try issue(node, hosts: hosts, nowMs, lifetimeMs)
    }

    public func certificate(of node: String) throws(TLSMaterialFault) -> Certificate {
        let file = try PEMFile.read("\(path)/\(node)/node.pem")
        return try Certificate.chain(pem: file.pem, from: file.file)[0]
    }

    private func issue(
        _ node: String, hosts: [SubjectName], _ nowMs: Int64, _ lifetimeMs: Int64
    ) throws(TLSMaterialFault) {
        guard let identity = PeerIdentity(cluster: cluster, node: node), !node.hasPrefix(".") else {
            throw .refused(file: node, reason: "a node's name has 1 to 64 letters, digits, '.', '_' or '-'")
        }
        var names: [SubjectName] = []
        for name in [.uri(identity.uri)] + hosts where !names.contains(name) { names.append(name) }
        let issued = try authority.issue(
            commonName: node, names: names, usage: .both, lifetime: lifetimeMs, now: nowMs)
        let directory = "\(path)/\(node)"
        try makeDirectory(directory)
        // First whom to believe, then what to show: whoever reads in between finds nothing that is wrong by itself.
        try PEMFile.write(roots.flatMap(\.pem), to: directory + "/ca.pem", mode: 0o644)
        try ClusterKeyFile.write(try clusterKeys(), to: directory + "/cluster.key")
        try PEMFile.write(try issued.key.pem(), to: directory + "/node.key", mode: 0o600)
        try PEMFile.write(issued.certificate.pem, to: directory + "/node.pem", mode: 0o644)
    }

    // MARK: - Another cluster key

    /// Names of the keys under which the table's secrets are sealed, newest first.
    public var clusterKeyNames: [String] {
        get throws(TLSMaterialFault) { try clusterKeys().keys.map { Hexadecimal.encode($0.fingerprint) } }
    }

    /// Makes a new cluster key, for what is sealed from then on; nodes need the former ones for a while.
    public func rotateClusterKey() throws(TLSMaterialFault) {
        let former = try clusterKeys().keys
        guard former.count < ClusterKeyFile.keysMax else {
            throw .refused(
                file: path + "/cluster.key", reason: "it holds \(former.count) keys: 'secrets reseal', then 'secrets drop-former'")
        }
        try giveNodes(ClusterKeys([try ClusterKeyFile.makeKey()] + former))
    }

    /// Keeps the newest cluster key only. Whatever is sealed under another is lost by that.
    public func dropFormerClusterKeys() throws(TLSMaterialFault) {
        try giveNodes(ClusterKeys(Array(try clusterKeys().keys.prefix(1))))
    }

    private func clusterKeys() throws(TLSMaterialFault) -> ClusterKeys {
        try ClusterKeyFile.read(path + "/cluster.key")
    }

    private func giveNodes(_ keys: ClusterKeys) throws(TLSMaterialFault) {
        try ClusterKeyFile.write(keys, to: path + "/cluster.key")
        for node in nodes { try ClusterKeyFile.write(keys, to: "\(path)/\(node)/cluster.key") }
    }

    // MARK: - Another authority

    /// Makes a new authority, which all nodes are to believe beside the former before anything is signed by it.
    public mutating func renewAuthority(nowMs: Int64) throws(TLSMaterialFault) {
        guard roots.count == 1 else {
            throw .refused(
                file: path + "/ca.pem", reason: "it holds a former authority already: finish with 'tls renew' and 'tls renew --drop-former'")
        }
        authority = try Self.makeAuthority(of: cluster, nowMs)
        roots.insert(authority.certificate, at: 0)
        try writeAuthority()
        try tellNodes()
    }

    /// Former authorities are believed no more. Every node has a certificate of the newest by then.
    public mutating func dropFormer(nowMs: Int64) throws(TLSMaterialFault) {
        for node in nodes {
            let chain = [try certificate(of: node)]
            do throws(TLSError) {
                try Certificate.check(chain, roots: [authority.certificate], at: chain[0].notAfter - 1_000)
            } catch {
                throw .refused(
                    file: "\(path)/\(node)/node.pem", reason: "a former authority has made it: 'tls renew' first, and copy it to the node")
            }
        }
        roots = [authority.certificate]
        try writeAuthority()
        try tellNodes()
    }

    private static func makeAuthority(of cluster: String, _ nowMs: Int64) throws(TLSMaterialFault) -> CertificateAuthority {
        try CertificateAuthority.make(commonName: "authority of \(cluster)", lifetime: authorityLifetimeMs, now: nowMs)
    }

    private func writeAuthority() throws(TLSMaterialFault) {
        try PEMFile.write(try authority.key.pem(), to: path + "/ca.key", mode: 0o600)
        try PEMFile.write(roots.flatMap(\.pem), to: path + "/ca.pem", mode: 0o644)
    }

    private func tellNodes() throws(TLSMaterialFault) {
        for node in nodes { try PEMFile.write(roots.flatMap(\.pem), to: "\(path)/\(node)/ca.pem", mode: 0o644) }
    }
}

private enum PeerName {
    static func isAddress(_ text: String) -> Bool {
        if case .address = TLSPeerName(text) { true } else { false }
    }
}

/// For the owner's eyes only.
private func makeDirectory(_ path: String) throws(TLSMaterialFault) {
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
        throw .refused(file: path, reason: "it cannot be made: \(String(cString: strerror(errno)))")
    }
}

extension PEMFile {
    /// Written beside, synced and renamed: readers see the old file or the new one.
    static func write(_ bytes: [UInt8], to path: String, mode: mode_t) throws(TLSMaterialFault) {
        let temporary = path + ".new"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard file >= 0 else { throw .refused(file: path, reason: "it cannot be written: \(String(cString: strerror(errno)))") }
        let count = Glibc.write(file, bytes, bytes.count)
        // Whatever the umask says.
        let isWhole = count == bytes.count && fchmod(file, mode) == 0 && fsync(file) == 0
        close(file)
        guard isWhole, rename(temporary, path) == 0 else {
            let reason = String(cString: strerror(errno))
            unlink(temporary)
            throw .refused(file: path, reason: "it cannot be written: \(reason)")
        }
    }
}
