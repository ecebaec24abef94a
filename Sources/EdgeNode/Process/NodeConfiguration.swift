import Storage

/// Version of the program; the one place where it stands.
public let holdfastVersion = "0.4.0"

/// Everything a node is told before it starts. Files, environment and flags have been layered and
/// checked by then; nothing here is looked up again while the node runs.
public struct NodeConfiguration: Sendable, Equatable {
    /// How owners answer reads (O4).
    public enum Reads: String, Sendable, CaseIterable {
        /// From memory, under the node's lease.
        case lease
        /// Through a barrier in the shard's log: for hosts whose clocks may stop.
        case quorum
    }

    /// What a start does when the data directory is damaged as a whole (O9).
    public enum OnDamage: String, Sendable, CaseIterable {
        /// Sets it aside and joins again as a new node.
        case rejoin
        /// Changes nothing and says what to do.
        case stop
    }

    public enum LogLevel: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// A host (name or address, IPv6 without brackets) and a TCP port.
    public struct Address: Sendable, Equatable, CustomStringConvertible {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// Reached from this machine only.
        public var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }

        public var description: String {
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        }
    }

    /// Whether clients are asked for a certificate.
    public enum ClientCertificates: String, Sendable, CaseIterable {
        case none
        /// Whoever shows one shows one of `clientCA`.
        case optional
        case required
    }

    /// What people call this node; unique in the cluster.
    public var name: String
    /// The directory that holds everything of this node. Made if it is missing.
    public var dataDirectory: String
    /// Under which journal, store and archive are encrypted; nil: not at all.
    public var dataKeys: DataKeys?
    /// Where clients connect.
    public var client = Address(host: "127.0.0.1", port: 7001)
    /// Where other nodes connect; also the address this node is known by.
    public var peer = Address(host: "127.0.0.1", port: 7101)
    /// The admin API's own port; `nil` leaves it closed.
    public var admin: Address?
    /// Bearer token of the admin API; without one the admin API refuses every call.
    public var adminToken: String?
    /// The admin API answers on the client port too, with the same token.
    public var adminOnClientPort = false
    /// `ca.pem`, `node.pem` and `node.key`, as `holdfast tls init` makes them. Links between nodes use them, and the
    /// client and admin ports unless they have a certificate of their own.
    public var tlsDirectory: String?
    /// Links and ports in the clear, on loopback only.
    public var insecure = false
    /// Chain and key, PEM, of the client and admin ports.
    public var clientCertificate: String?
    public var clientKey: String?
    public var clientCertificates = ClientCertificates.none
    /// Authorities of clients' certificates, PEM.
    public var clientCA: String?
    /// What becomes of requests in the clear; nil: served on loopback, refused elsewhere.
    public var plaintext: HTTPSettings.Plaintext?
    /// The client port serves the demo page.
    public var demo = true
    /// Peer addresses of members to join by. Ignored when the data directory already belongs to a cluster.
    public var join: [Address] = []
    /// Form a new cluster if the data directory belongs to none.
    public var bootstrap = false
    /// With `bootstrap`: wait for this many nodes, itself included, before forming the cluster.
    public var initialNodes = 1
    /// With `bootstrap`: shards of the new cluster's table.
    public var shards = 64
    /// With `bootstrap`: the lease duration D of the new cluster.
    public var leaseMs: UInt64 = 1_500
    /// Event loops; 0 takes one per core.
    public var loops = 0
    public var reads = Reads.lease
    /// Objects that were not used for so long leave memory; 0 keeps all in memory.
    public var hibernateMs: UInt64 = 10_000
    /// What loaded objects may take of memory; the least recently used leave first.
    public var memoryMegabytes = 256
    /// Segments of the journal, in kilobytes.
    public var segmentKilobytes = 65_536
    /// A shard is split for its load if it has so many operations a second.
    public var splitOperations: UInt64 = 1_000
    /// Two neighbours are merged when they have had nearly no load for so long, in seconds.
    public var mergeAfterSeconds: UInt64 = 3_600
    /// A shard's changes are written to the store after so long, or as soon as so much of its log is not there.
    public var checkpointIntervalSeconds: UInt64 = 30
    public var checkpointMegabytes = 8
    /// How long the connections of a dead node stay present, for being resumed elsewhere.
    public var presenceGraceMs: UInt64 = 2_000
    public var onDamage = OnDamage.rejoin
    /// Each shard's replicas are compared with each other so often, in seconds; 0 never.
    public var scrubIntervalSeconds: UInt64 = 86_400
    /// Where segments of the journal are copied before they are dropped; nil: nowhere.
    public var archiveDirectory: String?
    /// A segment with anything new in it is sealed for the archive after so long.
    public var archiveIntervalS = 60
    /// Connections of one client address; requests and frames a second of one connection, of one key, to one object.
    /// 0 for any number.
    public var connectionsPerAddress = 2_000
    public var connectionRate: UInt64 = 0
    public var keyRate: UInt64 = 0
    public var objectRate: UInt64 = 0
    /// While even the quickest answer takes longer, the newest requests are refused; 0 never.
    public var overloadTargetMs: UInt64 = 100
    public var logLevel = LogLevel.info
    /// A crash may leave a core file, which holds secrets and data; debuggers may look into the process.
    public var coreDumps = false

    /// What `plaintext` means for one of the ports.
    public func effectivePlaintext(at address: Address) -> HTTPSettings.Plaintext {
        plaintext ?? (address.isLoopback ? .serve : .refuse)
    }

    /// Where clients are sent.
    public var clientURL: String {
        "\(tlsDirectory == nil || effectivePlaintext(at: client) == .serve ? "http" : "https")://\(client)"
    }

    public init(name: String, dataDirectory: String) {
        self.name = name
        self.dataDirectory = dataDirectory
    }
}
