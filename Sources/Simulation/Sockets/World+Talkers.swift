import Cluster
import ObjectRuntime
import Placement

/// What clients with sockets do: as the SDK does, or worse.
extension World {
    func handle(_ event: TalkerEvent, talker: Int) {
        switch event {
        case .act: act(talker)
        case .open(let reconnect, let machine):
            if talkers[talker].reconnect == reconnect { open(talker, at: machine) }
        case .reach(let socket): reach(socket)
        case .up(let socket, let frame): arrive(frame, over: socket)
        case .down(let socket): take(framesOf: socket)
        case .closedByNode(let socket, let code): closed(socket, code: code)
        case .broken(let socket): closed(socket, code: 1006)
        case .noticed(let socket): endHeld(socket, .closed)
        }
    }

    func startTalkers() {
        for talker in talkers.indices where !plan.sockets.areScripted {
            comeBack(talker, afterNs: random.below(UInt64(200_000_000)))
            schedule(.talker(talker, .act), afterNs: random.exponential(meanNs: plan.sockets.meanThinkNs))
        }
    }

    // MARK: - Coming and going

    func comeBack(_ talker: Int, afterNs delayNs: UInt64, to machine: Int? = nil) {
        talkers[talker].reconnect += 1
        schedule(.talker(talker, .open(reconnect: talkers[talker].reconnect, machine: machine)), afterNs: delayNs)
    }

    private func open(_ talker: Int, at wanted: Int?) {
        guard talkers[talker].socket == nil else { return }
        let machine = wanted ?? random.below(machines.count)
        guard openSocket(talker, at: machine, greeting: drawGreeting(talker)) == nil else { return }
        comeBack(talker, afterNs: 5_000_000 + random.exponential(meanNs: plan.sockets.meanAwayNs))
    }

    /// Nil if nobody listens there who could take it.
    @discardableResult
    func openSocket(_ talker: Int, at machine: Int, greeting: VirtualSocket.Greeting) -> VirtualSocket? {
        guard let process = machines[machine].process, process.view?.process != nil, !process.isDraining,
            let shard = shard(named: ledger.names[talkers[talker].object])
        else { return nil }
        let socket = VirtualSocket(
            id: SocketID(loop: UInt16(talker % process.loops.count), number: nextToken().rawValue),
            talker: talkers[talker], machine: machine, generation: process.generation,
            hub: homeLoop(of: shard, loops: process.loops.count), greeting: greeting, nowNs: nowNs)
        talkers[talker].socket = socket
        socketsByNumber[socket.id.number] = socket
        schedule(.talker(talker, .reach(socket)), afterNs: arrivalDelay(socket))
        switch greeting {
        case .ping: send(.ping, over: socket)
        case .resume(let id, let after, _): send(.resume(connectionID: id, after: after), over: socket)
        case .silence: break
        }
        return socket
    }

    /// In the order of sending, as over any connection.
    private func arrivalDelay(_ socket: VirtualSocket) -> UInt64 {
        let arrivalNs = max(nowNs + 20_000 + random.exponential(meanNs: 60_000), socket.newestArrivalNs + 1)
        socket.newestArrivalNs = arrivalNs
        return arrivalNs - nowNs
    }

    func send(_ frame: SocketFrame, over socket: VirtualSocket) {
        guard socket.isOpen else { return }
        schedule(.talker(socket.talker, .up(socket, frame)), afterNs: arrivalDelay(socket))
    }

    private func drawGreeting(_ talker: Int) -> VirtualSocket.Greeting {
        guard let id = talkers[talker].connection, random.chance(plan.sockets.resumeShare) else {
            return random.chance(0.8) ? .ping : .silence
        }
        let after = random.chance(plan.sockets.afterShare) ? talkers[talker].lastPoint : nil
        guard random.chance(plan.sockets.nastyShare) else {
            return .resume(connectionID: id, after: after, .own)
        }
        if random.chance(0.5), let last = talkers[talker].lastPoint {
            let nowhere = EventPoint(epoch: last.epoch + 1_000, index: last.index + random.below(UInt64(2)) * 100_000)
            return .resume(connectionID: id, after: nowhere, .ownNowhere)
        }
        let victims = talkers.filter { isStranger($0, to: talkers[talker]) }.compactMap(\.connection)
        let stolen = victims.isEmpty ? "nobody" : random.pick(victims)
        return .resume(connectionID: stolen, after: after, .foreign)
    }

