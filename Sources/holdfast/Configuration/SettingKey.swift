import EdgeNode

/// The settings of a node. One name serves everywhere: `lease-ms` in a file, `--lease-ms` as a flag,
/// `HOLDFAST_LEASE_MS` in the environment.
enum SettingKey: String, CaseIterable, Sendable {
    case name
    case data
    case client
    case peer
    case admin
    case adminToken = "admin-token"
    case adminTokenFile = "admin-token-file"
    case adminOnClientPort = "admin-on-client-port"
    case dataKey = "data-key"
    case dataKeyFile = "data-key-file"
    case tlsDirectory = "tls-directory"
    case insecure
    case clientCertificate = "client-certificate"
    case clientKey = "client-key"
    case clientCertificates = "client-certificates"
    case clientCA = "client-ca"
    case plaintext
    case demo
    case coreDumps = "core-dumps"
    case join
    case bootstrap
    case initialNodes = "initial-nodes"
    case shards
    case leaseMs = "lease-ms"
    case loops
    case reads
    case hibernateMs = "hibernate-ms"
    case memoryMegabytes = "memory-mb"
    case segmentKilobytes = "segment-kb"
    case splitOperations = "split-operations"
    case mergeAfterS = "merge-after-s"
    case checkpointIntervalS = "checkpoint-interval-s"
    case checkpointMegabytes = "checkpoint-mb"
    case presenceGraceMs = "presence-grace-ms"
    case onDamage = "on-damage"
    case scrubIntervalS = "scrub-interval-s"
    case archiveDirectory = "archive-directory"
    case archiveIntervalS = "archive-interval-s"
    case connectionsPerAddress = "connections-per-address"
    case connectionRate = "connection-rate"
    case keyRate = "key-rate"
    case objectRate = "object-rate"
    case overloadTargetMs = "overload-target-ms"
    case logLevel = "log-level"

    static let shardRange = 1...4_096
    static let leaseMsRange: ClosedRange<UInt64> = 200...60_000
    static let hibernateMsRange: ClosedRange<UInt64> = 0...86_400_000
    static let memoryMegabytesRange = 16...1_048_576
    static let segmentKilobytesRange = 64...1_048_576
    static let splitOperationsRange: ClosedRange<UInt64> = 10...1_000_000_000
    static let mergeAfterSRange: ClosedRange<UInt64> = 1...31_536_000
    static let checkpointIntervalSRange: ClosedRange<UInt64> = 1...31_536_000
    static let checkpointMegabytesRange = 1...65_536
    static let presenceGraceMsRange: ClosedRange<UInt64> = 0...600_000
    static let scrubIntervalSRange: ClosedRange<UInt64> = 0...31_536_000
    static let archiveIntervalSRange = 1...86_400
    static let loopRange = 0...256
    static let connectionsPerAddressRange = 0...1_000_000
    static let rateRange: ClosedRange<UInt64> = 0...1_000_000
    static let overloadTargetMsRange: ClosedRange<UInt64> = 0...10_000
    static let initialNodeRange = 1...64

    var environmentName: String {
        "HOLDFAST_" + rawValue.uppercased().map { $0 == "-" ? "_" : String($0) }.joined()
    }

    /// A secret on a command line is seen by every user of the machine, and files get copied around.
    var isEnvironmentOnly: Bool { self == .adminToken || self == .dataKey }

    /// What a good value is, for complaints and help.
    var expectation: String {
        switch self {
        case .name: "1 to 64 letters, digits, '.', '_' or '-'"
        case .data, .archiveDirectory: "a directory"
        case .tlsDirectory: "a directory with ca.pem, node.pem, node.key and cluster.key"
        case .clientCertificate, .clientKey, .clientCA: "a PEM file"
        case .clientCertificates: Self.describe(NodeConfiguration.ClientCertificates.allCases.map(\.rawValue))
        case .plaintext: Self.describe(HTTPSettings.Plaintext.allCases.map(\.rawValue))
        case .client, .peer, .admin: "HOST:PORT with a port from 1 to 65535"
        case .adminToken: "at least 16 printable characters"
        case .adminTokenFile: "a readable file that holds the token"
        case .dataKey: "keys, newest first, with commas between: each 'hfd1 ' and 64 hexadecimal digits"
        case .dataKeyFile: "a file with mode 0600 that holds data keys, one a line: 'hfd1 ' and 64 hexadecimal digits"
        case .adminOnClientPort, .insecure, .demo, .coreDumps, .bootstrap: "true or false"
        case .join: "one or more HOST:PORT"
        case .initialNodes: Self.describe(Self.initialNodeRange)
        case .shards: Self.describe(Self.shardRange)
        case .leaseMs: Self.describe(Self.leaseMsRange)
        case .loops: Self.describe(Self.loopRange) + ", 0 for one per core"
        case .reads: Self.describe(NodeConfiguration.Reads.allCases.map(\.rawValue))
        case .hibernateMs: Self.describe(Self.hibernateMsRange) + ", 0 for never"
        case .memoryMegabytes: Self.describe(Self.memoryMegabytesRange)
        case .segmentKilobytes: Self.describe(Self.segmentKilobytesRange)
        case .splitOperations: Self.describe(Self.splitOperationsRange)
        case .mergeAfterS: Self.describe(Self.mergeAfterSRange)
        case .checkpointIntervalS: Self.describe(Self.checkpointIntervalSRange)
        case .checkpointMegabytes: Self.describe(Self.checkpointMegabytesRange)
        case .presenceGraceMs: Self.describe(Self.presenceGraceMsRange)
        case .onDamage: Self.describe(NodeConfiguration.OnDamage.allCases.map(\.rawValue))
        case .scrubIntervalS: Self.describe(Self.scrubIntervalSRange) + ", 0 for never"
        case .archiveIntervalS: Self.describe(Self.archiveIntervalSRange)
        case .connectionsPerAddress: Self.describe(Self.connectionsPerAddressRange)
        case .connectionRate, .keyRate, .objectRate: Self.describe(Self.rateRange)
        case .overloadTargetMs: Self.describe(Self.overloadTargetMsRange)
        case .logLevel: Self.describe(NodeConfiguration.LogLevel.allCases.map(\.rawValue))
        }
    }

    private static func describe(_ range: ClosedRange<some BinaryInteger>) -> String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }

    private static func describe(_ words: [String]) -> String {
        "one of " + words.joined(separator: ", ")
    }
}
