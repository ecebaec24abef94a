/// Bounds what one loop of the edge holds: operations and bytes, in all and per project (O11).
///
/// While more waits than is done in time (`OverloadGauge`), operations are refused on arrival. A project that has
/// less than an equal part under way is let in all the same, up to twice the limit: a flood of one project is
/// refused, not its neighbours.
struct HeldBudget {
    private struct Share {
        var operations = 0
        var bytes = 0
    }

    private let settings: NodeSettings
    private var gauge: OverloadGauge
    private var total = Share()
    /// Looked up by name only; never iterated.
    private var projects: [String: Int] = [:]

    init(settings: NodeSettings) {
        self.settings = settings
        gauge = OverloadGauge(targetMs: settings.overloadTargetMs)
    }

    /// An owner has answered so long after it was asked.
    mutating func answered(afterMs: UInt64, isWrite: Bool) { gauge.answered(afterMs: afterMs, isWrite: isWrite) }

    /// Whether no more operations of the project are taken because too many wait.
    mutating func sheds(project: String, nowMs: UInt64) -> Bool {
        gauge.advance(nowMs: nowMs)
        guard let limit = gauge.limit, total.operations >= limit else { return false }
        let own = projects[project, default: 0]
        let part = limit / max(1, projects.count + (own == 0 ? 1 : 0))
        guard own >= part || total.operations >= 2 * limit else { return false }
        gauge.refused()
        return true
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
