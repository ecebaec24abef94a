import HoldfastClient
import Simulation

/// A workload of many clients that make one operation at a time, by a plan.
final class LoadWorkload: Workload {
    private static let clients = 15

    let hottest: String
    private let load: Load

    init(_ bed: Bed, plan: any LoadPlan, seed: UInt64, rate: Int) {
        hottest = plan.hottest
        load = Load(cluster: bed.cluster.file, clients: Self.clients, rate: rate, seed: seed, plan: plan)
    }

    func begin() async throws { try await load.start() }

    func setHarmed(_ nodes: [Int], _ harmed: Bool) async throws { try await load.setHarmed(nodes, harmed) }

    func end() async throws -> Transcript {
        try await load.stop()
        let final = try await FinalState.read(load)
        var transcript = Transcript()
        transcript.operations = try await load.recordedHistory().operations
        transcript.final = final.items.map { Transcript.Final(object: $0.object, shows: $0.shows) }
        transcript.impossible = try await load.recordedImpossible()
        transcript.failedAtSurvivors = try await load.recordedFailures().count - transcript.impossible.count
        return transcript
    }

    /// An open operation counts where it was called; the last reads are not part of the load.
    func samples() async throws -> [Sample] {
        try await load.recordedHistory().operations.filter { $0.process >= 0 }.map { operation in
            let isDone =
                switch operation.outcome {
                case .answered, .conflict: true
                case .refused, .unknown: false
                }
            return Sample(
                invokedNs: operation.invokedNs, atNs: operation.returnedNs ?? operation.invokedNs, isDone: isDone)
        }
    }
}
