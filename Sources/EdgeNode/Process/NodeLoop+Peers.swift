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
        return PeerLink(
            address: address, to: peer, loop: eventLoop,
            hello: { [unowned self] in
                PeerHello(
                    role: .node, clusterID: self.currentView.state?.genesis.clusterID ?? 0,
                    nodeID: shared.identity.nodeID, nonce: shared.identity.nonce)
            },
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
        }
    }

    /// O9: links of processes that are no longer the newest of their node.
    func closeStaleLinks() {
        for (hello, channel) in inboundChannels.values
        where currentView.acceptsLink(from: hello) != .welcome {
            channel.close(promise: nil)
        }
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
    func greet(_ hello: PeerHello) -> PeerHelloAnswer {
        PeerHelloAnswer(
            verdict: currentView.acceptsLink(from: hello),
            clusterID: currentView.state?.genesis.clusterID ?? 0, nodeID: node.identity.nodeID)
    }

    func opened(_ hello: PeerHello, _ channel: any Channel) {
        inboundChannels[ObjectIdentifier(channel)] = (hello, channel)
    }

    func closed(_ hello: PeerHello, _ channel: any Channel) {
        inboundChannels[ObjectIdentifier(channel)] = nil
        for obituary in mourners.keys { mourners[obituary]?.removeAll { $0 === channel } }
    }

    func received(_ messages: [PeerMessage], from hello: PeerHello, on channel: any Channel) {
        for message in messages {
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

    func rejected(_ failure: DecodingFailure, from hello: PeerHello?) {
        node.rejectedLinks.wrappingAdd(1, ordering: .relaxed)
        node.logger.warning("a peer's link is closed", metadata: [
            "peer": "\(hello.map { "\($0.nodeID)" } ?? "unknown")", "because": "\(failure.reason)",
        ])
    }
}
