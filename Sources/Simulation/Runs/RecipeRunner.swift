/// Runs recipes, several at a time if it can.
public protocol RecipeRunner {
    /// Asks `next` for recipes until there are none, and passes what became of each to `take`, in the order of asking.
    /// When `take` answers false nothing more is asked for or passed on; what is under way is given up.
    func run(next: () -> Recipe?, take: (SimulationResult) -> Bool)
}

/// One after the other, in this process. A broken precondition ends it.
public struct SerialRunner: RecipeRunner {
    private let begin: (Recipe) -> Void
    private let narrate: ((String) -> Void)?

    /// `begin` hears each recipe before anything happens; `narrate` gets a line for each event.
    public init(begin: @escaping (Recipe) -> Void = { _ in }, narrate: ((String) -> Void)? = nil) {
        self.begin = begin
        self.narrate = narrate
    }

    public func run(next: () -> Recipe?, take: (SimulationResult) -> Bool) {
        while let recipe = next() {
            begin(recipe)
            guard take(SimulationRun.run(recipe, narrate: narrate)) else { return }
        }
    }
}
