import Placement
import Raft

/// O9: the owner changes who keeps the shard's log, one step at a time, each from what the log and the table say.
/// The placement leader says what it wishes, and says it again until the table shows it.
extension ShardReplica {
    func requestReplicas(_ request: ReplicaRequest) {
        guard isServing, request.epoch == record.epoch, !request.target.isEmpty, request.basis == record.configuredAt,
            isConfigurationRecorded
        else { return }
        replicaWish = request.target.sorted()
    }

    /// Time matters while there is something to do or to report.
    var hasReplicaWork: Bool {
        isServing && (replicaWish != nil || !isConfigurationRecorded || !isInConfiguration)
    }

    /// The table has what the log says. The next change waits for that.
    private var isConfigurationRecorded: Bool { record.replicaSet.matches(raft.configuration) }

    /// No change of it is under way.
    var isConfigurationSettled: Bool { isConfigurationRecorded && !raft.configuration.isJoint }

    private var isInConfiguration: Bool { raft.configuration.voters.contains(nodeID) }

    func advanceReplicas(nowMs: UInt64) {
        // Once the table knows, the replica of an owner outside ends: it hands over before.
        guard isServing, move == nil, isInConfiguration else { return }
        guard isConfigurationRecorded else { return reportConfiguration(nowMs: nowMs) }
        reportedAtMs = nil
        guard let wish = replicaWish, !raft.configuration.isJoint, !isDividing, isNewestChildServed else { return }
        let present = raft.configuration
        guard let next = nextConfiguration(from: present, towards: wish) else { return }
        if next == present {
            replicaWish = nil
        } else if raft.proposeConfiguration(next) != nil {
            executedThrough = max(executedThrough, raft.lastIndex)
        }
    }

    /// Learners first; voters once they have caught up. Nil: wait.
    private func nextConfiguration(from present: Configuration, towards wish: [NodeID]) -> Configuration? {
        let missing = wish.filter { !present.isMember($0) }
        if !missing.isEmpty {
            return Configuration(voters: present.voters, learners: present.learners + missing)
        }
        guard wish.allSatisfy({ present.isVoter($0) || isCaughtUp($0) }) else { return nil }
        return Configuration(voters: wish)
    }

    private func isCaughtUp(_ node: NodeID) -> Bool {
        let match = raft.matchIndex(of: node)
        return match > .zero && raft.lastIndex - match <= settings.caughtUpEntries
    }

    private func reportConfiguration(nowMs: UInt64) {
        guard let process, raft.configurationIndex <= raft.commit else { return }
        if let reportedAtMs, nowMs < reportedAtMs + settings.proposalRetryMs { return }
        reportedAtMs = nowMs
        requests.append(
            .propose(
                .recordReplicas(
                    shard, expected: record.epoch, proposer: process, index: raft.configurationIndex,
                    configuration: raft.configuration)))
    }

    /// O2: an owner outside the configuration that it adopted hands over to a voter, to one whom the table knows as
    /// such: it refuses any other.
    func leaveIfOutside(nowMs: UInt64) {
        guard isServing, move == nil, !isInConfiguration, let registry = placement?.registry else { return }
        let heirs = raft.configuration.voters.filter(record.heirs.contains).compactMap { registry.newestLive(of: $0) }
        handOver(to: heirs, withinMs: 1_000, nowMs: nowMs)
    }
}
