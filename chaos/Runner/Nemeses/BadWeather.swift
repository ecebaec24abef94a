/// Packets between nodes are late, or get lost: everywhere, or around one node.
struct BadWeather: Nemesis {
    private static let slow = LinkWeather(delayMs: 10...60)
    private static let lossy = LinkWeather(lossPercent: 5)

    let losesPackets: Bool

    func strike(_ scene: Scene) async throws {
        let node = scene.generator.chance(0.5) ? scene.anyNode() : nil
        let place = node.map { "around \(scene.name($0))" } ?? "everywhere"
        let what = losesPackets ? "5 % loss \(place)" : "10 to 60 ms delay \(place)"
        let table = LinkTable.everywhere(
            losesPackets ? Self.lossy : Self.slow, around: node, of: scene.bed.nodes)
        try await scene.fault(what, touching: scene.all) {
            try await scene.bed.proxy.set(table)
            try await scene.last()
        } heal: {
            try await scene.bed.proxy.set(.fair)
        }
    }
}
