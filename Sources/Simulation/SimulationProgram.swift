import Binary

/// What `holdfast simulate` does: runs seeds, says what it finds, and how to see it again.
public struct SimulationProgram {
    public struct Options: Sendable {
        public var seeds: ClosedRange<UInt64>
        /// Virtual seconds of the phase with faults.
        public var seconds: Double
        /// Active in this run; only builds that have planted bugs know any.
        public var plantedBug: String?
        /// A line for each event.
        public var isTracing: Bool

        public init(
            seeds: ClosedRange<UInt64>, seconds: Double = 20, plantedBug: String? = nil,
            isTracing: Bool = false
        ) {
            self.seeds = seeds
            self.seconds = seconds
            self.plantedBug = plantedBug
            self.isTracing = isTracing
        }
    }

    /// Exit codes, so that scripts tell what kind of fault it was.
    public enum ExitCode {
        public static let clean: Int32 = 0
        public static let usage: Int32 = 2
        public static let liveness: Int32 = 3
        public static let correctness: Int32 = 4
        /// The planted bug was looked for and not found.
        public static let bugNotFound: Int32 = 5
        /// A precondition of the cores was broken; whoever runs the program turns the signal into this.
        public static let crash: Int32 = 6
    }

    /// Runs the seeds and answers the exit code. `begin` hears each seed before anything happens, since a
    /// broken precondition ends the process; `realNs` reads a clock, for the speed in the report.
    public static func run(
        options: Options, begin: (UInt64) -> Void, realNs: () -> UInt64, print: @escaping (String) -> Void
    ) -> Int32 {
        if let bug = options.plantedBug, !activate(bug) {
            let known = PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")
            print("this build has no planted bug '\(bug)'; builds by scripts/planted-bugs have: \(known)")
            return ExitCode.usage
        }
        let startNs = realNs()
        var tally = Tally()
        for seed in options.seeds {
            begin(seed)
            let result = SimulationRun.run(
                seed: seed, seconds: options.seconds, narrate: options.isTracing ? print : nil)
            tally.add(result)
            if options.seeds.count == 1 || result.failure != nil { print(result.description) }
            if let bug = options.plantedBug, result.failure != nil {
                print("planted bug \(bug) found by seed \(seed)")
                return ExitCode.clean
            }
        }
        print(tally.summary(realNs: realNs() - startNs))
        guard let bug = options.plantedBug else { return tally.exitCode }
        print("planted bug \(bug) was not found")
        return ExitCode.bugNotFound
    }

    private static func activate(_ name: String) -> Bool {
        #if PLANTED_BUGS
        guard let bug = PlantedBug(rawValue: name) else { return false }
        PlantedBug.active = bug
        return true
        #else
        return false
        #endif
    }
}

/// Sums over many runs.
private struct Tally {
    var seeds: UInt64 = 0
    var failed: [SimulationResult] = []
    var virtualNs: UInt64 = 0
    var operations = 0
    var events: UInt64 = 0
    var storage = StorageStatistics()

    mutating func add(_ result: SimulationResult) {
        seeds += 1
        if result.failure != nil { failed.append(result) }
        virtualNs += result.virtualNs
        operations += result.operations
        events += result.statistics.events
        storage.add(result.statistics.storage)
    }

    func summary(realNs: UInt64) -> String {
        let realSeconds = Double(max(realNs, 1)) / 1e9
        let speed = Int(Double(virtualNs) / 1e9 / realSeconds)
        let verdict = failed.isEmpty ? "no violation" : "\(failed.count) failed: \(failed.map(\.seed))"
        let tenths = Int(realSeconds * 10)
        return "\(seeds) seeds, \(verdict); \(operations) operations, \(events) events, "
            + "\(virtualNs / 1_000_000_000) simulated seconds in \(tenths / 10).\(tenths % 10) s (\(speed) per second)\n  "
            + storage.description
    }

    var exitCode: Int32 {
        if failed.contains(where: { $0.failure?.kind == .correctness }) {
            return SimulationProgram.ExitCode.correctness
        }
        return failed.isEmpty ? SimulationProgram.ExitCode.clean : SimulationProgram.ExitCode.liveness
    }
}

/// What became of one seed.
public struct SimulationResult: Sendable {
    public var seed: UInt64
    public var failure: Failure?
    public var trace: TraceHash
    public var virtualNs: UInt64
    public var operations: Int
    public var statistics: WorldStatistics

    var description: String {
        let sums =
            "\(statistics.events) events, \(statistics.messages) messages, \(statistics.syncs) syncs, "
            + "\(statistics.starts) starts, \(statistics.faults) faults, \(operations) operations "
            + "(\(statistics.answered) answered, \(statistics.replayed) of them replays, "
            + "\(statistics.refused) refused), "
            + "\(statistics.sockets) sockets (\(statistics.resumes) resumed, \(statistics.gaps) gaps), "
            + "\(statistics.socketEvents) events and \(statistics.socketMessages) messages heard, "
            + statistics.storage.description
        guard let failure else { return "seed \(seed): clean, trace \(trace); \(sums)" }
        return
            "seed \(seed): \(failure.kind.rawValue) at \(failure.atNs / 1000) µs, trace \(trace); \(sums)\n  "
            + failure.message
    }
}

/// One seed, one world.
public enum SimulationRun {
    public static func run(
        seed: UInt64, seconds: Double, narrate: ((String) -> Void)? = nil
    ) -> SimulationResult {
        let world = World(plan: Swarm(seed: seed, safetyNs: UInt64(seconds * 1e9)))
        world.narrate = narrate
        world.runAll()
        return result(of: world)
    }

    static func result(of world: World) -> SimulationResult {
        SimulationResult(
            seed: world.plan.seed, failure: world.failure, trace: world.trace, virtualNs: world.nowNs,
            operations: world.history.operations.count, statistics: world.statistics)
    }
}
