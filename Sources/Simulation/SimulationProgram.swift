import Binary

/// What `holdfast simulate` does: runs seeds, says what it finds and how to see it again, and makes failures small.
public struct SimulationProgram {
    public struct Options: Sendable {
        /// What each run is made from; its seed is the first one.
        public var recipe: Recipe
        /// How many seeds; nil: until time is up.
        public var count: UInt64?
        /// Real time after which no further seed is begun.
        public var realLimitNs: UInt64?
        /// Active in this run; only builds that have planted bugs know any.
        public var plantedBug: String?
        /// So many runs may be spent on making a failing seed small; nil: it is not made small.
        public var minimizingTrialsMax: Int?

        public init(recipe: Recipe, count: UInt64? = 1) {
            self.recipe = recipe
            self.count = count
        }
    }

    /// What the program needs of the process that it runs in.
    public struct Surroundings {
        /// Nanoseconds of real time since any moment, for speeds and limits.
        public var realNs: () -> UInt64
        /// One line for whoever looks on.
        public var print: (String) -> Void
        /// One line for the file of failing seeds.
        public var keep: (String) -> Void
        /// Whether somebody wants it to end.
        public var isInterrupted: () -> Bool

        public init(
            realNs: @escaping () -> UInt64, print: @escaping (String) -> Void,
            keep: @escaping (String) -> Void = { _ in }, isInterrupted: @escaping () -> Bool = { false }
        ) {
            self.realNs = realNs
            self.print = print
            self.keep = keep
            self.isInterrupted = isInterrupted
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
        /// A precondition of the cores was broken.
        public static let crash: Int32 = 6

        static func of(_ kind: Failure.Kind) -> Int32 {
            switch kind {
            case .correctness: correctness
            case .liveness: liveness
            case .crash: crash
            }
        }
    }

    /// Runs what the options say and answers the exit code.
    public static func run(
        _ options: Options, runner: any RecipeRunner, surroundings: Surroundings
    ) -> Int32 {
        if let bug = options.plantedBug, !plant(bug) {
            let known = PlantedBug.allCases.map(\.rawValue).joined(separator: ", ")
            surroundings.print("this build has no planted bug '\(bug)'; builds by scripts/planted-bugs have: \(known)")
            return ExitCode.usage
        }
        guard let trialsMax = options.minimizingTrialsMax else { return Campaign(options, surroundings).run(runner) }
        return minimize(options, trialsMax: trialsMax, runner, surroundings)
    }

    private static func minimize(
        _ options: Options, trialsMax: Int, _ runner: any RecipeRunner, _ surroundings: Surroundings
    ) -> Int32 {
        var queue = [options.recipe]
        var first: SimulationResult?
        runner.run(next: { queue.popLast() }) { result in
            first = result
            return true
        }
        guard let first, let failure = first.failure else {
            surroundings.print("seed \(options.recipe.seed) does not fail: there is nothing to make small")
            return options.plantedBug == nil ? ExitCode.clean : ExitCode.bugNotFound
        }
        surroundings.print(first.description)
        let minimizer = Minimizer(
            first, trialsMax: trialsMax, plantedBug: options.plantedBug, runner: runner, print: surroundings.print)
        _ = minimizer.shrink()
        return options.plantedBug == nil ? ExitCode.of(failure.kind) : ExitCode.clean
    }

    /// Activates a planted bug in this process; false if this build does not have it.
    public static func plant(_ name: String) -> Bool {
        #if PLANTED_BUGS
        guard let bug = PlantedBug(rawValue: name) else { return false }
        PlantedBug.active = bug
        return true
        #else
        return false
        #endif
    }
}
