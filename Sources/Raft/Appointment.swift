/// What an appointed owner has learnt in this epoch, before it leads.
struct Appointment: Sendable {
    /// Who was asked beside the members of the own configuration.
    var alsoAsked: [NodeID] = []
    /// The last entries of the logs that are sealed for this epoch.
    private(set) var answers: [(node: NodeID, last: Position)] = []
    private(set) var reached: [NodeID] = []

    /// Whose log is being adopted.
    var source: NodeID?
    /// The entry after which is pulled.
    var pullAfter = Position.zero
    var pullNeedsSnapshot = false
    /// Ticks since the source was heard.
    var sourceTicks = 0
    /// It makes or sends a file, which takes its time.
    var sourceIsSlow = false

    var barrier = LogIndex.zero

    private var ticks = 0
    private var patience = 0

    mutating func noteReached(_ node: NodeID) {
        if !reached.contains(node) { reached.append(node) }
    }

    func hasAnswer(of node: NodeID) -> Bool { answers.contains { $0.node == node } }

    /// A sealed log does not change before its owner appends: the first answer stands.
    mutating func addAnswer(of node: NodeID, last: Position) {
        noteReached(node)
        if !hasAnswer(of: node) { answers.append((node, last)) }
    }

    mutating func dropAnswer(of node: NodeID) {
        answers.removeAll { $0.node == node }
    }

    /// The highest log; of equals the one of the lowest node.
    var best: (node: NodeID, last: Position)? {
        answers.max { $0.last == $1.last ? $0.node > $1.node : $0.last < $1.last }
    }

    /// Counts a tick; true when it is time to ask again. Patience doubles each time.
    mutating func isRetryDue(_ settings: ReplicaSettings) -> Bool {
        if patience == 0 { patience = sourceIsSlow ? settings.fileRetryTicks : settings.retryTicks }
        ticks += 1
        guard ticks >= patience else { return false }
        ticks = 0
        patience = max(patience, min(2 * patience, settings.retryTicksMax))
        return true
    }

    mutating func resetPatience() {
        ticks = 0
        patience = 0
    }
}
