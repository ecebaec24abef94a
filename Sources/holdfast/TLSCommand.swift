import ArgumentParser
import EdgeNode
import HoldfastClient
import TLS

struct TLSCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tls",
        abstract: "Make, renew and show the certificates of a cluster.",
        discussion: """
            Everything happens in one directory, which is best kept away from the nodes: it holds the authority's key. \
            Copy the directory NAME to the node NAME, which takes up new files by itself.
            """,
        subcommands: [TLSInit.self, TLSNode.self, TLSRenew.self, TLSShow.self])
}

/// A node, and the hosts under which clients reach it: `n1` or `n1=db1.example.com,10.0.0.1`.
struct NodeAndHosts: ExpressibleByArgument {
    var node: String
    var hosts: [String]

    init?(argument: String) {
        let halves = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        node = halves[0]
        hosts = halves.count == 2 ? halves[1].split(separator: ",").map(String.init) : []
        guard !node.isEmpty else { return nil }
    }
}

struct AuthorityOptions: ParsableArguments {
    @Option(name: .long, help: ArgumentHelp("Where the authority is kept.", valueName: "directory"))
    var directory: String

    func read() throws -> AuthorityDirectory {
        try reportingFaults { () throws(TLSMaterialFault) in try AuthorityDirectory(path: directory) }
    }
}

struct LifetimeOptions: ParsableArguments {
    @Option(name: .long, help: "Days for which a node's certificate is good.")
    var days = Int(AuthorityDirectory.nodeLifetimeMs / 86_400_000)

    func validate() throws {
        guard (1...3_650).contains(days) else { throw ValidationError("--days must be a number from 1 to 3650.") }
    }

    var milliseconds: Int64 { Int64(days) * 86_400_000 }
}

struct TLSInit: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Make an authority, and a certificate for each node.")

    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var lifetime: LifetimeOptions

    @Option(name: .long, help: "What people call the cluster; nodes of another one are refused.")
    var cluster: String

    @Option(
        name: .long,
        help: ArgumentHelp("A node and the hosts under which clients reach it; repeatable.", valueName: "name[=host,…]"))
    var node: [NodeAndHosts] = []

    func run() throws {
        let now = wallMs()
        try reportingFaults { () throws(TLSMaterialFault) in
            let made = try AuthorityDirectory.make(path: authority.directory, cluster: cluster, nowMs: now)
            for one in node {
                try made.add(node: one.node, hosts: one.hosts, nowMs: now, lifetimeMs: lifetime.milliseconds)
            }
        }
        print("made an authority of \(cluster) and certificates of \(node.count) nodes in \(authority.directory)")
        for one in node { print("  for \(one.node): copy \(authority.directory)/\(one.node) to its machine") }
        print("keep \(authority.directory)/ca.key secret, and away from the nodes; cluster.key is secret too, and every node's")
    }
}

struct TLSNode: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "node", abstract: "Make a certificate for one more node.")

    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var lifetime: LifetimeOptions

    @Argument(help: ArgumentHelp("The node and its hosts.", valueName: "name[=host,…]"))
    var node: NodeAndHosts

    func run() throws {
        let directory = try authority.read()
        try reportingFaults { () throws(TLSMaterialFault) in
            try directory.add(
                node: node.node, hosts: node.hosts, nowMs: wallMs(), lifetimeMs: lifetime.milliseconds)
        }
        print("made \(directory.path)/\(node.node); copy it to the node's machine")
    }
}

