import Testing

@testable import Simulation

/// Knows by a rule what fails, so that the smallest failing run is known too.
private struct JudgedRunner: RecipeRunner {
    let verdict: (Swarm, Recipe) -> Failure?

    func run(next: () -> Recipe?, take: (SimulationResult) -> Bool) {
        while let recipe = next() {
            let failure = verdict(Swarm(recipe: recipe), recipe)
            guard take(SimulationResult(recipe: recipe, failure: failure)) else { return }
        }
    }
}

@Suite struct `A failing run is made small` {
    private static let broken = Failure(kind: .correctness, message: "I1: n1 and n2 would both answer", atNs: 0)

    private func shrink(
        _ recipe: Recipe, trialsMax: Int = 2_000, verdict: @escaping (Swarm, Recipe) -> Failure?
    ) -> (result: SimulationResult, lines: [String]) {
        var lines: [String] = []
        let first = SimulationResult(recipe: recipe, failure: verdict(Swarm(recipe: recipe), recipe))
        let minimizer = Minimizer(
            first, trialsMax: trialsMax, runner: JudgedRunner(verdict: verdict), print: { lines.append($0) })
        return (minimizer.shrink(), lines)
    }

    /// A seed whose schedule has many misfortunes of several kinds.
    private func richRecipe() throws -> Recipe {
        let seed = (1...200 as ClosedRange<UInt64>).first { seed in
            let plan = Swarm(recipe: Recipe(seed: seed))
            return plan.schedule().count > 20 && Set(plan.schedule().map(\.misfortune.kind)).count > 5
                && plan.network.dropChance > 0 && plan.workload.clients > 8
        }
        return Recipe(seed: try #require(seed))
    }

    @Test func `to what it needs and no more`() throws {
        let recipe = try richRecipe()
        let numbers = Swarm(recipe: recipe).schedule().map(\.misfortune.number)
        let needed: Set<Int> = [numbers[3], numbers[11]]
        let (result, lines) = shrink(recipe) { plan, _ in
            let happening = Set(plan.schedule().map(\.misfortune.number))
            let fails = needed.isSubset(of: happening) && plan.network.dropChance > 0 && plan.workload.clients >= 2
            return fails ? Self.broken : nil
        }
        let plan = Swarm(recipe: result.recipe)
        #expect(Set(plan.schedule().map(\.misfortune.number)) == needed)
        #expect(Circumstance.inForce(plan) == [.loss])
        #expect(plan.workload.clients == 2 && plan.workload.coldObjects == 0 && plan.shards == 1)
        #expect(plan.machines == 3 && plan.sockets.talkers == 0)
        #expect(result.recipe.milliseconds < 20_000)
        #expect(lines.last == "replay: holdfast simulate \(result.recipe) --trace")
    }

    @Test func `and what fails in another way does not count, but is told`() throws {
        let recipe = try richRecipe()
        let other = Failure(kind: .liveness, message: "waited 30 s in vain for clients to end: n1", atNs: 0)
        let (result, lines) = shrink(recipe) { plan, _ in plan.schedule().isEmpty ? other : Self.broken }
        #expect(!Swarm(recipe: result.recipe).schedule().isEmpty)
        #expect(result.failure == Self.broken)
        #expect(lines.contains { $0.contains("another failure, liveness: waited # s in vain for clients to end") })
    }

    /// With the circumstances as they are it fails by another course of chance only.
    @Test func `by another luck if need be`() throws {
        let recipe = try richRecipe()
        let (result, _) = shrink(recipe) { plan, tried in
            !plan.schedule().isEmpty && (tried == recipe || tried.luck == 2) ? Self.broken : nil
        }
        #expect(result.recipe.luck == 2 && Swarm(recipe: result.recipe).schedule().count == 1)
    }

    @Test func `within the number of runs that it may make`() throws {
        let recipe = try richRecipe()
        var runs = 0
        let (result, _) = shrink(recipe, trialsMax: 25) { _, _ in
            runs += 1
            return Self.broken
        }
        // The first one, and the last one that makes sure.
        #expect(runs <= 27)
        #expect(result.failure == Self.broken)
    }

    /// What comes behind the failure is cut off without a try.
    @Test func `and ends with the failure`() throws {
        let recipe = try richRecipe()
        let early = Failure(kind: .correctness, message: "I1: early", atNs: 2_500_000_000)
        let (result, _) = shrink(recipe, trialsMax: 1) { _, tried in tried.milliseconds > 2_500 ? early : nil }
        #expect(result.recipe.milliseconds == 2_501)
    }
}

@Suite struct `Recipes` {
    /// Which misfortune comes when does not depend on what else happens.
    @Test func `leave the rest of the schedule as it is`() throws {
        var recipe = Recipe(seed: 11)
        let all = Swarm(recipe: recipe).schedule()
        let kind = try #require(all.first?.misfortune.kind)
        recipe.without = [kind.rawValue, "drift"]
        recipe.skipped = [try #require(all.last?.misfortune.number)]
        let rest = Swarm(recipe: recipe).schedule()
        #expect(rest.map(\.afterNs) == all.dropLast().filter { $0.misfortune.kind != kind }.map(\.afterNs))
        #expect(Swarm(recipe: recipe).driftPpm.allSatisfy { $0 == 0 })
    }

    @Test func `name what they leave out, each by a name of its own`() {
        #expect(Set(Recipe.omissions).count == Recipe.omissions.count)
        for name in Recipe.omissions {
            let isKnown = Circumstance(rawValue: name) != nil || FaultInjector.Kind(rawValue: name) != nil
            #expect(isKnown, "\(name)")
        }
    }

    @Test func `have a text`() {
        var recipe = Recipe(seed: 7, seconds: 2.5)
        #expect("\(recipe)" == "--seed 7 --seconds 2.500")
        recipe.milliseconds = 3_000
        recipe.luck = 2
        recipe.without = ["loss", "kill"]
        recipe.skipped = [9, 1, 2, 3]
        recipe.atMost = ["nodes": 3, "clients": 2]
        #expect(
            "\(recipe)" == "--seed 7 --seconds 3 --luck 2 --without kill,loss --skip-misfortunes 1-3,9 "
                + "--at-most clients=2,nodes=3")
        #expect(NumberList.numbers(in: "1-3,9") == recipe.skipped)
        for wrong in ["", "3-1", "a", "1,,2", "-1", "1-2-3"] { #expect(NumberList.numbers(in: wrong) == nil) }
    }

    @Test func `last as long as their text says`() {
        var recipe = Recipe(seed: 7)
        for milliseconds in 1...3_000 as ClosedRange<UInt64> {
            recipe.milliseconds = milliseconds
            #expect(Double(recipe.secondsText).map { Recipe(seed: 7, seconds: $0) } == recipe)
        }
    }

    @Test func `of which nothing is left out run as their seed does`() {
        let drawn = Swarm(recipe: Recipe(seed: 5))
        #expect(drawn == Swarm(seed: 5, safetyNs: 20_000_000_000))
    }

    @Test func `have results that processes can pass on`() throws {
        let result = SimulationRun.run(Recipe(seed: 3, seconds: 1))
        #expect(try SimulationResult(recipe: result.recipe, from: result.encode()) == result)
        var failed = result
        failed.failure = Failure(kind: .crash, message: "a\nb", atNs: 5)
        failed.statistics.refusals = ["no"]
        #expect(try SimulationResult(recipe: result.recipe, from: failed.encode()) == failed)
        #expect(throws: (any Error).self) { try SimulationResult(recipe: result.recipe, from: [1, 2]) }
    }
}
