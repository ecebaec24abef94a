import Glibc
import HoldfastClient

/// The cluster of one pair, with a proxy between its nodes and a hook in each.
final class Bed {
    let directory: String
    let cluster: LocalCluster
    let proxy: PeerProxy
    /// By position, also of nodes that may come later.
    let hooks: [NodeHook]
    let nodes: Int

    private init(_ directory: String, _ cluster: LocalCluster, _ proxy: PeerProxy, _ hooks: [NodeHook], nodes: Int) {
        self.directory = directory
        self.cluster = cluster
        self.proxy = proxy
        self.hooks = hooks
        self.nodes = nodes
    }

    static func make(_ directory: String, _ options: MatrixOptions, seed: UInt64) async throws -> Bed {
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { throw TextFile.failure(directory) }
        let proxy = PeerProxy(basePort: options.basePort, seed: seed)
        let hooks = try await proxy.start().enumerated().map { node, ports in
            try NodeHook(directory: directory, node: "n\(node + 1)", library: options.hook, ports: ports)
        }
        let cluster = try await LocalCluster.up(
            directory: directory, script: options.clusterScript, nodes: options.nodes, basePort: options.basePort,
            binary: options.binary)
        return Bed(directory, cluster, proxy, hooks, nodes: options.nodes)
    }

    /// Everything that the cluster has left.
    func remove() async throws { try await cluster.remove() }

    func end() async throws {
        try await proxy.set(.fair)
        try await cluster.down()
        try await proxy.stop()
    }
}
