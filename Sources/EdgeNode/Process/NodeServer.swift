import CHoldfast
import Cluster
import Glibc
import Logging
import NIOCore
import NIOPosix
import Placement
import Raft
import Storage
import TLS

/// Assembles a node in the child process: directory, journal, cores, loops, ports; and waits for the
/// signal to stop.
enum NodeServer {
    static func serve(_ configuration: NodeConfiguration, nonce: UInt64) -> Int32 {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGTERM, SIGINT, SIGHUP] { sigaddset(&signals, signal) }
        // Before any thread is started: only this one takes these signals.
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        signal(SIGPIPE, SIG_IGN)
        holdfast_tune_allocator()
        do {
            let node = try start(configuration, nonce: nonce)
            while true {
                var received: Int32 = 0
                guard sigwait(&signals, &received) == 0 else { continue }
                if received == SIGHUP { node.readCertificatesAgain() } else { node.tellBrain(.shutdown) }
            }
        } catch {
            complain("\(error)")
            return ExitCode.refused
        }
    }

    private static func start(_ configuration: NodeConfiguration, nonce: UInt64) throws -> NodeShared {
        let logger = makeLogger(configuration)
        let security = try makeSecurity(configuration)
        // Ports first: an occupied one must not leave anything behind.
        try PortProbe.check(configuration)
        let space = SpaceWatch(path: configuration.dataDirectory)
        let disk = try NodeDisk.open(opening(configuration, space), logger: logger)

        let settings = makeSettings(configuration)
        let identity = Cluster.NodeIdentity(
            nodeID: NodeID(rawValue: disk.directory.identity.node), name: configuration.name,
            peerAddress: "\(configuration.peer)", clientURL: configuration.clientURL, nonce: nonce,
            version: holdfastVersion)
        let node = NodeShared(
            identity: identity, settings: settings, journal: disk.journal, store: disk.store, space: space,
            peerSecurity: security, logger: logger)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: settings.loops)
        try assemble(node, group: group, disk: disk, configuration: configuration)
        space.attach(node)
        try bindPorts(node, group: group, configuration: configuration)
        CertificateNote.write(configuration)
        writeTextFile(configuration.dataDirectory + "/pids", "pid \(getpid())\nparentPid \(getppid())\n")
        if configuration.insecure {
            logger.warning("INSECURE: nothing is encrypted and no node proves who it is; for trying on one machine only")
        }
        if configuration.bootstrap, configuration.initialNodes == 1, disk.recovered.logs.genesis == nil {
            logger.warning("a cluster of one: every object has one copy, on this disk")
        }
        if configuration.reads == .lease, let source = SystemClocks.paravirtualSource {
            // O5: a hypervisor that stops the guest's clock breaks what leases rest on.
            logger.warning(
                "the clock is the hypervisor's; if it may be stopped while the guest is not, set reads = quorum",
                metadata: ["clocksource": "\(source)"])
        }
        logger.notice("serving", metadata: [
            "node": "\(configuration.name)", "clients": "\(configuration.client)",
            "peers": "\(configuration.peer)",
        ])
        return node
    }

    /// Nil for a node that runs without.
    private static func makeSecurity(_ configuration: NodeConfiguration) throws -> PeerSecurity? {
        guard let files = CertificateFiles(configuration) else {
            let addresses = [configuration.client, configuration.peer] + [configuration.admin].compactMap { $0 }
            precondition(configuration.insecure && addresses.allSatisfy(\.isLoopback), "in the clear on loopback only")
            return nil
        }
        do throws(TLSMaterialFault) {
            return PeerSecurity(
                certificates: try NodeCertificates(
                    files, name: configuration.name, asks: configuration.clientCertificates))
        } catch {
            throw StartFailure("its certificates cannot be used: \(error). Nothing was changed.")
        }
    }

    private static func makeLogger(_ configuration: NodeConfiguration) -> Logger {
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        var logger = Logger(label: configuration.name)
        logger.logLevel = Logger.Level(rawValue: configuration.logLevel.rawValue) ?? .info
        return logger
    }

    private static func makeSettings(_ configuration: NodeConfiguration) -> NodeSettings {
        var settings = NodeSettings()
        settings.loops = configuration.loops > 0 ? configuration.loops : System.coreCount
        settings.readsByQuorum = configuration.reads == .quorum
        settings.hibernateAfterMs = configuration.hibernateMs
        settings.loadedBytesMax = configuration.memoryMegabytes << 20
        settings.splitting.operationsWorthASplit = configuration.splitOperations
        settings.splitting.coldForMs = configuration.mergeAfterSeconds * 1_000
        settings.checkpointIntervalMs = configuration.checkpointIntervalSeconds * 1_000
        settings.checkpointLogBytes = configuration.checkpointMegabytes << 20
        settings.raft.limitsSnapshotRate = true
        settings.scrubIntervalMs = configuration.scrubIntervalSeconds * 1_000
        settings.presenceGraceMs = configuration.presenceGraceMs
        settings.overloadTargetMs = configuration.overloadTargetMs
        return settings
    }

    private static func opening(_ configuration: NodeConfiguration, _ space: SpaceWatch) -> NodeDisk.Opening {
        var journal = JournalOptions(segmentBytes: configuration.segmentKilobytes << 10)
        journal.keys = configuration.dataKeys
        return NodeDisk.Opening(
            path: configuration.dataDirectory, name: configuration.name, onDamage: configuration.onDamage,
            join: configuration.join.map(\.description), ownPeerAddress: "\(configuration.peer)",
            journal: journal,
            archiveDirectory: configuration.archiveDirectory, archiveIntervalS: configuration.archiveIntervalS,
            space: space)
    }

    // MARK: - Assembly

    private static func assemble(
        _ node: NodeShared, group: MultiThreadedEventLoopGroup, disk: NodeDisk, configuration: NodeConfiguration
    ) throws {
        let core = NodeCore(
            identity: node.identity, membership: membership(configuration), recovered: disk.recovered.logs,
            settings: node.settings, seed: SystemRandom.number(), now: SystemClocks.now())
        let brain = NodeBrain(core: core, node: node, directory: disk.directory)
        let loops = try group.makeIterator().enumerated().map { index, eventLoop in
            let objects = try node.store.makeObjects()
            return NodeLoop(
                index: index, eventLoop: eventLoop, node: node,
                core: LoopCore(
                    loop: index, identity: node.identity, recovered: disk.recovered, settings: node.settings,
                    seed: SystemRandom.number(), store: objects),
                objects: objects)
        }
        node.assemble(loops: loops, brain: brain)
        let http = makeHTTPSettings(configuration)
        let board = StatisticsBoard()
        let limits = ClientLimits()
        for loop in loops {
            try loop.eventLoop.submit {
                loop.start(http: http, board: board, limits: limits, brain: loop.index == 0 ? brain : nil)
            }.wait()
        }
    }

    private static func membership(_ configuration: NodeConfiguration) -> Membership {
        // O9: a node that has lost its data belongs to a cluster that may live on without it.
        if let former = PeerFile(directory: configuration.dataDirectory, .rejoin) {
            return .join(former.addresses, cluster: former.clusterID)
        }
        guard configuration.bootstrap else { return .join(configuration.join.map(\.description)) }
        return .bootstrap(
            initialNodes: configuration.initialNodes, shards: configuration.shards,
            leaseDurationMs: configuration.leaseMs)
    }

    private static let reservedDescriptors = 512

    private static func makeHTTPSettings(_ configuration: NodeConfiguration) -> HTTPSettings {
        var settings = HTTPSettings(version: holdfastVersion)
        // What clients may take leaves enough for files and for links between nodes.
        let descriptors = Int(min(holdfast_raise_descriptors(), 1 << 30))
        let loops = configuration.loops > 0 ? configuration.loops : System.coreCount
        settings.maximumConnectionsPerLoop = min(
            settings.maximumConnectionsPerLoop, max(16, (descriptors - Self.reservedDescriptors) / loops))
        settings.adminToken = configuration.adminToken
        settings.servesAdminOnClientPort = configuration.adminOnClientPort
        settings.servesDemo = configuration.demo
        settings.connectionsPerAddress = configuration.connectionsPerAddress
        settings.connectionRate = configuration.connectionRate
        settings.keyRate = configuration.keyRate
        settings.objectRate = configuration.objectRate
        settings.speaksTLS = configuration.tlsDirectory != nil
        settings.plaintext = configuration.effectivePlaintext(at: configuration.client)
        settings.adminPlaintext = configuration.admin.map(configuration.effectivePlaintext) ?? settings.plaintext
        return settings
    }

    // MARK: - Ports

    private static func bindPorts(
        _ node: NodeShared, group: MultiThreadedEventLoopGroup, configuration: NodeConfiguration
    ) throws {
        try bind(configuration.peer, group: group, node: node) { loop, channel in
            try PeerSocket.configure(channel, owner: loop, security: node.peerSecurity)
        }
        try bind(configuration.client, group: group, node: node) { loop, channel in
            try loop.http?.configureClientChannel(channel)
        }
        guard let admin = configuration.admin else { return }
        try bind(admin, group: group, node: node) { loop, channel in
            try loop.http?.configureAdminChannel(channel)
        }
    }

    private static func bind(
        _ address: NodeConfiguration.Address, group: MultiThreadedEventLoopGroup, node: NodeShared,
        configure: @escaping @Sendable (NodeLoop, any Channel) throws -> Void
    ) throws {
        do {
            _ = try ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AcceptPacing())
                    }
                }
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        guard let loop = node.loops.first(where: { $0.eventLoop === channel.eventLoop }) else {
                            return
                        }
                        try configure(loop, channel)
                    }
                }
                .bind(host: address.host, port: address.port)
                .wait()
        } catch {
            throw StartFailure.port(address, error)
        }
    }
}

/// Why a node cannot start: what, where, and what to do.
struct StartFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }

    static func port(_ address: NodeConfiguration.Address, _ error: any Error) -> StartFailure {
        let reason = (error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(error)"
        return StartFailure(
            "cannot listen on \(address): \(reason). Nothing was changed. Stop what uses the port, or give this "
                + "node another one.")
    }
}

/// Tries the ports before anything is made or changed.
private enum PortProbe {
    static func check(_ configuration: NodeConfiguration) throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        defer { try? group.syncShutdownGracefully() }
        for address in [configuration.peer, configuration.client] + [configuration.admin].compactMap({ $0 }) {
            do {
                let channel = try ServerBootstrap(group: group)
                    .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                    .bind(host: address.host, port: address.port)
                    .wait()
                try channel.close().wait()
            } catch {
                throw StartFailure.port(address, error)
            }
        }
    }
}
