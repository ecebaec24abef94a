import NIOCore
import NIOPosix
import Simulation

/// Stands between all nodes: each reaches each other one through a port of the proxy's that is meant for just these
/// two, so that every way between two nodes has its own weather. It works below TLS and understands nothing.
final class PeerProxy: LinkConditions, @unchecked Sendable {
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let eventLoop: any EventLoop
    private var listeners: [any Channel] = []
    private var flows: [ObjectIdentifier: Flow] = [:]
    private var table = LinkTable.fair
    private var generator: SeededGenerator

    /// Nodes that there may ever be, later ones included.
    static let nodesMax = 9
    private let basePort: Int

    /// Peer ports follow `basePort` as `scripts/cluster` has them.
    init(basePort: Int, seed: UInt64) {
        self.basePort = basePort
        eventLoop = group.any()
        generator = SeededGenerator(seed: seed)
    }

    static func peerPort(_ node: Int, basePort: Int) -> Int { basePort + 100 + node }

    /// Listens on ports that are free; answers, for the hook of each node, which port stands for which.
    func start() async throws -> [String] {
        var maps: [String] = []
        for from in 0..<Self.nodesMax {
            var pairs: [String] = []
            for to in 0..<Self.nodesMax where to != from {
                let listener = try await listen(from: from, to: to).get()
                try await onLoop { $0.listeners.append(listener) }
                pairs.append("\(Self.peerPort(to, basePort: basePort))=\(listener.localAddress?.port ?? 0)")
            }
            maps.append(pairs.joined(separator: ","))
        }
        return maps
    }

    func stop() async throws {
        for listener in try await onLoop(\.listeners) { try? await listener.close() }
        try await group.shutdownGracefully()
    }

    /// From now on the network is so.
    func set(_ table: LinkTable) async throws {
        try await onLoop { proxy in
            proxy.table = table
            for flow in proxy.flows.values { flow.pump() }
        }
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable (PeerProxy) throws -> Value) async throws -> Value {
        try await eventLoop.submit { try body(self) }.get()
    }

    // MARK: On the loop

    func isCut(_ way: LinkTable.Way) -> Bool { table.weather(way).isCut }
    func drawDelayMs(_ way: LinkTable.Way) -> Int { table.weather(way).delayMs(&generator) }

    private func listen(from: Int, to: Int) -> EventLoopFuture<any Channel> {
        ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        FlowReader { self.reach(to, for: $0, $1, LinkTable.Way(from: from, to: to)) })
                }
            }
            .bind(host: "127.0.0.1", port: 0)
    }

    /// Nothing is read before the other end is there, and who dials a node that is not there is hung up on.
    private func reach(_ node: Int, for dialer: any Channel, _ reader: FlowReader, _ way: LinkTable.Way) {
        let bound = NIOLoopBound(reader, eventLoop: dialer.eventLoop)
        ClientBootstrap(group: eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(1))
            .connect(host: "127.0.0.1", port: Self.peerPort(node, basePort: basePort))
            .whenComplete { result in
                guard case .success(let answerer) = result else { return dialer.close(promise: nil) }
                self.join(dialer, bound.value, answerer, way)
            }
    }

    private func join(_ dialer: any Channel, _ reader: FlowReader, _ answerer: any Channel, _ way: LinkTable.Way) {
        let back = LinkTable.Way(from: way.to, to: way.from)
        let backReader = FlowReader()
        reader.flow = begin(Flow(way, from: dialer, to: answerer, under: self), until: dialer.closeFuture)
        backReader.flow = begin(Flow(back, from: answerer, to: dialer, under: self), until: answerer.closeFuture)
        guard (try? answerer.pipeline.syncOperations.addHandler(backReader)) != nil else {
            answerer.close(promise: nil)
            return dialer.close(promise: nil)
        }
        reader.flow?.pump()
        backReader.flow?.pump()
    }

    /// Looked after until its own end of the connection is closed and all of it has been sent on.
    private func begin(_ flow: Flow, until closed: EventLoopFuture<Void>) -> Flow {
        flows[ObjectIdentifier(flow)] = flow
        let bound = NIOLoopBound(flow, eventLoop: eventLoop)
        closed.whenComplete { _ in self.forget(bound.value) }
        return flow
    }

    private func forget(_ flow: Flow) {
        guard flow.isOver else {
            let bound = NIOLoopBound(flow, eventLoop: eventLoop)
            _ = eventLoop.scheduleTask(in: .milliseconds(100)) { self.forget(bound.value) }
            return
        }
        flows[ObjectIdentifier(flow)] = nil
    }
}
