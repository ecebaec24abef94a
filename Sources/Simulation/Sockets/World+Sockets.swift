import Cluster
import ObjectRuntime
import Placement

/// The node's end of sockets: what a shell does for its loops.
extension World {
    /// The upgrade reaches the node. Refused by one that is not there, or is about to go.
    func reach(_ socket: VirtualSocket) {
        guard let process = process(socket.machine, socket.generation), !process.isDraining else {
            return schedule(.talker(socket.talker, .broken(socket)), afterNs: 200_000)
        }
        process.sockets[socket.id.number] = socket
        statistics.sockets += 1
        give(
            .socket(
                .opened(
                    SocketOpening(
                        socket: socket.id, project: "p", objectClass: "c", objectID: ledger.names[socket.object],
                        keyID: socket.keyID, announcesResume: socket.announcesResume))),
            to: process, loop: socket.hub)
    }

    /// A frame of the client reaches the node.
    func arrive(_ frame: SocketFrame, over socket: VirtualSocket) {
        guard socket.isHeld, let process = process(socket.machine, socket.generation) else { return }
        if case .leave = frame { socket.leavesAllowed += 1 }
        give(.socket(.frame(socket.id, frame)), to: process, loop: socket.hub)
    }

    /// The node knows that the socket is over.
    func endHeld(_ socket: VirtualSocket, _ end: SocketEnd) {
        guard socket.isHeld, let process = process(socket.machine, socket.generation) else { return }
        socket.isHeld = false
        process.sockets[socket.id.number] = nil
        if case .closed = end { socket.leavesAllowed += 1 }
        give(.socket(.closed(socket.id, end)), to: process, loop: socket.hub)
    }

    /// A process that is asked to stop sends its clients elsewhere.
    func sendAway(_ process: RunningProcess) {
        for socket in process.heldSockets {
            endHeld(socket, .shutdown)
            schedule(.talker(socket.talker, .closedByNode(socket, code: 1012)), afterNs: 100_000)
        }
    }

    /// A process is gone, and its sockets with it. Of what was on its way some may have got through.
    func loseSockets(of process: RunningProcess, hasParent: Bool) {
        for socket in process.heldSockets {
            socket.isHeld = false
            if random.chance(0.5) { socket.inFlight = [] }
            // Without a machine nobody sends a reset: the client waits for its own patience.
            let noticeNs: UInt64 = hasParent ? 200_000 : 200_000_000
            schedule(.talker(socket.talker, .broken(socket)), afterNs: noticeNs + random.exponential(meanNs: noticeNs))
        }
        process.sockets = [:]
    }

    // MARK: - What loops want done

    func carryOut(_ output: SocketOutput, of process: RunningProcess, loop: Int) {
        switch output {
        case .deliver(let frame, _, let numbers, let except):
            for number in numbers where number != except {
                guard let socket = process.sockets[number] else { continue }
                if socket.attachment == nil { name(socket, process, loop) }
                deliver(frame, over: socket)
            }
        case .close(let id, let closing):
            guard let socket = process.sockets[id.number] else { return }
            note("\(process.identity.name) closes socket \(id.number): \(closing.code) \(closing.reason)")
            endHeld(socket, .closed)
            schedule(.talker(socket.talker, .closedByNode(socket, code: closing.code)), afterNs: 120_000)
        }
    }

    private func name(_ socket: VirtualSocket, _ process: RunningProcess, _ loop: Int) {
        guard let attachment = process.loops[loop].attachment(of: socket.id) else { return }
        socket.attachment = attachment
        presence.note(attachment, of: socket, node: process.identity.nodeID)
    }

    private func deliver(_ frame: [UInt8], over socket: VirtualSocket) {
        socket.inFlight.append(frame)
        guard !socket.isDelivering else { return }
        socket.isDelivering = true
        schedule(.talker(socket.talker, .down(socket)), afterNs: 20_000 + random.below(UInt64(80_000)))
    }
}

extension RunningProcess {
    /// In the order in which they were opened.
    var heldSockets: [VirtualSocket] { sockets.keys.sorted().compactMap { sockets[$0] } }
}
