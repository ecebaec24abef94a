import Cluster
import ObjectRuntime

/// What a client makes of the frames that it gets, and what the checks do.
extension World {
    func take(framesOf socket: VirtualSocket) {
        socket.isDelivering = false
        let frames = socket.inFlight
        socket.inFlight = []
        guard socket.isOpen else { return }
        for frame in frames where socket.isOpen {
            trace.mix(socket.id.number, UInt64(frame.count))
            take(frame, over: socket)
        }
    }

    private func take(_ frame: [UInt8], over socket: VirtualSocket) {
        switch ReceivedFrame(frame) {
        case .connected(let id): connected(socket, id)
        case .resumed(let id): resumed(socket, id)
        case .pong: break
        // Of a join nobody knows whether it was done: events will tell.
        case .error: note("talker \(socket.talker) gets \(String(decoding: frame, as: UTF8.self))")
        case .message(let sender, let number): hear(messageFrom: sender, number, over: socket)
        case .gap(let from, let to): hear(gapFrom: from, to, over: socket)
        case .event(let point): hear(point, frame, over: socket)
        case .malformed: complain(socket, "a frame that the protocol does not know", frame)
        }
    }

    private func complain(_ socket: VirtualSocket, _ what: String, _ frame: [UInt8] = []) {
        fail(
            .correctness,
            "I4: socket \(socket.id.number) of talker \(socket.talker) at \(machines[socket.machine].name) on "
                + "\(ledger.names[socket.object]) got \(what) \(String(decoding: frame.prefix(300), as: UTF8.self)); "
                + "\(ledger.count(of: socket.object)) events, heard until "
                + "\(talkers[socket.talker].lastPoint.map { "\($0)" } ?? "nothing"); \(socket.hearing)")
    }

    // MARK: - Greetings

    private func connected(_ socket: VirtualSocket, _ id: String) {
        guard !socket.hearing.isConnected else { return complain(socket, "a second connected") }
        socket.hearing.connected(count: ledger.count(of: socket.object))
        socket.connection = id
        if !socket.isResume { takeName(id, socket, carriesOn: false) }
    }

    private func resumed(_ socket: VirtualSocket, _ id: String) {
        guard case .resume(let wanted, let after, let claim) = socket.greeting, !socket.isAcknowledged else {
            return complain(socket, "an answer to no resume")
        }
        socket.isAcknowledged = true
        let isKept = id == wanted
        if isKept, claim == .foreign { complain(socket, "somebody else's connection id") }
        // A client that is slower than its greeting is told the past no more.
        let greetingNs = 245 * (1_000_000 - UInt64(plan.driftMaxPpm))
        socket.mayBeLate = !socket.announcesResume && nowNs >= socket.openedNs + greetingNs
        if !isKept, claim != .foreign { complain(socket, "another id than its own") }
        if isKept { statistics.resumes += 1 }
        socket.connection = id
        if claim == .ownNowhere {
            socket.hearing.resumedNowhere(count: ledger.count(of: socket.object))
        } else if let after {
            socket.hearing.resumed(
                behind: ledger.place(behind: after, of: socket.object), isExact: isKept)
        }
        takeName(id, socket, carriesOn: isKept && after != nil && claim == .own)
    }

    /// The client goes by this name from now on. What it knows of its presence stays true only if it hears
    /// everything that it has missed.
    private func takeName(_ id: String, _ socket: VirtualSocket, carriesOn: Bool) {
        let isSame = talkers[socket.talker].connection == id
        talkers[socket.talker].connection = id
        talkers[socket.talker].awaited = nil
        if !isSame {
            talkers[socket.talker].presence = .absent
        } else if !carriesOn {
            talkers[socket.talker].presence = .unknown
        }
        if !plan.sockets.areScripted { greeted(socket) }
    }

    // MARK: - Events and messages

    private func hear(_ point: EventPoint, _ frame: [UInt8], over socket: VirtualSocket) {
        statistics.socketEvents += 1
        if let complaint = socket.hearing.hear(point, frame, ledger, socket.object) {
            return complain(socket, complaint, frame)
        }
        talkers[socket.talker].lastPoint = point
        noticeOwnPresence(frame, of: socket)
    }

    private func noticeOwnPresence(_ frame: [UInt8], of socket: VirtualSocket) {
        let text = FrameText(bytes: frame)
        guard frame.starts(with: "{\"event\":\"presence:".utf8), let id = talkers[socket.talker].connection,
            text.string(after: "\"connectionId\":\"", from: 0) == id
        else { return }
        if frame.starts(with: "{\"event\":\"presence:leave".utf8) {
            talkers[socket.talker].presence = .absent
        } else if let payload = text.number(after: "\"p\":") {
            talkers[socket.talker].presence = .joined(payload)
            if talkers[socket.talker].awaited == payload { talkers[socket.talker].awaited = nil }
        }
    }

    private func hear(gapFrom from: EventPoint, _ to: EventPoint, over socket: VirtualSocket) {
        statistics.gaps += 1
        note("talker \(socket.talker) is told of a gap from \(from) to \(to)")
        if !isGapExcused(behind: from.index, socket) {
            complain(socket, "a gap from \(from) to \(to), although everything was kept")
        }
        if let complaint = socket.hearing.gap(from: from, to: to, ledger, socket.object) {
            return complain(socket, complaint)
        }
        talkers[socket.talker].presence = .unknown
    }

    /// The history may be short, begins anew behind a snapshot, and cannot know points that never were. A
    /// resume that comes late, and was not announced, is told what it can no longer have.
    private func isGapExcused(behind index: UInt64, _ socket: VirtualSocket) -> Bool {
        if plan.settings.eventHistoryBytes < SocketPlan.ampleHistoryBytes { return true }
        if socket.mayBeLate { return true }
        if case .resume(_, _, .ownNowhere) = socket.greeting { return true }
        if case .resume(let wanted, _, _) = socket.greeting, socket.isAcknowledged, socket.connection != wanted {
            return true
        }
        guard let shard = shard(named: ledger.names[socket.object]) else { return true }
        return safety.newestSnapshotIndex(of: shard) + 1 >= index
    }

    private func hear(messageFrom sender: UInt64, _ number: UInt64, over socket: VirtualSocket) {
        statistics.socketMessages += 1
        if sender == socket.id.number { return complain(socket, "its own message \(number)") }
        if let own = socketsByNumber[sender], own.connection == socket.connection {
            return complain(socket, "message \(number) of its own connection, sent over socket \(sender)")
        }
        if let complaint = socket.messages.hear(from: sender, number: number) { complain(socket, complaint) }
    }
}
