import Raft

/// Why the placement group's configuration changes, or does not.
public enum VoterExplanation: Sendable, Equatable, CustomStringConvertible {
    case right(voters: Int)
    /// The last change is not over.
    case changing
    case replacing(NodeID, DepartureReason, by: NodeID)
    /// It leaves without a successor: its vote only raises the majority.
    case dropping(NodeID, DepartureReason)
    case promoting([NodeID])
    case demoting([NodeID])
    case welcoming([NodeID])
    case forgetting([NodeID])
    /// Too few live voters, before or after the change.
    case noQuorum

    public var description: String {
        switch self {
        case .right(let voters): "\(voters) voters, as it should be"
        case .changing: "the last change of the placement group is not over"
        case .replacing(let node, let reason, let successor): "node \(successor) votes for node \(node): \(reason)"
        case .dropping(let node, let reason): "node \(node) votes no longer: \(reason)"
        case .promoting(let nodes): "nodes \(nodes) vote from now on"
        case .demoting(let nodes): "nodes \(nodes) need not vote any more"
        case .welcoming(let nodes): "nodes \(nodes) listen from now on"
        case .forgetting(let nodes): "nodes \(nodes) are gone"
        case .noQuorum: "too few of the placement group's voters are live for a change"
        }
    }
}

public struct VoterDecision: Sendable, Equatable {
    /// To be proposed by the leader; nil if nothing is to change now.
    public let configuration: Configuration?
    public let explanation: VoterExplanation
}

/// Who votes in the placement group: 3 nodes, 5 where five or more are active, all where there are fewer.
/// The other nodes listen. One change at a time, and none that a majority of live voters could not
/// commit or go on after.
public enum VoterPolicy {
    /// - Parameter leader: keeps its vote when there are too many.
    public static func decide(
        configuration: Configuration, registry: Registry, health: [NodeHealth], replaceAfterMs: UInt64,
        leader: NodeID? = nil
    ) -> VoterDecision {
        guard !configuration.isJoint else { return VoterDecision(configuration: nil, explanation: .changing) }
        let fleet = Fleet(registry: registry, health: health, replaceAfterMs: replaceAfterMs)
        let round = VoterRound(present: configuration, registry: registry, fleet: fleet, leader: leader)
        let steps = [
            round.replacement(), round.promotion(), round.demotion(), round.dropping(), round.listeners(),
        ]
        guard let step = steps.compactMap({ $0 }).first else {
            return VoterDecision(configuration: nil, explanation: .right(voters: configuration.voters.count))
        }
        let isSafe =
            step.target.voters == configuration.voters
            || fleet.hasLiveMajority(configuration.voters) && fleet.hasLiveMajority(step.target.voters)
        guard isSafe else { return VoterDecision(configuration: nil, explanation: .noQuorum) }
        return VoterDecision(configuration: step.target, explanation: step.explanation)
    }

    /// Whether the placement group can decide nothing any more if this node stops now: of the other voters, those with a
    /// live process are no majority.
    public static func needsVote(of node: NodeID, _ configuration: Configuration, _ registry: Registry) -> Bool {
        func isLive(_ node: NodeID) -> Bool { registry.record(of: node)?.live.isEmpty == false }
        guard isLive(node) else { return false }
        return [configuration.voters, configuration.outgoing].contains { voters in
            voters.contains(node) && voters.count { $0 != node && isLive($0) } <= voters.count / 2
        }
    }
}

private struct VoterRound {
    struct Step {
        var target: Configuration
        var explanation: VoterExplanation
    }

    let present: Configuration
    let registry: Registry
    let fleet: Fleet
    let leader: NodeID?

    /// Registered nodes that are wanted and not dead for long: what the number of voters goes by.
    private var steady: [NodeID] {
        registry.nodes.map(\.node).filter { registry.isActive($0) && fleet.departure(of: $0) == nil }
    }

