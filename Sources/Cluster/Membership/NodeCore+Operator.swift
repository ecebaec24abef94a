import Placement

/// What an operator asks of this node for the whole cluster.
extension NodeCore {
    /// A removal that would leave the placement group without a majority is refused here: the state does not know who
    /// votes, every node's log does.
    func propose(_ command: Command, _ token: RequestToken, nowMs: UInt64) {
        if case .removeNode(let node, _) = command.unaudited, let placement, let state,
            VoterPolicy.needsVote(of: node, placement.configuration, state.registry)
        {
            effects.proposals.append((token, .success(.refused(.voteNeeded))))
        } else {
            proposals.add(command, token: token, nowMs: nowMs)
        }
    }

    /// The owner is asked like the placement leader asks it: what it does is its own affair (O8).
    func order(_ request: MoveRequest) {
        if request.from.node == identity.nodeID {
            effects.toLoops.append(.move(request))
        } else {
            send(.move(request), to: request.from.node)
        }
    }

    /// A node that belongs to no cluster takes the genesis and asks to join by itself.
    func invite(_ address: String) {
        guard let genesis = state?.genesis, address != identity.peerAddress else { return }
        effects.toAddresses.append((address, .welcome(genesis)))
        // Of the first members, whom the genesis names, none may be left.
        effects.toAddresses.append((address, .join(joinRequest)))
    }

    /// O9: this node is being emptied: nothing of it shall be relied on any more.
    var isBeingEmptied: Bool { state?.registry.isDraining(identity.nodeID) ?? false }
}
