/// What a shard does and holds, smoothed by whoever measures it.
public struct ShardLoad: Sendable, Equatable {
    public var operationsPerSecond: UInt64
    public var bytes: UInt64
    public var sockets: UInt64
    public var objects: UInt64

    public init(operationsPerSecond: UInt64 = 0, bytes: UInt64 = 0, sockets: UInt64 = 0, objects: UInt64 = 0) {
        self.operationsPerSecond = operationsPerSecond
        self.bytes = bytes
        self.sockets = sockets
        self.objects = objects
    }
}

/// How much each kind of load counts when shards are weighed against each other.
public struct LoadWeights: Sendable, Equatable {
    public var operations: UInt64
    public var bytes: UInt64
    public var sockets: UInt64

    public init(operations: UInt64 = 6, bytes: UInt64 = 2, sockets: UInt64 = 2) {
        precondition(max(operations, bytes, sockets) <= 1_000, "a weight is at most 1,000")
        self.operations = operations
        self.bytes = bytes
        self.sockets = sockets
    }

    /// Below such totals of the whole cluster a kind of load weighs less: an idle cluster is not uneven.
    private static let floors = (operations: UInt64(1_000), bytes: UInt64(256 << 20), sockets: UInt64(300))

    /// Each shard's part of the cluster's load, in millionths of each kind times its weight.
    public func shares(of loads: [ShardID: ShardLoad]) -> [ShardID: UInt64] {
        let total = Self.total(loads)
        let whole = ShardLoad(
            operationsPerSecond: max(total.operationsPerSecond, Self.floors.operations),
            bytes: max(total.bytes, Self.floors.bytes), sockets: max(total.sockets, Self.floors.sockets))
        return loads.mapValues { load in
            operations * Self.millionths(load.operationsPerSecond, of: whole.operationsPerSecond)
                + bytes * Self.millionths(load.bytes, of: whole.bytes)
                + sockets * Self.millionths(load.sockets, of: whole.sockets)
        }
    }

    static func total(_ loads: [ShardID: ShardLoad]) -> ShardLoad {
        var total = ShardLoad()
        for load in loads.values {
            total.operationsPerSecond = add(total.operationsPerSecond, load.operationsPerSecond)
            total.bytes = add(total.bytes, load.bytes)
            total.sockets = add(total.sockets, load.sockets)
            total.objects = add(total.objects, load.objects)
        }
        return total
    }

    private static func add(_ one: UInt64, _ other: UInt64) -> UInt64 {
        let (sum, overflow) = one.addingReportingOverflow(other)
        return overflow ? .max : sum
    }

    static func millionths(_ part: UInt64, of whole: UInt64) -> UInt64 {
        guard part < whole else { return 1_000_000 }
        return whole.dividingFullWidth(part.multipliedFullWidth(by: 1_000_000)).quotient
    }
}
