import Binary
import Placement
import Raft

/// Leases and fences: O5, O6.
extension NodeCore {
    // MARK: - Holding

    func askForLease(now: Clocks) {
        guard let process, let state, askedForFenceMs == 0, !state.isFenced(process) else { return }
        let durationMs = state.settings.lease.durationMs
        guard loopsAreAlive(durationMs: durationMs, nowMs: now.rawNs / 1_000_000),
            holder.shouldAsk(durationMs: durationMs, now: now)
        else { return }
        let request = LeaseRequest(
            process: process, sentBootNs: now.bootNs, sentSteadyNs: now.steadyNs, isReady: !isDraining,
            reachable: UInt16(clamping: reachable.count), appliedIndex: placementApplied,
            hasRoom: space.hasRoom)
        if placement?.role == .leader {
            ask(request, now: now)
        } else if let leader = placement?.leader {
            send(.leaseRequest(request), to: leader)
        }
    }

    func receive(_ grant: LeaseGrant, now: Clocks) {
        guard grant.process == process, let settings = state?.settings.lease else { return }
        if holder.take(grant, settings: settings, now: now) { effects.lease = holder.until }
    }

    // MARK: - Granting

    /// A process asks this node, as the placement leader, for a lease.
    func ask(_ request: LeaseRequest, now: Clocks) {
        guard placement?.role == .leader else { return }
        #if PLANTED_BUGS
        if PlantedBug.isActive(.grantBeforeOwnTerm), let state,
            let grant = granter?.grant(request, settings: state.settings.lease, state: state, now: now)
        {
            return deliver(grant, now: now)
        }
        #endif
        // O5 (a) and (b): nil before the first entry of the leader's own term is committed.
        guard placement?.isOwnTermCommitted == true, let id = placement?.requestReadIndex() else { return }
        granter?.wait(request, confirmation: id)
    }

    func confirmed(_ id: UInt64, now: Clocks) {
        guard let state, placement?.role == .leader,
            let grants = granter?.confirmed(id, settings: state.settings.lease, state: state, now: now)
        else { return }
        for grant in grants { deliver(grant, now: now) }
    }

    private func deliver(_ grant: LeaseGrant, now: Clocks) {
        if grant.process.node == identity.nodeID {
            receive(grant, now: now)
        } else {
            send(.leaseGrant(grant), to: grant.process.node)
        }
    }

    // MARK: - Leading

    /// A leadership begins with the time of its election and ends with everything it knew.
    func followLeadership(now: Clocks) {
        let leads = placement?.role == .leader
        if leads, granter == nil {
            granter = LeaseGranter(electedAt: now)
            loads = LoadBook()
        }
        if !leads, granter != nil { granter = nil }
    }

    /// What a placement leader does on every tick.
    func lead(now: Clocks) {
        followLeadership(now: now)
        guard placement?.role == .leader, placement?.isOwnTermCommitted == true, let state else { return }
        fenceExpired(state, now: now)
        appointOwners(state, now: now)
        settleLeaseDuration(state, now: now)
        followNodes(state, now: now)
        wish(state, now: now)
    }

    /// O6 (a): processes whose every lease has run out.
    private func fenceExpired(_ state: PlacementState, now: Clocks) {
        for node in state.nodes {
            for run in node.live {
                let process = NodeProcess(node: node.node, incarnation: run.incarnation)
                guard granter?.mayFence(process, longestMs: state.settings.lease.longestMs, now: now) == true,
                    !isFresh(process, now: now)
                else { continue }
                fence(process, cause: .leaseExpired, now: now)
            }
        }
    }

    /// A process that has registered a moment ago has had no time to ask for a lease.
    private func isFresh(_ process: NodeProcess, now: Clocks) -> Bool {
        registeredAt[process].map { now.rawNs / 1_000_000 < $0 + 1_000 } ?? false
    }

    func fence(_ process: NodeProcess, cause: FenceCause, now: Clocks) {
        guard placement?.role == .leader, let state, state.registry.isLive(process),
            granter?.isFenceProposed(process) == false
        else { return }
        let heirs = heirs(of: process.node, run: process, now: now)
        proposeAsLeader(.fence(process, candidates: heirs, cause: cause))
    }

    private func appointOwners(_ state: PlacementState, now: Clocks) {
        guard state.hasOwnerlessShards, now.rawNs / 1_000_000 >= appointAtMs else { return }
        let candidates = granter?.candidates(excluding: nil, now: now) ?? []
        guard !candidates.isEmpty, isEverybodyThere(candidates, state: state, now: now) else { return }
        appointAtMs = now.rawNs / 1_000_000 + settings.proposalRetryMs
        proposeAsLeader(.appoint(candidates: candidates))
    }

    /// At the first start the leader waits a little for all members, so that the load is even at once.
    private func isEverybodyThere(_ candidates: [NodeProcess], state: PlacementState, now: Clocks) -> Bool {
        guard state.table.records.allSatisfy({ $0.epoch == .zero }) else { return true }
        return candidates.count >= state.genesis.members.count
            || now.rawNs / 1_000_000 >= uptimeSince.rawNs / 1_000_000 + 5_000
    }

    /// O5: a shorter duration counts only when the longest one given under the old has passed.
    private func settleLeaseDuration(_ state: PlacementState, now: Clocks) {
        let lease = state.settings.lease
        guard !lease.isSettled else {
            unsettledSince = nil
            return
        }
        guard let since = unsettledSince, since.revision == lease.revision else {
            unsettledSince = (lease.revision, Deadline.after(lease.longestMs * 1_000_000, from: now))
            return
        }
        guard since.over.isOverForGranter(now) else { return }
        unsettledSince = nil
        proposeAsLeader(.settleLeaseDuration(revision: lease.revision))
    }
}
