/// No harm at all: what the others are compared with.
struct Calm: Nemesis {
    func strike(_ scene: Scene) async throws { try await scene.last() }
}
