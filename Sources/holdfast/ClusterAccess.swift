import ArgumentParser
import CHoldfast
import Glibc
import HoldfastClient
import LiveChecks
import NIOCore
import NIOPosix

/// A command that talks to a cluster.
protocol ClusterVerb: ParsableCommand {
    func execute() async throws
}

extension ClusterVerb {
    func run() throws {
        let command = UncheckedCommand(command: self)
        try MultiThreadedEventLoopGroup.singleton.any().makeFutureWithTask {
            try await command.command.execute()
        }.wait()
    }
}

/// Parsed commands are plain values; the main thread only waits while the task reads this one.
private struct UncheckedCommand<Command: ClusterVerb>: @unchecked Sendable {
    let command: Command
}

/// Which cluster: flags, then environment, then the file of the local cluster.
struct ClusterAccess: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp(
            "URL of a node; repeat it for more, the next one is tried when one is down.", valueName: "url"))
    var endpoint: [String] = []

    @Option(name: .long, help: ArgumentHelp("Description of the local cluster.", valueName: "file"))
    var clusterFile = ".holdfast/cluster.json"

    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp(
            "For https: authorities of the nodes, PEM; else HOLDFAST_CA, else the cluster file, else the system's.",
            valueName: "file"))
    var authorityFile: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "For https: what to show to nodes that ask for a certificate, PEM; else HOLDFAST_CERTIFICATE.",
            valueName: "file"))
    var certificate: String?

    @Option(
        name: .long,
        help: ArgumentHelp("The certificate's key, PEM; else HOLDFAST_CERTIFICATE_KEY.", valueName: "file"))
    var certificateKey: String?

    @Option(name: .long, help: ArgumentHelp("Time for one call, in seconds.", valueName: "seconds"))
    var timeout = 10.0

    func validate() throws {
        guard timeout.isFinite, timeout > 0, timeout <= 3_600 else {
            throw ValidationError("--timeout must be a number of seconds above 0 and up to 3600.")
        }
    }

    func localCluster() throws -> ClusterFile? {
        try ClusterFile.read(clusterFile)?.refreshed()
    }

    /// With whom they trust, as far as they use TLS.
    func endpoints() throws -> [Endpoint] { try secured(namedEndpoints()) }

    /// Of other addresses, with the same trust.
    func endpoints(_ texts: [String]) throws -> [Endpoint] { try secured(texts.map(Self.endpoint)) }

    private func secured(_ plain: [Endpoint]) throws -> [Endpoint] {
        var endpoints = plain
        guard endpoints.contains(where: \.usesTLS) else { return endpoints }
        let file = try authorityFile ?? environment("HOLDFAST_CA") ?? localCluster()?.authorityFile
        let own = try ownCertificate()
        for position in endpoints.indices {
            endpoints[position].authorityFile = file
            endpoints[position].ownCertificate = own
        }
        return endpoints
    }

    private func ownCertificate() throws -> Endpoint.OwnCertificate? {
        let file = certificate ?? environment("HOLDFAST_CERTIFICATE")
        let keyFile = certificateKey ?? environment("HOLDFAST_CERTIFICATE_KEY")
        if file == nil, keyFile == nil { return nil }
        guard let file, let keyFile else {
            throw ValidationError("A certificate needs its key: give --certificate and --certificate-key.")
        }
        return .init(file: file, keyFile: keyFile)
    }

    private func namedEndpoints() throws -> [Endpoint] {
        var texts = endpoint
        if texts.isEmpty, let listed = environment("HOLDFAST_ENDPOINT") {
            texts = listed.split(separator: ",").map(String.init)
        }
        if texts.isEmpty {
            let endpoints = try localCluster()?.nodes.map(\.endpoint) ?? []
            guard !endpoints.isEmpty else {
                throw ValidationError(
                    "Which cluster? Give --endpoint or HOLDFAST_ENDPOINT, or run where \(clusterFile) is.")
            }
            return endpoints
        }
        return try texts.map(Self.endpoint)
    }

    private static func endpoint(_ text: String) throws -> Endpoint {
        guard let endpoint = Endpoint(text) else {
            throw ValidationError("'\(text)' is not an endpoint of the form http://host:port or https://host:port.")
        }
        return endpoint
    }

    func pool(waitingSeconds: Double = 0) throws -> ConnectionPool {
        ConnectionPool(
            endpoints: try endpoints(), on: MultiThreadedEventLoopGroup.singleton.any(),
            timeout: .milliseconds(Int64(max(timeout, waitingSeconds) * 1_000)))
    }
}

