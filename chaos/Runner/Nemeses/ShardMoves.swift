import HoldfastClient

/// Shards go from node to node, several a second, the hottest object's among them.
struct ShardMoves: Nemesis {
    private static let moves = 10
    private static let pauseMs = 200...500

    func strike(_ scene: Scene) async throws {
        let shards = (try? await scene.bed.cluster.shards().shards) ?? []
        guard !shards.isEmpty else { return }
        try await scene.fault("\(Self.moves) shards move", touching: []) {
            for number in 0..<Self.moves {
                if number % 2 == 0 { await moveHottest(scene) } else { await move(scene.generator.pick(shards), scene) }
                try await pause(seconds: Double(scene.generator.within(Self.pauseMs)) / 1_000)
            }
        }
    }

    /// A refusal is an answer like any other here.
    private func moveHottest(_ scene: Scene) async {
        guard let place = try? await scene.bed.cluster.place(of: scene.workload.hottest), !place.others.isEmpty else {
            return
        }
        _ = try? await scene.bed.cluster.move(scene.workload.hottest, to: scene.generator.pick(place.others))
    }

    private func move(_ shard: ClusterShape.Shard, _ scene: Scene) async {
        let others = shard.replicas.filter { $0 != shard.owner }
        guard !others.isEmpty else { return }
        let body: JSON = ["shard": .string(shard.name), "to": .string(scene.generator.pick(others))]
        _ = try? await scene.bed.cluster.admin.post("move", body)
    }
}
