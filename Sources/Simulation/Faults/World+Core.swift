import Cluster

/// The first part of the liveness phase: a chosen core is healed and must come right, though one node stays away.
extension World {
    /// Only where every log has all its replicas, so that a majority of each is in the core.
    func healCore() {
        guard plan.healsCoreFirst, isWhole, hasLivePlacement, let outsider = coreOutsider() else { return }
        note("all faults are over, but \(machines[outsider].name) stays away")
        machines[outsider].isAway = true
        killWithParent(outsider, crash: .power, restartAfterNs: 0)
        heal()
        run(untilNs: nowNs + 500_000_000)
        wait(atMostNs: World.healLimitNs, for: "every shard to be served by the core") { self.isServedEverywhere }
        // The load goes on: what is called from now on is answered.
        let calledNs = nowNs
        wait(atMostNs: World.healLimitNs, for: "clients to be answered by the core") {
            self.clients.allSatisfy { ($0.current?.invokedNs ?? calledNs) >= calledNs }
        }
        machines[outsider].isAway = false
    }

    /// The voters of the placement group are machines as they are now.
    private var hasLivePlacement: Bool {
        let newest = machines.compactMap(\.process).filter { $0.view != nil }
            .max { ($0.view?.index ?? .zero) < ($1.view?.index ?? .zero) }
        guard let configuration = newest?.node.placementConfiguration, !configuration.isJoint else { return false }
        let nodes = machines.filter(\.isInService).map(\.nodeID)
        return configuration.voters.count >= 3 && configuration.voters.allSatisfy(nodes.contains)
    }

    private func coreOutsider() -> Int? {
        let candidates = machines.indices.filter { machines[$0].isInService && !machines[$0].isLeaving }
        return candidates.isEmpty ? nil : random.pick(candidates)
    }
}
