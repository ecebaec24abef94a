extension AppointedReplica {
    /// What the leader knows of its peers, and what this replica takes in, in words for a person. For simulation.
    public var situation: String { core.situation }
}

extension Replication {
    fileprivate var situation: String {
        var words = peers.map(\.situation)
        if let incoming = snapshots.incoming {
            words.append("takes in \(incoming.identity.position.index) at \(incoming.offset)")
        }
        if snapshots.request != .none { words.append("snapshot \(snapshots.request)") }
        if isJoining { words.append("joining") }
        return words.joined(separator: ", ")
    }
}

extension Progress {
    fileprivate var situation: String {
        "\(peer) \(state) match \(match) next \(next) since \(since)" + (isUnreachable ? " unreachable" : "")
            + (transfer.map { " fed \($0.acknowledged) of \($0.snapshot.totalBytes) at \($0.snapshot.index)" } ?? "")
    }
}
