/// One node's wall clock jumps by seconds to hours, forth or back, and later home again. The clocks that leases rest on
/// go on, as they do when a machine's time is set.
struct ClockJump: Nemesis {
    private static let seconds = 2...7_200

    func strike(_ scene: Scene) async throws {
        let victim = scene.generator.chance(0.7) ? await scene.owner() : scene.anyNode()
        let seconds = scene.generator.within(Self.seconds) * (scene.generator.chance(0.5) ? 1 : -1)
        let hook = scene.bed.hooks[victim]
        try await scene.fault("\(scene.name(victim))'s clock jumps by \(seconds) s", touching: []) {
            try hook.set(NodeHook.Control(wallOffsetMs: Int64(seconds) * 1_000))
            try await scene.last()
        } heal: {
            try hook.set(NodeHook.Control())
        }
    }
}
