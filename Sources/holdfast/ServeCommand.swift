import ArgumentParser
import EdgeNode
import HoldfastClient

/// Flags stay text here: every layer goes through the same checks and gets the same complaints.
struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run a node.",
        discussion: """
            Settings come from a file, from the environment (HOLDFAST_LEASE_MS for lease-ms) over it, and from \
            flags over both.
            """)

    @Option(
        name: .long,
        help: ArgumentHelp("Configuration, TOML or JSON; else HOLDFAST_CONFIG.", valueName: "file"))
    var config: String?

    @Option(name: .long, help: "What people call this node; unique in the cluster.")
    var name: String?

    @Option(
        name: .long, help: ArgumentHelp("Directory for everything this node keeps.", valueName: "directory"))
    var data: String?

    @Option(name: .long, help: ArgumentHelp("Where clients connect.", valueName: "host:port"))
    var client: String?

    @Option(name: .long, help: ArgumentHelp("Where other nodes connect.", valueName: "host:port"))
    var peer: String?

    @Option(name: .long, help: ArgumentHelp("The admin API's own port.", valueName: "host:port"))
    var admin: String?

    @Option(
        name: .long,
        help: ArgumentHelp("File with the admin token; or HOLDFAST_ADMIN_TOKEN.", valueName: "file"))
    var adminTokenFile: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Keys under which data is encrypted on disk; or HOLDFAST_DATA_KEY.", valueName: "file"))
    var dataKeyFile: String?

    @Flag(name: .long, help: "Answer the admin API on the client port too.")
    var adminOnClientPort = false

    @Option(
        name: .long,
        help: ArgumentHelp("Certificates of this node, as 'holdfast tls init' makes them.", valueName: "directory"))
    var tlsDirectory: String?

    @Flag(name: .long, help: "Everything in the clear; on loopback only.")
    var insecure = false

    @Option(name: .long, help: ArgumentHelp("Certificate chain of the client and admin ports.", valueName: "file"))
    var clientCertificate: String?

    @Option(name: .long, help: ArgumentHelp("Its private key.", valueName: "file"))
    var clientKey: String?

    @Option(name: .long, help: "Ask clients for certificates: none, optional or required.")
    var clientCertificates: String?

    @Option(name: .customLong("client-ca"), help: ArgumentHelp("Authorities of clients' certificates.", valueName: "file"))
    var clientCA: String?

    @Option(name: .long, help: "What becomes of requests in the clear: serve, redirect or refuse.")
    var plaintext: String?

    @Option(name: .long, help: "Serve the demo page on the client port: true (the default) or false.")
    var demo: String?

    @Flag(name: .long, help: "A crash may leave a core file, secrets and data in it.")
    var coreDumps = false

    @Option(
        name: .long,
        help: ArgumentHelp("Peer address of a member to join by; repeatable.", valueName: "host:port"))
    var join: [String] = []

    @Flag(name: .long, help: "Form a new cluster if the data directory belongs to none.")
    var bootstrap = false

    @Option(name: .long, help: "With --bootstrap: nodes to wait for before the cluster is formed.")
    var initialNodes: String?

    @Option(name: .long, help: "With --bootstrap: shards of the new cluster.")
    var shards: String?

    @Option(name: .long, help: "With --bootstrap: duration of a lease.")
    var leaseMs: String?

    @Option(name: .long, help: "Event loops; 0 for one per core.")
    var loops: String?

    @Option(name: .long, help: "How reads are answered: lease or quorum.")
    var reads: String?

    @Option(name: .long, help: "Milliseconds without use after which an object leaves memory; 0 for never.")
    var hibernateMs: String?

    @Option(name: .customLong("memory-mb"), help: "Megabytes that loaded objects may take of memory.")
    var memoryMegabytes: String?

    @Option(name: .customLong("segment-kb"), help: "Kilobytes of a segment of the journal.")
    var segmentKilobytes: String?

    @Option(name: .long, help: "Operations a second from which on a shard is split for its load.")
    var splitOperations: String?

    @Option(name: .long, help: "Seconds without load after which neighbouring shards are merged.")
    var mergeAfterS: String?

    @Option(name: .long, help: "Seconds after which a shard's changes are written to the store.")
    var checkpointIntervalS: String?

    @Option(name: .customLong("checkpoint-mb"), help: "Megabytes of a shard's log after which they are written sooner.")
    var checkpointMegabytes: String?

    @Option(name: .long, help: "Milliseconds for which the connections of a dead node stay present.")
    var presenceGraceMs: String?

    @Option(name: .long, help: "What a start does with a damaged data directory: rejoin or stop.")
    var onDamage: String?

    @Option(name: .long, help: "Seconds after which each shard's replicas are compared again; 0 for never.")
    var scrubIntervalS: String?

    @Option(
        name: .long,
        help: ArgumentHelp("Where sealed segments of the journal are copied.", valueName: "directory"))
    var archiveDirectory: String?

    @Option(name: .long, help: "Seconds after which a segment is sealed for the archive.")
    var archiveIntervalS: String?

    @Option(name: .long, help: "Connections that one client address may have; 0 for any number.")
    var connectionsPerAddress: String?

    @Option(name: .long, help: "Requests and frames a second of one connection; 0 for any number.")
    var connectionRate: String?

    @Option(name: .long, help: "Requests and frames a second of one API key, at this node; 0 for any number.")
    var keyRate: String?

    @Option(name: .long, help: "Requests and frames a second to one object, at this node; 0 for any number.")
    var objectRate: String?

    @Option(name: .long, help: "Milliseconds of waiting from which on the newest requests are refused; 0 for never.")
    var overloadTargetMs: String?

    @Option(name: .long, help: "trace, debug, info, notice, warning, error or critical.")
    var logLevel: String?

    @Flag(name: .long, help: "Show what holds, and stop.")
    var printConfig = false

    func run() throws {
        let configuration = try configuration()
        if printConfig { return print(configuration.fileText) }
        let status = NodeProgram.run(configuration)
        if status != 0 { endProgram(withStatus: status) }
    }

    private func configuration() throws -> NodeConfiguration {
        var layers = ConfigurationLayers()
        if let path = config ?? environment("HOLDFAST_CONFIG") {
            layers.add(try ConfigurationText.settings(try LocalFile.readText(path), file: path))
        }
        layers.addEnvironment(environment)
        layers.add(flags)
        return try layers.configuration()
    }

    private var flags: [RawSetting] {
        let scalars: [(SettingKey, String?)] = [
            (.name, name), (.data, data), (.client, client), (.peer, peer), (.admin, admin),
            (.adminTokenFile, adminTokenFile), (.dataKeyFile, dataKeyFile),
            (.adminOnClientPort, adminOnClientPort ? "true" : nil),
            (.tlsDirectory, tlsDirectory), (.insecure, insecure ? "true" : nil),
            (.clientCertificate, clientCertificate), (.clientKey, clientKey),
            (.clientCertificates, clientCertificates), (.clientCA, clientCA), (.plaintext, plaintext),
            (.demo, demo), (.coreDumps, coreDumps ? "true" : nil),
            (.bootstrap, bootstrap ? "true" : nil), (.initialNodes, initialNodes), (.shards, shards),
            (.leaseMs, leaseMs), (.loops, loops), (.reads, reads),
            (.segmentKilobytes, segmentKilobytes), (.splitOperations, splitOperations), (.mergeAfterS, mergeAfterS),
            (.hibernateMs, hibernateMs), (.memoryMegabytes, memoryMegabytes),
            (.checkpointIntervalS, checkpointIntervalS), (.checkpointMegabytes, checkpointMegabytes),
            (.presenceGraceMs, presenceGraceMs),
            (.onDamage, onDamage), (.scrubIntervalS, scrubIntervalS),
            (.archiveDirectory, archiveDirectory), (.archiveIntervalS, archiveIntervalS),
            (.connectionsPerAddress, connectionsPerAddress), (.connectionRate, connectionRate),
            (.keyRate, keyRate), (.objectRate, objectRate), (.overloadTargetMs, overloadTargetMs), (.logLevel, logLevel),
        ]
        var settings = scalars.compactMap { key, text in
            text.map { RawSetting(name: key.rawValue, value: .scalar($0), source: "flag --\(key.rawValue)") }
        }
        if !join.isEmpty {
            settings.append(RawSetting(name: "join", value: .list(join), source: "flag --join"))
        }
        return settings
    }
}
