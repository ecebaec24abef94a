import HoldfastClient
import NIOCore
import NIOPosix

/// Where the scenarios with sockets play: the cluster, one event loop for all clients, credentials.
final class SocketStage: @unchecked Sendable {
    let run: SocketRun
    private(set) var cluster: ClusterFile
    let authorization: String
    let eventLoop: any EventLoop
    let token: EventLoopFuture<String>
    /// Nodes that the scenario has harmed and that are not ready again. On the event loop.
    var isHarmed: [Bool]
    /// Nodes that are being drained: they send their sockets away.
    var isEmptied: [Bool]

    init(_ run: SocketRun) async throws {
        self.run = run
        cluster = run.cluster.file
        let credentials = HoldfastClient.Credentials.key(
            cluster.apiKey ?? "", secret: cluster.apiSecret ?? "")
        authorization = credentials.authorization
        eventLoop = MultiThreadedEventLoopGroup.singleton.any()
        isHarmed = cluster.nodes.map { _ in false }
        isEmptied = isHarmed
        let client = HoldfastClient(
            endpoints: cluster.nodes.map(\.endpoint), project: cluster.project ?? "",
            credentials: credentials, on: eventLoop)
        token = eventLoop.makeSucceededFuture(try await client.token())
        await client.close()
    }

    func onLoop<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await eventLoop.submit(body).get()
    }

    /// A node more.
    func grow(to file: ClusterFile) async throws {
        try await onLoop {
            self.cluster = file
            self.isHarmed.append(false)
            self.isEmptied.append(false)
        }
    }

    func setHarmed(_ node: Int, _ harmed: Bool) async throws {
        try await onLoop { self.isHarmed[node] = harmed }
    }

    /// False, and written down as overdue, if `condition` does not come true within `seconds`.
    @discardableResult
    func wait(
        _ seconds: Double, for what: String, _ condition: @escaping @Sendable () -> Bool
    ) async throws -> Bool {
        let deadline = monotonicNs() + UInt64(seconds * 1e9)
        while try await !onLoop(condition) {
            guard monotonicNs() < deadline else {
                run.overdue.append("\(what) did not happen within \(seconds) s")
                return false
            }
            try await pause(seconds: 0.01)
        }
        return true
    }

    /// For what a run cannot begin without.
    func require(
        _ seconds: Double, _ what: String, of subscribers: [Subscriber],
        _ condition: @escaping @Sendable () -> Bool
    ) async throws {
        if try await wait(seconds, for: what, condition) { return }
        let cast = UncheckedCast(subscribers: subscribers)
        let losses = try await onLoop { cast.subscribers.flatMap(\.losses).map(\.text) }
        throw LocalCluster.Unusable(description: "\(what): \(losses.first ?? "nothing happened")")
    }

    /// Handed to the loop, which is the only one to use them.
    struct UncheckedCast: @unchecked Sendable {
        var subscribers: [Subscriber]
    }

    /// Who has joined, as each node tells it.
    func presenceLists(of object: String) async throws -> [[Member]] {
        var lists: [[Member]] = []
        for node in cluster.nodes {
            let client = HoldfastClient(
                endpoints: [node.endpoint], project: cluster.project ?? "",
                credentials: .key(cluster.apiKey ?? "", secret: cluster.apiSecret ?? ""), on: eventLoop)
            lists.append(try await client.presence(of: ObjectName(object, class: Load.objectClass)))
            await client.close()
        }
        return lists
    }
}

/// The clients of one run or round, and what stops them.
final class Cast: @unchecked Sendable {
    let subscribers: [Subscriber]
    let writer: Writer

    init(subscribers: [Subscriber], writer: Writer) {
        self.subscribers = subscribers
        self.writer = writer
    }

    var areEstablished: Bool { subscribers.allSatisfy(\.isEstablished) }

    /// Everybody has seen an event, so that every resume has a point to begin behind.
    var haveSeenSomething: Bool { subscribers.allSatisfy { !$0.log.writes.isEmpty } }

    /// Nothing is under way, and these subscribers have seen the newest acknowledged write.
    func haveCaughtUp(_ listeners: [Subscriber]) -> Bool {
        guard writer.isIdle else { return false }
        let newest = writer.acknowledged.map(\.position).max()
        return listeners.allSatisfy { listener in
            guard let newest else { return true }
            return listener.log.writes.last.map { $0.position >= newest } ?? false
        }
    }
}
