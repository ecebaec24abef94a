/// Bounds on what the placement group stores. Commands beyond them are refused, never cut.
public enum PlacementLimits {
    /// Original shards, and shards there are at one time. Each original one can be followed by 65,535
    /// shards that splits and merges make in its range.
    public static let shards = 65_536
    /// Members at genesis, and nodes in each list of a shard's configuration.
    public static let members = 64
    /// Nodes that have ever registered.
    public static let nodes = 4_096
    public static let candidates = 64
    /// Runs of one node before its newest that are not yet fenced.
    public static let unfencedRuns = 64
    /// Nonces of fenced or buried runs remembered per node; the oldest is forgotten first.
    public static let gravesPerNode = 16
    /// Nonces remembered for nodes that have never registered, all together.
    public static let strangers = 64
    /// Removed nodes that are remembered, and refused; the oldest is forgotten first.
    public static let removedNodes = 1_024
    public static let ownersInHistory = 8
    public static let projects = 10_000
    public static let keysPerProject = 10_000
    public static let classesPerProject = 10_000
    public static let signingKeys = 4
    public static let originsPerKey = 32
    public static let originsPerProject = 32
    /// Revoked ones included.
    public static let administrators = 256
    public static let keyVersions: UInt64 = 1 << 40
    public static let auditEntries: ClosedRange<Int> = 100...20_000
    /// An hour to ten years.
    public static let auditAgeMs: ClosedRange<UInt64> = 3_600_000...315_360_000_000
    public static let auditTargetBytes = 512
    public static let signatureKeysPerClass = 8

    public static let nameBytes = 64
    public static let classNameBytes = 256
    public static let addressBytes = 512
    public static let labelBytes = 256
    public static let keyMaterialBytes = 8_192

    public static let leaseDurationMs: ClosedRange<UInt64> = 200...60_000
    public static let driftPerMille: ClosedRange<UInt64> = 0...100
    /// Wanted voters of a shard. An even number stores more than the odd one below it and bears no more.
    public static let replicasPerShard: ClosedRange<Int> = 1...7
    /// How long a node may be dead before its replicas are made anew elsewhere: up to 30 days.
    public static let replaceAfterMs: ClosedRange<UInt64> = 1_000...2_592_000_000

    /// How many bytes of one text or secret a decoder accepts at all.
    static let decodedBytes = 16_384
}
