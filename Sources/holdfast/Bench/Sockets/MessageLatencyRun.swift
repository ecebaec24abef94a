import HoldfastClient
import NIOCore

/// Pairs of clients at two nodes, one message at a time, few of them: how long from one to the other?
struct MessageLatencyRun {
    /// Objects have owners at all nodes, so several of them are used in turn.
    private static let pairs = 12
    private static let arrivalTimeout = TimeAmount.seconds(5)

    private let bench: SocketBench

    init(_ bench: SocketBench) {
        self.bench = bench
    }

    func measure() async throws -> SocketFigures {
        let eventLoop = bench.loops[0]
        let nodes = bench.endpoints.count
        var pairs: [MessagePair] = []
        for number in 0..<Self.pairs {
            let target = bench.target(bench.object(number, of: .messageLatency))
            let pair = MessagePair(
                from: Seat(endpoint: bench.endpoints[number % nodes], target: target),
                to: Seat(endpoint: bench.endpoints[(number + 1) % nodes], target: target), on: eventLoop)
            try await pair.open(bench.token).get()
            pairs.append(pair)
        }
        // The first message of each pair pays for what is made once.
        for pair in pairs { _ = try await pair.send(Self.arrivalTimeout).get() }
        var latencies: [UInt64] = []
        var missing = 0
        for number in 0..<max(1, Int(bench.seconds * bench.messagesPerSecond)) {
            let took = try await pairs[number % pairs.count].send(Self.arrivalTimeout).get()
            if let took { latencies.append(took) } else { missing += 1 }
            try await SocketBench.sleep(1 / bench.messagesPerSecond)
        }
        for pair in pairs { try await pair.close().get() }
        var figures = SocketFigures(
            workload: .messageLatency,
            method: "\(Self.pairs) objects, two sockets each at two nodes, one message at a time; "
                + "from sending the frame to its arrival, both clients on one loop of this process")
        figures.add("messages", latencies.count)
        figures.addLatencies("message", latencies)
        figures.add("missing", missing)
        return figures
    }
}

/// Two sockets of one object. Used on their event loop only, which makes it `Sendable`.
private final class MessagePair: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private let seats: [Seat]
    private var sockets: [SocketClient] = []
    private var waiting: EventLoopPromise<UInt64?>?
    private var sent = NIODeadline.now()
    private var number = 0
    private var openCount = 0

    init(from: Seat, to: Seat, on eventLoop: any EventLoop) {
        seats = [from, to]
        self.eventLoop = eventLoop
    }

    func open(_ token: String) -> EventLoopFuture<Void> {
        let opened = eventLoop.makePromise(of: Void.self)
        eventLoop.execute {
            for (position, seat) in self.seats.enumerated() {
                let socket = SocketClient(
                    endpoint: seat.endpoint, target: seat.target, token: token, on: self.eventLoop)
                socket.onFrame = { self.received($0, at: position, opened) }
                socket.onClose = { end in
                    opened.fail(end)
                    self.answer(nil)
                }
                self.sockets.append(socket)
                socket.open()
            }
        }
        return opened.futureResult
    }

    /// Nanoseconds until it came; `nil` if it did not.
    func send(_ timeout: TimeAmount) -> EventLoopFuture<UInt64?> {
        let promise = eventLoop.makePromise(of: UInt64?.self)
        eventLoop.execute {
            self.waiting = promise
            self.number += 1
            let number = self.number
            self.sent = .now()
            let isSent = self.sockets[0].send(#"{"event":"message","payload":{"n":\#(number)}}"#)
            if !isSent { self.answer(nil) }
            self.eventLoop.assumeIsolated().scheduleTask(in: timeout) {
                if self.number == number { self.answer(nil) }
            }
        }
        return promise.futureResult
    }

    func close() -> EventLoopFuture<Void> {
        eventLoop.submit { for socket in self.sockets { socket.close() } }
    }

    private func received(_ text: ByteBuffer, at position: Int, _ opened: EventLoopPromise<Void>) {
        let now = NIODeadline.now()
        guard let frame = try? JSON(parsing: Array(text.readableBytesView)) else { return }
        switch frame["event"]?.text {
        case "connected":
            openCount += 1
            if openCount == seats.count { opened.succeed(()) }
        case "message" where position == 1 && frame["payload"]?["n"]?.int == number:
            answer(UInt64(max(0, (now - sent).nanoseconds)))
        default: break
        }
    }

    private func answer(_ nanoseconds: UInt64?) {
        let promise = waiting
        waiting = nil
        promise?.succeed(nanoseconds)
    }
}
