import NIOCore
import NIOHTTP1
import NIOPosix
import Testing

@testable import HoldfastClient

@Suite(.timeLimit(.minutes(1))) struct SubscriptionTests {
    /// What a subscription reported, in a form that can be compared.
    private struct Watcher: @unchecked Sendable {
        let subscription: Subscription
        let reports = Mailbox<String>()
        let tokens: Mailbox<Void>

        init(_ endpoints: [Endpoint], _ change: (inout Subscription.Settings) -> Void = { _ in }) {
            var settings = Subscription.Settings()
            settings.firstPause = .milliseconds(1)
            settings.longestPause = .milliseconds(4)
            settings.provenAfter = .zero
            change(&settings)
            let loop = MultiThreadedEventLoopGroup.singleton.next()
            let (reports, tokens) = (reports, Mailbox<Void>())
            self.tokens = tokens
            subscription = Subscription(
                endpoints: endpoints, target: "/project/p/ws/c/o", settings: settings, on: loop,
                fetchToken: {
                    tokens.put(())
                    return loop.makeSucceededFuture("t")
                },
                report: { reports.put(Self.text($0)) })
            let subscription = subscription
            loop.execute { subscription.start() }
        }

        private static func text(_ report: SubscriptionReport) -> String {
            switch report {
            case .established(_, let id, let establishment): "\(establishment) \(id)"
            case .event(let event): "\(event.name) at \(event.position?.description ?? "-")"
            case .gap(let from, let to): "gap \(from) to \(to)"
            case .refusal(let text): "refusal \(text)"
            case .interrupted(_, let end, let pause): "lost \(end.code) \(pause.nanoseconds / 1_000_000)"
            case .ended(let end): "ended \(end.refusedStatus ?? Int(end.code))"
            }
        }

        func next() async throws -> String { try await reports.next() }

        func onLoop(_ body: @escaping @Sendable (Subscription) -> Void) {
            subscription.eventLoop.execute { [subscription] in body(subscription) }
        }
    }

    private func peer(at server: SocketServer, target: String? = nil) async throws -> SocketServer.Peer {
        while true {
            guard case .opened(let peer, let head) = try await server.arrivals.next() else { continue }
            if let target { #expect(head.uri == target) }
            return peer
        }
    }

    private func text(at server: SocketServer) async throws -> String {
        while true {
            if case .text(_, let text) = try await server.arrivals.next() { return text }
        }
    }

    private static func connected(_ id: String) -> String { #"{"event":"connected","connectionId":"\#(id)"}"# }
    private static func acknowledged(_ id: String) -> String {
        #"{"event":"resume:ack","connectionId":"\#(id)"}"#
    }
    private static func set(_ at: String) -> String {
        #"{"event":"setItem","payload":{"prop":"v","value":1},"at":\#(at)}"#
    }

    /// Established at the first server, with one event seen.
    private func begin(_ first: SocketServer, _ endpoints: [Endpoint]) async throws -> (
        Watcher, SocketServer.Peer
    ) {
        let watcher = Watcher(endpoints)
        let peer = try await peer(at: first, target: "/project/p/ws/c/o")
        peer.send(Self.connected("a"))
        #expect(try await watcher.next() == "first a")
        peer.send(Self.set(#"{"epoch":3,"index":9,"n":2}"#))
        #expect(try await watcher.next() == "setItem at 3/9.2")
        return (watcher, peer)
    }

    @Test func resumesAtTheNextEndpointBehindTheLastEvent() async throws {
        let (first, second) = (try await SocketServer(), try await SocketServer())
        let (watcher, peer) = try await begin(first, [first.endpoint, second.endpoint])
        peer.drop()
        #expect(try await watcher.next() == "lost 1006 0")
        let next = try await self.peer(at: second, target: "/project/p/ws/c/o?resume=true")
        #expect(
            try await text(at: second)
                == #"{"event":"resume","connectionId":"a","after":{"epoch":3,"index":9,"n":2}}"#)
        next.send(Self.connected("b"))
        next.send(Self.acknowledged("a"))
        #expect(try await watcher.next() == "resumed a")
        next.send(Self.set(#"{"epoch":4,"index":10}"#))
        #expect(try await watcher.next() == "setItem at 4/10")
    }

    @Test func takesAnAnswerWithoutAConnectedFrame() async throws {
        let server = try await SocketServer()
        let (watcher, peer) = try await begin(server, [server.endpoint])
        peer.drop()
        let again = try await self.peer(at: server)
        again.send(Self.acknowledged("a"))
        #expect(try await watcher.next() == "lost 1006 0")
        #expect(try await watcher.next() == "resumed a")
    }

    @Test func saysSoWhenTheClusterHasForgottenIt() async throws {
        let server = try await SocketServer()
        let watcher = Watcher([server.endpoint]) { $0.joinsAgain = true }
        let peer = try await self.peer(at: server)
        peer.send(Self.connected("a"))
        #expect(try await watcher.next() == "first a")
        watcher.onLoop { $0.join(["name": "x"]) }
        #expect(try await text(at: server) == #"{"event":"presence:join","payload":{"name":"x"}}"#)
        peer.drop()
        let again = try await self.peer(at: server)
        #expect(try await text(at: server) == #"{"event":"resume","connectionId":"a"}"#)
        again.send(Self.connected("b"))
        again.send(Self.acknowledged("b"))
        #expect(try await watcher.next() == "lost 1006 0")
        #expect(try await watcher.next() == "restarted b")
        #expect(try await text(at: server) == #"{"event":"presence:join","payload":{"name":"x"}}"#)
    }

    @Test func doesNotJoinAgainAfterAResume() async throws {
        let server = try await SocketServer()
        let watcher = Watcher([server.endpoint]) { $0.joinsAgain = true }
        let peer = try await self.peer(at: server)
        peer.send(Self.connected("a"))
        #expect(try await watcher.next() == "first a")
        watcher.onLoop { $0.join("x") }
        _ = try await text(at: server)
        peer.drop()
        let again = try await self.peer(at: server)
        _ = try await text(at: server)
        again.send(Self.acknowledged("a"))
        #expect(try await watcher.next() == "lost 1006 0")
        #expect(try await watcher.next() == "resumed a")
        watcher.onLoop { $0.message("m") }
        #expect(try await text(at: server) == #"{"event":"message","payload":"m"}"#)
    }

    @Test(arguments: [
        #"{"event":"presence:leave","connectionId":"a","at":{"epoch":3,"index":12}}"#,
        #"{"event":"gap","from":{"epoch":3,"index":10},"to":{"epoch":4,"index":31}}"#,
    ])
    func joinsAgainWhenAResumeCameTooLate(frame: String) async throws {
        let server = try await SocketServer()
        let watcher = Watcher([server.endpoint]) { $0.joinsAgain = true }
        let peer = try await self.peer(at: server)
        peer.send(Self.connected("a"))
        #expect(try await watcher.next() == "first a")
        watcher.onLoop { $0.join("x") }
        _ = try await text(at: server)
        peer.drop()
        let again = try await self.peer(at: server)
        _ = try await text(at: server)
        again.send(Self.acknowledged("a"))
        again.send(#"{"event":"presence:leave","connectionId":"other","at":{"epoch":3,"index":11}}"#)
        again.send(frame)
        #expect(try await text(at: server) == #"{"event":"presence:join","payload":"x"}"#)
        // Who has left of its own will stays away.
        watcher.onLoop { $0.leave() }
        #expect(try await text(at: server) == #"{"event":"presence:leave"}"#)
        again.send(frame)
        let reports = ["lost 1006 0", "resumed a", "presence:leave at 3/11"]
        for report in reports { #expect(try await watcher.next() == report) }
        let ownLeave = try await watcher.next()
        #expect(try await watcher.next() == ownLeave)
        watcher.onLoop { $0.message("m") }
        #expect(try await text(at: server) == #"{"event":"message","payload":"m"}"#)
    }

    @Test func forgetsItsIdWhenItIsToldTo() async throws {
        let server = try await SocketServer()
        let (watcher, peer) = try await begin(server, [server.endpoint])
        peer.sendClose(1_008, "policy")
        #expect(try await watcher.next() == "lost 1008 0")
        let again = try await self.peer(at: server)
        again.send(Self.connected("b"))
        #expect(try await watcher.next() == "restarted b")
    }

    @Test func reportsGapsAndGoesOnBehindThem() async throws {
        let server = try await SocketServer()
        let (watcher, peer) = try await begin(server, [server.endpoint])
        peer.send(#"{"event":"gap","from":{"epoch":3,"index":10},"to":{"epoch":4,"index":31}}"#)
        #expect(try await watcher.next() == "gap 3/10 to 4/31")
        peer.drop()
        _ = try await self.peer(at: server)
        #expect(
            try await text(at: server)
                == #"{"event":"resume","connectionId":"a","after":{"epoch":4,"index":31}}"#)
    }

    @Test func passesOnEverythingElseAndIgnoresJunk() async throws {
        let server = try await SocketServer()
        let (watcher, peer) = try await begin(server, [server.endpoint])
        peer.send("junk")
        peer.send("{}")
        peer.send(#"{"event":"pong"}"#)
        peer.send(#"{"event":"gap"}"#)
        peer.send(#"{"event":"error","payload":"no"}"#)
        #expect(try await watcher.next() == "refusal no")
        peer.send(#"{"event":"message","payload":{"a":1}}"#)
        #expect(try await watcher.next() == "message at -")
        peer.send(#"{"event":"newThing","at":{"epoch":"x"}}"#)
        #expect(try await watcher.next() == "newThing at -")
    }

    @Test func waitsLongerAfterEveryFailure() async throws {
        let server = try await SocketServer()
        try await server.close()
        let watcher = Watcher([server.endpoint])
        var pauses: [String] = []
        for _ in 0..<4 { pauses.append(try await watcher.next()) }
        #expect(pauses == ["lost 1006 1", "lost 1006 2", "lost 1006 4", "lost 1006 4"])
        watcher.onLoop { $0.stop() }
    }

    @Test func aConnectionThatProvedNothingDoesNotResetThePause() async throws {
        let server = try await SocketServer()
        let watcher = Watcher([server.endpoint]) { $0.provenAfter = .seconds(60) }
        for pause in [1, 2, 4] {
            let peer = try await self.peer(at: server)
            peer.send(Self.acknowledged("a"))
            _ = try await watcher.next()
            peer.drop()
            #expect(try await watcher.next() == "lost 1006 \(pause)")
        }
    }

    @Test func endsWhenItIsSentAway() async throws {
        let server = try await SocketServer()
        let (watcher, peer) = try await begin(server, [server.endpoint])
        peer.sendClose(1_013, "TierLimitExceeded: sockets")
        #expect(try await watcher.next() == "ended 1013")
    }

    @Test func endsWhereTheAnswerWouldBeTheSameAgain() async throws {
        let server = try await SocketServer(refusing: .notFound)
        #expect(try await Watcher([server.endpoint]).next() == "ended 404")
    }

    @Test func asksForAFreshTokenOnce() async throws {
        let server = try await SocketServer(refusing: .unauthorized)
        let watcher = Watcher([server.endpoint])
        #expect(try await watcher.next() == "lost 1006 1")
        #expect(try await watcher.next() == "ended 401")
        for _ in 0..<2 { try await watcher.tokens.next() }
    }

    @Test func leavesANodeThatSaysNothing() async throws {
        let (first, second) = (try await SocketServer(), try await SocketServer())
        let watcher = Watcher([first.endpoint, second.endpoint]) { $0.establishTimeout = .milliseconds(20) }
        _ = try await peer(at: first)
        #expect(try await watcher.next() == "lost 1006 1")
        let next = try await peer(at: second)
        next.send(Self.connected("b"))
        #expect(try await watcher.next() == "first b")
    }

    @Test func movesWhenItIsToldTo() async throws {
        let (first, second) = (try await SocketServer(), try await SocketServer())
        let (watcher, _) = try await begin(first, [first.endpoint, second.endpoint])
        watcher.onLoop { $0.move(to: 1) }
        let next = try await peer(at: second)
        next.send(Self.acknowledged("a"))
        #expect(try await watcher.next() == "resumed a")
    }

    @Test func stopsForGood() async throws {
        let server = try await SocketServer()
        let (watcher, _) = try await begin(server, [server.endpoint])
        watcher.onLoop { $0.stop() }
        #expect(try await watcher.next() == "ended 1000")
        let subscription = watcher.subscription
        #expect(try await subscription.eventLoop.submit { subscription.message("x") }.get() == false)
    }
}
