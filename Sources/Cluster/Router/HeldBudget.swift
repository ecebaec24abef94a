/// Bounds what one loop of the edge holds: operations and bytes, in all and per project (O11).
struct HeldBudget {
    private struct Share {
        var operations = 0
        var bytes = 0
    }

    private let settings: NodeSettings
    private var total = Share()
    /// Looked up by name only; never iterated.
    private var projects: [String: Int] = [:]

    init(settings: NodeSettings) {
        self.settings = settings
    }

    func admits(project: String, bytes: Int) -> Bool {
        total.operations < settings.heldRequestsMax
            && total.bytes + bytes <= settings.heldBytesMax
            && projects[project, default: 0] < settings.heldRequestsPerProjectMax
    }

    mutating func take(project: String, bytes: Int) {
        total.operations += 1
        total.bytes += bytes
        projects[project, default: 0] += 1
    }

    mutating func give(project: String, bytes: Int) {
        total.operations -= 1
        total.bytes -= bytes
        precondition(total.operations >= 0 && total.bytes >= 0, "O11: more was given back than was taken")
        guard let count = projects[project] else { return }
        projects[project] = count > 1 ? count - 1 : nil
    }
}
