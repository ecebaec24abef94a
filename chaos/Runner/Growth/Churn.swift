import HoldfastClient
import Simulation

/// Keeps a cluster's shards on the move: shards change hands, and one node after the other is drained and taken
/// back, which makes replicas anew. Nothing waits for what it asks for, so that nodes die in the middle of it.
struct Churn {
    private(set) var moves = 0
    private(set) var drains = 0
    private(set) var scrubs = 0

    private let cluster: LocalCluster
    private var generator: SeededGenerator
    private var nextNs: UInt64 = 0
    private var drained: (name: String, untilNs: UInt64)?

    init(_ cluster: LocalCluster, seed: UInt64) {
        self.cluster = cluster
        generator = SeededGenerator(seed: seed)
    }

    /// Does what is due.
    mutating func step(_ shards: [ClusterShape.Shard]) async throws {
        let now = monotonicNs()
        if let drained, now >= drained.untilNs { try await end(drained.name) }
        guard now >= nextNs, !shards.isEmpty else { return }
        nextNs = now + generator.within(200_000_000...UInt64(800_000_000))
        switch generator.below(10) {
        case 0: scrub()
        case 1...3: if drained == nil { try await drain() }
        default: move(generator.pick(shards))
        }
    }

    /// Every node takes part again; false if that cannot be had within 30 s.
    mutating func stop() async throws -> Bool {
        let deadline = monotonicNs() + 30_000_000_000
        while let drained, monotonicNs() < deadline {
            try await end(drained.name)
            try await pause(seconds: 0.1)
        }
        return drained == nil
    }

    private mutating func move(_ shard: ClusterShape.Shard) {
        let others = shard.replicas.filter { $0 != shard.owner }
        guard !others.isEmpty else { return }
        moves += 1
        ask("move", ["shard": .string(shard.name), "to": .string(generator.pick(others))])
    }

    private mutating func scrub() {
        scrubs += 1
        ask("scrub", ["shard": "all"])
    }

    private mutating func drain() async throws {
        let name = generator.pick(cluster.file.nodes).name
        let untilNs = monotonicNs() + generator.within(3_000_000_000...UInt64(8_000_000_000))
        // Also if the answer was lost: it may have been taken.
        drained = (name, untilNs)
        if await say("drain", name) { drains += 1 }
    }

    private mutating func end(_ name: String) async throws {
        if await say("undrain", name) { drained = nil }
    }

    /// Whether it was taken; both may come twice.
    private func say(_ word: String, _ node: String) async -> Bool {
        (try? await cluster.admin.post(word, ["node": .string(node)])) != nil
    }

    /// A refusal is an answer like any other here.
    private func ask(_ path: String, _ body: JSON) {
        let admin = cluster.admin
        Task { try? await admin.post(path, body) }
    }
}
