import Glibc

/// `kill -9` of the owner's process, or of any node's; with the parent nobody is left to report the death.
struct KillProcess: Nemesis {
    let withParent: Bool

    func strike(_ scene: Scene) async throws {
        let victim = scene.generator.chance(0.7) ? await scene.owner() : scene.anyNode()
        let node = scene.bed.cluster.node(victim)
        let what = "kill \(node.name)" + (withParent ? " and its parent" : "")
        try await scene.fault(what, touching: [victim]) {
            // The parent first, or it would start its child again.
            if withParent { try scene.bed.cluster.send(SIGKILL, to: node.parentPid) }
            _ = kill(node.pid, SIGKILL)
            if withParent {
                try await scene.last()
                try await scene.bed.cluster.finish(try scene.bed.cluster.beginStart(victim))
            } else {
                // Its parent starts the next one; it was ready before its death and must not be taken for it.
                try await pause(seconds: 0.1)
            }
        }
    }
}
