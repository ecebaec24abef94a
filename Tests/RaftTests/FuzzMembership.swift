@testable import Raft

/// Who is a member changes all the time, and now and then a replica loses its log, is removed, and comes back
/// under its name (O9).
struct FuzzMembership {
    enum Loss {
        /// Silent, until a configuration without it is recorded.
        case lost
        /// Taken out; it may be taken back.
        case removed
    }

    /// What the table knows: the highest committed configuration that an owner has reported.
    var recorded: (epoch: Term, index: LogIndex, configuration: Configuration)?
    var losses: [NodeID: Loss] = [:]
    var rejoinedCount = 0

    func isLost(_ node: NodeID) -> Bool { losses[node] == .lost }
}

extension FuzzCluster {
    mutating func administer() {
        recordConfigurations()
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<5: changeConfiguration()
        case 5...6: loseLogSomewhere()
        default: rejoin()
        }
    }

    private mutating func recordConfigurations() {
        for leader in leaders {
            let replica = nodes[leader].replica
            let (epoch, index) = (replica.hardState.term, replica.configurationIndex)
            guard index <= replica.commit, !replica.configuration.isJoint else { continue }
            if let old = membership.recorded, (old.epoch, old.index) >= (epoch, index) { continue }
            membership.recorded = (epoch, index, replica.configuration)
            for (node, loss) in membership.losses where loss == .lost && !replica.configuration.isMember(node) {
                membership.losses[node] = .removed
            }
        }
    }

    /// Only where a majority keeps its logs, whatever configuration comes to be in force.
    private mutating func loseLogSomewhere() {
        guard kind == .appointed, membership.losses.isEmpty else { return }
        let position = anyNode()
        let id = nodes[position].id
        let inForce = nodes.flatMap { $0.replica.configurationsInForce }
        guard inForce.allSatisfy({ $0.survivesLoss(of: id) }) else { return }
        crash(position)
        nodes[position].loseDisk()
        nodes[position].files = TestFiles()
        membership.losses[id] = .lost
        restart(position)
    }

    /// A configuration that takes it back is recorded: it begins anew.
    private mutating func rejoin() {
        guard let recorded = membership.recorded else { return }
        for (id, loss) in membership.losses.sorted(by: { $0.key < $1.key })
        where loss == .removed && recorded.configuration.isMember(id) {
            guard let position = position(of: id) else { continue }
            membership.losses[id] = nil
            membership.rejoinedCount += 1
            rules.forget(id)
            nodes[position].rejoin(sealedAt: recorded.epoch)
            collect(position)
        }
    }
}

extension Configuration {
    /// A half that loses one of its voters still has a majority.
    fileprivate func survivesLoss(of node: NodeID) -> Bool {
        [voters, outgoing].allSatisfy { !$0.contains(node) || $0.count >= 3 }
    }
}
