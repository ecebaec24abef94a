/// Makes a failing run small: shorter, with fewer circumstances and misfortunes, fewer nodes, clients and objects, as
/// long as it fails in the same way.
///
/// A smaller run takes another way from the first difference on, and may miss the failure by chance. So each candidate
/// is tried with several courses of chance (`Recipe.luck`).
public final class Minimizer {
    private let runner: any RecipeRunner
    private let trialsMax: Int
    private let print: (String) -> Void
    /// What the command line needs beside the recipe.
    private let replaySuffix: String
    private let signature: String
    /// The smallest so far that fails.
    private var best: SimulationResult
    private var trials = 0
    private var cleared: Set<Recipe> = []
    private var otherFailures: [String: Recipe] = [:]

    static let lucks: UInt64 = 3

    /// `failing`: the result to begin with. `trialsMax` bounds how many runs are made.
    public init(
        _ failing: SimulationResult, trialsMax: Int, plantedBug: String? = nil, runner: any RecipeRunner,
        print: @escaping (String) -> Void
    ) {
        precondition(failing.failure != nil, "a clean run cannot be shrunk")
        signature = failing.failure?.signature ?? ""
        best = failing
        self.trialsMax = trialsMax
        self.runner = runner
        self.print = print
        replaySuffix = plantedBug.map { " --plant \($0)" } ?? ""
    }

    /// The smallest result that was found. Says on the way how far it is, and at the end what is left.
    public func shrink() -> SimulationResult {
        endWithTheFailure()
        var before: Recipe
        repeat {
            before = best.recipe
            shorten()
            leaveOut("circumstances and kinds of misfortunes", effectiveOmissions) { $0.without.formUnion($1) }
            leaveOut("misfortunes", plan.schedule().map(\.misfortune.number)) { $0.skipped.formUnion($1) }
            lessen()
        } while best.recipe != before && trials < trialsMax
        tidy()
        confirm()
        for (signature, recipe) in otherFailures.sorted(by: { $0.key < $1.key }) {
            print("on the way there was another failure, \(signature): holdfast simulate \(recipe)\(replaySuffix)")
        }
        for line in MinimizedText.lines(of: best, trials: trials) { print(line) }
        print("replay: holdfast simulate \(best.recipe)\(replaySuffix) --trace")
        return best
    }

    private var plan: Swarm { Swarm(recipe: best.recipe) }

    // MARK: - Ways to be smaller

    private func shorten() {
        while best.recipe.milliseconds > 100 {
            let now = best.recipe.milliseconds
            let shorter = [now / 8, now / 4, now / 2, now * 3 / 4, now * 7 / 8]
            guard attempt(shorter.map { length in recipe { $0.milliseconds = length } }) != nil else { break }
        }
        told("time")
    }

    /// What happens before the failure is the same without what would have come after it.
    private func endWithTheFailure() {
        guard let failure = best.failure, failure.kind != .crash, failure.atNs > best.formedNs else { return }
        best.recipe.milliseconds = min(best.recipe.milliseconds, (failure.atNs - best.formedNs) / 1_000_000 + 1)
    }

    private var effectiveOmissions: [String] {
        let plan = plan
        let circumstances = Circumstance.inForce(plan)
        let kinds = Set(plan.schedule().map(\.misfortune.kind))
        return circumstances.map(\.rawValue) + FaultInjector.Kind.allCases.filter(kinds.contains).map(\.rawValue)
    }

    /// Delta debugging: all of them, then halves, quarters and so on, are left out as long as it still fails.
    private func leaveOut<Item>(
        _ what: String, _ items: [Item], _ leaveOut: (inout Recipe, [Item]) -> Void
    ) {
        var kept = items
        var parts = 1
        while !kept.isEmpty, trials < trialsMax {
            let size = (kept.count + parts - 1) / parts
            let starts = Array(stride(from: 0, to: kept.count, by: size))
            let place = attempt(starts.map { start in
                recipe { leaveOut(&$0, Array(kept[start..<min(start + size, kept.count)])) }
            })
            if let place {
                kept.removeSubrange(starts[place]..<min(starts[place] + size, kept.count))
                parts = max(1, parts - 1)
            } else if size == 1 {
                break
            } else {
                parts = min(kept.count, 2 * parts)
            }
        }
        told(what)
    }

