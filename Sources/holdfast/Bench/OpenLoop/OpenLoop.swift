import DequeModule
import Histogram
import HoldfastClient
import NIOCore

/// What came of the requests that were due in the measured window.
struct OpenLoopCounts: Sendable {
    var due: UInt64 = 0
    var succeeded: UInt64 = 0
    /// Refused with `applied: "no"`, by status and code.
    var refused: [String: UInt64] = [:]
    /// No answer, or one that leaves open what has happened.
    var unknown: UInt64 = 0
    /// Due while more waited for a connection than this generator keeps.
    var neverSent: UInt64 = 0
    /// Warm-up and all: successes, and what is left open.
    var allSucceeded: UInt64 = 0
    var allUnknown: UInt64 = 0
    /// Of successes, from the moment at which they were due.
    var latencies = Histogram<UInt64>(
        highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)
    /// Of successes, from the moment at which they were sent: without the wait for an idle connection.
    var answerTimes = Histogram<UInt64>(
        highestTrackableValue: 60_000_000_000, numberOfSignificantValueDigits: .three)

    mutating func add(_ other: OpenLoopCounts) {
        due += other.due
        succeeded += other.succeeded
        refused.merge(other.refused, uniquingKeysWith: +)
        unknown += other.unknown
        neverSent += other.neverSent
        allSucceeded += other.allSucceeded
        allUnknown += other.allUnknown
        latencies.add(other.latencies)
        answerTimes.add(other.answerTimes)
    }
}

/// Requests by a schedule, whatever the answers: as many independent clients send. One event loop's part of it.
///
/// A request that finds no idle connection waits for one, and its wait counts: nothing is left out because the
/// cluster is slow (no coordinated omission). A connection that is refused with a time rests until then.
/// Used on its loop only, which makes it `Sendable`.
final class OpenLoop: @unchecked Sendable {
    /// Requests that wait for a connection; what is due beyond is counted and not sent.
    private static let waitingMax = 20_000

    private let eventLoop: any EventLoop
    private let endpoints: [Endpoint]
    /// `requests[e]` holds the requests for endpoint `e`, one per object.
    private let requests: [[ByteBuffer]]
    private var idle: [OpenLoopConnection] = []
    private var connections: [OpenLoopConnection] = []
    private var waiting: Deque<NIODeadline> = []
    private var nextObject: Int
    private var perSecond = 0.0
    private var beganAt = NIODeadline.now()
    private var sentSinceBegin: UInt64 = 0
    private var ticks: RepeatedTask?
    private var counts = OpenLoopCounts()
    private var measuredFrom: NIODeadline?
    private var measuredTo: NIODeadline?
    fileprivate private(set) var isStopping = false

    init(on eventLoop: any EventLoop, endpoints: [Endpoint], requests: [[ByteBuffer]], number: Int) {
        self.eventLoop = eventLoop
        self.endpoints = endpoints
        self.requests = requests
        nextObject = number * 7_919
    }

    func connect(_ numbers: [Int]) -> EventLoopFuture<Void> {
        let opening = numbers.map { number in
            let endpoint = number % endpoints.count
            return HTTPConnection.connect(to: endpoints[endpoint], on: eventLoop).map { connection in
                let one = OpenLoopConnection(connection, endpoint: endpoint, owner: self)
                self.connections.append(one)
                self.idle.append(one)
            }
        }
        return EventLoopFuture.andAllSucceed(opening, on: eventLoop)
    }

    /// From now on so many are due each second.
    func begin(perSecond: Double) -> EventLoopFuture<Void> {
        eventLoop.submit {
            self.perSecond = perSecond
            self.beganAt = .now()
            self.sentSinceBegin = 0
            self.ticks = self.eventLoop.scheduleRepeatedTask(
                initialDelay: .milliseconds(1), delay: .milliseconds(1)
            ) { _ in self.sendDue() }
        }
    }

    func startMeasuring() -> EventLoopFuture<Void> {
        eventLoop.submit { self.measuredFrom = .now() }
    }

    /// No more is due. What is under way is still waited for and counted.
    func end() -> EventLoopFuture<Void> {
        eventLoop.submit {
            self.measuredTo = .now()
            self.ticks?.cancel()
            self.ticks = nil
        }
    }

    var isQuiet: EventLoopFuture<Bool> {
        eventLoop.submit { self.waiting.isEmpty && self.idle.count == self.connections.count }
    }

