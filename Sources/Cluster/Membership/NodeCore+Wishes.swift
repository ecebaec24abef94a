import Binary
import Placement
import Raft

/// What the placement leader wishes for, worked out anew every second from the table, the registry and what it knows
/// of the nodes, by pure policies. Owners do it, or do not (O1, O9, O13).
extension NodeCore {
    func followNodes(_ state: PlacementState, now: Clocks) {
        let nowMs = now.rawNs / 1_000_000
        granter?.noteAbsences(state.nodes.map(\.node), now: now)
        loads.observe(state.table, nowMs: nowMs)
    }

    func wish(_ state: PlacementState, now: Clocks) {
        let nowMs = now.rawNs / 1_000_000
        guard nowMs >= balanceAtMs, let health = granter?.health(of: state.nodes.map(\.node), now: now) else { return }
        balanceAtMs = nowMs + settings.balanceIntervalMs
        wishForVoters(state, health)
        guard !state.hasOwnerlessShards else { return }
        let changing = wishForReplicas(state, health)
        wishForOwners(state, health, except: changing, now: now)
        if settings.splitsByLoad { wishForDivisions(state, health, nowMs: nowMs) }
    }

    // MARK: - The placement group

    private func wishForVoters(_ state: PlacementState, _ health: [NodeHealth]) {
        guard let placement else { return }
        let decision = VoterPolicy.decide(
            configuration: placement.configuration, registry: state.registry, health: health,
            replaceAfterMs: state.settings.replaceAfterMs, leader: identity.nodeID)
        guard let target = decision.configuration else { return }
        if target.isVoter(identity.nodeID) {
            _ = self.placement?.proposeConfiguration(target)
        } else if let heir = target.voters.first(where: { placement.configuration.isVoter($0) && mayLeadNext($0) }) {
            // A leader that is to go hands on first; its successor carries the change out.
            self.placement?.transferLeadership(to: heir)
        }
    }

    // MARK: - Replicas

    /// Answers the shards for which something was asked.
    private func wishForReplicas(_ state: PlacementState, _ health: [NodeHealth]) -> Set<ShardID> {
        let decision = ReplicaPolicy.decide(
            table: state.table, registry: state.registry, health: health,
            settings: ReplicaPolicySettings(state.settings))
        for request in decision.requests {
            guard let owner = state.table.record(of: request.shard)?.owner else { continue }
            tell(.replicas(request), owner.node)
        }
        for request in decision.moves { order(request) }
        return Set(decision.requests.map(\.shard) + decision.moves.map(\.shard))
    }

    // MARK: - Owners

    /// Asks owners to hand shards over so that the load is even. It never assigns (O1).
    private func wishForOwners(
        _ state: PlacementState, _ health: [NodeHealth], except changing: Set<ShardID>, now: Clocks
    ) {
        let nowMs = now.rawNs / 1_000_000
        let unwilling = health.filter { !$0.hasRoom || state.registry.isDraining($0.node) }.map(\.node)
        let decision = BalancePolicy.decide(
            table: state.table, live: granter?.candidates(excluding: nil, now: now) ?? [],
            load: LoadWeights().shares(of: loads.all), unwilling: unwilling,
            sinceMoveMs: loads.sinceMoveMs(nowMs: nowMs), settings: BalanceSettings(restMs: settings.balanceRestMs))
        for request in decision.moves where !changing.contains(request.shard) {
            #if PLANTED_BUGS
            if PlantedBug.isActive(.assignOverLiveOwner), let process {
                proposeAsLeader(
                    .assign(request.shard, expected: request.epoch, proposer: process, target: request.to))
                continue
            }
            #endif
            order(request)
        }
    }

    // MARK: - Splits and merges

    private func wishForDivisions(_ state: PlacementState, _ health: [NodeHealth], nowMs: UInt64) {
        let decision = SplitPolicy.decide(
            table: state.table, loads: loads.all, hottest: loads.hottest, coldForMs: loads.coldForMs(nowMs: nowMs),
            health: health, settings: settings.splitting)
        for wish in decision.splits { proposeAsLeader(.planSplit(wish.shard, expected: wish.epoch, cut: wish.cut)) }
        for wish in decision.merges {
            proposeAsLeader(
                .planMerge(
                    left: wish.left, expectedLeft: wish.leftEpoch, right: wish.right, expectedRight: wish.rightEpoch))
        }
    }

    /// To the loop of the shard, at this node or another.
    func tell(_ message: PeerMessage, _ node: NodeID) {
        if node == identity.nodeID {
            effects.toLoops.append(message)
        } else {
            send(message, to: node)
        }
    }

    // MARK: - Loads

    /// Once a second, what the loops have told: to the leader, whoever that is.
    func tellLoads(nowMs: UInt64) {
        guard let process, !ownLoads.isEmpty, nowMs >= toldLoadsMs + 1_000 else { return }
        toldLoadsMs = nowMs
        let report = LoadReport(process: process, shards: ownLoads.flatMap(\.value).sorted { $0.shard < $1.shard })
        if placement?.role == .leader {
            loads.take(report, nowMs: nowMs)
        } else if let leader = placement?.leader, leader != identity.nodeID {
            send(.loads(report), to: leader)
        }
    }

    func receive(_ report: LoadReport, from sender: NodeID, now: Clocks) {
        guard report.process.node == sender else { return reject() }
        guard placement?.role == .leader, state?.registry.isLive(report.process) == true else { return }
        loads.take(report, nowMs: now.rawNs / 1_000_000)
    }
}
