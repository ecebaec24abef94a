import DequeModule
import NIOCore

/// Sends requests to whichever endpoint answers, over connections it keeps for reuse.
///
/// It stays with the endpoint that answered last and goes on to the next when one is down. What may be
/// sent twice is the caller's to say. Its state is used on `eventLoop` only, which makes it `Sendable`.
public final class ConnectionPool: @unchecked Sendable {
    /// Pauses between attempts grow from 50 ms to this.
    private static let pauseMsMax = 1_000
    private static let idleConnectionsPerEndpointMax = 256
    /// Connections that are being opened to one endpoint; more requests wait for these, or for others to end. A slow node
    /// would otherwise get a connection for each request and each repetition, and spend its time on those given up.
    static let openingPerEndpointMax = 32

    public let endpoints: [Endpoint]
    public let timeout: TimeAmount
    private let eventLoop: any EventLoop
    private let connect: @Sendable (Endpoint) -> EventLoopFuture<HTTPConnection>
    private var preferred = 0
    private var idle: [[HTTPConnection]]
    private var opening: [Int]
    private var waiting: [Deque<Waiter>]
    private var isClosed = false

    private typealias ConnectionResult = Result<HTTPConnection, HTTPFailure>

    /// A request without a connection.
    private struct Waiter {
        var deadline: NIODeadline
        var take: (ConnectionResult) -> Void
    }

    /// `timeout` bounds a whole call, with all its attempts.
    public convenience init(endpoints: [Endpoint], on eventLoop: any EventLoop, timeout: TimeAmount = .seconds(10)) {
        self.init(endpoints: endpoints, on: eventLoop, timeout: timeout) {
            HTTPConnection.connect(to: $0, on: eventLoop, timeout: .seconds(2))
        }
    }

    /// `connect` is called on `eventLoop`.
    init(
        endpoints: [Endpoint], on eventLoop: any EventLoop, timeout: TimeAmount,
        connect: @escaping @Sendable (Endpoint) -> EventLoopFuture<HTTPConnection>
    ) {
        precondition(!endpoints.isEmpty, "a pool needs an endpoint")
        self.endpoints = endpoints
        self.eventLoop = eventLoop
        self.timeout = timeout
        self.connect = connect
        idle = Array(repeating: [], count: endpoints.count)
        opening = Array(repeating: 0, count: endpoints.count)
        waiting = Array(repeating: [], count: endpoints.count)
    }

    /// Sends until there is an answer or the time is over. A request that is not `isRepeatable` is sent
    /// again only when the last attempt certainly had no effect. Every HTTP status is an answer, save
    /// that a 503 saying `applied: no` is tried again while there is time, and that a refusal to let a write in
    /// leaves it open when an earlier attempt had been sent.
    public func send(_ request: HTTPRequest, isRepeatable: Bool) async -> Result<HTTPResponse, HTTPFailure> {
        let deadline = NIODeadline.now() + timeout
        var attempt = 0
        var wasSent: HTTPFailure?
        while true {
            let result = await exchange(request, attempt: attempt, deadline: deadline)
            attempt += 1
            var pauseMs = pauseMs(after: attempt)
            switch result {
            case .success(let response):
                guard let wishMs = Self.retryWishMs(response) else {
                    // It speaks of this attempt; an earlier one may have had its effect.
                    if let wasSent, request.method != "GET", Self.isRefusedUnread(response) { return .failure(wasSent) }
                    return result
                }
                pauseMs = max(pauseMs, wishMs)
            case .failure(let failure):
                if !failure.wasNeverSent {
                    guard isRepeatable, failure != .timedOut else { return result }
                    wasSent = failure
                }
            }
            guard NIODeadline.now() + .milliseconds(Int64(pauseMs)) < deadline, !Task.isCancelled else {
                // An earlier attempt that was sent decides what is known about the effect.
                if let wasSent { return .failure(wasSent) }
                return result
            }
            if pauseMs > 0 { try? await Task.sleep(nanoseconds: UInt64(pauseMs) * 1_000_000) }
        }
    }

