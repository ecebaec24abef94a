/// What became of one run.
public struct SimulationResult: Sendable, Equatable {
    public var recipe: Recipe
    public var failure: Failure?
    public var trace = TraceHash()
    public var virtualNs: UInt64 = 0
    public var operations: UInt64 = 0
    public var statistics = WorldStatistics()
    /// When the phase with faults began.
    public var formedNs: UInt64 = 0

    /// All that is known of a run that ended with its process, or that was ended.
    public init(recipe: Recipe, failure: Failure?) {
        self.recipe = recipe
        self.failure = failure
    }

    init(of world: World, recipe: Recipe) {
        self.recipe = recipe
        failure = world.failure
        trace = world.trace
        virtualNs = world.nowNs
        operations = UInt64(world.history.operations.count)
        statistics = world.statistics
        formedNs = world.formedNs
    }

    public var description: String {
        guard statistics.events > 0 || failure == nil else {
            return "seed \(recipe.seed): \(failure?.kind.rawValue ?? "")\n  \(failure?.message ?? "")"
        }
        guard let failure else { return "seed \(recipe.seed): clean, trace \(trace); \(sums)" }
        let beginning = "seed \(recipe.seed): \(failure.kind.rawValue) at \(failure.atNs / 1000) µs, trace \(trace)"
        return "\(beginning); \(sums)\n  \(failure.message)"
    }

    private var sums: String {
        "\(statistics.events) events, \(statistics.messages) messages, \(statistics.syncs) syncs, "
            + "\(statistics.starts) starts, \(statistics.misfortunes) misfortunes, \(operations) operations "
            + "(\(statistics.answered) answered, \(statistics.replayed) of them replays, "
            + "\(statistics.refused) refused), "
            + "\(statistics.sockets) sockets (\(statistics.resumes) resumed, \(statistics.gaps) gaps), "
            + "\(statistics.socketEvents) events and \(statistics.socketMessages) messages heard, "
            + statistics.storage.description
    }
}

/// One recipe, one world.
public enum SimulationRun {
    public static func run(_ recipe: Recipe, narrate: ((String) -> Void)? = nil) -> SimulationResult {
        let world = World(plan: Swarm(recipe: recipe))
        world.narrate = narrate
        world.runAll()
        return SimulationResult(of: world, recipe: recipe)
    }
}

extension Failure {
    /// What it has in common with others of its cause: the kind, and what its message begins with, without numbers.
    public var signature: String {
        var text = ""
        for character in message.prefix(while: { $0 != ":" }) {
            if !character.isWholeNumber { text.append(character) } else if text.last != "#" { text.append("#") }
        }
        return "\(kind.rawValue): \(text)"
    }
}
