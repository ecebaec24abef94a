/// Bounds on what the placement group stores. Commands beyond them are refused, never cut.
public enum PlacementLimits {
    public static let shards = 65_536
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
    public static let ownersInHistory = 8
    public static let projects = 10_000
    public static let keysPerProject = 10_000
    public static let classesPerProject = 10_000
    public static let signingKeys = 4
    public static let originsPerKey = 32
    public static let signatureKeysPerClass = 8

    public static let nameBytes = 64
    public static let classNameBytes = 256
    public static let addressBytes = 512
    public static let labelBytes = 256
    public static let keyMaterialBytes = 8_192

    public static let leaseDurationMs: ClosedRange<UInt64> = 200...60_000
    public static let driftPerMille: ClosedRange<UInt64> = 0...100

    /// How many bytes of one text or secret a decoder accepts at all.
    static let decodedBytes = 16_384
}
