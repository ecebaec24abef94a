import Binary
import Cluster
import Placement
import Raft

/// How messages get from one process to another, and how links come and go.
extension World {
    func send(_ message: PeerMessage, from process: RunningProcess, to node: NodeID) {
        guard let target = machines.firstIndex(where: { $0.nodeID == node }) else { return }
        guard target != process.machine else {
            return deliver(message, from: process.identity.nodeID, to: process)
        }
        // Without a connection there is nowhere to write to.
        guard let generation = process.links[target] else { return }
        transmit(message, from: process, to: target, generation: generation)
    }

    func transmit(_ message: PeerMessage, from process: RunningProcess, to target: Int, generation: UInt64?) {
        statistics.messages += 1
        let envelope = Envelope(
            from: process.machine, to: target, toGeneration: generation,
            message: plan.encodesMessages ? readBack(message) : message)
        for timeNs in network.arrivals(from: process.machine, to: target, nowNs: nowNs, &random) {
            queue.add(.arrival(envelope), atNs: timeNs)
        }
    }

    /// What the receiver would read of the bytes.
    private func readBack(_ message: PeerMessage) -> PeerMessage {
        var writer = ByteWriter()
        message.encode(into: &writer)
        var reader = ByteReader(writer.bytes)
        do {
            let read = try PeerMessage(from: &reader)
            try reader.finish()
            return read
        } catch {
            fail(.correctness, "a message cannot be read back: \(error)")
            return message
        }
    }

    func arrive(_ envelope: Envelope) {
        guard network.reaches(envelope.from, envelope.to), let process = machines[envelope.to].process,
            envelope.toGeneration == nil || envelope.toGeneration == process.generation
        else { return }
        trace.mix(UInt64(envelope.from) << 8 | UInt64(envelope.to), envelope.message.fingerprint)
        deliver(envelope.message, from: machines[envelope.from].nodeID, to: process)
    }

    func deliver(_ message: PeerMessage, from sender: NodeID, to process: RunningProcess) {
        switch message.destination {
        case .node:
            give(.message(from: sender, message), to: process)
        case .shard(let shard):
            let loop = homeLoop(of: shard, loops: process.loops.count)
            give(.message(from: sender, message), to: process, loop: loop)
        case .loop(let loop):
            guard process.loops.indices.contains(loop) else { return }
            give(.message(from: sender, message), to: process, loop: loop)
        }
    }

    // MARK: - Links

    /// Each process looks now and then which others it can connect to, and which links have died.
    func linkRound(_ machine: Int, _ generation: UInt64) {
        guard let process = process(machine, generation) else { return }
        pressJournal(process)
        schedule(
            .linkRound(machine: machine, generation: generation),
            afterNs: 40_000_000 + random.below(UInt64(20_000_000)))
        guard machines[machine].standstill == nil else { return }
        for other in machines.indices where other != machine {
            let peer = machines[other].process
            if let linked = process.links[other] {
                // A machine without power sends no reset: its peers notice when it is back.
                let isDead = linked != peer?.generation && (peer != nil || machines[other].hasParent)
                let isCut = !network.connects(machine, other) && plan.noticesCuts && random.chance(0.3)
                if isDead || isCut { unlink(process, other) }
            } else if let peer, network.connects(machine, other), machines[other].standstill == nil {
                link(process, peer)
            }
        }
    }

    /// As the shell does once a second: what keeps the journal long is written first.
    private func pressJournal(_ process: RunningProcess) {
        let groups = machines[process.machine].disk.pressure(aboveBytes: plan.journalBytes)
        if groups.contains(.placement) { give(.journalPressure, to: process) }
        let shards = groups.compactMap(\.shard)
        guard !shards.isEmpty || process.isPressed else { return }
        process.isPressed = !shards.isEmpty
        for loop in process.loops.indices { give(.journalPressure(shards), to: process, loop: loop) }
    }

    private func link(_ one: RunningProcess, _ other: RunningProcess) {
        for (process, peer) in [(one, other), (other, one)]
        where process.links[peer.machine] != peer.generation {
            if process.links[peer.machine] != nil { unlink(process, peer.machine) }
            process.links[peer.machine] = peer.generation
            process.linkedNodes[peer.machine] = peer.identity.nodeID
            tellLink(process, peer.identity.nodeID, isUp: true)
        }
    }

    /// All links end, and begin anew with the next round.
    func renewLinks() {
        for process in machines.compactMap(\.process) {
            for other in process.links.indices { unlink(process, other) }
        }
    }

    func unlink(_ process: RunningProcess, _ other: Int) {
        guard process.links[other] != nil else { return }
        process.links[other] = nil
        if let node = process.linkedNodes[other] { tellLink(process, node, isUp: false) }
    }

    private func tellLink(_ process: RunningProcess, _ node: NodeID, isUp: Bool) {
        give(isUp ? NodeInput.linkUp(node) : .linkDown(node), to: process)
        for loop in process.loops.indices {
            give(isUp ? LoopInput.linkUp(node) : .linkDown(node), to: process, loop: loop)
        }
    }
}

extension PeerMessage {
    /// A word for the trace: enough to tell two runs apart where they part.
    var fingerprint: UInt64 {
        switch self {
        case .shard(let shard, let message):
            return 1 << 56 | UInt64(shard.rawValue) << 40 | message.fingerprint
        case .placement(let message): return 2 << 56 | message.fingerprint
        case .execute(let attempt):
            return 3 << 56 | attempt.origin.token << 8 | UInt64(attempt.shard.rawValue)
        case .outcome(let outcome): return 4 << 56 | outcome.token << 8 | outcome.commitIndex
        case .leaseRequest(let request): return 5 << 56 | request.sentBootNs
        case .leaseGrant(let grant): return 6 << 56 | grant.sentBootNs
        case .propose(let bytes): return 7 << 56 | UInt64(bytes.count)
        default: return 8 << 56
        }
    }
}

extension Message {
    fileprivate var fingerprint: UInt64 {
        let detail: UInt64
        switch body {
        case .append(let append):
            detail = append.previous.index.rawValue << 8 | UInt64(append.entries.count & 0xFF)
        case .appendAccepted(let accepted): detail = accepted.match.rawValue << 8 | 1
        case .appendRejected: detail = 2
        case .heartbeat: detail = 3
        case .heartbeatAnswer: detail = 4
        case .voteRequest: detail = 5
        case .voteAnswer: detail = 6
        case .seal: detail = 7
        case .sealAnswer: detail = 8
        case .pull: detail = 9
        case .pullAnswer: detail = 10
        default: detail = 11
        }
        return (term.rawValue << 24 ^ detail) & 0xFF_FFFF_FFFF
    }
}