struct TLSRenew: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew",
        abstract: "Make new keys and certificates, for nodes that go on running.",
        discussion: """
            To replace the authority: 'renew --authority', copy each NAME/ca.pem; 'renew', copy everything; \
            'renew --drop-former', copy each NAME/ca.pem. Nodes take up each step before the next.
            """)

    @OptionGroup var authority: AuthorityOptions
    @OptionGroup var lifetime: LifetimeOptions

    @Option(name: .long, help: "Only this node; repeatable.")
    var node: [String] = []

    @Flag(name: .customLong("authority"), help: "Make a new authority, believed beside the former.")
    var renewsAuthority = false

    @Flag(name: .long, help: "Believe former authorities no more.")
    var dropFormer = false

    func validate() throws {
        let chosen = (renewsAuthority ? 1 : 0) + (dropFormer ? 1 : 0) + (node.isEmpty ? 0 : 1)
        guard chosen <= 1 else { throw ValidationError("--authority, --drop-former and --node exclude each other.") }
    }

    func run() throws {
        var directory = try authority.read()
        let now = wallMs()
        let nodes = node.isEmpty ? directory.nodes : node
        try reportingFaults { () throws(TLSMaterialFault) in
            if renewsAuthority { return try directory.renewAuthority(nowMs: now) }
            if dropFormer { return try directory.dropFormer(nowMs: now) }
            for one in nodes { try directory.renew(node: one, nowMs: now, lifetimeMs: lifetime.milliseconds) }
        }
        if renewsAuthority {
            print("a new authority is in every ca.pem beside the former: copy them to the nodes, then 'tls renew'")
        } else if dropFormer {
            print("former authorities are in no ca.pem any more: copy them to the nodes")
        } else {
            print("renewed: \(nodes.joined(separator: " ")); copy their directories to the nodes, which take them up themselves")
        }
    }
}

struct TLSShow: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show certificates, whose they are, and when they end.")

    @Option(name: .long, help: ArgumentHelp("The authority's directory, or a node's.", valueName: "directory"))
    var directory: String

    @OptionGroup var output: OutputOptions

    func run() throws {
        let shown = try reportingFaults { () throws(TLSMaterialFault) in try ShownCertificate.all(in: directory) }
        let now = wallMs()
        if output.json { return print(JSON.array(shown.map { $0.json(now) }).description) }
        var table = TextTable("CERTIFICATE", "SUBJECT", "IDENTITY", "HOSTS", "ENDS", "DAYS")
        for one in shown {
            table.add(
                one.file, one.certificate.subject, one.identity, one.hosts.joined(separator: ","),
                TimeText.utc(one.certificate.notAfter), "\(one.daysLeft(now))")
        }
        print(table.text)
    }
}

private struct ShownCertificate {
    /// Within the directory; further certificates of a file have a number.
    var file: String
    var certificate: Certificate

    static func all(in directory: String) throws(TLSMaterialFault) -> [ShownCertificate] {
        var names = CertificateListing.files(in: directory)
        if names.isEmpty { names = ["ca.pem"] }
        var shown: [ShownCertificate] = []
        for name in names {
            for (position, certificate) in try CertificateListing.read(directory + "/" + name).enumerated() {
                shown.append(
                    ShownCertificate(file: position == 0 ? name : "\(name) \(position + 1)", certificate: certificate))
            }
        }
        return shown
    }

    var identity: String { certificate.uris.first { PeerIdentity(uri: $0) != nil } ?? "-" }

    var hosts: [String] {
        certificate.names.compactMap {
            switch $0 {
            case .dns(let name), .ip(let name): name
            case .uri, .email: nil
            }
        }
    }

    func daysLeft(_ now: Int64) -> Int64 { (certificate.notAfter - now) / 86_400_000 }

    func json(_ now: Int64) -> JSON {
        [
            "file": .string(file), "subject": .string(certificate.subject), "issuer": .string(certificate.issuer),
            "serial": .string(certificate.serial), "identity": identity == "-" ? .null : .string(identity),
            "hosts": .array(hosts.map(JSON.string)), "isAuthority": .bool(certificate.isAuthority),
            "notBeforeMs": .integer(certificate.notBefore), "notAfterMs": .integer(certificate.notAfter),
            "daysLeft": .integer(daysLeft(now)),
        ]
    }
}

/// Faults of certificates as this program reports failures.
func reportingFaults<Result>(_ body: () throws(TLSMaterialFault) -> Result) throws -> Result {
    do throws(TLSMaterialFault) {
        return try body()
    } catch {
        throw CommandFailure(message: "\(error)")
    }
}
