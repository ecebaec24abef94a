import Binary
import Placement
import Raft

/// The placement group at this node: its log, and the state that the log makes.
extension NodeCore {
    func drainPlacement(now: Clocks) {
        while placement?.hasReady == true, let ready = placement?.ready() {
            if let hardState = ready.hardState { persist.add(.hardState(hardState, group: .placement)) }
            if let snapshot = ready.snapshot {
                installPlacement(snapshot)
                persist.add(.snapshot(snapshot, group: .placement))
            }
            for entry in ready.entries { persist.add(.entry(entry, group: .placement)) }
            if let mark = ready.mark {
                persist.add(mark: PersistQueue.Mark(group: .placement, position: mark))
            }
            for message in ready.messages { send(.placement(message), to: message.to) }
            for message in ready.messagesAfterPersist {
                persist.add(message: Outgoing(to: message.to, message: .placement(message)))
            }
            followLeadership(now: now)
            for entry in ready.committed { apply(entry, now: now) }
            for read in ready.readStates { confirmed(read.id, now: now) }
            for read in ready.abandonedReads { granter?.abandon(read) }
            if ready.snapshotWanted { providePlacementSnapshot() }
        }
        placement?.compact(keepingBytes: settings.logTailBytes, through: placementApplied)
    }

    func installPlacement(_ snapshot: Snapshot) {
        guard !snapshot.data.isEmpty else { return }
        var reader = ByteReader(snapshot.data)
        do {
            state = try PlacementState(from: &reader)
        } catch {
            preconditionFailure("O12: the snapshot of the placement state cannot be read: \(error)")
        }
        placementApplied = snapshot.index
        placementStored = snapshot.index
        findOwnProcess()
    }

    /// Now and then the state takes the place of the entries that made it: otherwise they would hold the oldest segment
    /// of the journal for ever.
    func checkpointPlacement(isPressed: Bool = false, nowMs: UInt64) {
        let fresh = placementApplied - placementStored
        let isDue = fresh >= settings.placementCheckpointEntries || nowMs >= placementStoredMs + 60_000
        guard fresh > 0, isDue || isPressed,
            let state, let snapshot = placement?.makeSnapshot(at: placementApplied, data: state.encode())
        else { return }
        placementStored = placementApplied
        placementStoredMs = nowMs
        persist.add(.checkpoint(snapshot, group: .placement))
    }

    private func providePlacementSnapshot() {
        guard let state, let snapshot = placement?.makeSnapshot(at: placementApplied, data: state.encode())
        else {
            placement?.snapshotFailed()
            return
        }
        placement?.provideSnapshot(snapshot)
    }

    private func apply(_ entry: Entry, now: Clocks) {
        placementApplied = entry.index
        guard entry.kind == .command, let result = state?.apply(entry.payload, at: entry.index) else { return }
        findOwnProcess()
        if let state { granter?.forgetFenced(state) }
        if let envelope = try? ProposalEnvelope.decode(entry.payload),
            let token = proposals.applied(envelope.id)
        {
            effects.proposals.append((token, .success(result)))
        }
        noteResult(result, of: entry.payload, now: now)
        dropOvertakenProposals()
    }

    /// Registered, or fenced: either may have come with any entry.
    private func findOwnProcess() {
        guard let state else { return }
        if let process {
            if state.isFenced(process) { effects.exit = isDraining ? .drained : .fenced }
        } else if let record = state.registry.record(of: identity.nodeID), record.nonce == identity.nonce {
            process = NodeProcess(node: identity.nodeID, incarnation: record.incarnation)
            if record.isFenced { effects.exit = .fenced }
        } else if state.registry.isBuried(node: identity.nodeID, nonce: identity.nonce) {
            // O7: the obituary came before the registration.
            effects.exit = .fenced
        }
    }

    private func noteResult(_ result: CommandResult, of payload: [UInt8], now: Clocks) {
        switch result {
        case .registered(let process):
            registeredAt[process] = now.rawNs / 1_000_000
            balanceAtMs = now.rawNs / 1_000_000 + settings.balanceQuietMs
        case .fenced(let process, _):
            registeredAt[process] = nil
            balanceAtMs = now.rawNs / 1_000_000 + settings.balanceQuietMs
        case .refused(let refusal):
            guard let envelope = try? ProposalEnvelope.decode(payload),
                case .register(let registration) = envelope.command, registration.node == identity.nodeID,
                registration.nonce == identity.nonce
            else { return }
            if refusal == .runIsOver {
                effects.exit = .fenced
            } else if refusal == .nameInUse {
                registerAtMs = now.rawNs / 1_000_000 + settings.registerRetryMs
            } else {
                effects.exit = .refused(
                    "the cluster does not register this node: \(refusal.text); check its name and addresses")
            }
        default: break
        }
    }

    /// Wishes about shards whose epoch has moved on will be refused; they need not be repeated.
    private func dropOvertakenProposals() {
        guard let table = state?.table else { return }
        proposals.dropOvertaken { command in
            switch command {
            case .assign(let shard, let expected, _, _), .yield(let shard, let expected, _, _),
                .recordReplicas(let shard, let expected, _, _, _), .split(let shard, let expected, _, _, _, _),
                .cancelPlan(let shard, let expected, _, _):
                guard let record = table.record(of: shard) else { return true }
                return record.epoch > expected
            default: return false
            }
        }
    }

    // MARK: - Proposals

    /// From another node, or from this one when it leads.
    func propose(_ payload: [UInt8]) {
        guard placement?.role == .leader, let envelope = try? ProposalEnvelope.decode(payload) else {
            return reject()
        }
        // Not taken while leadership is being handed on: then nothing was proposed.
        guard placement?.propose(payload) != nil else { return }
        noteFence(envelope.command)
    }

    /// O5: from the moment when a fence is proposed, its process gets no lease.
    func noteFence(_ command: Command) {
        switch command {
        case .fence(let process, _, _): granter?.noteFenceProposed(process)
        case .bury(let node, let nonce, _):
            guard let record = state?.registry.record(of: node) else { return }
            for run in record.live where run.nonce == nonce {
                granter?.noteFenceProposed(NodeProcess(node: node, incarnation: run.incarnation))
            }
        default: break
        }
    }

    func handOverProposals(nowMs: UInt64) {
        for envelope in proposals.due(nowMs: nowMs) {
            if placement?.role == .leader {
                proposals.handedOver(envelope.id)
                propose(envelope.encode())
            } else if let leader = placement?.leader {
                proposals.handedOver(envelope.id)
                send(.propose(envelope.encode()), to: leader)
            } else {
                proposals.postpone(envelope.id, nowMs: nowMs)
            }
        }
    }

    /// The leader's own commands, which no client waits for and which it makes anew while they are due.
    func proposeAsLeader(_ command: Command) {
        let envelope = ProposalEnvelope(node: 0, counter: 0, command: command)
        propose(envelope.encode())
    }
}
