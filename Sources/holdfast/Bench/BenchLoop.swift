import Histogram
import HoldfastClient
import NIOCore

/// What the connections of one event loop saw in the measured window.
struct BenchCounts: Sendable {
    var operations: UInt64 = 0
    /// Answers that are no success, and requests without an answer, by what went wrong.
    var errors: [String: UInt64] = [:]
    var latencies = Histogram<UInt64>(
        highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)

    mutating func add(_ other: BenchCounts) {
        operations += other.operations
        errors.merge(other.errors, uniquingKeysWith: +)
        latencies.add(other.latencies)
    }
}

/// The closed loops of one event loop: each connection sends its next request when an answer has come.
/// Used on that loop only, which makes it `Sendable`.
final class BenchLoop: @unchecked Sendable {
    private let eventLoop: any EventLoop
    private let requests: [[ByteBuffer]]
    private let endpoints: [Endpoint]
    private var connections: [BenchConnection] = []
    private var counts = BenchCounts()
    private var isMeasuring = false
    fileprivate private(set) var isStopping = false

    /// `requests[e]` holds the requests for endpoint `e`, one per object.
    init(on eventLoop: any EventLoop, endpoints: [Endpoint], requests: [[ByteBuffer]]) {
        self.eventLoop = eventLoop
        self.endpoints = endpoints
        self.requests = requests
    }

    /// Opens the connections with the given numbers and starts them.
    func start(_ numbers: [Int]) -> EventLoopFuture<Void> {
        let opening = numbers.map { number in
            let endpoint = number % endpoints.count
            return HTTPConnection.connect(to: endpoints[endpoint], on: eventLoop).map { connection in
                let requests = self.requests[endpoint]
                // Connections begin at different objects, so that they do not march in step.
                let first = number &* 7_919 % requests.count
                self.connections.append(
                    BenchConnection(connection, requests: requests, first: first, owner: self))
            }
        }
        return EventLoopFuture.andAllSucceed(opening, on: eventLoop).map {
            for connection in self.connections { connection.sendNext() }
        }
    }

    func startMeasuring() -> EventLoopFuture<Void> {
        eventLoop.submit {
            self.counts = BenchCounts()
            self.isMeasuring = true
        }
    }

    func stopMeasuring() -> EventLoopFuture<BenchCounts> {
        eventLoop.submit {
            self.isMeasuring = false
            return self.counts
        }
    }

    func stop() -> EventLoopFuture<Void> {
        eventLoop.submit {
            self.isStopping = true
            for connection in self.connections { connection.close() }
        }
    }

    fileprivate func record(_ result: Result<HTTPResponse, HTTPFailure>, nanoseconds: UInt64) {
        guard isMeasuring else { return }
        switch result {
        case .success(let response) where response.isSuccess:
            counts.operations += 1
            counts.latencies.record(max(1, nanoseconds))
        case .success(let response):
            counts.errors["status \(response.status)", default: 0] += 1
        case .failure(.connectionLost), .failure(.notConnected):
            counts.errors["connection lost", default: 0] += 1
        case .failure(.timedOut):
            counts.errors["no answer in time", default: 0] += 1
        case .failure(.malformed):
            counts.errors["malformed answer", default: 0] += 1
        }
    }
}

/// One closed loop.
private final class BenchConnection {
    private var connection: HTTPConnection
    private let requests: [ByteBuffer]
    private var next: Int
    private let owner: BenchLoop
    private var sentAt: UInt64 = 0
    private var completion: HTTPConnection.Completion = { _ in }

    init(_ connection: HTTPConnection, requests: [ByteBuffer], first: Int, owner: BenchLoop) {
        self.connection = connection
        self.requests = requests
        self.owner = owner
        next = first
        connection.requestTimeout = .seconds(30)
        completion = { [weak self] in self?.answered($0) }
    }

    func sendNext() {
        let request = requests[next]
        next += 1
        if next == requests.count { next = 0 }
        sentAt = NIODeadline.now().uptimeNanoseconds
        connection.send(request, completion: completion)
    }

    func close() {
        connection.close()
    }

    private func answered(_ result: Result<HTTPResponse, HTTPFailure>) {
        guard !owner.isStopping else { return }
        owner.record(result, nanoseconds: NIODeadline.now().uptimeNanoseconds - sentAt)
        if connection.isOpen { sendNext() } else { reconnect() }
    }

    private func reconnect() {
        let loop = connection.eventLoop.assumeIsolated()
        HTTPConnection.connect(to: connection.endpoint, on: connection.eventLoop).assumeIsolated()
            .whenComplete {
                switch $0 {
                case .success(let opened):
                    opened.requestTimeout = .seconds(30)
                    self.connection = opened
                    if self.owner.isStopping { opened.close() } else { self.sendNext() }
                case .failure:
                    guard !self.owner.isStopping else { return }
                    self.owner.record(.failure(.notConnected("")), nanoseconds: 0)
                    loop.scheduleTask(in: .milliseconds(100)) { self.reconnect() }
                }
            }
    }
}
