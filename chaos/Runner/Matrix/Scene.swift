import HoldfastClient
import Simulation

/// Where a nemesis does its harm, by a schedule that comes from the seed, and what came of it.
final class Scene {
    private static let readySecondsMax = 60.0
    /// Load without harm, before each fault.
    private static let quietMs = 1_500...3_000

    let bed: Bed
    let workload: any Workload
    var generator: SeededGenerator
    private(set) var faults: [Fault] = []
    private(set) var overdue: [String] = []

    /// One harm, on the clock of the samples.
    struct Fault {
        var what: String
        var fromNs: UInt64
        /// The harm was over.
        var untilNs: UInt64
        /// Every node said that it serves again.
        var readyNs: UInt64
    }

    init(_ bed: Bed, _ workload: any Workload, seed: UInt64) {
        self.bed = bed
        self.workload = workload
        generator = SeededGenerator(seed: seed)
    }

    var nodes: Range<Int> { 0..<bed.nodes }
    var all: [Int] { Array(nodes) }

    /// Fault after fault until the time is over, and some quiet at the end.
    func play(_ nemesis: any Nemesis, seconds: Double) async throws {
        let endNs = monotonicNs() + UInt64(seconds * 1e9)
        while monotonicNs() < endNs {
            try await pause(seconds: Double(generator.within(Self.quietMs)) / 1_000)
            try await nemesis.strike(self)
        }
        try await pause(seconds: Double(Self.quietMs.lowerBound) / 1_000)
    }

    /// Does harm to `touched`, ends it, and waits until every node serves again.
    func fault(
        _ what: String, touching touched: [Int], _ harm: () async throws -> Void, heal: () async throws -> Void = {}
    ) async throws {
        try await workload.setHarmed(touched, true)
        var fault = Fault(what: what, fromNs: monotonicNs(), untilNs: 0, readyNs: 0)
        do {
            try await harm()
            try await heal()
        } catch {
            overdue.append("\(what): \(error)")
        }
        fault.untilNs = monotonicNs()
        for node in nodes where try await !bed.cluster.waitReady(node, seconds: Self.readySecondsMax) {
            overdue.append("\(name(node)) was not ready \(Self.readySecondsMax) s after: \(what)")
        }
        fault.readyNs = monotonicNs()
        try await workload.setHarmed(touched, false)
        faults.append(fault)
    }

    /// Something did not happen within its bound.
    func noteOverdue(_ text: String) { overdue.append(text) }

    /// For how long a harm lasts: longer than a lease.
    func last() async throws { try await pause(seconds: Double(generator.within(3_000...6_000)) / 1_000) }

    func name(_ node: Int) -> String { bed.cluster.file.nodes[node].name }

    // MARK: Whom to harm

    func anyNode() -> Int { generator.below(bed.nodes) }

    /// The owner of the object that the load is hottest on; anyone if that cannot be told.
    func owner() async -> Int {
        let drawn = anyNode()
        guard let owner = try? await bed.cluster.owner(of: workload.hottest), nodes.contains(owner.node) else {
            return drawn
        }
        return owner.node
    }

    /// The leader of placement; anyone if that cannot be told.
    func leader() async -> Int {
        let drawn = anyNode()
        guard let name = try? await bed.cluster.admin.get("status")["leader"]?.text else { return drawn }
        return nodes.first { self.name($0) == name } ?? drawn
    }
}