    func stop() -> EventLoopFuture<OpenLoopCounts> {
        eventLoop.submit {
            self.isStopping = true
            for connection in self.connections { connection.close() }
            return self.counts
        }
    }

    private func sendDue() {
        let elapsed = Double((NIODeadline.now() - beganAt).nanoseconds) / 1e9
        let wanted = UInt64(elapsed * perSecond)
        while sentSinceBegin < wanted {
            sentSinceBegin += 1
            let due = beganAt + .nanoseconds(Int64(Double(sentSinceBegin) / perSecond * 1e9))
            if isMeasured(due) { counts.due += 1 }
            guard waiting.count < Self.waitingMax else {
                if isMeasured(due) { counts.neverSent += 1 }
                continue
            }
            waiting.append(due)
        }
        sendWaiting()
    }

    private func sendWaiting() {
        while !waiting.isEmpty, let connection = idle.popLast() {
            let due = waiting.removeFirst()
            let requests = requests[connection.endpoint]
            nextObject = (nextObject + 1) % requests.count
            connection.send(requests[nextObject], due: due)
        }
    }

    fileprivate func answered(
        _ connection: OpenLoopConnection, _ result: Result<HTTPResponse, HTTPFailure>, due: NIODeadline,
        sent: NIODeadline
    ) {
        guard let restMs = count(result, due, sent) else { return release(connection) }
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(restMs))) { self.release(connection) }
    }

    private func release(_ connection: OpenLoopConnection) {
        idle.append(connection)
        sendWaiting()
    }

    private func isMeasured(_ due: NIODeadline) -> Bool {
        guard let measuredFrom else { return false }
        return due >= measuredFrom && measuredTo.map { due < $0 } ?? true
    }

    /// Answers for how many milliseconds its client is to stay away.
    private func count(
        _ result: Result<HTTPResponse, HTTPFailure>, _ due: NIODeadline, _ sent: NIODeadline
    ) -> Int? {
        let isMeasured = isMeasured(due)
        if case .success(let response) = result {
            if response.isSuccess {
                counts.allSucceeded += 1
                guard isMeasured else { return nil }
                counts.succeeded += 1
                let now = NIODeadline.now()
                counts.latencies.record(UInt64(max(1, (now - due).nanoseconds)))
                counts.answerTimes.record(UInt64(max(1, (now - sent).nanoseconds)))
                return nil
            }
            let failure = HoldfastError(answer: response, isWrite: true)
            if failure.applied == .no {
                if isMeasured { counts.refused["\(response.status) \(failure.code ?? "")", default: 0] += 1 }
                return failure.retryAfterMs
            }
        }
        counts.allUnknown += 1
        if isMeasured { counts.unknown += 1 }
        return nil
    }
}

/// One connection with at most one request under way.
private final class OpenLoopConnection {
    let endpoint: Int
    private var connection: HTTPConnection
    private let owner: OpenLoop
    private var due = NIODeadline.now()
    private var sent = NIODeadline.now()
    private var completion: HTTPConnection.Completion = { _ in }

    init(_ connection: HTTPConnection, endpoint: Int, owner: OpenLoop) {
        self.connection = connection
        self.endpoint = endpoint
        self.owner = owner
        connection.requestTimeout = .seconds(30)
        completion = { [weak self] in self?.answered($0) }
    }

    func send(_ request: ByteBuffer, due: NIODeadline) {
        self.due = due
        sent = .now()
        connection.send(request, completion: completion)
    }

    func close() { connection.close() }

    private func answered(_ result: Result<HTTPResponse, HTTPFailure>) {
        guard !owner.isStopping else { return }
        guard !connection.isOpen else { return owner.answered(self, result, due: due, sent: sent) }
        reconnect(result)
    }

    private func reconnect(_ result: Result<HTTPResponse, HTTPFailure>) {
        let loop = connection.eventLoop.assumeIsolated()
        HTTPConnection.connect(to: connection.endpoint, on: connection.eventLoop).assumeIsolated()
            .whenComplete {
                switch $0 {
                case .success(let opened):
                    opened.requestTimeout = .seconds(30)
                    self.connection = opened
                    if self.owner.isStopping { return opened.close() }
                    self.owner.answered(self, result, due: self.due, sent: self.sent)
                case .failure:
                    guard !self.owner.isStopping else { return }
                    loop.scheduleTask(in: .milliseconds(100)) { self.reconnect(result) }
                }
            }
    }
}
