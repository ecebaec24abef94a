import TLS

/// Everything that was in a node's certificate files at one moment, checked as a whole, and the contexts of it.
struct CertificateSet: Sendable {
    /// Whose certificate ends, and when.
    struct End: Sendable, Equatable {
        /// `node`, `client`, `ca`, `client-ca`; further ones of a file have a number.
        var name: String
        var subject: String
        /// Milliseconds since 1970.
        var notAfterMs: Int64
    }

    let own: PeerIdentity
    /// For links that other nodes dial: they show a certificate of our authority.
    let peerServer: TLSContext
    /// For links of our own.
    let peerClient: TLSContext
    /// For clients.
    let client: TLSContext
    let authorities: [Certificate]
    let ends: [End]
    let clusterKeys: ClusterKeys

    /// - Parameter name: the node's; its certificate has to be for it.
    init(
        _ files: CertificateFiles, name: String, asks: NodeConfiguration.ClientCertificates, ticketKeys: TicketKeys?
    ) throws(TLSMaterialFault) {
        let roots = try PEMFile.read(files.authorities)
        authorities = try Certificate.chain(pem: roots.pem, from: roots.file)
        let node = try PEMFile.read(files.nodeCertificate)
        let nodeKey = try PEMFile.readKey(files.nodeKey)
        let chain = try Certificate.chain(pem: node.pem, from: node.file)
        clusterKeys = try ClusterKeyFile.read(files.clusterKeys)
        own = try Self.identity(chain, of: name, in: node.file)
        try Self.check(chain, vouchedForBy: authorities, node.file, files.authorities)

        var peers = TLSSettings(role: .server)
        (peers.certificates, peers.privateKey, peers.roots) = (node, nodeKey, roots)
        peers.clientCertificates = .required
        peerServer = try TLSContext(peers)
        peerClient = try Self.dialing(files)

        var clients = TLSSettings(role: .server)
        (clients.certificates, clients.privateKey) = (node, nodeKey)
        if let certificate = files.clientCertificate, let key = files.clientKey {
            (clients.certificates, clients.privateKey) = (try PEMFile.read(certificate), try PEMFile.readKey(key))
        }
        if let clientCA = files.clientCA { clients.roots = try PEMFile.read(clientCA) }
        clients.clientCertificates =
            switch asks {
            case .none: .none
            case .optional: .optional
            case .required: .required
            }
        clients.applicationProtocols = ["http/1.1"]
        client = try TLSContext(clients, ticketKeys: ticketKeys)

        var ends = Self.ends("node", chain) + Self.ends("ca", authorities)
        if files.clientCertificate != nil { ends += Self.ends("client", client.certificates) }
        if let roots = clients.roots {
            ends += Self.ends("client-ca", try Certificate.chain(pem: roots.pem, from: roots.file))
        }
        self.ends = ends
    }

    /// What a node's links begin with, as the files are now.
    static func dialing(_ files: CertificateFiles) throws(TLSMaterialFault) -> TLSContext {
        var settings = TLSSettings(role: .client)
        settings.certificates = try PEMFile.read(files.nodeCertificate)
        settings.privateKey = try PEMFile.readKey(files.nodeKey)
        settings.roots = try PEMFile.read(files.authorities)
        return try TLSContext(settings)
    }

    private static func ends(_ name: String, _ chain: [Certificate]) -> [End] {
        chain.enumerated().map { position, certificate in
            End(
                name: position == 0 ? name : "\(name)-\(position + 1)", subject: certificate.subject,
                notAfterMs: certificate.notAfter)
        }
    }

    private static func identity(
        _ chain: [Certificate], of name: String, in file: String
    ) throws(TLSMaterialFault) -> PeerIdentity {
        guard let identity = PeerIdentity(uris: chain[0].uris) else {
            throw .refused(file: file, reason: "it names no node: a name like holdfast://CLUSTER/node/NAME is missing")
        }
        guard identity.node == name else {
            throw .refused(file: file, reason: "it is the certificate of \(identity), and this node is \(name)")
        }
        return identity
    }

    /// Whether other nodes would believe it, times aside: a certificate that is over is renewed while the node runs.
    private static func check(
        _ chain: [Certificate], vouchedForBy roots: [Certificate], _ file: String, _ rootFile: String
    ) throws(TLSMaterialFault) {
        do throws(TLSError) {
            try Certificate.check(chain, roots: roots, at: chain[0].notAfter - 1_000)
        } catch {
            throw .refused(file: file, reason: "\(rootFile) does not vouch for it: \(error)")
        }
    }
}
