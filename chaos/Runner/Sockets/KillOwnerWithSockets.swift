import Glibc
import HoldfastClient

/// Kills the owner of one object, again and again, while subscribers on all nodes listen to it and a writer
/// writes at a node that lives on. Those that lost their node resume elsewhere and go home before the next kill.
struct KillOwnerWithSockets {
    private static let recoverySecondsMax = 15.0
    private static let readySecondsMax = 60.0

    private let stage: SocketStage
    private let run: SocketRun
    private let object = "sockets-\(String(monotonicNs(), radix: 36))"

    init(_ stage: SocketStage) {
        self.stage = stage
        run = stage.run
    }

    func execute() async throws {
        let cast = try await begin()
        for round in 1...run.options.rounds {
            try await goHome(cast)
            try await pause(seconds: run.options.settleSeconds)
            let fault = try await strike(cast)
            run.faults.append(fault)
            complain(
                "kill \(round)/\(run.options.rounds): \(fault.node), longest silence \(milliseconds(fault.silenceMs)), "
                    + "for those who lost their node \(milliseconds(fault.movedSilenceMs))")
        }
        try await pause(seconds: run.options.settleSeconds)
        try await end(cast)
    }

    private func begin() async throws -> Cast {
        let (stage, object, options) = (stage, object, run.options)
        let cast = try await stage.onLoop {
            let nodes = stage.cluster.nodes.count
            let subscribers = (0..<options.subscribers).map { number in
                Subscriber(name: "subscriber \(number)", home: number % nodes) { stage.isHarmed[$0] }
            }
            for subscriber in subscribers { subscriber.start(stage, object: object) }
            return Cast(subscribers: subscribers, writer: Writer(stage, object: object, node: 0))
        }
        try await stage.require(Self.recoverySecondsMax, "opening all sockets", of: cast.subscribers) {
            cast.areEstablished
        }
        try await stage.onLoop { cast.writer.write() }
        try await stage.require(
            Self.recoverySecondsMax, "the first event at all sockets", of: cast.subscribers
        ) { cast.haveSeenSomething }
        try await stage.onLoop { cast.writer.start(rate: options.socketWriteRate) }
        return cast
    }

    /// Back to three nodes: a planned move is a resume, too.
    private func goHome(_ cast: Cast) async throws {
        try await stage.onLoop {
            for subscriber in cast.subscribers where subscriber.node != subscriber.home {
                subscriber.move(to: subscriber.home)
            }
        }
        try await stage.wait(Self.recoverySecondsMax, for: "going home") { cast.areEstablished }
    }

    private func strike(_ cast: Cast) async throws -> SocketFault {
        let stage = stage
        guard let owner = try await run.cluster.owner(of: object)?.node else {
            throw LocalCluster.Unusable(description: "nobody owns \(object)")
        }
        let node = run.cluster.node(owner)
        try await stage.onLoop {
            cast.writer.node = (owner + 1) % stage.cluster.nodes.count
            stage.isHarmed[owner] = true
        }
        try await waitForAnswers(cast)
        try await stage.onLoop { for subscriber in cast.subscribers { subscriber.restartSilence() } }
        _ = kill(node.pid, SIGKILL)
        try await pause(seconds: 0.05)
        try await waitForEvents(cast)
        let fault = try await measure(cast, owner, node.name)
        if try await !run.cluster.waitReady(owner, seconds: Self.readySecondsMax) {
            run.overdue.append("\(node.name) was not ready \(Self.readySecondsMax) s after its death")
        }
        try await stage.setHarmed(owner, false)
        return fault
    }

    /// Answers that the victim still owes would be lost with it.
    private func waitForAnswers(_ cast: Cast) async throws {
        let newest = try await stage.onLoop { cast.writer.issued }
        try await stage.wait(Self.recoverySecondsMax, for: "answers to the writes before the kill") {
            cast.writer.oldestOpen > newest
        }
    }

    /// Until every subscriber hears of a write that was made after the kill.
    private func waitForEvents(_ cast: Cast) async throws {
        let newest = try await stage.onLoop { cast.writer.issued }
        try await stage.wait(Self.recoverySecondsMax, for: "an event at every socket after the kill") {
            cast.areEstablished && cast.subscribers.allSatisfy { ($0.log.writes.last?.value ?? 0) > newest }
        }
    }

    private func measure(_ cast: Cast, _ owner: Int, _ name: String) async throws -> SocketFault {
        try await stage.onLoop {
            let silences = cast.subscribers.map { (isMoved: $0.home == owner, ns: $0.log.longestSilenceNs) }
            let slowest = cast.subscribers.filter { $0.home == owner }
                .compactMap { $0.arrivals.last?.tookNs }.max()
            return SocketFault(
                node: name, wasOwner: true,
                silenceMs: Double(silences.filter { !$0.isMoved }.map(\.ns).max() ?? 0) / 1e6,
                movedSilenceMs: silences.filter(\.isMoved).map(\.ns).max().map { Double($0) / 1e6 },
                resumeMs: slowest.map { Double($0) / 1e6 })
        }
    }

    private func end(_ cast: Cast) async throws {
        try await stage.onLoop { cast.writer.stop() }
        try await stage.wait(Self.recoverySecondsMax, for: "the last event at all sockets") {
            cast.haveCaughtUp(cast.subscribers)
        }
        try await run.collect(cast, on: stage)
        try await stage.onLoop { for subscriber in cast.subscribers { subscriber.stop() } }
        await cast.writer.close()
    }
}
