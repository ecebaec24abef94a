import Glibc

/// SIGSTOP of the owner for longer than its lease, then SIGCONT: it must find that it has been replaced.
struct PauseProcess: Nemesis {
    func strike(_ scene: Scene) async throws {
        let victim = await scene.owner()
        let node = scene.bed.cluster.node(victim)
        try await scene.fault("pause \(node.name)", touching: [victim]) {
            try scene.bed.cluster.send(SIGSTOP, to: node.pid)
            try await scene.last()
        } heal: {
            // Somebody may have ended it meanwhile.
            _ = kill(node.pid, SIGCONT)
            try await pause(seconds: 0.5)
        }
    }
}
