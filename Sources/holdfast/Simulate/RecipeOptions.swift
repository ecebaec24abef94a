import ArgumentParser
import Simulation

/// What may be left out of what a seed draws. The text of a `Recipe` consists of these and `--seed`.
struct RecipeOptions: ParsableArguments {
    @Option(name: .long, help: "Virtual seconds of each run's faulty phase.")
    var seconds = 20.0

    @Option(name: .long, help: "Another course of chance under the same circumstances and misfortunes.")
    var luck: UInt64 = 0

    @Option(
        name: .long, help: ArgumentHelp("Switch off circumstances and kinds of misfortunes.", valueName: "name,…"))
    var without: String?

    @Option(
        name: .long, help: ArgumentHelp("Leave out misfortunes by their numbers in the schedule.", valueName: "0-3,7"))
    var skipMisfortunes: String?

    @Option(name: .long, help: ArgumentHelp("Less of something than is drawn.", valueName: "nodes=3,clients=2,…"))
    var atMost: String?

    func recipe(seed: UInt64) throws -> Recipe {
        guard seconds.isFinite, (0...86_400).contains(seconds) else {
            throw ValidationError("--seconds must be from 0 to 86400.")
        }
        var recipe = Recipe(seed: seed, seconds: seconds)
        recipe.luck = luck
        recipe.without = try omissions()
        if let skipMisfortunes {
            guard let numbers = NumberList.numbers(in: skipMisfortunes) else {
                throw ValidationError("--skip-misfortunes wants numbers, for example 0-3,7.")
            }
            recipe.skipped = numbers
        }
        recipe.atMost = try limits()
        return recipe
    }

    private func omissions() throws -> Set<String> {
        let names = (without ?? "").split(separator: ",").map(String.init)
        if let unknown = names.first(where: { !Recipe.omissions.contains($0) }) {
            throw ValidationError("--without knows no '\(unknown)', but: \(Recipe.omissions.joined(separator: ", ")).")
        }
        return Set(names)
    }

    private func limits() throws -> [String: Int] {
        var limits: [String: Int] = [:]
        for part in (atMost ?? "").split(separator: ",") {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false).map(String.init)
            guard sides.count == 2, Recipe.quantities.contains(sides[0]), let most = Int(sides[1]), most >= 0 else {
                throw ValidationError("--at-most wants name=number of: \(Recipe.quantities.joined(separator: ", ")).")
            }
            limits[sides[0]] = most
        }
        return limits
    }
}
