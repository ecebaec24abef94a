import HoldfastClient
import NIOCore

/// Where one socket of a crowd goes.
struct Seat: Sendable {
    var endpoint: Endpoint
    var target: String
}

/// Many sockets, spread over event loops, and when frames reached them.
struct Crowd: Sendable {
    private static let pollSeconds = 0.005
    private let loops: [CrowdLoop]

    /// Opens all of them; throws if one is refused or lost meanwhile.
    static func open(_ seats: [Seat], token: String, on eventLoops: [any EventLoop]) async throws -> Crowd {
        let loops = eventLoops.enumerated().map { position, eventLoop in
            let own = stride(from: position, to: seats.count, by: eventLoops.count).map { seats[$0] }
            return CrowdLoop(own, token: token, on: eventLoop)
        }
        for opening in loops.map({ $0.open() }) { try await opening.get() }
        return Crowd(loops: loops)
    }

    /// From here on, arrivals of this event are written down.
    func expect(_ event: String) async throws {
        for loop in loops { try await loop.expect(event).get() }
    }

    /// Waits until `count` have come, or the time is over; answers all that came, in nanoseconds of uptime.
    func arrivals(_ count: Int, seconds: Double) async throws -> [UInt64] {
        let deadline = NIODeadline.now() + .milliseconds(Int64(seconds * 1_000))
        while NIODeadline.now() < deadline {
            var seen = 0
            for loop in loops { seen += try await loop.arrivalCount().get() }
            if seen >= count { break }
            try await SocketBench.sleep(Self.pollSeconds)
        }
        var all: [UInt64] = []
        for loop in loops { all += try await loop.arrivalTimes().get() }
        return all
    }

    /// Sockets that were lost since they opened.
    func losses() async throws -> [SocketEnd] {
        var all: [SocketEnd] = []
        for loop in loops { all += try await loop.lossesSoFar().get() }
        return all
    }

    func close() async throws {
        for loop in loops { try await loop.close().get() }
    }
}

/// The sockets of one event loop. Used on that loop only, which makes it `Sendable`.
private final class CrowdLoop: @unchecked Sendable {
    private static let openingMax = 64
    private static let connected = frameStart("connected")

    private let eventLoop: any EventLoop
    private let seats: [Seat]
    private let token: String
    private let opened: EventLoopPromise<Void>
    private var sockets: [SocketClient] = []
    private var connectedCount = 0
    private var awaited: [UInt8] = []
    private var arrivals: [UInt64] = []
    private var losses: [SocketEnd] = []
    private var isClosing = false

    init(_ seats: [Seat], token: String, on eventLoop: any EventLoop) {
        self.seats = seats
        self.token = token
        self.eventLoop = eventLoop
        opened = eventLoop.makePromise()
        sockets.reserveCapacity(seats.count)
    }

    func open() -> EventLoopFuture<Void> {
        eventLoop.execute {
            if self.seats.isEmpty { self.opened.succeed(()) }
            for _ in 0..<min(Self.openingMax, self.seats.count) { self.openNext() }
        }
        return opened.futureResult
    }

    func expect(_ event: String) -> EventLoopFuture<Void> {
        eventLoop.submit {
            self.awaited = frameStart(event)
            self.arrivals.removeAll(keepingCapacity: true)
        }
    }

    func arrivalCount() -> EventLoopFuture<Int> { eventLoop.submit { self.arrivals.count } }
    func arrivalTimes() -> EventLoopFuture<[UInt64]> { eventLoop.submit { self.arrivals } }
    func lossesSoFar() -> EventLoopFuture<[SocketEnd]> { eventLoop.submit { self.losses } }

    func close() -> EventLoopFuture<Void> {
        eventLoop.submit {
            self.isClosing = true
            for socket in self.sockets { socket.close() }
        }
    }

    private func openNext() {
        guard sockets.count < seats.count else { return }
        let seat = seats[sockets.count]
        let socket = SocketClient(endpoint: seat.endpoint, target: seat.target, token: token, on: eventLoop)
        sockets.append(socket)
        socket.onFrame = { self.received($0) }
        socket.onClose = { self.lost($0) }
        socket.open()
    }

    private func received(_ frame: ByteBuffer) {
        if !awaited.isEmpty, frame.readableBytesView.starts(with: awaited) {
            arrivals.append(NIODeadline.now().uptimeNanoseconds)
        } else if frame.readableBytesView.starts(with: Self.connected) {
            connectedCount += 1
            if connectedCount == seats.count { opened.succeed(()) } else { openNext() }
        }
    }

    private func lost(_ end: SocketEnd) {
        guard !isClosing else { return }
        losses.append(end)
        if connectedCount < seats.count { opened.fail(end) }
    }
}

/// How a frame of this event begins; nodes write `event` first.
private func frameStart(_ event: String) -> [UInt8] { Array(#"{"event":"\#(event)""#.utf8) }
