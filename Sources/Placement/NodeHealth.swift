import Raft

/// What the placement leader knows of a node by its own clocks and the node's reports.
public struct NodeHealth: Sendable, Equatable {
    public let node: NodeID
    /// It has a lease and is ready.
    public let isLive: Bool
    /// How long it has had no lease; 0 while it is live. Counted by one leader, so it begins anew with
    /// each: replacing is late rather than early.
    public let deadForMs: UInt64
    /// Its disk takes more data.
    public let hasRoom: Bool
    /// What it stores.
    public let bytes: UInt64

    public init(
        node: NodeID, isLive: Bool, deadForMs: UInt64 = 0, hasRoom: Bool = true, bytes: UInt64 = 0
    ) {
        self.node = node
        self.isLive = isLive
        self.deadForMs = deadForMs
        self.hasRoom = hasRoom
        self.bytes = bytes
    }
}

/// Why a node shall keep no replica and no vote any more.
public enum DepartureReason: Sendable, Hashable, CustomStringConvertible {
    case removed
    case draining
    case replaced
    case dead(forMs: UInt64)

    public var description: String {
        switch self {
        case .removed: "it was removed from the cluster"
        case .draining: "it is being drained"
        case .replaced: "another node has taken its name"
        case .dead(let milliseconds): "it has been dead for \(milliseconds / 1_000) s"
        }
    }
}

/// The nodes as policies see them.
struct Fleet {
    private let registry: Registry
    private let healths: [NodeID: NodeHealth]
    private let replaceAfterMs: UInt64

    init(registry: Registry, health: [NodeHealth], replaceAfterMs: UInt64) {
        self.registry = registry
        self.replaceAfterMs = replaceAfterMs
        healths = Dictionary(health.map { ($0.node, $0) }, uniquingKeysWith: { first, _ in first })
    }

    func isLive(_ node: NodeID) -> Bool { healths[node]?.isLive ?? false }

    func bytes(_ node: NodeID) -> UInt64 { healths[node]?.bytes ?? 0 }

    /// May get what it has not: it is wanted, there, and has room.
    func isFit(_ node: NodeID) -> Bool {
        guard let health = healths[node] else { return false }
        return health.isLive && health.hasRoom && registry.isActive(node)
    }

    /// Live and wanted, in the order of ids; `withRoom` for those that may get more.
    func active(withRoom: Bool) -> [NodeID] {
        registry.nodes.map(\.node).filter { withRoom ? isFit($0) : isLive($0) && registry.isActive($0) }
    }

    /// Why what the node keeps shall be kept by others; nil if it shall not. A node that nobody has told
    /// of is given time.
    func departure(of node: NodeID) -> DepartureReason? {
        if registry.isRemoved(node) { return .removed }
        if let record = registry.record(of: node) {
            if record.isReplaced { return .replaced }
            if record.standing == .draining { return .draining }
        }
        guard let health = healths[node], !health.isLive, health.deadForMs >= replaceAfterMs else { return nil }
        return .dead(forMs: health.deadForMs)
    }

    /// Whether the live ones are a majority.
    func hasLiveMajority(_ nodes: [NodeID], except silent: (NodeID) -> Bool = { _ in false }) -> Bool {
        nodes.filter { isLive($0) && !silent($0) }.count > nodes.count / 2
    }
}
