import HoldfastClient

/// A node joins, is drained, removed and stopped. When there are no more ports for new ones, an old one is drained
/// and taken back.
struct MemberChurn: Nemesis {
    private static let emptySecondsMax = 60.0

    func strike(_ scene: Scene) async throws {
        let cluster = scene.bed.cluster
        guard cluster.file.nodes.count < PeerProxy.nodesMax else { return try await drainAndTakeBack(scene) }
        let new = cluster.file.nodes.count
        try await scene.fault("n\(new + 1) joins, is drained and removed", touching: []) {
            try await cluster.add()
            try await scene.last()
            try await empty(cluster, scene.name(new), scene)
            _ = try await cluster.admin.delete("members/" + scene.name(new))
            if cluster.isRunning(new) { try await cluster.stop(new) }
        }
    }

    private func drainAndTakeBack(_ scene: Scene) async throws {
        let node = scene.anyNode()
        let body: JSON = ["node": .string(scene.name(node))]
        try await scene.fault("\(scene.name(node)) is drained and taken back", touching: [node]) {
            _ = try await scene.bed.cluster.admin.post("drain", body)
            try await scene.last()
        } heal: {
            _ = try await scene.bed.cluster.admin.post("undrain", body)
        }
    }

    private func empty(_ cluster: LocalCluster, _ name: String, _ scene: Scene) async throws {
        _ = try await cluster.admin.post("drain", ["node": .string(name)])
        let shape = try await cluster.waitForShape(Self.emptySecondsMax) { shape in
            shape.node(name).map { $0.shardsOwned == 0 && $0.replicas == 0 } ?? false
        }
        if shape == nil { scene.noteOverdue("\(name) was not empty \(Self.emptySecondsMax) s after its drain") }
    }
}
