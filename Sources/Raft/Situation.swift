extension AppointedReplica {
    /// What the leader knows of its peers, and what this replica takes in, in words for a person. For simulation.
    public var situation: String {
        var words = [core.situation]
        if stage == .sealing || stage == .adopting {
            words.append("sealed " + appointment.answers.map { "\($0.node) to \($0.last)" }.joined(separator: " "))
            words.append("asks \(sealTargets.map { "\($0)" }.joined(separator: " ")) by \(core.configuration)")
            if !core.persistence.isHardStateDurable { words.append("own seal not durable") }
            if let source = appointment.source { words.append("adopts \(source) after \(appointment.pullAfter)") }
        }
        return words.filter { !$0.isEmpty }.joined(separator: ", ")
    }
}

extension ElectedReplica {
    /// What this replica is, and what it knows of its peers, in words for a person. For simulation.
    public var situation: String {
        "\(role) term \(term) commit \(commit) of \(configuration), \(core.situation)"
    }
}

extension Replication {
    fileprivate var situation: String {
        var words = ["log \(log.boundary) to \(log.last)"] + peers.map(\.situation)
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
