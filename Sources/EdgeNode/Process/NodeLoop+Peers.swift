import Binary
import Cluster
import NIOCore
import Placement
import Raft

/// The loop's links to other nodes, and what comes in over theirs.
extension NodeLoop {
    // MARK: - Out

    /// One write per node, in the order in which the core said things.
    func send(_ messages: [Outgoing]) {
        guard !messages.isEmpty else { return }
        var order: [NodeID] = []
        var byNode: [NodeID: [PeerMessage]] = [:]
        for outgoing in messages {
            if byNode[outgoing.to] == nil { order.append(outgoing.to) }
            byNode[outgoing.to, default: []].append(outgoing.message)
        }
        for target in order { links[target]?.send(byNode[target] ?? []) }
    }

    func send(_ message: PeerMessage, toAddress address: String) {
        if joinLinks[address] == nil {
            let link = makeLink(address, to: nil)
            joinLinks[address] = link
            link.open()
        }
        joinLinks[address]?.send([message])
    }

    /// Addresses of the other nodes; a changed one replaces its link.
    func learn(_ book: [(node: NodeID, address: String)]) {
        for (peer, address) in book where peer != node.identity.nodeID {
            if links[peer]?.address == address { continue }
            links[peer]?.close()
            let link = makeLink(address, to: peer)
            links[peer] = link
            link.open()
        }
    }

    private func makeLink(_ address: String, to peer: NodeID?) -> PeerLink {
        let shared = node
        let terms = PeerLink.Terms(
            security: shared.peerSecurity,
            hello: { [unowned self] in
                PeerHello(
                    role: .node, clusterID: self.currentView.state?.genesis.clusterID ?? 0,
                    nodeID: shared.identity.nodeID, nonce: shared.identity.nonce)
            },
            check: { [unowned self] in self.currentView.accepts($0, with: $1) })
        return PeerLink(
            address: address, to: peer, loop: eventLoop, terms: terms,
            onEvent: { [unowned self] link, event in self.linkChanged(link, event) })
    }

    private func linkChanged(_ link: PeerLink, _ event: PeerLink.Event) {
        switch event {
        case .up(let peer):
            guard links[peer] === link else { return }
            input(.linkUp(peer))
            brain?.input(.linkUp(peer))
        case .down(let peer):
            guard links[peer] === link else { return }
            input(.linkDown(peer))
            brain?.input(.linkDown(peer))
        case .refused(let verdict):
            node.logger.warning("a peer refuses this node", metadata: [
                "peer": "\(link.address)", "because": "\(verdict)",
            ])
        case .rejected(let rejection): rejected(rejection)
        }
    }

    /// O9: links of processes that are no longer the newest of their node.
    func closeStaleLinks() {
        for (hello, proof, channel) in inboundChannels.values {
            let verdict = currentView.acceptsLink(from: hello, with: proof)
            guard let cause = LinkRejection.Cause(verdict) else { continue }
            rejected(LinkRejection(cause: cause, peer: "\(hello.nodeID)", reason: "it is refused by now: \(verdict)"))
            channel.close(promise: nil)
        }
    }

    /// The authorities are others: links that none of them vouches for are over.
    func checkLinksAgain() {
        guard let security = node.peerSecurity else { return }
        let change = AuthoritiesChanged(authorities: security.certificates.current.authorities)
        for (_, _, channel) in inboundChannels.values { channel.pipeline.fireUserInboundEventTriggered(change) }
        for link in Array(links.values) + Array(joinLinks.values) { link.check(change) }
    }

    /// The cluster has applied a fence that a parent asked for.
    func buried(_ obituary: Obituary) {
        for channel in mourners.removeValue(forKey: obituary) ?? [] {
            var writer = ByteWriter()
            writer.writeFrame(.obituary(obituary))
            channel.writeAndFlush(channel.allocator.buffer(bytes: writer.bytes), promise: nil)
        }
    }
}

extension NodeLoop: PeerReceiverOwner {
    func greet(_ hello: PeerHello, _ proof: PeerProof) -> PeerHelloAnswer {
        PeerHelloAnswer(
            verdict: currentView.acceptsLink(from: hello, with: proof),
            clusterID: currentView.state?.genesis.clusterID ?? 0, nodeID: node.identity.nodeID)
    }

    func opened(_ hello: PeerHello, _ proof: PeerProof, _ channel: any Channel) {
        inboundChannels[ObjectIdentifier(channel)] = (hello, proof, channel)
    }

    func closed(_ hello: PeerHello, _ channel: any Channel) {
        inboundChannels[ObjectIdentifier(channel)] = nil
        for obituary in mourners.keys { mourners[obituary]?.removeAll { $0 === channel } }
    }

    func received(_ messages: [PeerMessage], from hello: PeerHello, _ proof: PeerProof, on channel: any Channel) {
        for message in messages {
            // A node joins by the name in its certificate only.
            if case .join(let request) = message, case .certified(_, let peer, _) = proof,
                request.name != peer.node || request.node != hello.nodeID
            {
                let reason = "it asks to join as \(request.name)"
                rejected(LinkRejection(cause: .otherNode, peer: "\(peer), \(hello.nodeID)", reason: reason))
                channel.close(promise: nil)
                return
            }
            if hello.role == .parent {
                guard case .obituary(let obituary) = message, obituary.node == hello.nodeID else { continue }
                mourners[obituary, default: []].append(channel)
                node.tellBrain(.obituary(obituary))
                continue
            }
            dispatch(message, from: hello.nodeID)
        }
    }

    private func dispatch(_ message: PeerMessage, from sender: NodeID) {
        let target: Int
        switch message.destination {
        case .node: return node.tellBrain(.message(from: sender, message))
        case .shard(let shard): target = homeLoop(of: shard, loops: node.loops.count)
        case .loop(let loop): target = loop
        }
        guard node.loops.indices.contains(target) else { return }
        let loop = node.loops[target]
        if loop === self {
            input(.message(from: sender, message))
        } else {
            loop.eventLoop.execute { loop.input(.message(from: sender, message)) }
        }
    }

    func rejected(_ rejection: LinkRejection) {
        guard let count = node.rejections.add(rejection.cause, nowMs: SystemClocks.now().rawNs / 1_000_000) else { return }
        node.logger.warning("a peer's link is closed", metadata: [
            "peer": "\(rejection.peer)", "cause": "\(rejection.cause.rawValue)", "because": "\(rejection.reason)",
            "count": "\(count)",
        ])
    }
}