    /// Closes what is idle now and what becomes idle later.
    public func close() async {
        await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
            eventLoop.execute {
                self.isClosed = true
                for connection in self.idle.joined() {
                    connection.onIdleClose = nil
                    connection.close()
                }
                self.idle = Array(repeating: [], count: self.endpoints.count)
                done.resume()
            }
        }
    }

    /// No pause while there is another endpoint that was not tried yet.
    private func pauseMs(after attempts: Int) -> Int {
        let rounds = attempts / endpoints.count
        guard rounds > 0, attempts % endpoints.count == 0 else { return 0 }
        return min(Self.pauseMsMax, 50 << min(rounds - 1, 5))
    }

    /// Nobody has looked whether the request had been there before.
    private static func isRefusedUnread(_ response: HTTPResponse) -> Bool {
        [401, 403, 429].contains(response.status)
    }

    private static func retryWishMs(_ response: HTTPResponse) -> Int? {
        guard response.status == 503 else { return nil }
        let error = HoldfastError(answer: response, isWrite: true)
        return error.applied == .no ? min(error.retryAfterMs ?? 50, pauseMsMax) : nil
    }

    private func exchange(
        _ request: HTTPRequest, attempt: Int, deadline: NIODeadline
    ) async -> Result<HTTPResponse, HTTPFailure> {
        await withCheckedContinuation { continuation in
            eventLoop.execute {
                let position = (self.preferred + attempt) % self.endpoints.count
                self.withConnection(at: position, before: deadline) { result in
                    switch result {
                    case .failure(let failure): continuation.resume(returning: .failure(failure))
                    case .success(let connection):
                        self.use(connection, at: position, for: request, deadline: deadline) {
                            continuation.resume(returning: $0)
                        }
                    }
                }
            }
        }
    }

    private func withConnection(
        at position: Int, before deadline: NIODeadline, _ body: @escaping (ConnectionResult) -> Void
    ) {
        while let connection = idle[position].popLast() {
            if connection.isOpen { return body(.success(connection)) }
        }
        waiting[position].append(Waiter(deadline: deadline, take: body))
        if opening[position] < Self.openingPerEndpointMax { open(at: position) }
    }

    private func open(at position: Int) {
        opening[position] += 1
        connect(endpoints[position]).assumeIsolated().whenComplete { result in
            self.opening[position] -= 1
            self.opened(result.mapError { $0 as? HTTPFailure ?? .notConnected("\($0)") }, at: position)
        }
    }

    /// Requests without a connection. On `eventLoop`.
    var waitingCount: Int { waiting.reduce(0) { $0 + $1.count } }

    /// A failure is one for all who wait: none of them would fare better.
    private func opened(_ result: ConnectionResult, at position: Int) {
        switch result {
        case .success(let connection):
            if let waiter = nextWaiter(at: position) { waiter.take(result) } else { keep(connection, at: position) }
            guard !waiting[position].isEmpty, opening[position] < Self.openingPerEndpointMax else { return }
            open(at: position)
        case .failure:
            let failed = waiting[position]
            waiting[position] = []
            for waiter in failed { waiter.take(result) }
        }
    }

    /// The first whose time is not over.
    private func nextWaiter(at position: Int) -> Waiter? {
        while let waiter = waiting[position].popFirst() {
            if waiter.deadline > .now() { return waiter }
            waiter.take(.failure(.notConnected("no connection was free in time")))
        }
        return nil
    }

    private func use(
        _ connection: HTTPConnection, at position: Int, for request: HTTPRequest, deadline: NIODeadline,
        _ completion: @escaping (Result<HTTPResponse, HTTPFailure>) -> Void
    ) {
        connection.onIdleClose = nil
        connection.requestTimeout = max(.milliseconds(1), deadline - .now())
        connection.send(request.encoded(for: endpoints[position])) { result in
            if case .success = result {
                self.preferred = position
                self.keep(connection, at: position)
            }
            completion(result)
        }
    }

    private func keep(_ connection: HTTPConnection, at position: Int) {
        guard connection.isOpen, !isClosed, idle[position].count < Self.idleConnectionsPerEndpointMax else {
            connection.close()
            return
        }
        if let waiter = nextWaiter(at: position) { return waiter.take(.success(connection)) }
        connection.onIdleClose = { [weak self, weak connection] in
            self?.idle[position].removeAll { $0 === connection }
        }
        idle[position].append(connection)
    }
}