    /// An id of another key, or of another object, is nobody's to take.
    private func isStranger(_ victim: Talker, to thief: Talker) -> Bool {
        victim.object != thief.object || victim.keyID != thief.keyID
    }

    /// The client's end is over, by whatever cause; it comes back.
    private func closed(_ socket: VirtualSocket, code: UInt16) {
        guard socket.isOpen else { return }
        if code != 1006 { take(framesOf: socket) }
        socket.isOpen = false
        guard talkers[socket.talker].socket === socket else { return }
        talkers[socket.talker].socket = nil
        // 1008: the id belongs to another socket now.
        if code == 1008 { forgetName(socket.talker) }
        comeBack(socket.talker, afterNs: 1_000_000 + random.exponential(meanNs: plan.sockets.meanAwayNs))
    }

    func forgetName(_ talker: Int) {
        talkers[talker].connection = nil
        talkers[talker].presence = .absent
    }

    /// The client closes its socket in order.
    func hangUp(_ socket: VirtualSocket) {
        socket.isOpen = false
        schedule(.talker(socket.talker, .noticed(socket)), afterNs: arrivalDelay(socket))
        talkers[socket.talker].socket = nil
    }

    /// The connection breaks; the node does not know yet.
    func vanish(_ socket: VirtualSocket, unnoticedNs: UInt64) {
        socket.isOpen = false
        socket.newestArrivalNs = max(socket.newestArrivalNs, nowNs + unnoticedNs)
        schedule(.talker(socket.talker, .noticed(socket)), afterNs: arrivalDelay(socket))
        talkers[socket.talker].socket = nil
    }

    // MARK: - Doing something

    /// The socket has its name: a client that had joined joins again, as the SDK does, or forgets to.
    func greeted(_ socket: VirtualSocket) {
        let wasIn = talkers[socket.talker].wantsPresence
        if isLoadOn, wasIn, random.chance(0.7) { join(socket) }
    }

    private func act(_ talker: Int) {
        guard isLoadOn else { return }
        schedule(.talker(talker, .act), afterNs: random.exponential(meanNs: plan.sockets.meanThinkNs))
        guard let socket = talkers[talker].socket, socket.isReady else { return }
        let awayNs = 1_000_000 + random.exponential(meanNs: plan.sockets.meanAwayNs)
        if random.chance(plan.sockets.closeChance) {
            hangUp(socket)
            return comeBack(talker, afterNs: awayNs)
        }
        if random.chance(plan.sockets.vanishChance) {
            vanish(socket, unnoticedNs: random.exponential(meanNs: plan.sockets.meanUnnoticedNs))
            return comeBack(talker, afterNs: awayNs)
        }
        switch random.below(10) {
        case 0..<5: say(socket)
        case 5..<8: join(socket)
        case 8: leave(socket)
        default: send(.ping, over: socket)
        }
    }

    func say(_ socket: VirtualSocket) {
        socket.sentMessages += 1
        let text = "{\"from\":\(socket.id.number),\"n\":\(socket.sentMessages)}"
        send(.message(SocketPayload(json: Array(text.utf8))), over: socket)
    }

    func join(_ socket: VirtualSocket) {
        let number = nextToken().rawValue
        talkers[socket.talker].awaited = number
        talkers[socket.talker].wantsPresence = true
        talkers[socket.talker].presence = .unknown
        send(.join(SocketPayload(json: Array("{\"p\":\(number)}".utf8))), over: socket)
    }

    func leave(_ socket: VirtualSocket) {
        talkers[socket.talker].wantsPresence = false
        talkers[socket.talker].awaited = nil
        if talkers[socket.talker].presence != .absent { talkers[socket.talker].presence = .unknown }
        send(.leave, over: socket)
    }
}
