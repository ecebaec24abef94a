import Glibc
import HoldfastClient
import Simulation

/// One nemesis against one workload, on a cluster of its own.
struct Pair {
    private let options: MatrixOptions
    private let nemesis: NemesisKind
    private let workload: WorkloadKind

    init(_ options: MatrixOptions, _ nemesis: NemesisKind, _ workload: WorkloadKind) {
        self.options = options
        self.nemesis = nemesis
        self.workload = workload
    }

    var name: String { "\(nemesis.rawValue)-\(workload.rawValue)" }

    /// The same pair of the same seed has the same schedule, whatever other pairs there are.
    private var seed: UInt64 {
        name.utf8.reduce(options.seed) { state, byte in
            var state = state &+ UInt64(byte)
            return SeededGenerator.splitMix(&state)
        }
    }

    /// Whether all promises are kept.
    func execute() async throws -> Bool {
        let bed = try await Bed.make(options.directory + "/" + name, options, seed: seed)
        do {
            let result = try await run(on: bed)
            try await bed.end()
            try result.write(to: options.directory)
            complain(result.summary)
            // Logs and disks of a pair that has nothing to explain would fill the machine.
            if result.isKept { try await bed.remove() }
            return result.isKept
        } catch {
            try? await bed.end()
            throw error
        }
    }

    private func run(on bed: Bed) async throws -> PairResult {
        let workload = try await workload.make(bed, seed: seed, rate: options.rate)
        let scene = Scene(bed, workload, seed: seed)
        try await workload.begin()
        let begunNs = monotonicNs()
        try await scene.play(nemesis.make(), seconds: options.seconds)
        let endedNs = monotonicNs()
        var transcript = try await workload.end()
        transcript.workload = self.workload.rawValue
        transcript.nemesis = nemesis.rawValue
        transcript.seed = options.seed
        transcript.overdue += scene.overdue
        let file = name + ".history.jsonl"
        try TranscriptFile.write(transcript, to: options.directory + "/" + file)
        return PairResult(
            transcript, historyFile: file, nodes: bed.nodes, faults: scene.faults,
            series: Series(try await workload.samples(), fromNs: begunNs, untilNs: endedNs))
    }
}
