import Glibc
import HoldfastClient

/// Kills the node that holds the sockets of members, who resume at another one; an observer elsewhere must
/// hear nothing of it but that the one who does not come back has left, once. By turns the node owns the
/// object too, or does not.
struct KillSockets {
    private static let recoverySecondsMax = 15.0
    private static let readySecondsMax = 60.0
    private static let objectTriesMax = 500

    private let stage: SocketStage
    private let run: SocketRun
    private let runName = String(monotonicNs(), radix: 36)

    init(_ stage: SocketStage) {
        self.stage = stage
        run = stage.run
    }

    /// Who plays in one round.
    private struct Scene {
        var object: String
        var victim: Int
        var wasOwner: Bool
        var cast: Cast
        var observer: Subscriber
        var members: [Subscriber]
        var absentee: Subscriber
    }

    func execute() async throws {
        for round in 1...run.options.rounds {
            let victim = round % stage.cluster.nodes.count
            let scene = try await begin(round, victim, ownsObject: round % 2 == 0)
            let fault = try await strike(scene)
            run.faults.append(fault)
            let role = fault.wasOwner ? "the owner too" : "not the owner"
            complain(
                "kill \(round)/\(run.options.rounds): \(fault.node), \(role), "
                    + "resumed within \(milliseconds(fault.resumeMs)), "
                    + "silence elsewhere \(milliseconds(fault.silenceMs)), "
                    + "the absent one left after \(milliseconds(fault.leaveMs))")
        }
    }

    // MARK: Beginning

    private func begin(_ round: Int, _ victim: Int, ownsObject: Bool) async throws -> Scene {
        let (stage, options) = (stage, run.options)
        let (object, wasOwner) = try await findObject(round, victim, ownsObject: ownsObject)
        let elsewhere = (victim + 1) % stage.cluster.nodes.count
        let scene = try await stage.onLoop {
            let watch: (Int) -> Bool = { stage.isHarmed[$0] }
            let observer = Subscriber(name: "round \(round) observer", home: elsewhere, isHarmed: watch)
            let members = (0..<options.members).map {
                Subscriber(name: "round \(round) member \($0)", home: victim, joins: true, isHarmed: watch)
            }
            let absentee = Subscriber(
                name: "round \(round) absentee", home: victim, joins: true, isHarmed: watch)
            let cast = Cast(
                subscribers: [observer] + members, writer: Writer(stage, object: object, node: elsewhere))
            observer.start(stage, object: object)
            return UncheckedScene(
                scene: Scene(
                    object: object, victim: victim, wasOwner: wasOwner, cast: cast, observer: observer,
                    members: members, absentee: absentee))
        }.scene
        try await gather(scene)
        return scene
    }

    /// Scenes are read and changed by turns on the loop and by the task that waits for it.
    private struct UncheckedScene: @unchecked Sendable {
        var scene: Scene
    }

    /// The observer first, so that it hears of every join.
    private func gather(_ scene: Scene) async throws {
        let (stage, shared, rate) = (stage, UncheckedScene(scene: scene), run.options.socketWriteRate)
        try await stage.require(
            Self.recoverySecondsMax, "opening the observer's socket", of: [scene.observer]
        ) { shared.scene.observer.isEstablished }
        try await stage.onLoop {
            for member in shared.scene.members { member.start(stage, object: shared.scene.object) }
            shared.scene.absentee.start(stage, object: shared.scene.object, reconnects: false)
        }
        try await stage.require(
            Self.recoverySecondsMax, "all members' joins at the observer", of: scene.members
        ) { shared.scene.observer.presence.count >= shared.scene.members.count + 1 }
        try await stage.onLoop { shared.scene.cast.writer.write() }
        try await stage.require(
            Self.recoverySecondsMax, "the first event at all sockets", of: scene.cast.subscribers
        ) { shared.scene.cast.haveSeenSomething }
        try await stage.onLoop { shared.scene.cast.writer.start(rate: rate) }
        try await pause(seconds: run.options.settleSeconds)
    }

    /// An object that the victim owns, or does not own, as the round wants it.
    private func findObject(_ round: Int, _ victim: Int, ownsObject: Bool) async throws -> (String, Bool) {
        var object = ""
        for number in 0..<Self.objectTriesMax {
            object = "edge-\(runName)-\(round)-\(number)"
            if let owner = try await run.cluster.owner(of: object)?.node, (owner == victim) == ownsObject {
                return (object, ownsObject)
            }
        }
        return (object, !ownsObject)
    }

    // MARK: The harm

