/// Many seeds: what they found, how far they got, and how fast. Results come in the order of the seeds, however many
/// run at a time.
final class Campaign {
    private let options: SimulationProgram.Options
    private let surroundings: SimulationProgram.Surroundings
    private let startNs: UInt64
    private var asked: UInt64 = 0
    private var tally = CampaignTally()
    private var isBugFound = false
    private var toldNs: UInt64

    static let progressNs: UInt64 = 60_000_000_000

    init(_ options: SimulationProgram.Options, _ surroundings: SimulationProgram.Surroundings) {
        self.options = options
        self.surroundings = surroundings
        startNs = surroundings.realNs()
        toldNs = startNs
    }

    /// Answers the exit code.
    func run(_ runner: any RecipeRunner) -> Int32 {
        runner.run(next: next, take: take)
        surroundings.print(tally.summary(realNs: surroundings.realNs() - startNs))
        guard let bug = options.plantedBug else { return tally.exitCode }
        if !isBugFound { surroundings.print("planted bug \(bug) was not found") }
        return isBugFound ? SimulationProgram.ExitCode.clean : SimulationProgram.ExitCode.bugNotFound
    }

    private func next() -> Recipe? {
        if let count = options.count, asked >= count { return nil }
        if let limitNs = options.realLimitNs, surroundings.realNs() - startNs >= limitNs { return nil }
        if surroundings.isInterrupted() { return nil }
        defer { asked += 1 }
        var recipe = options.recipe
        recipe.seed = options.recipe.seed &+ asked
        return recipe
    }

    private func take(_ result: SimulationResult) -> Bool {
        tally.add(result)
        if options.count == 1 || result.failure != nil { surroundings.print(result.description) }
        if let failure = result.failure { surroundings.keep(Campaign.keptLine(failure, result.recipe)) }
        tellProgress()
        guard let bug = options.plantedBug, result.failure != nil else { return true }
        surroundings.print("planted bug \(bug) found by seed \(result.recipe.seed)")
        isBugFound = true
        return false
    }

    private func tellProgress() {
        let nowNs = surroundings.realNs()
        guard options.realLimitNs != nil, nowNs - toldNs >= Campaign.progressNs else { return }
        toldNs = nowNs
        surroundings.print(tally.progress(realNs: nowNs - startNs))
    }

    /// Exit code, kind, how to see it again, and the first line of what went wrong, with tabs between.
    private static func keptLine(_ failure: Failure, _ recipe: Recipe) -> String {
        let what = failure.message.prefix { $0 != "\n" }
        let exitCode = SimulationProgram.ExitCode.of(failure.kind)
        return "\(exitCode)\t\(failure.kind.rawValue)\tholdfast simulate \(recipe)\t\(what)"
    }
}

/// Sums over many runs.
struct CampaignTally {
    private var seeds = 0
    private var failed: [(seed: UInt64, kind: Failure.Kind)] = []
    private var virtualNs: UInt64 = 0
    private var operations: UInt64 = 0
    private var events: UInt64 = 0
    private var storage = StorageStatistics()

    mutating func add(_ result: SimulationResult) {
        seeds += 1
        if let failure = result.failure { failed.append((result.recipe.seed, failure.kind)) }
        virtualNs += result.virtualNs
        operations += result.operations
        events += result.statistics.events
        storage.add(result.statistics.storage)
    }

    func summary(realNs: UInt64) -> String {
        progress(realNs: realNs) + "\n  \(operations) operations, \(events) events, " + storage.description
    }

    /// `240 seeds, no violation; 1.600 simulated hours in 3.7 minutes: 0.43 simulated hours per real minute`
    func progress(realNs: UInt64) -> String {
        let hours = Double(virtualNs) / 3_600e9
        let minutes = Double(max(realNs, 1)) / 60e9
        return "\(seeds) seed\(seeds == 1 ? "" : "s"), \(verdict); \(CampaignTally.text(hours, places: 3)) simulated hours in "
            + "\(CampaignTally.text(minutes, places: 1)) minutes: \(CampaignTally.text(hours / minutes, places: 2)) "
            + "simulated hours per real minute"
    }

    private var verdict: String {
        if failed.isEmpty { return "no violation" }
        let kinds = Failure.Kind.allCases.compactMap { kind in
            let seeds = failed.filter { $0.kind == kind }.map { "\($0.seed)" }
            return seeds.isEmpty ? nil : "\(kind.rawValue) \(seeds.joined(separator: " "))"
        }
        return "\(failed.count) failed: \(kinds.joined(separator: ", "))"
    }

    /// The worst: a broken promise, then a crash, then a cluster that does not come right.
    var exitCode: Int32 {
        let worst: [Failure.Kind] = [.correctness, .crash, .liveness]
        guard let kind = worst.first(where: { kind in failed.contains { $0.kind == kind } }) else {
            return SimulationProgram.ExitCode.clean
        }
        return SimulationProgram.ExitCode.of(kind)
    }

    /// With so many digits behind the point.
    static func text(_ value: Double, places: Int) -> String {
        let scale = (0..<places).reduce(1) { scale, _ in scale * 10 }
        let scaled = Int((value * Double(scale)).rounded())
        return "\(scaled / scale).\(String(scaled % scale + scale).dropFirst())"
    }
}
