import ArgumentParser
import Glibc
import Simulation

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run whole clusters in virtual time, with faults drawn from a seed.",
        discussion: """
            Exit codes: 0 no violation, 3 a cluster did not recover (liveness), 4 a promise was broken \
            (correctness), 5 a planted bug was not found, 6 a precondition was broken (the seed is named).
            """)

    @Option(name: .long, help: "Run this one seed.")
    var seed: UInt64?

    @Option(name: .long, help: ArgumentHelp("Run these seeds, both ends included.", valueName: "first..last"))
    var seeds: String?

    @Option(name: .long, help: "Run this many seeds, from 1 on.")
    var count: UInt64?

    @Option(name: .long, help: "Go through seeds for so many hours of real time; fractions too.")
    var hours: Double?

    @Option(name: .long, help: "The first seed of --hours; drawn if it is not given.")
    var from: UInt64?

    @Option(name: .long, help: "How many seeds run at a time, in processes of their own. By default one per processor.")
    var jobs: Int?

    @Option(name: .long, help: "Add a line for each failing seed to this file.")
    var keep: String?

    @Option(name: .long, help: "Seconds of processor time after which a run counts as hanging.")
    var patience = 600.0

    @Flag(name: .long, help: "Make the failing run of --seed as small as it can be made.")
    var minimize = false

    @Option(name: .long, help: "How many runs --minimize may make.")
    var trials = 600

    @Option(name: .long, help: ArgumentHelp("Activate a planted bug (only in a build that has them).", valueName: "bug"))
    var plant: String?

    @Flag(name: .long, help: "Print faults, starts and ends as they happen.")
    var trace = false

    @Flag(name: .long, help: .private)
    var worker = false

    @OptionGroup var changes: RecipeOptions

    func validate() throws {
        guard [seed != nil, seeds != nil, count != nil, hours != nil].filter({ $0 }).count <= 1 else {
            throw ValidationError("Give one of --seed, --seeds, --count, --hours.")
        }
        guard (1...1_024).contains(jobs ?? 1), trials > 0, patience > 0 else {
            throw ValidationError("--jobs, --trials and --patience must be above 0; --jobs at most 1024.")
        }
        if let hours, !(hours > 0 && hours <= 10_000) { throw ValidationError("--hours must be above 0.") }
        if from != nil, hours == nil { throw ValidationError("--from goes with --hours.") }
        guard !minimize || seed != nil else { throw ValidationError("--minimize wants one --seed.") }
        guard !trace || (seed != nil && !minimize) else { throw ValidationError("--trace wants one --seed.") }
        _ = try options()
    }

    func run() throws {
        if worker { return SimulationWorker.run(plant: plant) }
        let options = try options()
        let file = try keep.map(openForAppending)
        let surroundings = SimulationProgram.Surroundings(
            realNs: monotonicNs,
            print: printAtOnce,
            keep: { line in if let file { writeAll(Array((line + "\n").utf8), to: file) } },
            isInterrupted: { Interruption.isWanted })
        if hours != nil { surroundings.print("seeds from \(options.recipe.seed) on") }
        endProgram(withStatus: SimulationProgram.run(options, runner: runner(options), surroundings: surroundings))
    }

    /// One seed runs here, where a debugger finds it; more of them in processes of their own.
    private func runner(_ options: SimulationProgram.Options) -> any RecipeRunner {
        if seed != nil, !minimize {
            CrashNote.install()
            let narrate: ((String) -> Void)? = trace ? { line in printAtOnce(line) } : nil
            return SerialRunner(begin: { recipe in CrashNote.seed = recipe.seed }, narrate: narrate)
        }
        Interruption.install()
        return WorkerPool(size: jobs ?? processorCount(), plant: plant, patienceNs: UInt64(patience * 1e9))
    }

    func options() throws -> SimulationProgram.Options {
        let range = try seedRange()
        var options = SimulationProgram.Options(recipe: try changes.recipe(seed: range.first), count: range.count)
        if let hours { options.realLimitNs = UInt64(hours * 3_600e9) }
        options.plantedBug = plant
        options.minimizingTrialsMax = minimize ? trials : nil
        return options
    }

    /// The first seed and how many there are; no number if time is the limit.
    private func seedRange() throws -> (first: UInt64, count: UInt64?) {
        if let seed { return (seed, 1) }
        if hours != nil { return (from ?? UInt64.random(in: 1...1_000_000_000_000), nil) }
        if let count {
            guard count > 0 else { throw ValidationError("--count must be above 0.") }
            return (1, count)
        }
        guard let seeds else { return (1, 1) }
        let ends = seeds.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
        guard seeds.contains(".."), ends.count == 2, let first = ends[0], let last = ends[1], first <= last else {
            throw ValidationError("--seeds wants first..last, for example 1..500.")
        }
        return (first, last - first + 1)
    }
}

/// What was printed must not be lost when a precondition ends the process.
private func printAtOnce(_ line: String) {
    print(line)
    fflush(nil)
}

private func processorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

private func monotonicNs() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

private func openForAppending(_ path: String) throws -> Int32 {
    let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard file >= 0 else {
        let reason = String(cString: strerror(errno))
        throw CommandFailure(message: "cannot write \(path): \(reason)", exitStatus: ExitStatus.usage)
    }
    return file
}

/// False if the other end is gone.
@discardableResult
func writeAll(_ bytes: [UInt8], to file: Int32) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}
