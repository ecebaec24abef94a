import HoldfastClient
import NIOCore
import NIOPosix

/// Whom a drill is about.
public enum DrillTarget: Sendable, Equatable {
    /// Whoever owns the drill's own object.
    case anybody
    case shard(String)
    case object(project: String, objectClass: String, id: String)
    case node(String)
}

/// The owner that is to be killed, and an object of the drill's own in one of its shards.
public struct DrillScene: Sendable, Equatable {
    public var node: String
    public var shard: ShardView
    public var object: String
    /// All that it owns.
    public var shardsOwned: Int
    /// Its address for clients.
    public var url: String?
}

/// The way to the admin API.
public struct LiveAdmin: Sendable {
    public var endpoints: [Endpoint]
    public var token: String?
    public var timeout: TimeAmount

    public init(endpoints: [Endpoint], token: String?, timeout: TimeAmount = .seconds(10)) {
        self.endpoints = endpoints
        self.token = token
        self.timeout = timeout
    }

    /// Without the endpoint of the node at `url`, as far as it can be told.
    func client(without url: String? = nil) -> AdminClient {
        let unwanted = url.flatMap(Endpoint.init)
        let left = endpoints.filter { $0.authority != unwanted?.authority }
        let pool = ConnectionPool(
            endpoints: left.isEmpty ? endpoints : left, on: MultiThreadedEventLoopGroup.singleton.any(),
            timeout: timeout)
        return AdminClient(pool: pool, token: token)
    }
}

extension AdminClient {
    func health() async throws(HoldfastError) -> ClusterHealth {
        let (status, shards) = (try await get("status"), try await get("shards"))
        return ClusterHealth(status: status, shards: shards, settings: try await get("settings"))
    }

    /// The object's shard: as the table of the node that answers has it, or with what the nodes tell beside.
    func shard(
        of object: String, class objectClass: String, project: String, withReports: Bool = false
    ) async throws(HoldfastError) -> ShardView {
        let query =
            "project=\(percentEncoded(project))&class=\(percentEncoded(objectClass))&id=\(percentEncoded(object))"
        let answer = try await get("explain?" + query + (withReports ? "" : "&reports=none"))
        guard let shard = ShardView(answer) else {
            throw HoldfastError(.malformedAnswer, "the answer explains no shard", applied: .no)
        }
        return shard
    }
}

extension DrillRun {
    /// So many ids are tried until one lies in the wanted shard.
    private static let triesMax = 2_000

    /// Looks at the cluster and finds whom to kill. Throws `DrillRefusal` if that must not be.
    public func prepare(_ target: DrillTarget) async throws -> DrillScene {
        let client = admin.client()
        let found = await caught { try await scene(target, client) }
        await client.close()
        return try found.get()
    }

    private func scene(_ target: DrillTarget, _ client: AdminClient) async throws -> DrillScene {
        let health = try await client.health()
        guard health.faults.isEmpty else { throw DrillRefusal("the cluster is not whole", health.faults) }
        var wanted = target
        if case .object(let project, let objectClass, let id) = target {
            wanted = .shard(try await client.shard(of: id, class: objectClass, project: project).name)
        }
        if case .node(let node) = target, health.shards(ownedBy: node).isEmpty {
            throw DrillRefusal("no node \(node) owns a shard")
        }
        if case .shard(let shard) = wanted, health.owner(of: shard) == nil {
            throw DrillRefusal("there is no shard \(shard)")
        }
        let (object, shard) = try await place(wanted, client)
        guard let node = shard.owner else { throw DrillRefusal("shard \(shard.name) has no owner") }
        let without = health.faults(without: node)
        guard without.isEmpty else { throw DrillRefusal("the cluster would not bear the loss of \(node)", without) }
        return DrillScene(
            node: node, shard: shard, object: object, shardsOwned: health.shards(ownedBy: node).count,
            url: health.url(of: node))
    }

    /// An id of the drill's own that lies where it is wanted.
    private func place(_ target: DrillTarget, _ client: AdminClient) async throws -> (String, ShardView) {
        for number in 0..<Self.triesMax {
            let object = "drill-\(String(options.seed, radix: 36))-\(number)"
            let shard = try await client.shard(of: object, class: Self.objectClass, project: access.project)
            switch target {
            case .shard(let wanted) where shard.name != wanted: continue
            case .node(let wanted) where shard.owner != wanted: continue
            default: return (object, shard)
            }
        }
        throw DrillRefusal("no id of \(Self.triesMax) lies in the wanted shard: it holds too few keys for a drill")
    }
}
