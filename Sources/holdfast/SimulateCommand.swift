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

    @Option(name: .long, help: "Virtual seconds of each run's faulty phase.")
    var seconds = 20.0

    @Option(name: .long, help: ArgumentHelp("Activate a planted bug (only in a build that has them).", valueName: "bug"))
    var plant: String?

    @Flag(name: .long, help: "Print faults, starts and ends as they happen.")
    var trace = false

    func validate() throws {
        guard [seed != nil, seeds != nil, count != nil].filter({ $0 }).count <= 1 else {
            throw ValidationError("Give one of --seed, --seeds, --count.")
        }
        guard seconds.isFinite, (0...86_400).contains(seconds) else {
            throw ValidationError("--seconds must be from 0 to 86400.")
        }
        _ = try seedRange()
    }

    /// The seeds to run, in order.
    func seedRange() throws -> ClosedRange<UInt64> {
        if let seed { return seed...seed }
        if let count {
            guard count > 0 else { throw ValidationError("--count must be above 0.") }
            return 1...count
        }
        guard let seeds else { return 1...1 }
        let ends = seeds.split(separator: ".", omittingEmptySubsequences: true).map { UInt64($0) }
        guard seeds.contains(".."), ends.count == 2, let first = ends[0], let last = ends[1], first <= last else {
            throw ValidationError("--seeds wants first..last, for example 1..500.")
        }
        return first...last
    }

    func run() throws {
        let options = SimulationProgram.Options(
            seeds: try seedRange(), seconds: seconds, plantedBug: plant, isTracing: trace)
        nameTheSeedOnCrash()
        let start = ContinuousClock.now
        let status = SimulationProgram.run(
            options: options,
            begin: { seedUnderWay = $0 },
            realNs: {
                let passed = (ContinuousClock.now - start).components
                return UInt64(passed.seconds) * 1_000_000_000 + UInt64(passed.attoseconds / 1_000_000_000)
            },
            print: { line in
                print(line)
                fflush(nil)
            })
        endProgram(withStatus: status)
    }
}

/// For the signal handler, which may use nothing that allocates.
nonisolated(unsafe) private var seedUnderWay: UInt64 = 0

/// A broken precondition traps: the seed that led there must not be lost with the process.
private func nameTheSeedOnCrash() {
    for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] {
        signal(number) { _ in
            writeSeed(seedUnderWay)
            _exit(6)
        }
    }
}

private func writeSeed(_ seed: UInt64) {
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 64) { text in
        var end = 0
        for byte: UInt8 in "crash: a precondition was broken by seed ".utf8 {
            text[end] = byte
            end += 1
        }
        var divisor: UInt64 = 1
        while seed / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            text[end] = UInt8(48 + seed / divisor % 10)
            divisor /= 10
            end += 1
        }
        text[end] = 10
        _ = write(STDOUT_FILENO, text.baseAddress, end + 1)
    }
}
