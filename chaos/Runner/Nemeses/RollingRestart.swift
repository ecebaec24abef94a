/// One node after the other is stopped in good order and started again, as in an upgrade.
struct RollingRestart: Nemesis {
    func strike(_ scene: Scene) async throws {
        let first = scene.anyNode()
        for step in scene.nodes {
            let node = (first + step) % scene.bed.nodes
            try await scene.fault("stop and start \(scene.name(node))", touching: [node]) {
                try await scene.bed.cluster.stop(node)
            } heal: {
                try await scene.bed.cluster.finish(try scene.bed.cluster.beginStart(node))
            }
        }
    }
}
