import ArgumentParser

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Run whole clusters in virtual time, with faults drawn from a seed.")

    @Option(name: .long, help: "Run this one seed.")
    var seed: UInt64?

    @Option(name: .long, help: ArgumentHelp("Run these seeds, both ends included.", valueName: "first..last"))
    var seeds: String?

    @Option(name: .long, help: "Run this many seeds, from 1 on.")
    var count: UInt64?

    @Option(name: .long, help: "Virtual seconds of each run's faulty phase.")
    var seconds = 10.0

    @Option(
        name: .long,
        help: ArgumentHelp("Activate a planted bug (only in a build that has them).", valueName: "bug"))
    var plant: String?

    @Flag(name: .long, help: "Print every event.")
    var trace = false

    @Option(name: .long, help: "Event loops of each simulated node.")
    var loops = 1

    func validate() throws {
        guard [seed != nil, seeds != nil, count != nil].filter({ $0 }).count <= 1 else {
            throw ValidationError("Give one of --seed, --seeds, --count.")
        }
        guard seconds.isFinite, seconds > 0 else { throw ValidationError("--seconds must be above 0.") }
        guard (1...16).contains(loops) else { throw ValidationError("--loops must be from 1 to 16.") }
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
        guard seeds.contains(".."), ends.count == 2, let first = ends[0], let last = ends[1], first <= last
        else {
            throw ValidationError("--seeds wants first..last, for example 1..500.")
        }
        return first...last
    }

    func run() throws {
        throw CommandFailure(message: "this build has no simulator")
    }
}