    private func lessen() {
        for quantity in Quantity.allCases {
            let now = quantity.value(in: plan)
            let fewer = [quantity.least, quantity.least + 1, quantity.least + 2, now / 2, now * 3 / 4, now - 1]
                .filter { $0 >= quantity.least && $0 < now }
            _ = attempt(Array(Set(fewer)).sorted().map { most in recipe { $0.atMost[quantity.rawValue] = most } })
        }
        told("numbers")
    }

    /// Nothing that changes the run: names and numbers that say nothing any more.
    private func tidy() {
        var all = best.recipe
        all.skipped = []
        let drawn = Set(Swarm(recipe: all).schedule().map(\.misfortune.number))
        best.recipe.skipped.formIntersection(drawn)
    }

    /// Shortening and tidying change nothing; this makes sure, and gets the times of the failure as they are now.
    private func confirm() {
        let recipe = best.recipe
        var queue = [recipe]
        runner.run(next: { queue.popLast() }) { result in
            precondition(result.failure?.signature == signature, "the smallest run does not fail again: \(recipe)")
            best = result
            return true
        }
    }

    // MARK: - Trying

    private func recipe(_ change: (inout Recipe) -> Void) -> Recipe {
        var changed = best.recipe
        change(&changed)
        return changed
    }

    /// The first of the candidates that fails in the same way is the best one from now on. Its place, or nil.
    private func attempt(_ candidates: [Recipe]) -> Int? {
        var queue: [(place: Int, recipe: Recipe)] = []
        for more in 0..<Minimizer.lucks {
            for (place, candidate) in candidates.enumerated() {
                var lucky = candidate
                lucky.luck = (candidate.luck + more) % Minimizer.lucks
                if lucky != best.recipe, !cleared.contains(lucky) { queue.append((place, lucky)) }
            }
        }
        var asked = 0
        var taken = 0
        var found: Int?
        runner.run(
            next: {
                guard asked < queue.count, trials < trialsMax else { return nil }
                asked += 1
                trials += 1
                return queue[asked - 1].recipe
            },
            take: { result in
                taken += 1
                guard result.failure?.signature == signature else {
                    note(result)
                    return true
                }
                found = queue[taken - 1].place
                best = result
                return false
            })
        if found != nil { endWithTheFailure() }
        return found
    }

    private func note(_ result: SimulationResult) {
        cleared.insert(result.recipe)
        if let other = result.failure?.signature, otherFailures[other] == nil { otherFailures[other] = result.recipe }
    }

    private func told(_ what: String) {
        print("\(trials) runs, \(what): \(MinimizedText.size(of: best.recipe))")
    }
}

/// What a person wants to know of a minimized run.
enum MinimizedText {
    static func size(of recipe: Recipe) -> String {
        let plan = Swarm(recipe: recipe)
        let quantities = Quantity.allCases.map { "\($0.value(in: plan)) \($0.rawValue)" }.joined(separator: ", ")
        return "\(recipe.secondsText) s, \(plan.schedule().count) misfortunes, \(quantities)"
    }

    static func lines(of result: SimulationResult, trials: Int) -> [String] {
        let plan = Swarm(recipe: result.recipe)
        var lines = ["the smallest of \(trials) runs that fails in this way:"]
        if let failure = result.failure {
            lines.append("  \(failure.kind.rawValue) at \(failure.atNs / 1_000) µs: \(failure.message)")
        }
        lines.append("  " + size(of: result.recipe))
        for (afterNs, misfortune) in plan.schedule() {
            let (number, kind) = (misfortune.number, misfortune.kind.rawValue)
            lines.append("  misfortune \(number) after \(afterNs / 1_000_000) ms: \(kind)")
        }
        let circumstances = Circumstance.inForce(plan)
        let names = circumstances.map(\.rawValue).joined(separator: ", ")
        lines.append("  with: " + (names.isEmpty ? "nothing else" : names))
        return lines
    }
}
