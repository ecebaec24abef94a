import Cluster
import ObjectRuntime
import Placement

/// The end of a run for sockets: everybody is back, knows who is there, and has heard everything.
extension World {
    func enter(_ steps: [EventLedger.Step], of object: Int) {
        for step in steps {
            note("\(ledger.names[object]): \(step)")
            let complaint = presence.judge(step, graceMs: plan.settings.presenceGraceMs, nowNs: nowNs)
            if let complaint { fail(.correctness, "O15: on \(ledger.names[object]) \(complaint)") }
        }
    }

    func settleTalkers() {
        guard !talkers.isEmpty else { return }
        wait(atMostNs: World.healLimitNs, for: "every talker to have a socket") {
            self.talkers.allSatisfy { $0.socket?.isReady == true }
        }
        let isSettled = { self.talkers.allSatisfy { $0.isCertain && $0.socket?.isReady == true } }
        let limitNs = nowNs + World.healLimitNs
        while failure == nil, !isSettled() {
            guard nowNs < limitNs else {
                return fail(.liveness, "talkers do not hear that they have joined: \(unsettledTalkers)")
            }
            for talker in talkers where !talker.isCertain {
                if let socket = talker.socket, socket.isReady { join(socket) }
            }
            run(untilNs: nowNs + 1_000_000_000, isDone: isSettled)
        }
    }

    private var unsettledTalkers: String {
        talkers.filter { !$0.isCertain || $0.socket?.isReady != true }.map(describe).joined(separator: "; ")
    }

    private func describe(_ talker: Talker) -> String {
        let socket = talker.socket
        return "talker \(talker.number) on \(ledger.names[talker.object]) at "
            + "\(socket.map { machines[$0.machine].name } ?? "none") socket \(socket?.id.number ?? 0) held "
            + "\(socket?.isHeld == true) ready \(socket?.isReady == true) as \(talker.connection ?? "nobody") "
            + "\(talker.presence) awaits \(talker.awaited ?? 0) \(ledger.count(of: talker.object)) events "
            + "\(socket.map { "\($0.hearing)" } ?? "")" + feeds(of: ledger.names[talker.object])
    }

    /// What every node has to do with the object's events.
    private func feeds(of name: String) -> String {
        guard let id = objectID(named: name), let shard = shard(named: name) else { return "" }
        return machines.map { machine in
            guard let process = machine.process else { return "" }
            let loop = process.loops[homeLoop(of: shard, loops: process.loops.count)]
            return "\n  \(machine.name): \(loop.feedState(of: id) ?? "no feed"); shard \(shard) tells "
                + (loop.listenerState(of: id, in: shard) ?? "nobody")
        }.joined()
    }

    /// I4, to the end, and presence: lists that say exactly who is there.
    func checkSockets() {
        guard !talkers.isEmpty else { return }
        listenToTheEnd()
        // Who was told of a gap meanwhile does not know any more what it has said.
        settleTalkers()
        listenToTheEnd()
        checkNames()
        for object in ledger.names.indices where failure == nil { checkPresence(of: object) }
    }

    private func listenToTheEnd() {
        let limitNs = nowNs + World.healLimitNs
        var renewAtNs = nowNs + World.renewLinksNs
        while failure == nil, let deaf = deafTalker {
            guard nowNs < limitNs else { return fail(.liveness, "I4: a socket lacks events: \(describe(deaf))") }
            run(untilNs: nowNs + 20_000_000)
            // A real link that loses a message ends, and what is told last need not be told again over one that lives.
            guard plan.network.dropChance > 0, nowNs >= renewAtNs else { continue }
            renewLinks()
            renewAtNs = nowNs + World.renewLinksNs
        }
    }

    private static let renewLinksNs: UInt64 = 5_000_000_000

    /// One that still lacks an event.
    private var deafTalker: Talker? {
        talkers.first { talker in
            guard let socket = talker.socket, socket.isReady else { return true }
            return socket.hearing.lacks(of: ledger.count(of: talker.object)) > 0
        }
    }

    private func checkNames() {
        let names = talkers.compactMap { talker in talker.connection.map { "\(talker.object) \($0)" } }
        if Set(names).count != names.count { fail(.correctness, "O15: two open sockets have one connection id") }
    }

    /// What the talkers have said last. What they said before the quiet may still be on its way.
    private func expectedPresence(of object: Int) -> [String: [UInt8]] {
        var expected: [String: [UInt8]] = [:]
        for talker in talkers where talker.object == object {
            guard let id = talker.connection, case .joined(let number) = talker.presence else { continue }
            expected[id] = Array("{\"p\":\(number)}".utf8)
        }
        return expected
    }

    private func checkPresence(of object: Int) {
        let endNs = nowNs + World.healLimitNs
        var shown: [String: [UInt8]]?
        while failure == nil {
            let expected = expectedPresence(of: object)
            if shown == expected { return }
            guard nowNs < endNs else {
                let extra = (shown ?? [:]).keys.filter { expected[$0] == nil }.sorted()
                let missing = expected.keys.filter { shown?[$0] == nil }.sorted()
                return fail(
                    .liveness,
                    "presence of \(ledger.names[object]) does not converge: \(extra) are not there, \(missing) are; "
                        + "\(shown?.count ?? 0) shown, \(expected.count) expected; "
                        + talkers.filter { $0.object == object }.map(describe).joined(separator: "; "))
            }
            if let list = presenceList(of: object) { shown = FrameText(bytes: list).presences() }
            if shown != expected { run(untilNs: nowNs + 200_000_000) }
        }
    }

    /// Asks any node for the list.
    func presenceList(of object: Int) -> [UInt8]? {
        guard let process = machines.compactMap(\.process).first(where: { $0.view?.process != nil }) else { return nil }
        let token = nextToken()
        listAnswers[token] = .some(nil)
        let request = ClientRequest(
            project: "p", objectClass: "c", objectID: ledger.names[object], operation: .presenceList)
        give(.request(token, request), to: process, loop: 0)
        run(untilNs: nowNs + 5_000_000_000) { self.listAnswers[token] != .some(nil) }
        return listAnswers.removeValue(forKey: token) ?? nil
    }
}

extension Talker {
    /// It knows whether it is in the presence, and with what.
    var isCertain: Bool { presence != .unknown && awaited == nil }
}
