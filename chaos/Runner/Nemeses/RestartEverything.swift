import Glibc

/// `kill -9` of every process at once; the nodes are started again in any order.
struct RestartEverything: Nemesis {
    func strike(_ scene: Scene) async throws {
        let cluster = scene.bed.cluster
        let nodes = scene.nodes.map { cluster.node($0) }
        try await scene.fault("kill everything", touching: scene.all) {
            for node in nodes { try cluster.send(SIGKILL, to: node.parentPid) }
            for node in nodes { _ = kill(node.pid, SIGKILL) }
            try await pause(seconds: 0.2)
        } heal: {
            var starting: [pid_t] = []
            let first = scene.anyNode()
            for step in scene.nodes {
                starting.append(try cluster.beginStart((first + step) % scene.bed.nodes))
                try await pause(seconds: 0.3 * scene.generator.fraction())
            }
            for pid in starting { try await cluster.finish(pid) }
        }
    }
}