    private func strike(_ scene: Scene) async throws -> SocketFault {
        let (stage, shared) = (stage, UncheckedScene(scene: scene))
        let victim = scene.victim
        let node = run.cluster.node(victim)
        try await stage.onLoop {
            stage.isHarmed[victim] = true
            for subscriber in shared.scene.cast.subscribers { subscriber.restartSilence() }
        }
        let killedNs = monotonicNs()
        _ = kill(node.pid, SIGKILL)
        try await stage.wait(Self.recoverySecondsMax, for: "every member's return") {
            shared.scene.members.allSatisfy { $0.isEstablished && !$0.losses.isEmpty }
        }
        let newest = try await stage.onLoop { shared.scene.cast.writer.issued }
        try await stage.wait(Self.recoverySecondsMax, for: "events at all members after the kill") {
            shared.scene.cast.subscribers.allSatisfy { ($0.log.writes.last?.value ?? 0) > newest }
        }
        try await stage.wait(Self.recoverySecondsMax, for: "the absent one's leave") {
            shared.scene.observer.presence.contains { !$0.isJoin }
        }
        if try await !run.cluster.waitReady(victim, seconds: Self.readySecondsMax) {
            run.overdue.append("\(node.name) was not ready \(Self.readySecondsMax) s after its death")
        }
        try await stage.setHarmed(victim, false)
        // Whatever else leaves or joins for no reason has the time to show.
        try await pause(seconds: run.options.graceSeconds + run.options.settleSeconds)
        return try await judge(scene, killedNs, node.name)
    }

    // MARK: The judgement

    private func judge(_ scene: Scene, _ killedNs: UInt64, _ name: String) async throws -> SocketFault {
        let (stage, shared) = (stage, UncheckedScene(scene: scene))
        try await stage.onLoop { shared.scene.cast.writer.stop() }
        try await stage.wait(Self.recoverySecondsMax, for: "the last event at all sockets") {
            shared.scene.cast.haveCaughtUp(shared.scene.cast.subscribers)
        }
        try await run.collect(scene.cast, on: stage)
        let leaveMs = try await judgePresence(scene, killedNs)
        try await judgeLists(scene)
        let fault = try await stage.onLoop {
            let scene = shared.scene
            return SocketFault(
                node: name, wasOwner: scene.wasOwner,
                silenceMs: Double(scene.observer.log.longestSilenceNs) / 1e6,
                movedSilenceMs: scene.members.map { Double($0.log.longestSilenceNs) / 1e6 }.max(),
                resumeMs: scene.members.compactMap { $0.arrivals.last?.tookNs }.max().map { Double($0) / 1e6 },
                leaveMs: leaveMs)
        }
        try await stage.onLoop {
            for subscriber in shared.scene.cast.subscribers { subscriber.stop() }
            shared.scene.absentee.stop()
        }
        await scene.cast.writer.close()
        return fault
    }

    /// The observer heard one join of everybody, and one leave: of the one who did not come back, not
    /// before its grace time was over.
    private func judgePresence(_ scene: Scene, _ killedNs: UInt64) async throws -> Double? {
        let shared = UncheckedScene(scene: scene)
        let (notes, members, absentee, label) = try await stage.onLoop {
            let scene = shared.scene
            return (
                scene.observer.presence, scene.members.map(\.arrivals), scene.absentee.arrivals,
                scene.observer.name
            )
        }
        for (number, arrivals) in members.enumerated() {
            let ids = Set(arrivals.map(\.connectionID))
            if ids.count != 1 { run.flaws.append("\(label): member \(number) came back as another: \(ids)") }
        }
        let absentID = absentee.first?.connectionID ?? ""
        let all = members.compactMap { $0.first?.connectionID } + [absentID]
        for id in all {
            let joins = notes.filter { $0.isJoin && $0.connectionID == id }.count
            let leaves = notes.filter { !$0.isJoin && $0.connectionID == id }.count
            if joins != 1 { run.flaws.append("\(label): heard \(joins) joins of \(id)") }
            let expected = id == absentID ? 1 : 0
            if leaves != expected { run.flaws.append("\(label): heard \(leaves) leaves of \(id), not \(expected)") }
        }
        let strangers = notes.filter { !all.contains($0.connectionID) }.count
        if strangers > 0 { run.flaws.append("\(label): heard of \(strangers) strangers") }
        guard let left = notes.first(where: { !$0.isJoin && $0.connectionID == absentID }) else { return nil }
        let leaveMs = Double(left.atNs - killedNs) / 1e6
        // The grace time begins when the dead node is fenced, which is after its death.
        if leaveMs < run.options.graceSeconds * 1_000 {
            run.flaws.append("\(label): the absent one left after \(milliseconds(leaveMs)), within its grace time")
        }
        if leaveMs > (run.options.graceSeconds + run.options.fenceSeconds) * 1_000 {
            run.flaws.append("\(label): the absent one left only after \(milliseconds(leaveMs))")
        }
        return leaveMs
    }

    private func judgeLists(_ scene: Scene) async throws {
        let shared = UncheckedScene(scene: scene)
        let expected = try await stage.onLoop { Set(shared.scene.members.compactMap(\.connectionID)) }
        for (position, list) in try await stage.presenceLists(of: scene.object).enumerated() {
            let listed = list.map(\.connectionID)
            guard Set(listed) == expected, listed.count == expected.count else {
                run.flaws.append(
                    "\(stage.cluster.nodes[position].name) lists \(listed.count) members of \(scene.object), "
                        + "\(expected.count) are there")
                continue
            }
        }
    }
}
