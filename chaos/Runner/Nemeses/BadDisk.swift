/// A disk whose syncs take long, or that has no room: the owner's, or any node's.
struct BadDisk: Nemesis {
    private static let syncMs = 100...400

    let isFull: Bool

    func strike(_ scene: Scene) async throws {
        let victim = scene.generator.chance(0.7) ? await scene.owner() : scene.anyNode()
        let ms = scene.generator.within(Self.syncMs)
        let what = "\(scene.name(victim))'s disk " + (isFull ? "is full" : "syncs \(ms) ms late")
        let control =
            isFull ? NodeHook.Control(isFull: 1) : NodeHook.Control(syncDelayUs: UInt64(ms) * 1_000)
        let hook = scene.bed.hooks[victim]
        try await scene.fault(what, touching: [victim]) {
            try hook.set(control)
            try await scene.last()
        } heal: {
            try hook.set(NodeHook.Control())
        }
    }
}