/// Access to the admin API.
struct AdminAccess: ParsableArguments {
    @OptionGroup var cluster: ClusterAccess

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File with the admin token; else HOLDFAST_ADMIN_TOKEN, else the cluster file.", valueName: "file")
    )
    var adminTokenFile: String?

    /// - Parameter waitingSeconds: how long the cluster may take for what is asked of it.
    func client(waitingSeconds: Double = 0) throws -> AdminClient {
        AdminClient(pool: try cluster.pool(waitingSeconds: waitingSeconds), token: try token())
    }

    func token() throws -> String? {
        if let adminTokenFile { return trimmed(try LocalFile.readText(adminTokenFile)) }
        if let token = environment("HOLDFAST_ADMIN_TOKEN") { return token }
        return try cluster.localCluster()?.adminToken
    }
}

/// Access to one project's objects.
struct ProjectAccess: ParsableArguments {
    @OptionGroup var cluster: ClusterAccess
    @OptionGroup var key: ProjectKey

    func client() throws -> HoldfastClient {
        HoldfastClient(pool: try cluster.pool(), project: try projectName(), credentials: try credentials())
    }

    func projectName() throws -> String { try key.project(in: cluster) }

    func credentials() throws -> HoldfastClient.Credentials { try key.credentials(in: cluster) }

    func live() throws -> LiveAccess { try key.live(in: cluster) }
}

/// A project and what opens it.
struct ProjectKey: ParsableArguments {
    @Option(name: .long, help: "Project; else HOLDFAST_PROJECT, else the cluster file.")
    var project: String?

    @Option(
        name: .long,
        help: ArgumentHelp("API key; else HOLDFAST_API_KEY, else the cluster file.", valueName: "key"))
    var apiKey: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "File with the key's secret; else HOLDFAST_API_SECRET, else the cluster file.", valueName: "file")
    )
    var apiSecretFile: String?

    func project(in cluster: ClusterAccess) throws -> String {
        guard let name = try project ?? environment("HOLDFAST_PROJECT") ?? cluster.localCluster()?.project
        else {
            throw ValidationError("Which project? Give --project or HOLDFAST_PROJECT.")
        }
        return name
    }

    func credentials(in cluster: ClusterAccess) throws -> HoldfastClient.Credentials {
        if let token = environment("HOLDFAST_TOKEN"), apiKey == nil { return .token(token) }
        let local = try cluster.localCluster()
        let secretText = try apiSecretFile.map { trimmed(try LocalFile.readText($0)) }
        guard let key = apiKey ?? environment("HOLDFAST_API_KEY") ?? local?.apiKey,
            let secret = secretText ?? environment("HOLDFAST_API_SECRET") ?? local?.apiSecret
        else {
            throw ValidationError(
                "Which key? Give --api-key with --api-secret-file, or HOLDFAST_API_KEY with HOLDFAST_API_SECRET."
            )
        }
        return .key(key, secret: secret)
    }

    /// For commands that check the cluster from outside.
    func live(in cluster: ClusterAccess) throws -> LiveAccess {
        LiveAccess(
            endpoints: try cluster.endpoints(), project: try project(in: cluster),
            credentials: try credentials(in: cluster), timeout: .milliseconds(Int64(cluster.timeout * 1_000)))
    }
}

/// An environment variable; an empty one counts as not set.
/// What holds a secret is taken off the pages that others may look at (/proc/PID/environ).
func environment(_ name: String) -> String? {
    if secretVariables.contains(name) { holdfast_hide_environment(name) }
    guard let value = getenv(name) else { return nil }
    let text = String(cString: value)
    return text.isEmpty ? nil : text
}

private let secretVariables = ["HOLDFAST_ADMIN_TOKEN", "HOLDFAST_DATA_KEY", "HOLDFAST_TOKEN", "HOLDFAST_API_SECRET"]

func trimmed(_ text: String) -> String {
    var rest = Substring(text)
    while let last = rest.last, last.isWhitespace { rest.removeLast() }
    while let first = rest.first, first.isWhitespace { rest.removeFirst() }
    return String(rest)
}