    /// Dead nodes and those that are being drained count towards three: they keep their votes while there is nobody
    /// else. Of two voters none may fail.
    private var wanted: Int {
        if steady.count >= 5 { return 5 }
        return min(max(registry.nodes.count { !isGone($0.node) }, 1), 3)
    }

    private func isGone(_ node: NodeID) -> Bool {
        registry.isRemoved(node) || registry.record(of: node)?.isReplaced ?? true
    }

    /// Live listeners that may vote.
    private var successors: [NodeID] {
        present.learners.filter { fleet.isLive($0) && registry.isActive($0) }
    }

    /// Those that do not vote any more first.
    private var departing: [(node: NodeID, reason: DepartureReason)] {
        let byUse = present.voters.filter { !fleet.isLive($0) } + present.voters.filter { fleet.isLive($0) }
        return byUse.compactMap { node in fleet.departure(of: node).map { (node, $0) } }
    }

    private func voters(_ nodes: [NodeID], also learners: [NodeID] = []) -> Configuration {
        Configuration(voters: nodes, learners: present.learners + learners)
    }

    func replacement() -> Step? {
        guard present.voters.count <= wanted, let gone = departing.first, let successor = successors.first else {
            return nil
        }
        let target = voters(present.voters.filter { $0 != gone.node } + [successor], also: stillListening(gone))
        return Step(target: target, explanation: .replacing(gone.node, gone.reason, by: successor))
    }

    /// A node that is being drained or is dead goes on listening until it is removed.
    private func stillListening(_ gone: (node: NodeID, reason: DepartureReason)) -> [NodeID] {
        isGone(gone.node) ? [] : [gone.node]
    }

    /// From 3 to 5 in one step: four voters bear no more than three.
    func promotion() -> Step? {
        let missing = wanted - present.voters.count
        guard departing.isEmpty, missing > 0 else { return nil }
        let promoted = Array(successors.prefix(missing))
        let reached = present.voters.count + promoted.count
        guard reached == wanted || (reached > present.voters.count && reached <= 3) else { return nil }
        return Step(target: voters(present.voters + promoted), explanation: .promoting(promoted))
    }

    func demotion() -> Step? {
        let surplus = present.voters.count - wanted
        guard surplus > 0 else { return nil }
        let byUse = present.voters.sorted { use($0) < use($1) }
        let demoted = byUse.prefix(surplus).sorted()
        let target = voters(
            present.voters.filter { !demoted.contains($0) }, also: demoted.filter { !isGone($0) })
        return Step(target: target, explanation: .demoting(demoted))
    }

    /// Low for those that can be spared first.
    private func use(_ node: NodeID) -> (Int, Int, Int, UInt64) {
        (
            fleet.departure(of: node) == nil ? 1 : 0, fleet.isLive(node) ? 1 : 0, node == leader ? 1 : 0,
            UInt64.max - node.rawValue
        )
    }

    /// Of an even number one can go: as many may fail as before.
    func dropping() -> Step? {
        let isEven = present.voters.count.isMultiple(of: 2)
        let gone = departing.first { isGone($0.node) || (isEven && $0.reason == .draining) }
        guard let gone, present.voters.count > 1 else { return nil }
        let rest = present.voters.filter { $0 != gone.node }
        return Step(
            target: voters(rest, also: stillListening(gone)), explanation: .dropping(gone.node, gone.reason))
    }

    /// Nodes that came or went without voting.
    func listeners() -> Step? {
        let gone = present.learners.filter { registry.isRemoved($0) || registry.record(of: $0)?.isReplaced == true }
        if !gone.isEmpty {
            let rest = present.learners.filter { !gone.contains($0) }
            return Step(
                target: Configuration(voters: present.voters, learners: rest), explanation: .forgetting(gone))
        }
        let new = registry.nodes.map(\.node).filter { registry.isActive($0) && !present.isMember($0) }
        guard !new.isEmpty else { return nil }
        return Step(target: voters(present.voters, also: new), explanation: .welcoming(new))
    }
}
